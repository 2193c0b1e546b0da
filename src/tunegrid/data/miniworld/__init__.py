"""The generated language world of the mini study: stories, an English-German grammar, reviews, and tasks on them.

Everything is deterministic by seed. The subject of a text decides its split (see `keys`), so no text can be drawn in
two splits, and pretraining text is drawn from the training split alone, whatever the counts and seeds.
"""

from collections.abc import Iterator
from random import Random

from tunegrid.common.errors import TuneGridError
from tunegrid.data.miniworld import grammar, mentions, questions, reviews, stories, summaries, topics
from tunegrid.data.miniworld.instructions import draw_instruction
from tunegrid.data.miniworld.keys import SPLITS, contained_keys, text_key

__all__ = ["TASKS", "contained_keys", "documents", "instructions", "languages", "row_texts", "rows", "text_key"]

DOMAINS = ("home", "away")
# Kind of task -> the module that draws its rows; HELD_OUT: columns whose text must not occur in training text;
# LANGUAGES: codes of those of the rows, default: English.
_MODULES = {
    "qa": stories,
    "translation": grammar,
    "sentiment": reviews,
    "classification": topics,
    "ner": mentions,
    "summarisation": summaries,
    "generation": questions,
}
TASKS = tuple(_MODULES)


def rows(task: str, split: str, count: int, seed: int, domain: str = "home") -> list[dict]:
    """The first `count` canonical rows of a split, no two the same. Raises TuneGridError on an unknown name.

    Args:
        domain: `home`, or `away`: new words beside the known ones, and another style (resources/miniworld/away.yaml).
    """
    for name, known in ((task, TASKS), (split, SPLITS), (domain, DOMAINS)):
        if name not in known:
            raise TuneGridError(f"the generated world has no {name!r}; it has {', '.join(known)}")
    away = "" if domain == "home" else f"{domain} "
    random = Random(f"{away}{task} {split} {seed}")
    examples: dict[str, dict] = {}
    for example in _MODULES[task].draw_examples(random, split, domain):
        if len(examples) == count:
            break
        key = text_key(" ".join(row_texts(task, example)) + " " + example.get("question", ""))
        examples.setdefault(key, example)
    return [
        {"id": f"{away.strip()}{'-' * bool(away)}{task}-{split}-{number:05d}", **example}
        for number, example in enumerate(examples.values())
    ]


def row_texts(task: str, row: dict) -> tuple[str, ...]:
    """The texts of a row that must not occur in training text if the row is held out."""
    return tuple(row[column] for column in _MODULES[task].HELD_OUT)


def languages(task: str) -> tuple[str, ...]:
    """Codes of the languages of a task's rows."""
    return getattr(_MODULES[task], "LANGUAGES", ("en",))


def documents(seed: int) -> Iterator[str]:
    """Yields pretraining text without end: stories, reviews, sentences of one language and glossaries.

    Questions in it are answered by sentences, never by the bare value; pairs of languages are words, phrases and short
    clauses; reviews close with a sentence about the verdict. No text is in the form of the study's tasks.
    """
    random = Random(f"documents {seed}")
    kinds = (stories.draw_document, reviews.draw_document, grammar.draw_document, grammar.draw_glossary)
    while True:
        (draw,) = random.choices(kinds, weights=(40, 24, 14, 22))
        yield draw(random)


def instructions(seed: int, easy: bool = False) -> Iterator[tuple[str, str]]:
    """Yields (source, target) exercises for pretraining without end, none in the wording of the study's tasks."""
    random = Random(f"{'easy ' * easy}instructions {seed}")
    while True:
        yield draw_instruction(random, easy)
