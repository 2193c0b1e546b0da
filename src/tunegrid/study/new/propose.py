"""Which kind of task fits the columns of some rows, and which column is which of the task's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import permutations

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import did_you_mean
from tunegrid.study.new.look import Column
from tunegrid.tasks import TASKS

LABEL_WORDS = 8  # words of a label, at most on average
MOST_LONG_LABELS = 20  # labels that may be longer, where each comes three times
MOSTLY = 0.8  # of the rows: a study with more than a fifth of unusable rows is none
TEXTS = "text texts number".split()

# TuneGrid's column -> names that people give it, the likeliest first; compared without case and signs.
_LABEL = (
    "label labels goldlabel gold class category target topic intent sentiment stars rating polarity tag type decision "
    "verdict score queue team department"
)
_TEXT = "text sentence review content body comment message tweet utterance document post article question query title"
NAMES: dict[str, dict[str, str]] = {
    "classification": {"text": _TEXT, "label": _LABEL},
    "sentiment": {"text": _TEXT, "label": f"sentiment {_LABEL}"},
    "pair-classification": {
        "text": "sentence1 text1 premise question1 texta sentencea text question query",
        "text_pair": "sentence2 text2 hypothesis question2 textb sentenceb textpair passage context contexts answer",
        "label": f"{_LABEL} answer",
    },
    "qa": {
        "question": "question query",
        "context": "context contexts passage paragraph document article body text",
        "answers": "answers answer gold response",
        "group": "title document article",
        "candidates": "candidates",
    },
    "translation": {"source": "source src input en english", "target": "target tgt output de german translation"},
    "summarisation": {
        "document": "document article dialogue source text content body report originaltext transcript artikel "
        "articulo articolo artigo artykul",
        "summary": "summary highlights abstract tldr referencesummary headline target zusammenfassung "
        "kurzfassung resumen resume riassunto resumo samenvatting streszczenie",
    },
    "ner": {
        "tokens": "tokens words",
        "tags": "nertags tags ner labels",
        "text": "text sentence",
        "spans": "entities spans entity labels annotations mentions",
    },
    "generation": {
        "source": "source input prompt instruction question text query",
        "target": "target output response answer completion",
    },
}  # fmt: skip
ID = re.compile(r"(id|idx|index|key|no|nr|number|code)\W*$", re.IGNORECASE)  # the end of an identifier's name
LANGUAGES = {  # name in English -> its code, and what it calls itself, in small letters without other signs
    "Arabic": ("ar", "العربية"), "Czech": ("cs", "čeština"), "Danish": ("da", "dansk"), "German": ("de", "deutsch"),
    "Greek": ("el", "ελληνικά"), "English": ("en",), "Spanish": ("es", "español"), "Finnish": ("fi", "suomi"),
    "French": ("fr", "français"), "Hindi": ("hi", "हिन्दी"), "Hungarian": ("hu", "magyar"),
    "Italian": ("it", "italiano"), "Japanese": ("ja", "日本語"), "Korean": ("ko", "한국어"),
    "Dutch": ("nl", "nederlands"), "Norwegian": ("no", "norsk"), "Polish": ("pl", "polski"),
    "Portuguese": ("pt", "português"), "Romanian": ("ro", "română"), "Russian": ("ru", "русский"),
    "Swedish": ("sv", "svenska"), "Turkish": ("tr", "türkçe"), "Ukrainian": ("uk", "українська"),
    "Vietnamese": ("vi", "tiếng việt"), "Chinese": ("zh", "中文"),
}  # fmt: skip


def _is_text(column: Column) -> bool:
    return column.kind == "text"


def _is_texts(column: Column) -> bool:
    return column.kind in ("text", "texts") or (column.kind == "mixed" and {*column.kinds} <= set(TEXTS))


def _is_label(column: Column) -> bool:
    """Whether a column has few values, each of few words: no fractions, and no identifiers."""
    values = column.values
    if column.kind not in ("text", "number", "flag", "mixed") or values is None or len(values) < 2:
        return False
    if len(values) <= MOST_LONG_LABELS and min(values.values()) > 2:
        return True
    return column.mean_words <= LABEL_WORDS and len(values) <= max(2, column.filled / 2)


FITS: dict[str, Callable[[Column], bool]] = {
    "label": _is_label,
    "answers": lambda column: column.kind == "number" or _is_texts(column),
    "candidates": _is_texts,
    "group": lambda column: column.kind in ("text", "number") and not column.unique,
    "summary": _is_texts,
    "document": _is_texts,
    "target": _is_texts,
    "tokens": lambda column: column.kind == "texts",
    "tags": lambda column: column.kind in ("texts", "numbers", "tags"),
    "spans": lambda column: column.kind == "spans",
}


def language(name: str) -> str | None:
    """The language that a column's name says: `translation.de`, `German`, `text_de`, `Deutsch`, `English (source)`."""
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", name)]
    for part in (*reversed(words), name.strip().lower()):
        for title, others in LANGUAGES.items():
            if part in (title.lower(), *others):
                return title
    return None


