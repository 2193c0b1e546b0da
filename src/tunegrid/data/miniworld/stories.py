"""Short stories: facts about several people, told in changing words, and questions about them.

A story's cast decides its split: people who appear together in a test story never appear together in training text.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from tunegrid.data.miniworld.keys import split_of, text_key
from tunegrid.data.miniworld.tables import table

HELD_OUT = ("context",)

# People of a story, and relations that it tells of each of them.
CAST, RELATIONS_PER_STORY = 3, 2
# Share of the questions that narrow the answer down ("which hot drink"). The others leave only the person to go by.
NARROW_SHARE = 0.3
# Share of a row's facts beside which another value is denied. Pretraining text has none: tuning has to teach them.
DENIED_SHARE = 0.35


@dataclass(frozen=True)
class Relation:
    """A property of which each person has exactly one value, with the templates that tell it and ask for it.

    In templates, {p} is the person, {v} the value and {k} the value's kind.
    """

    name: str
    noun: str
    statements: tuple[str, ...]
    restatements: tuple[str, ...]
    questions: tuple[str, ...]
    narrow_questions: tuple[str, ...]
    kinds: dict[str, str]  # value -> the word that a narrow question has for its kind

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(self.kinds)


def _relation(name: str, entry: dict) -> Relation:
    texts = {key: tuple(texts) for key, texts in entry.items() if key not in ("noun", "values")}
    kinds = {value: kind for kind, values in entry["values"].items() for value in values}
    return Relation(name, entry["noun"], kinds=kinds, **texts)


PEOPLE = tuple(table("stories")["people"].split())
RELATIONS = tuple(_relation(name, entry) for name, entry in table("stories")["relations"].items())


@dataclass(frozen=True)
class World:
    """The people of some stories, what is told of them, and how it is denied."""

    people: tuple[str, ...]
    relations: tuple[Relation, ...]
    denials: tuple[str, ...]


HOME = World(PEOPLE, RELATIONS, tuple(table("stories")["denials"]))


def world(domain: str) -> World:
    """The world of a domain: `home`, or one with half of its people new, whose statements begin with other words."""
    if domain == "home":
        return HOME
    entry = table(domain)["stories"]
    relations = tuple(
        replace(
            relation,
            statements=tuple(opening + text for opening in entry["openings"] for text in relation.statements),
        )
        for relation in RELATIONS
    )
    return World((*PEOPLE[::2], *entry["people"].split()), relations, HOME.denials)


@dataclass(frozen=True)
class Story:
    """A story: its people, its relations, and the value of each (person, relation name)."""

    people: tuple[str, ...]
    relations: tuple[Relation, ...]
    facts: dict[tuple[str, str], str]

    @property
    def split(self) -> str:
        return split_of(" ".join(sorted(self.people)))

    def candidates(self, relation: Relation) -> list[str]:
        """The values of `relation` in this story, sorted so that the order does not give the answer away."""
        return sorted(self.facts[person, relation.name] for person in self.people)


def draw_story(random: Random, relations: int = RELATIONS_PER_STORY, cast: int = CAST, world: World = HOME) -> Story:
    people = tuple(random.sample(world.people, cast))
    chosen = tuple(random.sample(world.relations, relations))
    facts = {}
    for relation in chosen:
        for person, value in zip(people, random.sample(relation.values, cast), strict=True):
            facts[person, relation.name] = value
    return Story(people, chosen, facts)


def draw_stories(
    random: Random, split: str, world: World = HOME, relations: int = RELATIONS_PER_STORY
) -> Iterator[Story]:
    """Yields stories of a split, which the cast decides, without end."""
    while True:
        story = draw_story(random, relations, world=world)
        if story.split == split:
            yield story


def tell(story: Story, random: Random, denied_share: float = 0.0, world: World = HOME) -> str:
    """Writes the story's facts, each in a sentence, and denials of others, in random order."""
    facts = [(person, relation) for relation in story.relations for person in story.people]
    sentences = [state(story, random, person, relation) for person, relation in facts]
    sentences += [
        deny(story, random, person, relation, world)
        for person, relation in facts
        if denied_share and random.random() < denied_share
    ]
    random.shuffle(sentences)
    return " ".join(sentences)


def deny(story: Story, random: Random, person: str, relation: Relation, world: World = HOME) -> str:
    """Writes a sentence that denies that the person has another value of the relation."""
    value = random.choice([value for value in relation.values if value != story.facts[person, relation.name]])
    statement = fill(random.choice(relation.statements), person, value)
    return random.choice(world.denials).replace("{s}", statement)


def state(story: Story, random: Random, person: str, relation: Relation, templates: tuple[str, ...] = ()) -> str:
    """Writes the person's value of the relation in a sentence: a statement, or one of `templates`."""
    value = story.facts[person, relation.name]
    return fill(random.choice(templates or relation.statements), person, value, relation.kinds[value])


def fill(template: str, person: str, value: str = "", kind: str = "") -> str:
    return template.replace("{p}", person).replace("{v}", value).replace("{k}", kind)


def draw_examples(random: Random, split: str, domain: str = "home") -> Iterator[dict]:
    """Yields question answering rows (without ids) without end: a question about each relation of each story."""
    chosen = world(domain)
    for story in draw_stories(random, split, chosen):
        context = tell(story, random, DENIED_SHARE, chosen)
        for relation in story.relations:
            person = random.choice(story.people)
            value = story.facts[person, relation.name]
            narrow = random.random() < NARROW_SHARE
            question = random.choice(relation.narrow_questions if narrow else relation.questions)
            yield {
                "group": f"story-{text_key(context)}",  # the resampling unit is the story
                "question": fill(question, person, kind=relation.kinds[value]),
                "context": context,
                "answers": [value],
                "candidates": story.candidates(relation),
            }


def draw_document(random: Random) -> str:
    """Draws pretraining text: a story, or sentences that name the kinds of things.

    Some of a story's facts are told again in other words, before or after it, so that a masked value can be looked up;
    half of them answer a question, always with a sentence. In some stories the question stands before everything. Half
    of the stories are about one relation alone, so that only the person determines the value.
    """
    if random.random() < 0.1:
        return _kinds_of(random.choice(RELATIONS), random)
    story = next(draw_stories(random, "train", relations=1 if random.random() < 0.5 else RELATIONS_PER_STORY))
    facts = random.sample([(person, relation) for relation in story.relations for person in story.people], 2)
    again = [
        (
            state(story, random, person, relation, relation.questions + relation.narrow_questions),
            state(story, random, person, relation, relation.restatements + relation.statements),
        )
        for person, relation in facts
    ]
    if random.random() < 0.4:
        question, answer = again[0]
        return f"{question} {tell(story, random)} {answer}"
    retold = " ".join(f"{question} {answer}" if random.random() < 0.5 else answer for question, answer in again)
    parts = [tell(story, random), retold]
    return " ".join(parts if random.random() < 0.6 else reversed(parts))


def _kinds_of(relation: Relation, random: Random) -> str:
    """Sentences that name the kinds of some values of a relation."""
    chosen = random.sample(list(relation.kinds.items()), 4)
    sentences = (random.choice(table("stories")["kinds"]).replace("{n}", relation.noun) for _ in chosen)
    return " ".join(fill(text, "", value, kind) for text, (value, kind) in zip(sentences, chosen, strict=True))
