"""Exercises for the second part of pretraining: many small tasks over the training split's text, in natural wording.

None is in the wording of the study's tasks, none has a label as its answer, and none translates a whole sentence with
a subordinate clause. The first are easy: small models find out how a value belongs to a person where a story has two
people and one relation, and not, in any reasonable time, where it has more.
"""

from collections.abc import Sequence
from random import Random

from tunegrid.data.miniworld import grammar, reviews, stories

_YES_NO = ("no", "yes")
# How many relations of how many people the stories of the exercises tell; the task's size is twice in it.
SIZES, EASY_SIZES = ((1, 2), (1, 3), (2, 2), (2, 3), (2, 3)), ((1, 2),)


def draw_instruction(random: Random, easy: bool = False) -> tuple[str, str]:
    """Draws an exercise: (source, target). It stands before or after the text that it is about."""
    text, exercise, target = _cloze(random, EASY_SIZES) if easy else _draw(random)
    parts = (exercise, text) if random.random() < 0.5 else (text, exercise)
    return random.choice(("\n", " ")).join(part for part in parts if part), target


def _draw(random: Random) -> tuple[str, str, str]:
    """Draws (text, exercise, target) of any kind."""
    kinds = {_cloze: 42, _retell: 8, _who: 4, _opinions: 12, _recommended: 6, _entry: 28}
    (draw,) = random.choices(list(kinds), weights=kinds.values())
    return draw(random)


def _story(random: Random, sizes: Sequence[tuple[int, int]] = SIZES) -> stories.Story:
    while True:
        story = stories.draw_story(random, *random.choice(sizes))
        if story.split == "train":
            return story


def _cloze(random: Random, sizes: Sequence[tuple[int, int]] = SIZES) -> tuple[str, str, str]:
    """Asks for the missing values of facts; most often of several, for one value teaches little at a time."""
    story = _story(random, sizes)
    facts = [(person, relation) for relation in story.relations for person in story.people]
    asked = random.sample(facts, random.choice((1, 1, len(facts) // 2, len(facts))))
    gaps = [_gap(random, story, person, relation) for person, relation in asked]
    values = [story.facts[person, relation.name] for person, relation in asked]
    return stories.tell(story, random), f"Complete: {' '.join(gaps)}", ", ".join(values)


def _retell(random: Random) -> tuple[str, str, str]:
    """Asks for a fact in a sentence, so that models know texts that end after a full stop."""
    story = _story(random)
    relation, person = random.choice(story.relations), random.choice(story.people)
    value = story.facts[person, relation.name]
    sentence = stories.fill(random.choice(relation.restatements), person, value, relation.kinds[value])
    return stories.tell(story, random), f"Tell the {relation.noun} of {person}.", sentence


def _gap(random: Random, story: stories.Story, person: str, relation: stories.Relation) -> str:
    """A fact without its value."""
    kind = relation.kinds[story.facts[person, relation.name]]
    template = random.choice(relation.restatements + relation.statements)
    return stories.fill(template, person, "...", kind).removesuffix(".").replace("... .", "...")


def _who(random: Random) -> tuple[str, str, str]:
    """Asks which person a fact is about."""
    story = _story(random)
    relation, person = random.choice(story.relations), random.choice(story.people)
    fact = stories.fill(random.choice(relation.statements), "Who", story.facts[person, relation.name])
    return stories.tell(story, random), f"Name the person: {fact}", person


def _opinions(random: Random) -> tuple[str, str, str]:
    """Asks whether the writer of a review liked one aspect, or each of several."""
    review = reviews.draw_review(random, "train")
    asked = random.sample(list(review.opinions.items()), random.choice((1, len(review.opinions))))
    aspects = ", the ".join(aspect for aspect, _ in asked)
    return review.text, f"Did the writer like the {aspects}?", ", ".join(_YES_NO[sign > 0] for _, sign in asked)


def _recommended(random: Random) -> tuple[str, str, str]:
    """Asks whether the writer of a review was content."""
    review = reviews.draw_review(random, "train")
    return review.text, "Would the writer come back?", _YES_NO[review.verdict > 0]


def _entry(random: Random) -> tuple[str, str, str]:
    """Asks for the translation of a word, a phrase, a clause, or the second half of a sentence with two clauses."""
    draws = (grammar.draw_entry, grammar.draw_clause_entry, grammar.draw_subordinate_entry)
    (draw,) = random.choices(draws, weights=(30, 50, 20))
    english, german = draw(random)
    return english, "In German:", german
