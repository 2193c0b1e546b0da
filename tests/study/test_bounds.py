"""Every number of a study has a lower and an upper bound that holds, in the study and in its overrides."""

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.small_study import BASE, assert_refused, changed, refusal
from tunegrid.common.fields import Closed
from tunegrid.study import checks
from tunegrid.study.study import Study

LOWER, UPPER = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")


def numbers(schema: Any, place: str = "Study") -> Iterator[tuple[str, dict[str, Any]]]:
    """The place and the schema of every number in a JSON Schema."""
    if isinstance(schema, dict):
        if schema.get("type") in ("integer", "number"):
            yield place, schema
        for key, value in schema.items():
            yield from numbers(value, f"{place}.{key}" if key not in ("$defs", "anyOf", "properties") else place)
    elif isinstance(schema, list):
        for value in schema:
            yield from numbers(value, place)


def test_every_number_of_every_class_of_settings_has_finite_bounds():
    found = dict(numbers(Study.model_json_schema()))
    assert {"Study.Training.learning_rate", "Study.TrainingChange.epochs", "Study.Search.factors.items"} <= found.keys()
    unbounded = [
        place
        for place, schema in found.items()
        for keys in (LOWER, UPPER)
        if not any(math.isfinite(schema.get(key, math.inf)) for key in keys)
    ]
    assert unbounded == []


def test_a_default_is_of_the_type_that_the_same_value_has_when_it_is_written_out():
    """Else writing it out would be another setting, and its runs would be computed again."""

    def classes(cls: type[Closed]) -> Iterator[type[Closed]]:
        for subclass in cls.__subclasses__():
            yield subclass
            yield from classes(subclass)

    fields = [(cls, name, field) for cls in classes(Closed) for name, field in cls.model_fields.items()]
    floats = [(cls, name, field) for cls, name, field in fields if field.annotation in (float, float | None)]
    assert len(floats) > 30
    assert [f"{cls.__name__}.{name}" for cls, name, field in floats if type(field.default) is int] == []


NUMBERS = {  # key of the message -> (what is replaced, what precedes the number)
    "training.learning_rate": ("learning_rate: 1.0e-3", "learning_rate: "),
    "training.max_steps": ("max_steps: 100", "max_steps: "),
    "training.epochs": ("max_steps: 100", "epochs: "),
    "training.weight_decay": ("max_steps: 100", "max_steps: 100, weight_decay: "),
    "training.batch_size": ("max_steps: 100", "max_steps: 100, batch_size: "),
    "training.warmup_steps": ("max_steps: 100", "max_steps: 100, warmup_steps: "),
    "hardware.threads": ("threads: 1", "threads: "),
    "seeds[1]": ("seeds: [1, 2", "seeds: [1, "),
    "tasks.qa.source.rows.train": ("train: 10", "train: "),
    "tasks.qa.max_source_length": (
        "max_source_length: 64\n    max_target_length: 8",
        "max_target_length: 8\n    max_source_length: ",
    ),
    "tasks.qa.generation.max_new_tokens": ("max_new_tokens: 8", "max_new_tokens: "),
    "tasks.qa.generation.length_penalty": ("max_new_tokens: 8", "max_new_tokens: 8, length_penalty: "),
    "methods.lora.r": ("r: 8", "r: "),
    "methods.lora.alpha": ("r: 8", "alpha: "),
    "overrides[0].training.learning_rate": ("training: {max_steps: 200", "training: {learning_rate: "),
    "overrides[0].training.max_steps": ("training: {max_steps: 200", "training: {max_steps: "),
}


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan", "1.0e+300", "1" + "0" * 30, "-1" + "0" * 30])
@pytest.mark.parametrize(("key", "passage"), NUMBERS.items(), ids=NUMBERS)
def test_a_number_beyond_its_bound_is_refused_with_the_bound(load, key, passage, number):
    message = refusal(load, changed(passage[0], passage[1] + number))
    first, *more = message.splitlines()
    assert f": {key}: " in first
    assert re.search(r"(greater|less) than (or equal to )?[-\d]|valid integer|finite", first)
    assert more == []


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("max_steps: 100}", "max_steps: 100, warmup_steps: 100}", "training", ["warmup_steps: 100", "100 steps"]),
        (
            "training: {max_steps: 200}",
            "training: {max_steps: 2, warmup_steps: 2}",
            "overrides[0].training",
            ["warmup_steps"],
        ),
        ("seeds: [1, 2]", f"seeds: [{', '.join(map(str, range(1001)))}]", "seeds", ["at most 1000 items"]),
        (
            "training: {learning_rate: 1.0e-3",
            "search: {factors: [1, 20000]}\ntraining: {learning_rate: 1.0e-3",
            "search.factors[1]",
            ["the learning_rate of qa_t5_full times this is 20", "less than or equal to 10"],
        ),
        ("r: 8", "r: 1000000000", "methods.lora.r", ["less than or equal to"]),
        (
            "{kind: bitfit}",
            "{kind: adapters, reduction_factor: 1.0e9}",
            "methods.bitfit.reduction_factor",
            ["'1.0e9'", "1.0e-4"],
        ),
        ("{kind: bitfit}", "{kind: adapters, reduction_factor: 1.0e+9}", "methods.bitfit.reduction_factor", ["4096"]),
    ],
)
def test_what_is_beyond_what_it_is_for_is_refused(load, old, new, key, says):
    assert_refused(load, old, new, key, says)


def test_a_warmup_longer_than_the_run_is_refused_where_its_rows_are_known(load):
    """128 rows are 4 steps of 32 in an epoch; the rows of a file are known when it is read."""
    rows = changed("train: train.csv, test: test.csv}}", "train: train.csv, test: test.csv}, rows: {train: 128}}")
    text = rows.replace("max_steps: 100", "epochs: 2, warmup_steps: 8")
    assert "training.warmup_steps: warmup_steps: 8 steps of warm-up, but the run has 8 steps" in refusal(load, text)
    load(text.replace("warmup_steps: 8", "warmup_steps: 7"))
    load(changed("max_steps: 100", "epochs: 2, warmup_steps: 8"))


def test_the_warmup_of_a_trial_stays_shorter_than_the_trial(load):
    study = load(changed("max_steps: 100}", "max_steps: 100, warmup_steps: 99}\nsearch: {factors: [1, 2]}"))
    assert study.search.trial_changes(study.training, 2.0)["warmup_steps"] == 9


def test_more_cells_than_anybody_runs_are_refused(load):
    tasks = "".join(f"  t{i}: *qa\n" for i in range(2000))
    text = BASE.replace("  qa:\n", "  qa: &qa\n").replace("models:\n  t5", f"{tasks}models:\n  t5")
    assert "12,012 cells" in refusal(load, text)


def test_more_runs_than_anybody_waits_for_are_refused(load, monkeypatch):
    monkeypatch.setattr(checks, "MOST_RUNS", 15)
    message = refusal(load, BASE)  # 8 cells, 2 seeds
    assert message == "first.yaml, line 4: seeds: 16 runs; a study has 15 at most. Make several studies of it"
