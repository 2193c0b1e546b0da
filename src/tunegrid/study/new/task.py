"""A task for rows that were looked at: its settings, and the rows as the task reads them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import MOST_TOKENS, explain
from tunegrid.models.families import Family
from tunegrid.study.new.look import FEWEST, MOST_VALUES, Column, Looked, parsed
from tunegrid.study.new.propose import language, missing, unique_id
from tunegrid.tasks import TASKS, Row, RowError, Task
from tunegrid.tasks.entities import SPAN_KEYS, Entity, entities_of_tags
from tunegrid.tasks.rows import canonical_row
from tunegrid.tasks.values import as_number, is_missing, mapped

POSITIVE = ("positive", "pos", "1", "true", "yes", "good")
LABELLED = ("classification", "pair-classification", "sentiment")
MOST_UNUSABLE = 0.2  # share of rows, beyond which the columns are taken for the wrong ones


@dataclass(frozen=True)
class Draft:
    """A task for the rows of some files.

    Attributes:
        settings: of the task, without source, lengths and generation.
        source: its source.
        counts: what `labels` or `types` occur how often.
        rows: of each split, those that the task can use, as it reads them.
        unusable: how many rows it cannot use, and the first reason.
        notes: what a reader of the study should know.
    """

    kind: str
    settings: dict[str, Any]
    source: dict[str, Any]
    counts: Counter[str]
    rows: dict[str, list[Row]]
    unusable: tuple[int, str] = (0, "")
    notes: list[str] = field(default_factory=list)

    def task(self, family: Family | None = None) -> Task:
        """The task, bound to a family's prompts and words."""
        return make_task(self.kind, self.settings, self.source, family)


def make_task(kind: str, settings: Mapping[str, Any], source: Mapping[str, Any], family: Family | None = None) -> Task:
    """A task with these settings. Raises TuneGridError, with what is wrong, for settings that cannot be meant."""
    values = {"kind": kind, "source": source, **settings, "generation": {"max_new_tokens": MOST_TOKENS}}
    values |= {"max_source_length": MOST_TOKENS, "max_target_length": MOST_TOKENS}
    try:
        return TASKS[kind](TypeAdapter(TASKS[kind].Settings).validate_python(values), family)
    except ValidationError as error:
        raise TuneGridError(f"the task cannot be made of these rows: {explain(error)}") from None


def draft(
    kind: str,
    looked: Looked,
    paths: Mapping[str, Path],
    mapping: Mapping[str, str],
    *,
    labels: Sequence[str] = (),
    test_share: float | None = None,
    licence: str = "",
) -> Draft:
    """Drafts a task.

    Args:
        mapping: the task's columns and those of the rows.
        labels: names of labels (of tags, for entities) in the order of the indices that the rows have.
        test_share: share of the rows that is held out as test rows, where there is no file for them.

    Raises:
        TuneGridError: the rows cannot be those of the kind.
    """
    if absent := missing(kind, mapping):
        raise TuneGridError(
            f"{kind}: no column for {', '.join(absent)}. The rows have: {', '.join(looked.columns)}. Name it: "
            + " ".join(f"--column {name}=…" for name in absent)
            + ", or take another --kind."
        )
    columns = looked.columns
    settings, counts, notes = _settings(kind, columns, mapping, labels, looked)
    source: dict[str, Any] = {"kind": "files", "paths": {split: str(path) for split, path in paths.items()}}
    names: dict[str, str | None] = dict(mapping)
    if identifier := unique_id(columns):
        names = {"id": identifier} | names
    elif "id" in columns:
        names = {"id": None} | names
        notes.append("The column `id` has some value twice: rows get ids from their place.")
    if "group" in TASKS[kind].columns and "group" not in mapping and TASKS[kind].columns["group"] in columns:
        names["group"] = None
    source["columns"] = {own: name for own, name in names.items() if TASKS[kind].columns[own] != name}
    if looked.header:
        source["header"] = list(looked.header)
    if test_share:
        source["test_share"] = test_share
    if licence:
        source["licence"] = licence
    task = make_task(kind, settings, source)
    rows, count, reason = _canonical(task, looked)
    usable = sum(map(len, rows.values()))
    if count > MOST_UNUSABLE * (usable + count):
        raise TuneGridError(f"{kind}: {count:,} of {usable + count:,} rows cannot be used. {reason}")
    if usable < FEWEST:
        raise TuneGridError(f"{usable} usable row(s) make no study; {FEWEST} are needed.")
    if count:
        source["unusable_rows"] = "skip"
    return Draft(kind, settings, source, counts, rows, (count, reason), notes)


