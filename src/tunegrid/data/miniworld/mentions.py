"""Texts with named entities: people, towns, and films, books and shows.

Titles of works are made of words that have other uses, and only the words around a title say what kind of work it is.
The titles decide the split: no title of a held-out text occurs in training text.
"""

import re
from collections.abc import Iterator
from random import Random

from tunegrid.data.miniworld import reviews, stories
from tunegrid.data.miniworld.tables import table

HELD_OUT = ("text",)

PERSON, TOWN = "person", "town"
TYPES = (PERSON, TOWN, *sorted(table("reviews")["works"]))
# Share of the texts that name two works.
TWO_WORKS_SHARE = 0.3

Sentence = tuple[str, dict[str, str]]  # a sentence, and the type of each text in it that names something


def draw_examples(random: Random, split: str, domain: str = "home") -> Iterator[dict]:
    """Yields rows of named entity recognition (without ids) without end: a text and the spans of its entities."""
    world = stories.world(domain)
    while True:
        people = random.sample(world.people, 2)
        sentences = [
            _home(random, world, people[0]),
            random.choice((_fact, _opinion))(random, world, people[1]),
            *_works(random, split, domain),
        ]
        random.shuffle(sentences)
        text, spans = "", []
        for sentence, types in sentences:
            text += " " * bool(text)
            for name, label in types.items():
                place = re.search(rf"\b{re.escape(name)}\b", sentence)
                spans.append({"start": len(text) + place.start(), "end": len(text) + place.end(), "label": label})
            text += sentence
        yield {"text": text, "spans": sorted(spans, key=lambda span: span["start"])}


def _home(random: Random, world: stories.World, person: str) -> Sentence:
    """Where a person lives."""
    (home,) = (relation for relation in world.relations if relation.name == "home")
    town = random.choice(home.values)
    return stories.fill(random.choice(home.statements), person, town), {person: PERSON, town: TOWN}


def _fact(random: Random, world: stories.World, person: str) -> Sentence:
    """Something else about a person."""
    relation = random.choice([relation for relation in world.relations if relation.name != "home"])
    return stories.fill(random.choice(relation.statements), person, random.choice(relation.values)), {person: PERSON}


def _opinion(random: Random, world: stories.World, person: str) -> Sentence:
    """What a person says of a work without a name."""
    words = table("reviews")
    kind = random.choice(sorted(words["works"]))
    return reviews.hearsay(random, words | {"others": [person]}, kind), {person: PERSON}


def _works(random: Random, split: str, domain: str) -> list[Sentence]:
    """A work and its kind, or two, each in a sentence that opens a review."""
    home = table("reviews")
    words = home if domain == "home" else table(domain)["reviews"]
    kinds = random.sample(sorted(home["works"]), 1 + (random.random() < TWO_WORKS_SHARE))
    titles: dict[str, str] = {}
    while len(titles) < len(kinds):
        titles.setdefault(reviews.draw_title(random, split, words), kinds[len(titles)])
    return [(random.choice(words["openings"]).format(k=kind, t=title), {title: kind}) for title, kind in titles.items()]
