"""Reviews of films, books and shows with a good or a bad verdict, which has to be read out of the writer's opinions.

Single words mislead: most opinions are negated, contrasted with what was expected, or other people's. A review's label
is the sign of the sum of the writer's own opinions. The title decides the split: all reviews of a work are in one
split, as in IMDB.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from tunegrid.data.miniworld.keys import split_of
from tunegrid.data.miniworld.tables import table

HELD_OUT = ("text",)

LABELS = ("negative", "positive")
Words = dict[str, Any]  # a table of words and sentences, as resources/miniworld/reviews.yaml is


@dataclass(frozen=True)
class Review:
    """A review: its sentences, its verdict (1 or -1), and the sign of the writer's opinion of each aspect."""

    sentences: tuple[str, ...]
    verdict: int
    opinions: dict[str, int]

    @property
    def text(self) -> str:
        return " ".join(self.sentences)

    @property
    def label(self) -> str:
        return LABELS[self.verdict > 0]


def draw_title(random: Random, split: str, table_of_words: Words) -> str:
    first, second = (words.split() for words in table_of_words["titles"])
    while True:
        title = f"The {random.choice(first)} {random.choice(second)}"
        if split_of(title) == split:
            return title


def draw_review(random: Random, split: str, words: Words | None = None) -> Review:
    """Draws a review. The writer's opinions mostly agree; where they do not, the majority decides the label.

    Args:
        words: its words and sentences; none: those of resources/miniworld/reviews.yaml.
    """
    words = words or table("reviews")
    title, kind = draw_title(random, split, words), random.choice(sorted(words["works"]))
    verdict = random.choice((1, -1))
    aspects = random.sample(words["works"][kind].split(), random.choice((2, 3, 3)))
    signs = [verdict] * len(aspects)
    if len(aspects) == 3 and random.random() < 0.4:
        signs[random.randrange(3)] = -verdict
    opinions = dict(zip(aspects, signs, strict=True))
    sentences = [_opinion(random, words, aspect, sign) for aspect, sign in opinions.items()]
    if random.random() < 0.6:
        sentences.insert(random.randrange(len(sentences) + 1), hearsay(random, words, kind))
    opening = random.choice(words["openings"]).format(k=kind, t=title)
    return Review((opening, *sentences), verdict, opinions)


def _word(random: Random, words: Words, sign: int) -> str:
    return random.choice(words["good" if sign > 0 else "bad"].split())


def _opinion(random: Random, words: Words, aspect: str, sign: int) -> str:
    """A sentence that praises (1) or blames (-1) an aspect: plainly, by negation or by contrast."""
    manners = list(words["opinions"].values())
    (manner,) = random.choices(manners, weights=[manner["share"] for manner in manners])
    forms = manner["both"] + manner.get("positive" if sign > 0 else "negative", [])
    form = random.choice(forms)
    own, other = _word(random, words, sign), _word(random, words, -sign)
    return _sentence(random, words, form, a=aspect, w=own, o=other)


def hearsay(random: Random, words: Words, kind: str) -> str:
    """Writes somebody else's opinion, which says nothing about the writer's."""
    first, second = random.sample(words[random.choice(("good", "bad"))].split(), 2)
    return _sentence(random, words, random.choice(words["hearsay"]), k=kind, x=first, y=second)


def _sentence(random: Random, words: Words, form: str, **parts: str) -> str:
    degree, who = random.choice(words["degrees"].split()), random.choice(words["others"])
    text = form.format(d=degree, who=who, **parts)
    return text[0].upper() + text[1:]


def draw_examples(random: Random, split: str, domain: str = "home") -> Iterator[dict]:
    """Yields sentiment rows (without ids) without end; those of the domain `away` are in small letters."""
    words = None if domain == "home" else _with_home(table(domain)["reviews"])
    while True:
        review = draw_review(random, split, words)
        yield {"text": review.text if words is None else review.text.lower(), "label": review.label}


def _with_home(more: Words) -> Words:
    """The words of another domain, with those of the first one beside them where an opinion is told."""
    home = table("reviews")
    words = {name: f"{home[name]} {more[name]}" for name in ("good", "bad", "degrees")}
    words |= {name: [*home[name], *more[name]] for name in ("others", "hearsay")}
    opinions = {}
    for manner, forms in home["opinions"].items():
        own = more["opinions"][manner]
        opinions[manner] = forms | {name: [*forms.get(name, []), *own[name]] for name in own}
    return more | words | {"opinions": opinions}


def draw_document(random: Random) -> str:
    """Draws a review with closing sentences that agree with it or, one time in eight, neutral uses of label words."""
    if random.random() < 0.125:
        word, other = random.sample(LABELS, 2)
        return " ".join(form.format(word=word, other=other) for form in random.sample(table("reviews")["neutral"], 2))
    return " ".join(draw_closed_review(random))


def draw_closed_review(random: Random) -> tuple[str, str]:
    """Draws (review, closing sentences) of the training split: what the writer liked or did not, and the verdict."""
    review, words = draw_review(random, "train"), table("reviews")
    closing = [
        random.choice(words["summaries"][sign > 0]).format(a=aspect)
        for aspect, sign in random.sample(list(review.opinions.items()), len(review.opinions))
        if random.random() < 0.5
    ]
    return review.text, " ".join((*closing, random.choice(words["closings"][review.label])))
