"""Settings of stages: every key of a study reaches the rules whose results it alters, and no others."""

import copy
import json
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
import yaml

from tests.support.small_study import BASE
from tunegrid.common.fields import Closed
from tunegrid.study.stage_settings import (
    choice_settings,
    data_settings,
    domain_settings,
    domains_settings,
    evaluation_settings,
    model_settings,
    report_settings,
    run_settings,
    token_settings,
)
from tunegrid.study.study import Study
from tunegrid.training.settings import WITHOUT_EFFECT


def _whole() -> dict:
    """The values of the base study, with every kind of task, of model source and of method, and with a search."""
    values = yaml.safe_load(BASE)
    without_bias = [{"model": model, "method": "bitfit"} for model in ("t5", "flan-t5")]
    values["grid"] = {
        "tasks": ["qa", "sentiment", "translation", "pairs"],
        "models": ["t5", "bart", "flan-t5"],
        "methods": ["full", "lora", "adapters", "bitfit"],
        "exclude": without_bias,
    }
    tasks = values["tasks"]
    tasks["translation"] = copy.deepcopy(tasks["sentiment"]) | {"kind": "translation", "source": tasks["qa"]["source"]}
    tasks["pairs"] = copy.deepcopy(tasks["sentiment"]) | {"kind": "pair-classification", "labels": ["no", "yes"]}
    tasks["qa"]["source"] = {"kind": "hub", "path": "squad"}
    values["models"]["flan-t5"] = {"family": "flan-t5", "source": {"kind": "pretrain"}}
    values["methods"]["adapters"] = {"kind": "adapters"}
    return values | {"overrides": [], "search": {"factors": [1.0, 3.0]}}


WHOLE = _whole()


def whole() -> dict:
    return copy.deepcopy(WHOLE)


# Another value than the default where it cannot be made from the type alone.
OTHER = {
    "prompts": {"t5": "{context}{text}{source}"},  # replaced below by one that fits the task
    "columns": {"id": "other"},
    "labels": ["positive", "negative"],
    "label_words": {"yes": "true"},
    "header": ["text", "label"],
    "evaluate_on": {"away": {"kind": "files", "paths": {"test": "away.csv"}}},
    "positive": "negative",
    "targets": ["query"],
    "d_model": 32,
    "train": {"files": "other.csv", "hub": "other"},
    "validation_share": 0.3,
    "factors": [1.0, 9.0],
}
# Keys of training that mean nothing without others.
NEEDS = {
    "keep_best": {"evaluations": 2},
    "select_by": {"evaluations": 2, "keep_best": True},
    "validation_rows": {"evaluations": 2, "keep_best": True, "select_by": "metric"},
    "early_stopping_patience": {"evaluations": 2},
    "early_stopping_threshold": {"evaluations": 2, "early_stopping_patience": 2},
    "keep_checkpoints": {"checkpoint_steps": 10},
}
SAME_THING = {"kind"}  # says which settings these are; another kind is another set of keys


def leaves(settings: Closed, way: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any, Any]]:
    """(way, type, value) of each key of settings, down to those that are no settings themselves."""
    found = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, Closed):
            found += leaves(value, (*way, name))
        elif name not in SAME_THING:
            found.append(((*way, name), field.annotation, value))
    return found


def another(name: str, kind: Any, value: Any) -> Any:
    """A valid value of a type that is not `value`."""
    if name in OTHER and not isinstance(OTHER[name], dict):
        return OTHER[name]
    if get_origin(kind) is Annotated:
        return another(name, get_args(kind)[0], value)
    if get_origin(kind) in (Union, types.UnionType):
        return another(name, next(part for part in get_args(kind) if part is not type(None)), value)
    if get_origin(kind) is Literal:
        return next(choice for choice in get_args(kind) if choice != value)
    if kind is bool:
        return not value
    if kind is int:
        return (value or 0) + 1
    if kind is float:
        return (value or 0.0) / 2 + 0.11 if name not in ("reduction_factor", "mean_span") else value + 1
    if kind is str:
        return f"{value or ''}x"
    raise NotImplementedError(f"{name}: say in OTHER what else {kind} could be")


def workflow_settings(study: Study) -> str:
    """All that the rules are given as params, as one text."""
    cells, tasks, models = study.cells(), study.grid.tasks, study.grid.models
    return json.dumps(
        [
            [data_settings(study, task) for task in tasks],
            [model_settings(study, model) for model in models],
            [token_settings(study, task, model) for task in tasks for model in models],
            [run_settings(study, cell) for cell in cells],
            [choice_settings(study, cell) for cell in cells],
            [evaluation_settings(study, task) for task in tasks],
            [domain_settings(study, task, domain) for task in tasks for domain in study.tasks[task].evaluate_on],
            [domains_settings(study, task) for task in tasks],
        ],
        sort_keys=True,
    )


