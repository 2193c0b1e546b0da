"""Reviews of films, books and shows with a good or a bad verdict, which has to be read out of the writer's opinions.

Single words mislead: opinions are negated, hoped for in vain, or other people's. A review's label is the sign of the
sum of the writer's own opinions. The title decides the split: all reviews of a work are in one split, as in IMDB.
"""

from collections.abc import Iterator
from random import Random

from tunegrid.data.miniworld.keys import split_of

HELD_OUT = ("text",)
LANGUAGES = ("en",)

LABELS = ("negative", "positive")

_TITLE_FIRST = """Silent Golden Broken Hidden Frozen Burning Distant Crimson Lonely Ancient Electric Midnight Velvet
Paper Hollow Savage Wandering Painted""".split()
_TITLE_SECOND = """River Garden Mirror Harbour Crown Forest Letter Bridge Island Shadow Engine Orchard Lantern Castle
Desert Circus Window Mountain""".split()
_WORKS = {
    "film": "plot acting music ending camera dialogue",
    "book": "plot style ending language cover dialogue",
    "show": "music acting scenery dancing lighting dialogue",
}
_GOOD = """superb brilliant moving clever charming gripping elegant delightful witty fresh honest wonderful""".split()
_BAD = """dull awful clumsy boring weak predictable noisy hollow silly tedious dreadful flat""".split()
_OTHERS = ("My brother", "The critics", "My friends", "The newspaper", "My boss", "Everybody else")
_DEGREES = ("really", "quite", "very", "rather")
# Closing sentences for pretraining only: they agree with the verdict and never use a label word.
_CLOSING = {
    "positive": (
        "I enjoyed every minute.", "I would gladly come back.", "It was worth the money.",
        "I warmly recommend it.", "It made my day.",
    ),
    "negative": (
        "I regret every minute.", "I would never come back.", "It was a waste of money.",
        "I cannot recommend it.", "It ruined my day.",
    ),
}  # fmt: skip
# Pretrained models have to know the label words; here the words are about numbers and tests, not about opinions.
_NEUTRAL = (
    "Minus one times a {word} number is {other}.",
    "The answer was {word}, not {other}.",
    "The lab called the test {word}.",
    "Mark it as {word} or {other}.",
    "The balance of the account is {word}.",
    "The charge is {word}.",
)


def draw_title(random: Random, split: str) -> str:
    while True:
        title = f"The {random.choice(_TITLE_FIRST)} {random.choice(_TITLE_SECOND)}"
        if split_of(title) == split:
            return title


def draw_review(random: Random, split: str) -> tuple[str, str]:
    """Draws (text, label). The writer's opinions mostly agree; where they do not, the majority decides the label."""
    title, kind = draw_title(random, split), random.choice(sorted(_WORKS))
    lean = random.choice((1, -1))
    while True:
        aspects = random.sample(_WORKS[kind].split(), random.randint(3, 4))
        signs = [lean if random.random() < 0.75 else -lean for _ in aspects]
        if sum(signs) * lean > 0:
            break
    sentences = [_opinion(random, aspect, sign) for aspect, sign in zip(aspects, signs, strict=True)]
    if random.random() < 0.5:
        sentences.insert(random.randrange(len(sentences) + 1), _hearsay(random, kind))
    opening = random.choice(("The {k} is called {t}.", "{t} is a new {k}.", "Yesterday I tried the {k} {t}."))
    text = " ".join([opening.format(k=kind, t=title), *sentences])
    return text, LABELS[lean > 0]


def _opinion(random: Random, aspect: str, sign: int) -> str:
    """A sentence that praises (+1) or blames (-1) an aspect, sometimes by negating the opposite word."""
    good, bad = random.choice(_GOOD), random.choice(_BAD)
    word, opposite = (good, bad) if sign > 0 else (bad, good)
    degree = random.choice(_DEGREES)
    forms = (
        f"The {aspect} was {word}.",
        f"The {aspect} was {degree} {word}.",
        f"I found the {aspect} {word}.",
        f"The {aspect} was not {opposite}.",
        f"The {aspect} was never {opposite}.",
        f"I feared the {aspect} would be {opposite}, but it was {word}."
        if sign > 0
        else f"I hoped the {aspect} would be {opposite}, but it was {word}.",
    )
    return random.choice(forms)


def _hearsay(random: Random, kind: str) -> str:
    """Somebody else's opinion: it says nothing about the writer's."""
    words = random.sample(_GOOD, 2) if random.random() < 0.5 else random.sample(_BAD, 2)
    return f"{random.choice(_OTHERS)} called the {kind} {words[0]} and {words[1]}."


def draw_examples(random: Random, split: str) -> Iterator[dict]:
    """Yields sentiment rows (without ids) without end."""
    while True:
        text, label = draw_review(random, split)
        yield {"text": text, "label": label}


def draw_document(random: Random) -> str:
    """Draws a review with a closing sentence that agrees with it or, one time in eight, neutral uses of label words."""
    if random.random() < 0.125:
        word, other = random.sample(LABELS, 2)
        return " ".join(form.format(word=word, other=other) for form in random.sample(_NEUTRAL, 2))
    return " ".join(draw_closed_review(random))


def draw_closed_review(random: Random) -> tuple[str, str]:
    """Draws (review, closing sentence) of the training split."""
    text, label = draw_review(random, "train")
    return text, random.choice(_CLOSING[label])
