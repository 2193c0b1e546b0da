"""The ceilings of a study's models: their records, the rows of ceilings.csv, and what they mean in sentences."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from tunegrid.common.digits import absent
from tunegrid.common.words import listed
from tunegrid.results.expected import Expected, ExpectedTask, Row
from tunegrid.results.records import read_record
from tunegrid.study.paths import Paths
from tunegrid.tasks.ceiling import CeilingRecord, LostCharacter, TextTokens

COLUMNS = (
    "study task model metric primary references written within_lengths examples not_written spacing_changed too_long "
    "longest_target max_target_length max_new_tokens lost_characters unread unread_characters source_tokens "
    "target_tokens source_tokens_per_word target_tokens_per_word"
)
NOTABLE = 0.99  # a ceiling below this share of what the right answers score is said on page one
CHARACTERS = 6  # lost characters that a sentence names

Ceilings = Mapping[tuple[str, str], CeilingRecord]  # by task and model


def read_ceilings(paths: Paths, expected: Expected) -> Ceilings:
    """The ceilings that `tokenise` recorded; those of older results are not there."""
    ceilings = {}
    for task in expected.tasks:
        for model in expected.models:
            file = paths.tokens(task.name, model.name) / "ceiling.json"
            if file.is_file():
                ceilings[task.name, model.name] = read_record(file, CeilingRecord)
    return ceilings


def ceiling_rows(expected: Expected, ceilings: Ceilings) -> list[Row]:
    """The rows of ceilings.csv: one per task, model and metric, in the order of the tables."""
    rows = []
    for task in expected.tasks:
        for model in expected.models:
            record = ceilings.get((task.name, model.name))
            for metric in task.all_metrics if record else ():
                row = {"task": task.name, "model": model.name, "metric": metric.name}
                row["primary"] = metric.name == task.primary.name
                # A change of max_new_tokens runs no tokenisation again: the second number is then another setting's.
                current = task.max_new_tokens in (None, record.max_new_tokens)
                for name in ("references", "written", *(["within_lengths"] if current else [])):
                    row[name] = getattr(record, name).get(metric.name)
                fields = set(COLUMNS.split()) & set(CeilingRecord.model_fields) - row.keys() - {"within_lengths"}
                row |= record.model_dump(include=fields if current else fields - {"too_long"})
                for name in ("lost_characters", "unread_characters"):
                    row[name] = _characters(getattr(record, name))
                rows.append(row | _tokens("source", record.source) | _tokens("target", record.target))
    return rows


def _tokens(name: str, spent: TextTokens) -> Row:
    return {
        f"{name}_tokens": spent.tokens / spent.texts if spent.texts else None,
        f"{name}_tokens_per_word": spent.tokens / spent.words if spent.words else None,
    }


def _characters(lost: Iterable[LostCharacter]) -> str:
    return " ".join(f"{_shown(each.character)}:{each.rows}" for each in lost)


def _shown(character: str) -> str:
    """A character as tables print it: its code point where it cannot be seen, or stands on another one."""
    on_another = unicodedata.category(character).startswith("M")
    return character if character.isprintable() and not on_another else f"U+{ord(character):04X}"


def lost_characters(text: str | None, most: int = CHARACTERS) -> str:
    """The characters in a column of ceilings.csv, without their numbers: Ö, Ä, …"""
    shown = [] if absent(text) else [each.rpartition(":")[0] for each in text.split()]
    return ", ".join(shown[:most]) + (", …" if len(shown) > most else "")


def ceiling_sentences(expected: Expected, rows: Iterable[Row]) -> list[str]:
    """What a reader of the scores has to know: ceilings below 0.99, and sources that are not read.

    A ceiling is low because of the vocabulary, of the task's lengths, or of the metric itself.
    """
    rows, texts = list(rows), []
    for task in expected.tasks:
        of_task = [row for row in rows if row["task"] == task.name]
        texts += _on_references(task, of_task)
        primary = [row for row in of_task if row["primary"]]
        for sentence, columns in (
            (_on_vocabulary, ("references", "written", "not_written", "lost_characters")),
            (_on_lengths, ("written", "within_lengths", "too_long", "longest_target")),
            (_on_sources, ("unread", "unread_characters")),
        ):
            texts += filter(None, (sentence(task, *group) for group in _groups(expected, primary, columns)))
    return texts


def _groups(expected: Expected, rows: list[Row], names: tuple[str, ...]) -> Iterator[tuple[Row, str]]:
    """(a row, the titles of its models) of each group of rows that say the same in these columns."""
    titles = {model.name: model.title for model in expected.models}
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(str(row.get(name)) for name in names), []).append(row)
    for group in groups.values():
        yield group[0], listed((titles[row["model"]] for row in group), 4)


def _on_references(task: ExpectedTask, rows: list[Row]) -> list[str]:
    """Sentences if even the references score below 0.99; they are the same for all models."""
    low = {row["metric"]: row for row in rows if not absent(row["references"]) and row["references"] < NOTABLE}
    if not low:
        return []
    metrics = [metric for metric in task.all_metrics if metric.name in low]
    # F1 of each of many labels or types is not printed, and 0 where the test set has none of it.
    without = [metric for metric in metrics if not metric.printed and low[metric.name]["references"] == 0]
    scores = [f"{each.label} {each.short(low[each.name]['references'])}" for each in metrics if each not in without]
    test_set, texts = f"this test set of {next(iter(low.values()))['examples']:,.0f} rows", []
    if scores:
        texts.append(
            f"{task.title}: even the right answers score {listed(scores)} on {test_set}: its rows do not let the "
            "metric reach 1."
        )
    if without:
        labels = listed([metric.label for metric in without], 4)
        texts.append(f"{task.title}: {test_set} has no row for {labels}: 0 says nothing of the models.")
    return texts


def _on_vocabulary(task: ExpectedTask, row: Row, models: str) -> str:
    """A sentence if the vocabulary cannot write the references; "" if it can. `models`: their titles."""
    if not row["written"] < NOTABLE * row["references"]:
        return ""
    lost = lost_characters(row["lost_characters"])
    return (
        f"{task.title}: {models} can score at most {task.primary.label} {task.primary.short(row['written'])}: "
        f"{_of(row['not_written'], row)} hold what the vocabulary cannot write{f' ({lost})' if lost else ''}."
    )


def _on_lengths(task: ExpectedTask, row: Row, models: str) -> str:
    """A sentence if the lengths of the task cut the references off; "" if they do not, or if that is not known."""
    if absent(row.get("within_lengths")) or not row["within_lengths"] < NOTABLE * row["written"]:
        return ""
    lengths = f"max_new_tokens ({row['max_new_tokens']:.0f}) or max_target_length ({row['max_target_length']:.0f})"
    return (
        f"{task.title}: the lengths of the task let {models} score at most {task.primary.label} "
        f"{task.primary.short(row['within_lengths'])}: {_of(row['too_long'], row)} are longer than {lengths} allow; "
        f"the longest needs {row['longest_target']:,.0f} tokens."
    )


def _on_sources(task: ExpectedTask, row: Row, models: str) -> str:
    """A sentence if most sources hold characters that the vocabulary does not have; "" if not."""
    if row["unread"] <= row["examples"] / 2:
        return ""
    characters = lost_characters(row["unread_characters"])
    sources = _of(row["unread"], row, "sources")
    return f"{task.title}: of {sources} {models} cannot read every character ({characters})."


def _of(number: float, row: Row, what: str = "references") -> str:
    return f"{number:,.0f} of {row['examples']:,.0f} test {what}"
