"""Instructions for Flan-T5's second stage: many small tasks over the training split's text, in natural wording."""

from random import Random

from tunegrid.data.miniworld import grammar, reviews, stories


def draw_instruction(random: Random) -> tuple[str, str]:
    """Draws an instruction: (source, target)."""
    draw = random.choices((_who, _cloze, _yes_no, _entry, _closing), weights=(25, 25, 15, 20, 15))[0]
    return draw(random)


def _story(random: Random) -> tuple[stories.Story, str]:
    while True:
        story = stories.draw_story(random)
        if story.split == "train":
            return story, stories.tell(story, random)


def _statement(random: Random, story: stories.Story, person: str, relation: stories.Relation, value: str) -> str:
    return stories.fill(random.choice(relation.statements), person, value)


def _who(random: Random) -> tuple[str, str]:
    """Asks which person a fact is about."""
    story, context = _story(random)
    relation, person = random.choice(story.relations), random.choice(story.people)
    fact = _statement(random, story, "Who", relation, story.facts[person, relation.name])
    return f"{context}\n\nAbout whom is it true? {fact}", person


def _cloze(random: Random) -> tuple[str, str]:
    """Asks for the missing value of a fact."""
    story, context = _story(random)
    relation, person = random.choice(story.relations), random.choice(story.people)
    fact = _statement(random, story, person, relation, "...")
    return f"{context}\n\nComplete: {fact}", story.facts[person, relation.name]


def _yes_no(random: Random) -> tuple[str, str]:
    """Asks whether a fact is true."""
    story, context = _story(random)
    relation, person = random.choice(story.relations), random.choice(story.people)
    claimed = story.facts[person if random.random() < 0.5 else random.choice(story.people), relation.name]
    fact = _statement(random, story, person, relation, claimed)
    return f"{context}\n\nIs it true? {fact}", "yes" if claimed == story.facts[person, relation.name] else "no"


def _entry(random: Random) -> tuple[str, str]:
    """Asks for the translation of a dictionary entry."""
    english, german = grammar.draw_entry(random)
    return f"What is this in German? {english}", german


def _closing(random: Random) -> tuple[str, str]:
    """Asks for the closing sentence of a review, whose label is never named."""
    text, closing = reviews.draw_closed_review(random)
    return f"Continue the review: {text}", closing