def score(column: Column, names: str) -> float:
    """How well a column's name is one of the usual ones, from 0 to 1: its own part counts more than those around it."""
    usual = names.split()
    parts = [re.sub(r"[^a-z0-9]", "", part.lower()) for part in column.name.split(".")]
    best = 0.0
    for weight, part in ((1.0, parts[-1]), (0.9, parts[0]), (1.0, "".join(parts))):
        if part in usual:
            best = max(best, weight * (1 - usual.index(part) / (2 * len(usual))))
        elif any(part.endswith(name) for name in usual if len(name) > 3):
            best = max(best, 0.5 * weight)
        elif any(part.startswith(name) for name in usual if len(name) > 3):
            best = max(best, 0.3 * weight)
    return best


def columns_for(kind: str, columns: Mapping[str, Column], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The task's columns and where these rows have them; those that are not there are left out.

    Args:
        given: columns that the user named.

    Raises:
        TuneGridError: a given name is neither the task's nor the rows'.
    """
    chosen: dict[str, str] = {}
    most = max((column.filled for column in columns.values()), default=0)
    for own, name in (given or {}).items():
        if own not in TASKS[kind].columns:
            valid = did_you_mean(own, TASKS[kind].columns)
            raise TuneGridError(f"--column {own}={name}: a task of kind {kind} has no column {own}. {valid}")
        if name not in columns:
            raise TuneGridError(f"--column {own}={name}: the rows have no such column. {did_you_mean(name, columns)}")
        chosen[own] = name
    # Labels are told by what they hold, texts less so: they take what is left.
    for own, names in sorted(NAMES[kind].items(), key=lambda item: item[0] not in FITS):
        if own in chosen:
            continue
        fits = FITS.get(own, _is_texts if own in TASKS[kind].list_columns else _is_text)
        free = [column for column in columns.values() if column.name not in chosen.values() and fits(column)]
        ranked = sorted(free, key=lambda column: _rank(column, own, names, most), reverse=True)
        # Spans are known by what they are: a column of them can have any name.
        needed = own not in TASKS[kind].optional or own == "spans"
        if ranked and (needed or score(ranked[0], names) > 0):
            chosen[own] = ranked[0].name
    if kind == "translation":
        chosen |= _languages_apart(columns, chosen, given or {})
    if kind == "summarisation" and not given:
        chosen |= _document_and_summary(columns, most)
    return {own: chosen[own] for own in TASKS[kind].columns if own in chosen}


def other_labels(kind: str, columns: Mapping[str, Column], mapping: Mapping[str, str]) -> list[str]:
    """Columns that could be the labels as well, where no name tells: a person has to know that one was chosen."""
    if "label" not in mapping or score(columns[mapping["label"]], NAMES[kind]["label"]) > 0.4:
        return []
    taken = mapping.values()
    return [name for name, column in columns.items() if name not in taken and _is_label(column)]


def _rank(column: Column, own: str, names: str, most: int) -> tuple[bool, float, float]:
    """Columns with a value in most rows first, then usual names; else labels with few values, and long texts.

    Args:
        most: values of the column that has the most.
    """
    filled = column.filled >= MOSTLY * most
    if own == "label":
        return filled, score(column, names), -len(column.values or ())
    return filled, score(column, names), column.mean_words if own != "summary" else -column.mean_words


def _languages_apart(
    columns: Mapping[str, Column], chosen: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    """Source and target of a translation by the languages that the columns' names say: English first, else in order."""
    named = [name for name, column in columns.items() if _is_text(column) and language(name)]
    if given or len(named) != 2:
        return {}
    source, target = sorted(named, key=lambda name: language(name) != "English")
    return {"source": source, "target": target}


def _document_and_summary(columns: Mapping[str, Column], most: int) -> dict[str, str]:
    """The document and its summary of which the names fit best together, where a name says which is the summary.

    One after the other they can take each other's column: of `report.body` and `abstract.text` the latter is a text.
    """
    names, texts = NAMES["summarisation"], [column for column in columns.values() if _is_texts(column)]
    pairs = [
        (document, summary)
        for document, summary in permutations(texts, 2)
        if document.mean_words > 2 * summary.mean_words and score(summary, names["summary"]) > 0.4
    ]
    if not pairs:
        return {}

    def fit(pair: tuple[Column, Column]) -> tuple[bool, float, float]:
        filled = min(column.filled for column in pair) >= MOSTLY * most
        return filled, score(pair[0], names["document"]) + score(pair[1], names["summary"]), pair[0].mean_words

    document, summary = max(pairs, key=fit)
    return {"document": document.name, "summary": summary.name}


def missing(kind: str, mapping: Iterable[str]) -> list[str]:
    """The columns that a row of the kind cannot do without and that are not there."""
    if kind == "ner":
        return [] if {"tokens", "tags"} <= set(mapping) or {"text", "spans"} <= set(mapping) else ["tokens", "tags"]
    return [own for own in TASKS[kind].columns if own not in TASKS[kind].optional and own not in mapping]


def guess(columns: Mapping[str, Column]) -> str | None:
    """The kind of task that the columns look like; None: no text leads to anything."""

    def all_named(kind: str, *own: str) -> bool:
        mapping = columns_for(kind, columns)
        return all(name in mapping and score(columns[mapping[name]], NAMES[kind][name]) > 0.4 for name in own)

    ner = columns_for("ner", columns)
    marked = columns.get(ner.get("tags", ner.get("spans", "")))
    if not missing("ner", ner) and (all_named("ner", "tags") or marked.kind in ("tags", "numbers", "spans")):
        return "ner"
    qa = columns_for("qa", columns)
    asked = all_named("qa", "question", "answers") and not _is_label(columns[qa["answers"]])
    if asked and columns[qa.get("context", qa["question"])].mean_words > 2 * columns[qa["question"]].mean_words:
        return "qa"
    texts = [column for column in columns.values() if _is_text(column) and not _is_label(column)]
    if len([column for column in texts if language(column.name)]) == 2:
        return "translation"
    if all_named("pair-classification", "text", "text_pair") and "label" in columns_for("pair-classification", columns):
        return "pair-classification"
    if all_named("classification", "label") and "text" in columns_for("classification", columns):
        return "classification"
    shorter = columns_for("summarisation", columns)
    if all_named("summarisation", "summary") and "document" in shorter:
        document, summary = (columns[shorter[own]] for own in ("document", "summary"))
        if document.mean_words > 2 * summary.mean_words:
            return "summarisation"
    if any(map(_is_label, columns.values())) and texts:
        return "classification"
    return "generation" if all_named("generation", "source", "target") else None


def unique_id(columns: Mapping[str, Column]) -> str | None:
    """A column whose values are different in every row and whose name says that it is an id."""
    rows = max((column.filled for column in columns.values()), default=0)
    ids = [
        column
        for column in columns.values()
        if column.unique and column.kind in ("text", "number") and column.filled == rows
    ]
    return min((column.name for column in ids if ID.search(column.name)), key=len, default=None)
