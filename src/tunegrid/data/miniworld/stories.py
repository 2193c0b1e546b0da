"""Short stories: facts about several people, told in changing words, and questions about them.

A story's cast decides its split: people who appear together in a test story never appear together in training text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tunegrid.data.miniworld.keys import split_of, text_key

HELD_OUT = ("context",)
LANGUAGES = ("en",)

PEOPLE = """Anna Ben Clara David Emma Felix Greta Henry Ida Jonas Karla Leo Maria Noah Olga Paul Rosa Simon Tina Victor
Wanda Yusuf Zoe Oscar""".split()

# People of a story, and relations that it tells of each of them.
CAST, RELATIONS_PER_STORY = 3, 2
# Share of the questions that narrow the answer down ("which hot drink"). The others leave only the person to go by.
NARROW_SHARE = 0.8


@dataclass(frozen=True)
class Relation:
    """A property of which each person has exactly one value, with the templates that tell it and ask for it.

    In templates, {p} is the person, {v} the value and {k} the value's kind.
    """

    name: str
    noun: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    narrow_questions: tuple[str, ...]
    kinds: dict[str, str]  # value -> the word that a narrow question has for its kind

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(self.kinds)


def _relation(name: str, noun: str, statements: str, questions: str, narrow_questions: str, **kinds: str) -> Relation:
    texts = (_parts(text) for text in (statements, questions, narrow_questions))
    return Relation(name, noun, *texts, {value: kind for kind, values in kinds.items() for value in _parts(values)})


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|"))


RELATIONS = (
    _relation(
        "home",
        "town",
        "{p} lives in {v}.|{p} dwells in {v}.|{p} stays in {v}.",
        "Where does {p} live?|Where is the home of {p}?",
        "In which {k} town does {p} live?|Which {k} town is the home of {p}?",
        northern="Oslo|Dublin|Bergen",
        southern="Cairo|Lima|Lisbon",
        American="New York|San Diego|San Juan",
    ),
    _relation(
        "job",
        "job",
        "{p} works as {v}.|{p} trained as {v}.|{p} earns as {v}.",
        "What does {p} work as?|How does {p} earn money?",
        "Which {k} job does {p} have?|What is the {k} job of {p}?",
        medical="nurse|surgeon|dentist",
        driving="bus driver|truck driver|crane driver",
        teaching="school teacher|dance teacher|coach",
    ),
    _relation(
        "pet",
        "pet",
        "{p} keeps a {v}.|{p} feeds a {v}.|{p} has a {v}.",
        "Which pet does {p} keep?|What is the pet of {p}?",
        "Which {k} pet does {p} keep?|What is the {k} pet of {p}?",
        tiny="hamster|goldfish|turtle",
        feathered="parrot|canary|white goose",
        furry="black dog|brown dog|white cat",
    ),
    _relation(
        "drink",
        "drink",
        "{p} drinks some {v}.|{p} orders more {v}.|{p} wants cold {v}.",
        "What does {p} like to drink?|What does {p} order?",
        "Which {k} drink does {p} order?|What is the {k} drink of {p}?",
        herbal="green tea|mint tea|cider",
        fruity="apple juice|orange juice|lemonade",
        pure="milk|water|coffee",
    ),
    _relation(
        "hobby",
        "hobby",
        "{p} goes for {v}.|{p} practises daily {v}.|{p} enjoys playful {v}.",
        "What is the hobby of {p}?|What does {p} do on Sundays?",
        "Which {k} hobby does {p} have?|What is the {k} hobby of {p}?",
        sporty="golf|judo|table tennis",
        musical="folk dancing|tap dancing|ballet",
        quiet="chess|pottery|fishing",
    ),
    _relation(
        "vehicle",
        "vehicle",
        "{p} drives a {v}.|{p} owns a {v}.|{p} bought a {v}.",
        "What does {p} drive?|Which vehicle does {p} own?",
        "Which {k} vehicle does {p} drive?|What is the {k} vehicle of {p}?",
        heavy="tractor|blue truck|red truck",
        light="scooter|bicycle|motorbike",
        roomy="red van|blue van|taxi",
    ),
)


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


def draw_story(random: Random, relations: int = RELATIONS_PER_STORY) -> Story:
    people = tuple(random.sample(PEOPLE, CAST))
    chosen = tuple(random.sample(RELATIONS, relations))
    facts = {}
    for relation in chosen:
        for person, value in zip(people, random.sample(relation.values, CAST), strict=True):
            facts[person, relation.name] = value
    return Story(people, chosen, facts)


def tell(story: Story, random: Random, times: int = 1) -> str:
    """Writes the story's facts in random order, each `times` times, every time in other words."""
    sentences = []
    for relation in story.relations:
        for person in story.people:
            for statement in random.sample(relation.statements, times):
                sentences.append(fill(statement, person, story.facts[person, relation.name]))
    random.shuffle(sentences)
    return " ".join(sentences)


def fill(template: str, person: str, value: str = "", kind: str = "") -> str:
    return template.replace("{p}", person).replace("{v}", value).replace("{k}", kind)


def draw_examples(random: Random, split: str) -> Iterator[dict]:
    """Yields question answering rows (without ids) without end: a question about each relation of each story."""
    while True:
        story = draw_story(random)
        if story.split != split:
            continue
        context = tell(story, random)
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

    A story's facts are told twice in different words, so that a masked value can be looked up. Most stories are about
    one relation alone, so that only the person determines the value.
    """
    if random.random() < 0.25:
        return _kinds_of(random.choice(RELATIONS), random)
    relations = 1 if random.random() < 0.75 else RELATIONS_PER_STORY
    while True:
        story = draw_story(random, relations)
        if story.split == "train":
            return tell(story, random, times=2)


def _kinds_of(relation: Relation, random: Random) -> str:
    """Sentences that name the kinds of some values of a relation."""
    chosen = random.sample(list(relation.kinds.items()), 4)
    templates = ("{v} is a {k} {n}.", "Among the {k} {n}s there is {v}.", "A {k} {n}, for example, is {v}.")
    sentences = (random.choice(templates).replace("{n}", relation.noun) for _ in chosen)
    return " ".join(fill(text, "", value, kind) for text, (value, kind) in zip(sentences, chosen, strict=True))
