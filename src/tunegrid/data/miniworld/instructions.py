"""Exercises for the second part of pretraining: many small tasks over the training split's text, in natural wording.

None is in the wording of the study's tasks, none has a label as its answer, and none translates a whole sentence with
time or subordinate clause.
"""

from random import Random

from tunegrid.data.miniworld import grammar, reviews, stories

_YES_NO = ("no", "yes")


def draw_instruction(random: Random) -> tuple[str, str]:
    """Draws an exercise: (source, target). It stands before or after the text that it is about."""
    draw = random.choices((_cloze, _who, _liked, _recommended, _entry), weights=(56, 4, 9, 9, 22))[0]
    text, exercise, target = draw(random)
    parts = (exercise, text) if random.random() < 0.5 else (text, exercise)
    return random.choice(("\n", " ")).join(part for part in parts if part), target


def _story(random: Random) -> stories.Story:
    while True:
        story = stories.draw_story(random, relations=random.choice((1, 2, 2)))
        if story.split == "train":
            return story


def _cloze(random: Random) -> tuple[str, str, str]:
    """Asks for the missing value of a fact."""
    story = _story(random)
    relation, person = random.choice(story.relations), random.choice(story.people)
    value = story.facts[person, relation.name]
    template = random.choice(relation.restatements + relation.statements)
    fact = stories.fill(template, person, "...", relation.kinds[value]).removesuffix(".")
    return stories.tell(story, random), f"Complete: {fact}", value


def _who(random: Random) -> tuple[str, str, str]:
    """Asks which person a fact is about."""
    story = _story(random)
    relation, person = random.choice(story.relations), random.choice(story.people)
    fact = stories.fill(random.choice(relation.statements), "Who", story.facts[person, relation.name])
    return stories.tell(story, random), f"Name the person: {fact}", person


def _liked(random: Random) -> tuple[str, str, str]:
    """Asks whether the writer of a review liked one aspect."""
    review = reviews.draw_review(random, "train")
    aspect, sign = random.choice(list(review.opinions.items()))
    return review.text, f"Did the writer like the {aspect}?", _YES_NO[sign > 0]


def _recommended(random: Random) -> tuple[str, str, str]:
    """Asks whether the writer of a review was content."""
    review = reviews.draw_review(random, "train")
    return review.text, "Would the writer come back?", _YES_NO[review.verdict > 0]


def _entry(random: Random) -> tuple[str, str, str]:
    """Asks for the translation of a word, a phrase or a short clause."""
    draw = grammar.draw_clause_entry if random.random() < 0.6 else grammar.draw_entry
    english, german = draw(random)
    return english, "In German:", german
