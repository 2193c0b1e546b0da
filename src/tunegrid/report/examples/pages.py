"""Writes the page of examples: index.html, and beside it the rows as scripts that it loads when they are needed.

A page that is opened from a disk may not fetch files, but it may load scripts: each file of rows is a call of a
function of the page, with JSON as its arguments. `<task>/index.js` holds what filters and orders need of every row: a
byte for the score of each answer, and a byte that says which of the row's distinct answers it is. `<task>/rows-<n>.js`
holds the texts of some rows. The files are in the order of the page, rows that most runs get wrong first, so that its
first screen needs one of them.
"""

import base64
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from tunegrid.common.digits import absent
from tunegrid.common.files import replaced_folder, write_text
from tunegrid.report.links import key_of
from tunegrid.report.tables import Frames, Titles, where
from tunegrid.report.templates import environment, file_text
from tunegrid.results.examples.read import TaskExamples, read_examples
from tunegrid.results.examples.slices import dimensions
from tunegrid.results.expected import Expected
from tunegrid.results.read import Result, StudyResults
from tunegrid.tasks import TASKS

STEPS = 200  # of a score from 0 to 1, so that it fits into a byte
FILE_LETTERS = 300_000  # of a file of rows, about: loading it must not be felt
_json = partial(json.dumps, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def write_examples(study: StudyResults, frames: Frames, folder: Path) -> list[Path]:
    """Writes the page of a study's examples into a folder, which it replaces; returns its files, index.html first.

    Args:
        frames: the tidy tables of the study: scores, slices, confusion, calibration and thresholds are theirs.

    Raises:
        TuneGridError: a file of the results is damaged, or the folder cannot be written.
    """
    expected = study.expected
    with replaced_folder(folder) as new:
        tasks = []
        for task in expected.tasks:
            examples = read_examples(study, task)
            tasks.append({"name": task.name, "title": task.title, "rows": len(examples.rows)})
            (new / task.name).mkdir()
            _write_task(examples, frames, expected, new / task.name)
        write_text(new / "index.html", _page(expected, tasks))
    return [folder / "index.html", *sorted(folder.glob("*/*.js"))]


def _page(expected: Expected, tasks: list[dict[str, Any]]) -> str:
    parts = {name: Markup(file_text(f"examples.{name}")) for name in ("css", "js")}
    study = _json({"title": expected.title, "tasks": tasks})
    # In a script of an HTML page, "<" could begin the end of the script.
    page = environment().get_template("examples.html.j2")
    return page.render(title=expected.title, study=Markup(study.replace("<", "\\u003c")), **parts)


def _write_task(examples: TaskExamples, frames: Frames, expected: Expected, folder: Path) -> None:
    answered = examples.answered
    scores = np.zeros((len(answered), len(examples.rows)), np.uint8)
    for number, result in enumerate(answered):
        # A score just below the threshold must not be rounded up to it.
        scores[number] = np.floor(np.clip(examples.scores(result), 0, 1) * STEPS + 1e-9)
    order, graded = _order(examples, scores), bool(((scores > 0) & (scores < STEPS)).any())
    distinct, indices = _distinct_answers(answered, len(examples.rows))
    starts = []
    for number, (start, text) in enumerate(_files(examples, order, distinct)):
        starts.append(start)
        write_text(folder / f"rows-{number:04}.js", text)
    judge, right_from = examples.task.judge
    index = {
        "name": examples.task.name,
        "title": examples.task.title,
        "rows": len(examples.rows),
        "starts": starts,
        "columns": [name.replace("_", " ").capitalize() for name in _columns(examples)],
        "labelled": examples.task.labels is not None,
        "judge": {"title": judge.title, "from": right_from, "graded": graded},
        "steps": STEPS,
        "order": _bytes(order.astype("<u4")),
        "scores": _bytes(scores[:, order]),
        "answers": _bytes(indices[:, order]),
        "width": indices.dtype.itemsize,
        "results": [{"seed": result.seed} for result in answered],
        "groups": _groups(examples, frames, expected),
        "missing": _missing(examples, expected),
        "dimensions": [
            {"title": found.title, "slices": found.slices, "of": _bytes(found.members[order].astype(np.uint16))}
            for found in dimensions(examples)
        ],
        **_tables(examples, frames),
    }
    write_text(folder / "index.js", f"tunegridTask({_json(index)})\n")


# -- rows -------------------------------------------------------------------------------------------------------------


def _order(examples: TaskExamples, scores: np.ndarray) -> np.ndarray:
    """Rows that most runs get wrong first; among those, the ones with the lowest scores; then the order of the data."""
    runs = [number for number, result in enumerate(examples.answered) if result.kind == "run"]
    of_runs = scores[runs] if runs else scores
    wrong = (of_runs < np.floor(examples.task.judge[1] * STEPS)).sum(axis=0)
    return np.lexsort((of_runs.sum(axis=0, dtype=np.int64), -wrong))


def _distinct_answers(answered: list[Result], rows: int) -> tuple[list[list[str]], np.ndarray]:
    """(the distinct answers to each row, which of them each result gave [results, rows])."""
    distinct: list[dict[str, int]] = [{} for _ in range(rows)]
    indices = np.zeros((len(answered), rows), np.uint8 if len(answered) <= 256 else np.uint16)
    for number, result in enumerate(answered):
        predictions = result.predictions["prediction"].tolist()
        indices[number] = [seen.setdefault(text, len(seen)) for seen, text in zip(distinct, predictions, strict=True)]
    return [list(seen) for seen in distinct], indices


def _columns(examples: TaskExamples) -> list[str]:
    present = examples.rows[0] if examples.rows else {}
    return [name for name in TASKS[examples.task.kind].source_columns if name in present]


def _files(examples: TaskExamples, order: np.ndarray, distinct: list[list[str]]) -> Iterator[tuple[int, str]]:
    """(number of the first row, text) of each file of rows."""
    columns, name = _columns(examples), _json(examples.task.name)
    references = [list(texts) for texts in examples.answered[0].predictions["references"]] if examples.answered else []
    pending: list[str] = []
    letters = start = number = 0

    def file() -> tuple[int, str]:
        return start, f"tunegridRows({name},{number},[\n" + ",\n".join(pending) + "\n])\n"

    for place, row in enumerate(order.tolist()):
        source = examples.rows[row]
        unknown = {model: int(counts[row]) for model, counts in examples.unknown.items() if counts[row]}
        overlap = examples.overlap
        seen = [int(overlap["seen"][row]), int(overlap["ngrams"][row]), int(overlap["same"][row])] if overlap else None
        texts = [[source[column] for column in columns], references[row] if references else [], distinct[row]]
        pending.append(_json([source["id"], *texts, unknown, seen]))
        letters += len(pending[-1])
        if letters >= FILE_LETTERS:
            yield file()
            pending, letters, start, number = [], 0, place + 1, number + 1
    if pending:
        yield file()


def _bytes(values: np.ndarray) -> str:
    """The bytes of an array, little-endian, as base64."""
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode("ascii")


# -- results and tables -----------------------------------------------------------------------------------------------


def _groups(examples: TaskExamples, frames: Frames, expected: Expected) -> list[dict[str, Any]]:
    """The results with answers, seeds together, with the score that the report prints for them."""
    titles, places = Titles(expected), {id(result): number for number, result in enumerate(examples.answered)}
    metric = examples.task.primary
    cells = where(frames["cells"], task=examples.task.name, metric=metric.name)
    rows = {key_of(row): row for row in cells.itertuples()}
    groups = []
    for key, results in examples.groups.items():
        row = rows[key_of(key)]
        groups.append(
            {
                "key": key_of(key),
                "title": " · ".join(titles.line(key)),
                "kind": key.kind,
                "results": [places[id(result)] for result in results],
                "score": metric.short(row.mean),
                "mean": float(row.mean),
            }
        )
    return groups


def _missing(examples: TaskExamples, expected: Expected) -> list[str]:
    """Results without answers, in words."""
    titles, words = Titles(expected), []
    for result in examples.results:
        if result.status != "ok":
            seed = "" if result.seed is None else f", seed {result.seed}"
            words.append(f"{' · '.join(titles.line(result.key))}{seed}: {result.status} ({result.reason})")
    return words


def _tables(examples: TaskExamples, frames: Frames) -> dict[str, Any]:
    """Slices, confusion, calibration and thresholds, as the tidy tables have them."""
    metric = examples.task.primary

    def rows(name: str) -> list[Any]:
        return list(where(frames[name], task=examples.task.name).itertuples())

    def values(row: Any, names: str) -> list[Any]:
        return [key_of(row), *(None if absent(value := getattr(row, name)) else value for name in names.split())]

    def interval(row: Any) -> str:
        return "" if absent(row.ci_low) else f"[{metric.short(row.ci_low)}, {metric.short(row.ci_high)}]"

    columns = {
        "confusion": "seed reference prediction rows",
        "calibration": "seed rows confidence accuracy ece",
        "thresholds": "seed label threshold precision recall f1 accuracy",
    }
    slices = [
        [*values(row, "dimension slice rows mean"), metric.short(row.mean), interval(row)] for row in rows("slices")
    ]
    others = {name: [values(row, names) for row in rows(name)] for name, names in columns.items()}
    return {"metric": metric.title, "slices": slices, **others}
