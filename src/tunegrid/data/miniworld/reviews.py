"""Reviews of films, books and shows with a good or a bad verdict, which has to be read out of the writer's opinions.

Single words mislead: most opinions are negated, contrasted with what was expected, or other people's. A review's label
is the sign of the sum of the writer's own opinions. The title decides the split: all reviews of a work are in one
split, as in IMDB.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tunegrid.data.miniworld.keys import split_of
from tunegrid.data.miniworld.tables import table

HELD_OUT = ("text",)
LANGUAGES = ("en",)

LABELS = ("negative", "positive")


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


def draw_title(random: Random, split: str) -> str:
    first, second = (words.split() for words in table("reviews")["titles"])
    while True:
        title = f"The {random.choice(first)} {random.choice(second)}"
        if split_of(title) == split:
            return title


def draw_review(random: Random, split: str) -> Review:
    """Draws a review. The writer's opinions mostly agree; where they do not, the majority decides the label."""
    words = table("reviews")
    title, kind = draw_title(random, split), random.choice(sorted(words["works"]))
    verdict = random.choice((1, -1))
    aspects = random.sample(words["works"][kind].split(), random.choice((2, 3, 3)))
    signs = [verdict] * len(aspects)
    if len(aspects) == 3 and random.random() < 0.4:
        signs[random.randrange(3)] = -verdict
    opinions = dict(zip(aspects, signs, strict=True))
    sentences = [_opinion(random, aspect, sign) for aspect, sign in opinions.items()]
    if random.random() < 0.6:
        sentences.insert(random.randrange(len(sentences) + 1), _hearsay(random, kind))
    opening = random.choice(words["openings"]).format(k=kind, t=title)
    return Review((opening, *sentences), verdict, opinions)


def _word(random: Random, sign: int) -> str:
    return random.choice(table("reviews")["good" if sign > 0 else "bad"].split())


def _opinion(random: Random, aspect: str, sign: int) -> str:
    """A sentence that praises (1) or blames (-1) an aspect: plainly, by negation or by contrast."""
    words = table("reviews")
    manners = list(words["opinions"].values())
    (manner,) = random.choices(manners, weights=[manner["share"] for manner in manners])
    forms = manner["both"] + manner.get("positive" if sign > 0 else "negative", [])
    return _sentence(random, random.choice(forms), a=aspect, w=_word(random, sign), o=_word(random, -sign))


def _hearsay(random: Random, kind: str) -> str:
    """Somebody else's opinion: it says nothing about the writer's."""
    first, second = random.sample(table("reviews")[random.choice(("good", "bad"))].split(), 2)
    return _sentence(random, random.choice(table("reviews")["hearsay"]), k=kind, x=first, y=second)


def _sentence(random: Random, form: str, **words: str) -> str:
    degree, who = random.choice(table("reviews")["degrees"].split()), random.choice(table("reviews")["others"])
    text = form.format(d=degree, who=who, **words)
    return text[0].upper() + text[1:]


def draw_examples(random: Random, split: str) -> Iterator[dict]:
    """Yields sentiment rows (without ids) without end."""
    while True:
        review = draw_review(random, split)
        yield {"text": review.text, "label": review.label}


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