def every_key() -> list[tuple[str, ...]]:
    study = Study.model_validate(whole())
    parts: list[tuple[tuple[str, ...], Closed]] = [(("hardware",), study.hardware), (("training",), study.training)]
    parts.append((("search",), study.search))
    parts += [(("tasks", name), settings) for name, settings in study.tasks.items()]
    parts += [(("models", name), settings) for name, settings in study.models.items()]
    parts += [(("methods", name), settings) for name, settings in study.methods.items()]
    return [(way, kind, value) for start, part in parts for way, kind, value in leaves(part, start)]


KEYS = every_key()


@pytest.mark.parametrize(("way", "kind", "value"), KEYS, ids=[".".join(way) for way, _, _ in KEYS])
def test_every_key_reaches_a_rule_or_the_report(way, kind, value):
    values, name = whole(), way[-1]
    values["training"] |= NEEDS.get(name, {})
    before = Study.model_validate(values)
    place = values
    for key in way[:-1]:
        place = place.setdefault(key, {})
    if name == "prompts":
        family = "t5"
        place[name] = {family: "other {" + before.task(way[1]).truncatable + "}"}
    elif name in ("columns", "label_words", "evaluate_on"):
        place[name] = OTHER[name]
    elif name in ("train", "test", "validation") and "paths" in way:
        place[name] = "other.csv"
    elif name == "test_share":
        place["paths"]["test"], place[name] = None, 0.2
        before = Study.model_validate(values)
        place[name] = 0.3
    elif name == "family":
        place[name] = "t5" if value != "t5" else "flan-t5"
        values["grid"]["methods"].remove("bitfit")
        before = Study.model_validate({**whole(), "grid": values["grid"]})
    elif name == "config":
        place[name] = "par_bn"
    elif name == "epochs":
        place[name], place["max_steps"] = 1.5, None
    else:
        place[name] = another(name, kind, value)
    after = Study.model_validate(values)
    assert after != before, f"the test did not change {'.'.join(way)}"
    if name in ("title", "licence"):
        # It alters what the report says, and never causes a job that computes to run again.
        assert workflow_settings(after) == workflow_settings(before)
        assert report_settings(after) != report_settings(before)
    elif way[0] == "training" and name in WITHOUT_EFFECT:
        # How often a run is saved, and how long that is kept, alters no bit of it: nothing runs again.
        assert workflow_settings(after) == workflow_settings(before)
    else:
        assert workflow_settings(after) != workflow_settings(before)


@pytest.mark.parametrize("key", ["title", "description"])
def test_the_study_s_own_texts_alter_the_report_alone(key):
    values = whole()
    before, after = Study.model_validate(values), Study.model_validate(values | {key: "other"})
    assert report_settings(after) != report_settings(before)
    assert workflow_settings(after) == workflow_settings(before)


def test_the_learning_rate_of_one_method_reaches_that_method_s_cells_alone():
    values = whole()
    override = {"where": {"method": "lora"}, "training": {"learning_rate": 0.5}}
    before, after = Study.model_validate(values), Study.model_validate(values | {"overrides": [override]})
    touched = {cell for cell in before.cells() if run_settings(before, cell) != run_settings(after, cell)}
    assert touched == {cell for cell in before.cells() if cell.method == "lora"}


def test_settings_of_a_task_reach_no_other_task():
    values = whole()
    before = Study.model_validate(values)
    values["tasks"]["qa"]["max_source_length"] += 1
    after = Study.model_validate(values)
    for task in ("sentiment", "translation"):
        assert token_settings(after, task, "t5") == token_settings(before, task, "t5")
        assert data_settings(after, task) == data_settings(before, task)


def test_another_domain_runs_nothing_again_but_itself():
    values = whole()
    before = Study.model_validate(values)
    values["tasks"]["sentiment"]["evaluate_on"] = OTHER["evaluate_on"]
    after = Study.model_validate(values)
    cells = after.cells()
    assert data_settings(after, "sentiment") == data_settings(before, "sentiment")
    assert token_settings(after, "sentiment", "t5") == token_settings(before, "sentiment", "t5")
    assert evaluation_settings(after, "sentiment") == evaluation_settings(before, "sentiment")
    assert [run_settings(after, cell) for cell in cells] == [run_settings(before, cell) for cell in cells]
    assert domains_settings(after, "sentiment", "t5") != domains_settings(before, "sentiment", "t5")
    assert domains_settings(after, "qa", "t5") == domains_settings(before, "qa", "t5")