def _canonical(task: Task, looked: Looked) -> tuple[dict[str, list[Row]], int, str]:
    """(the rows of each split that the task can use, how many it cannot, and the first reason)."""
    rows: dict[str, list[Row]] = {split: [] for split in looked.rows}
    count, reason = 0, ""
    for split, raws in looked.rows.items():
        for raw in raws:
            try:
                rows[split].append(canonical_row(task, raw))
            except RowError as error:
                count += 1
                reason = reason or f"The first: {raw.where}: {str(error).removesuffix('.')}."
    return rows, count, reason


# -- what the settings of each kind are made of ------------------------------------------------------------------------


def _settings(
    kind: str, columns: Mapping[str, Column], mapping: Mapping[str, str], labels: Sequence[str], looked: Looked
) -> tuple[dict[str, Any], Counter[str], list[str]]:
    if kind in LABELLED:
        return _labelled(kind, columns[mapping["label"]], labels)
    if kind == "ner":
        return _entities(mapping, labels, looked)
    if kind == "translation":
        return _languages(mapping)
    return {}, Counter(), []


def _labelled(kind: str, column: Column, names: Sequence[str]) -> tuple[dict[str, Any], Counter[str], list[str]]:
    if column.values is None:
        raise TuneGridError(
            f"the column {column.name} has more than {MOST_VALUES:,} different values: no labels. Name another column "
            "(--column label=…), or take --kind generation."
        )
    counts: Counter[str] = Counter()
    for value, number in column.values.items():
        counts[_label(value, column, names)] += number
    labels = list(names or (column.classes if counts.keys() <= {*column.classes} else ()) or sorted(counts, key=_order))
    if len(labels) < 2:
        raise TuneGridError(f"the column {column.name} has one value alone: {labels[0]!r}. There is nothing to learn.")
    notes = []
    if all(as_number(label) is not None for label in labels):
        notes.append("The labels are numbers. Words say more to a pretrained model: see label_words below.")
    if rare := [label for label in labels if counts[label] < 3]:
        notes.append(f"Labels with fewer than three rows: {', '.join(rare[:5])}{', …' if len(rare) > 5 else ''}.")
    signs = [label for label in labels if not any(map(str.isalnum, label))]
    if signs and len(signs) < len(labels) - 1:  # where all are signs, "+" and "-" are labels
        notes.append(
            f"If {signs[0]} says that a row has no label, take it out of `labels`, and add `unusable_rows: skip` to "
            "the source."
        )
    settings: dict[str, Any] = {"labels": labels}
    if kind == "sentiment":
        settings["positive"] = next((label for label in labels if label.lower() in POSITIVE), labels[-1])
    return settings, counts, notes


def _label(value: Any, column: Column, names: Sequence[str]) -> str:
    number = as_number(value)
    if number is not None and names and number == int(number) and 0 <= number < len(names):
        return names[int(number)]
    if isinstance(value, bool):
        return str(value).lower()
    if number is not None:
        return str(int(number)) if number == int(number) else str(value)
    return " ".join(str(value).split())


def _order(label: str) -> tuple[bool, Any]:
    """Numbers by their size, before words by the alphabet."""
    number = as_number(label)
    return (number is None, label if number is None else number)


