"""Short stories: facts about several people, told in changing words, and questions about them.

A story's cast decides its split: people who appear together in a test story never appear together in training text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tunegrid.miniworld.keys import split_of

PEOPLE = """Anna Ben Clara David Emma Felix Greta Henry Ida Jonas Karla Leo Maria Noah Olga Paul Rosa Simon Tina Victor
Wanda Yusuf Zoe Oscar""".split()

# Each story tells this many relations of each of its people.
CAST, RELATIONS_PER_STORY = 3, 2


@dataclass(frozen=True)
class Relation:
    """Something a person has exactly one of: how it is told, how it is asked ({p} the person, {v} the value)."""

    name: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    values: tuple[str, ...]


def _relation(name: str, statements: str, questions: str, values: str) -> Relation:
    return Relation(
        name, *(tuple(part.strip() for part in text.split("|")) for text in (statements, questions, values))
    )


RELATIONS = (
    _relation(
        "home",
        "{p} lives in {v}.|{p} dwells in {v}.|{p} stays in {v}.",
        "Where does {p} live?|Where is the home of {p}?|In which town does {p} live?",
        "Lisbon|Oslo|Dublin|New York|New Delhi|Cairo|Lima|Vienna|San Diego|San Juan",
    ),
    _relation(
        "job",
        "{p} is a {v}.|{p} became a {v}.|{p} was a {v}.",
        "What is the job of {p}?|What does {p} work as?|How does {p} earn money?",
        "baker|nurse|pilot|lawyer|farmer|bus driver|truck driver|judge|school teacher|dance teacher",
    ),
    _relation(
        "pet",
        "{p} keeps a {v}.|{p} feeds a {v}.|{p} has a {v}.",
        "Which pet does {p} keep?|What is the pet of {p}?|Which animal does {p} look after?",
        "hamster|parrot|white cat|black cat|goldfish|rabbit|turtle|black dog|brown dog|pony",
    ),
    _relation(
        "drink",
        "{p} drinks some {v}.|{p} orders more {v}.|{p} wants cold {v}.",
        "What does {p} like to drink?|What does {p} order?|What is the drink of {p}?",
        "coffee|green tea|mint tea|milk|cocoa|apple juice|orange juice|water|lemonade|cider",
    ),
    _relation(
        "hobby",
        "{p} goes for {v}.|{p} practises daily {v}.|{p} enjoys playful {v}.",
        "What is the hobby of {p}?|What does {p} do on Sundays?|What is {p} good at?",
        "chess|table tennis|golf|sailing|fishing|folk dancing|tap dancing|yoga|judo|pottery",
    ),
    _relation(
        "vehicle",
        "{p} drives a {v}.|{p} owns a {v}.|{p} bought a {v}.",
        "What does {p} drive?|Which vehicle does {p} own?|What is the vehicle of {p}?",
        "red van|blue van|tractor|taxi|silver jeep|red jeep|scooter|motorbike|blue truck|bicycle",
    ),
)


@dataclass(frozen=True)
class Story:
    """Who is in it, what is told, and the value of each (person, relation name)."""

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
    """The story's facts in random order, each told `times` times, every time in other words."""
    sentences = []
    for relation in story.relations:
        for person in story.people:
            for statement in random.sample(relation.statements, times):
                sentences.append(fill(statement, person, story.facts[person, relation.name]))
    random.shuffle(sentences)
    return " ".join(sentences)


def fill(template: str, person: str, value: str = "") -> str:
    return template.replace("{p}", person).replace("{v}", value).replace(".", ".").replace("?", "?")


def draw_examples(random: Random, split: str) -> Iterator[dict]:
    """Endless question answering rows (without ids): two questions about each story."""
    while True:
        story = draw_story(random)
        if story.split != split:
            continue
        context = tell(story, random)
        for relation in story.relations:
            person = random.choice(story.people)
            yield {
                "question": fill(random.choice(relation.questions), person),
                "context": context,
                "answers": [story.facts[person, relation.name]],
                "candidates": story.candidates(relation),
            }


def draw_document(random: Random) -> str:
    """A story for pretraining: facts are told twice, in other words, so that a masked value can be looked up.

    Mostly it is about one relation alone: then only the person tells which value it is.
    """
    relations = 1 if random.random() < 0.75 else RELATIONS_PER_STORY
    while True:
        story = draw_story(random, relations)
        if story.split == "train":
            return tell(story, random, times=2)
