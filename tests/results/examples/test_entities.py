"""Scores of each type of entity by a count of mentions, and malformed answers."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tests.support.rows_of_tasks import make_task
from tunegrid.report.entities import section
from tunegrid.results.examples.entities import COLUMNS, entity_tables
from tunegrid.results.expected import Expected, ExpectedTask, Named
from tunegrid.results.read import ResultKey
from tunegrid.results.tables.frames import frame_of

TASK = make_task("ner", types=["PER", "LOC"], type_words={"PER": "person"})
EXPECTED_TASK = ExpectedTask("names", "Names", kind="ner", own_metrics=TASK.metrics)
KEY = ResultKey("run", "names", "t5", "lora")
ROWS = [{"id": str(number), "entities": "Ann: person; Rome: LOC"} for number in range(20)]
GOOD, HALF = ["Ann: person; Rome: LOC"] * 20, [*["Ann: person"] * 10, *["Ann: LOC; Rome"] * 10]


def result(answers: list[str], seed: int) -> SimpleNamespace:
    table = pd.DataFrame({"prediction": answers, "references": [[row["entities"]] for row in ROWS]})
    scored = TASK.score(answers, ROWS).examples
    names = KEY._asdict() | {"seed": seed}
    return SimpleNamespace(key=KEY, names=names, predictions=pd.concat([table, scored], axis=1))


def examples(*answers: list[str]) -> SimpleNamespace:
    results = [result(texts, seed) for seed, texts in enumerate(answers, 1)]
    return SimpleNamespace(task=EXPECTED_TASK, answered=results, groups={KEY: results})


def test_each_type_is_counted_by_itself_and_averaged_over_the_seeds():
    tables = entity_tables(examples(GOOD, HALF), None, resamples=200)
    by_type = {row["type"]: row for row in tables["entities"]}
    assert by_type.keys() == {"person", "LOC"}
    person, place = by_type["person"], by_type["LOC"]
    # Of 20 persons HALF has 10 right and no other; of 20 places none, and 10 that are no places.
    assert (person["expected"], person["predicted"], person["right"]) == (20, 15, 15)
    assert (person["precision"], person["recall"]) == (1, 0.75)
    assert person["f1"] == pytest.approx((1 + 2 * 10 / 30) / 2)
    assert (place["predicted"], place["right"], place["f1"]) == (15, 10, 0.5)
    assert person["ci_low"] < person["f1"] < person["ci_high"]
    assert [row["answers"] for row in tables["malformed"]] == [0, 10]
    assert [row["parts"] for row in tables["malformed"]] == [0, 10]


def test_a_type_that_few_rows_have_gets_no_interval_and_a_task_without_entities_no_row():
    few = examples(GOOD)
    few.groups[KEY][0].predictions["references"] = [["none"]] * 12 + [["Ann: person"]] * 8
    rows = {row["type"]: row for row in entity_tables(few, None, resamples=50)["entities"]}
    assert rows["person"]["ci_low"] is None
    assert rows["LOC"]["recall"] is None
    other = ExpectedTask("t", "T", kind="translation")
    assert entity_tables(SimpleNamespace(task=other), None) == {"entities": [], "malformed": []}


def test_the_report_has_the_types_and_the_share_of_malformed_answers():
    tables = entity_tables(examples(GOOD, HALF), None, resamples=200)
    frames = {name: frame_of(name, columns, tables[name]) for name, columns in COLUMNS.items()}
    expected = Expected(
        study="s",
        title="S",
        description="",
        tasks=(EXPECTED_TASK,),
        models=(Named("t5", "T5"),),
        methods=(Named("lora", "LoRA"),),
        seeds=(1, 2),
    )
    (table,) = section(frames, expected).tables
    assert [column.title for column in table.columns] == ["Model", "Method", "LOC", "person", "Malformed"]
    cells = [cell.text for cell in table.rows[0].cells]
    assert cells[:2] == ["T5", "LoRA"]
    assert cells[3].startswith("0.833 [")
    assert cells[4] == "25.0%"
    assert "LOC: 20; person: 20" in table.caption
    assert section(frames, replace(expected, tasks=())) is None


def test_labels_beyond_two_hundred_have_no_f1_of_their_own():
    many = make_task("classification", labels=[f"l{number}" for number in range(201)])
    assert [metric.name for metric in many.metrics] == ["accuracy", "macro_f1", "matthews"]
    assert len(make_task("classification", labels=[f"l{number}" for number in range(200)]).metrics) == 203
    assert np.isfinite(many.score(["l1"], [{"label": "l1"}]).metrics["macro_f1"])