def _entities(
    mapping: Mapping[str, str], names: Sequence[str], looked: Looked
) -> tuple[dict[str, Any], Counter[str], list[str]]:
    raws = [raw for rows in looked.rows.values() for raw in rows]
    if "tags" not in mapping:
        counts = Counter(name for raw in raws for name in _types_of_spans(_value(raw.values, mapping["spans"])))
        return {"types": sorted(counts)}, counts, []
    tagged = [_tags(_value(raw.values, mapping["tags"]), names) for raw in raws]
    if any(tags is None for tags in tagged):
        values = (_value(raw.values, mapping["tags"]) for raw in raws)
        highest = max((int(tag) for value in values for tag in _items(value) if as_number(tag) is not None), default=0)
        raise TuneGridError(
            f"the column {mapping['tags']} has the indices 0 to {highest} of tags, and no names for them. Name all, in "
            "their order: --labels O,B-…,I-…"
        )
    types = sorted({tag[2:] for tags in tagged for tag in tags if tag[1:2] in ("-", "_") and tag[2:]})
    if not types:
        raise TuneGridError(f"the column {mapping['tags']} marks no entity.")
    scheme = _scheme(tagged)
    counts = Counter(entity.type for tags in tagged for entity in _entities_or_none(tags, scheme) or ())
    settings: dict[str, Any] = {"types": types, "scheme": scheme}
    if names and any(as_number(tag) is not None for tag in _items(_value(raws[0].values, mapping["tags"]))):
        settings["tags"] = list(names)
    return settings, counts, []


def _types_of_spans(value: Any) -> list[str]:
    """The types of a row's spans; those of spans that no task can read are left out."""
    found = []
    for span in _items(value):
        if isinstance(span, Mapping):
            found.append(next((span[key] for key in SPAN_KEYS[2] if key in span), None))
        elif isinstance(span, list | tuple) and len(span) == 3:
            found.append(span[2])
    return [name for name in found if isinstance(name, str) and not is_missing(name)]


def _items(value: Any) -> Sequence[Any]:
    """The items of a list, or the words of a text; none of what is neither."""
    return value.split() if isinstance(value, str) else value if isinstance(value, list | tuple) else ()


def _tags(value: Any, names: Sequence[str]) -> list[str] | None:
    """The names of a row's tags; None: it has indices, and nothing names them."""
    tags = []
    for tag in _items(value):
        number, own = as_number(tag), getattr(tag, "name", None)
        if own is None and number is not None:
            if not 0 <= number < len(names):
                return None
            own = names[int(number)]
        name = own if own is not None else tag
        tags.append(name.strip() if isinstance(name, str) else "")  # of what is no tag the task says it
    return tags


def _scheme(tagged: Sequence[Sequence[str]]) -> str:
    """The scheme that fits the most rows; of equals the commonest."""
    return min(
        ("iob2", "iob1", "bioes"),
        key=lambda scheme: sum(_entities_or_none(tags, scheme) is None for tags in tagged),
    )


def _entities_or_none(tags: Sequence[str], scheme: str) -> list[Entity] | None:
    try:
        return entities_of_tags(tags, scheme)
    except RowError:
        return None


def _value(values: Mapping[str, Any], name: str) -> Any:
    """The value of a column, lists that a text says among them; None where the row has none."""
    return parsed(mapped(values, {name: name}, {name: None})[name])


def _languages(mapping: Mapping[str, str]) -> tuple[dict[str, Any], Counter[str], list[str]]:
    source, target = language(mapping["source"]), language(mapping["target"])
    if (source, target) == ("English", "German"):
        return {}, Counter(), []
    if source and target:
        words = f"translate {source} to {target}: {{source}}"
        flan = f"Translate to {target}:\n\n{{source}}"
        notes = []
    else:
        words, flan = "translate: {source}", "Translate:\n\n{source}"
        notes = ["The names of the columns say no language: name source and target language in the prompts."]
    return {"prompts": {"t5": words, "flan-t5": flan, "bart": "{source}"}}, Counter(), notes


def as_name(text: str) -> str:
    """A text as the name of a study: letters and digits with single hyphens between them."""
    return "-".join(re.findall(r"[A-Za-z0-9]+", text))[:64].strip("-") or "mine"
