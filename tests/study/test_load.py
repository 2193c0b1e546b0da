"""A study's configuration: what is refused and how, overrides, and that every key reaches the workflow."""

import copy
import json
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
import yaml
from pydantic import ValidationError

from tests.support import ROOT
from tunegrid.common.errors import TuneGridError
from tunegrid.common.settings import Closed, did_you_mean
from tunegrid.study.cells import Cell
from tunegrid.study.checks import check_files
from tunegrid.study.load import load_study
from tunegrid.study.stage_settings import (
    choice_settings,
    data_settings,
    evaluation_settings,
    model_settings,
    report_settings,
    run_settings,
    token_settings,
)
from tunegrid.study.study import Study
from tunegrid.training.settings import WITHOUT_EFFECT

MINI = (ROOT / "config/mini.yaml").read_text(encoding="utf-8")

# A small study with all that the checks below need; the mini study itself is free to change.
BASE = """\
study: base
title: A title
description: A description.
seeds: [1, 2]
hardware: {device: cpu, threads: 1}
grid:
  tasks: [qa, sentiment]
  models: [t5, bart]
  methods: [full, lora]
tasks:
  qa:
    kind: qa
    source: {kind: generated, rows: {train: 10, validation: 5, test: 5}}
    max_source_length: 64
    max_target_length: 8
    generation: {max_new_tokens: 8}
  sentiment:
    kind: sentiment
    source: {kind: files, paths: {train: train.csv, test: test.csv}}
    max_source_length: 64
    max_target_length: 4
    generation: {max_new_tokens: 3}
models:
  t5: {family: t5, source: {kind: hub, id: google-t5/t5-base}}
  bart: {family: bart, source: {kind: directory, path: models/bart}}
methods:
  full: {kind: full}
  lora: {kind: lora, r: 8}
  bitfit: {kind: bitfit}
training: {learning_rate: 1.0e-3, max_steps: 100}
overrides:
  - {where: {task: qa}, training: {max_steps: 200}}
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads a study from texts, each written to a file of the current folder: first.yaml, second.yaml, …"""
    monkeypatch.chdir(tmp_path)

    def load_texts(*texts: str) -> Study:
        names = ["first.yaml", "second.yaml", "third.yaml"][: len(texts)]
        for name, text in zip(names, texts, strict=True):
            Path(name).write_text(text, encoding="utf-8")
        return load_study(*names)

    return load_texts


def changed(old: str, new: str) -> str:
    assert BASE.count(old) == 1, f"the base has {old!r} {BASE.count(old)} times"
    return BASE.replace(old, new)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def message(load, *texts: str) -> str:
    with pytest.raises(TuneGridError) as caught:
        load(*texts)
    return str(caught.value)


# (what is replaced, by what, the key as the message names it, what else the message says)
BROKEN = {
    "unknown key at the top": ("hardware: {", "hardwear: {", "hardwear", ["Did you mean hardware?", "seeds"]),
    "unknown key in hardware": ("threads: 1}", "thread: 1}", "hardware.thread", ["Did you mean threads?", "precision"]),
    "unknown key in grid": ("  models: [t5, bart]", "  model: [t5, bart]", "grid.model", ["Did you mean models?"]),
    "unknown key in a task": ("max_target_length: 8", "max_target_lenght: 8", "tasks.qa.max_target_lenght",
                              ["Did you mean max_target_length?", "prompts"]),
    "unknown key in generation": ("{max_new_tokens: 8}", "{max_new_token: 8}", "tasks.qa.generation.max_new_token",
                                  ["Did you mean max_new_tokens?", "num_beams"]),
    "unknown key in rows": ("test: 5}", "tests: 5}", "tasks.qa.source.rows.tests", ["Did you mean test?"]),
    "unknown key in a data source": ("source: {kind: files,", "source: {colums: {}, kind: files,",
                                     "tasks.sentiment.source.colums", ["Did you mean columns?", "validation_share"]),
    "unknown key in paths": ("test: test.csv", "tset: test.csv", "tasks.sentiment.source.paths.tset", ["Did you mean test?"]),
    "no test rows": (", test: test.csv", "", "tasks.sentiment.source.paths.test", ["required"]),
    "an unknown protocol": ("  qa:\n", "  qa:\n    protocol: printed\n", "tasks.qa.protocol", ["Valid: official, published"]),
    "a protocol of a task that has none": ("  sentiment:\n", "  sentiment:\n    protocol: official\n", "tasks.sentiment.protocol", ["unknown key"]),
    "the published protocol on generated rows": ("  qa:\n", "  qa:\n    protocol: published\n", "tasks.qa", ["protocol: published", "generated"]),
    "unknown key in a model": ("t5: {family: t5", "t5: {famly: t5", "models.t5.famly", ["Did you mean family?", "source"]),
    "unknown key in a model source": ("{kind: hub, id:", "{kind: hub, name:", "models.t5.source.name", ["revision"]),
    "unknown key in a method": ("r: 8", "rank: 8", "methods.lora.rank", ["alpha", "targets"]),
    "unknown key in training": ("learning_rate: 1", "learning_rat: 1", "training.learning_rat",
                                ["Did you mean learning_rate?", "weight_decay"]),
    "unknown key in an override": ("- {where: {task: qa}, training", "- {where: {task: qa}, trainings",
                                   "overrides[0].trainings", ["Did you mean training?"]),
    "unknown key in where": ("where: {task: qa}", "where: {tsk: qa}", "overrides[0].where.tsk", ["Did you mean task?"]),
    "unknown key in an override's training": ("training: {max_steps: 200}", "training: {max_step: 200}",
                                              "overrides[0].training.max_step", ["Did you mean max_steps?"]),
    "unknown key in an override's method": ("training: {max_steps: 200}", "method: {rr: 4}",
                                            "overrides[0].method.rr", ["unknown key"]),
    "text for an integer": ("threads: 1", "threads: two", "hardware.threads", ["integer", "'two'"]),
    "a fraction for an integer": ("max_source_length: 64\n    max_target_length: 8", "max_source_length: 6.5\n    max_target_length: 8",
                                  "tasks.qa.max_source_length", ["integer", "6.5"]),
    "a boolean for an integer": ("threads: 1", "threads: true", "hardware.threads", ["integer", "True"]),
    "a text for a list": ("models: [t5, bart]", "models: t5", "grid.models", ["list", "'t5'"]),
    "a list for a mapping": ("hardware: {device: cpu, threads: 1}", "hardware: [cpu]", "hardware", ["['cpu']"]),
    "out of range": ("threads: 1", "threads: 0", "hardware.threads", ["greater than 0", "found 0"]),
    "a negative seed": ("seeds: [1, 2]", "seeds: [1, -2]", "seeds[1]", ["-2"]),
    "no seed": ("seeds: [1, 2]", "seeds: []", "seeds", ["at least 1"]),
    "a number that YAML takes for text": ("1.0e-3", "1e-4", "training.learning_rate", ["'1e-4'", "is text to YAML", "1.0e-4"]),
    "the same in an override": ("training: {max_steps: 200}", "training: {learning_rate: 1e-4}",
                                "overrides[0].training.learning_rate", ["'1e-4'", "is text to YAML"]),
    "an unknown device": ("device: cpu", "device: cdua", "hardware.device", ["Did you mean cuda?", "cpu, cuda"]),
    "an unknown family": ("family: bart", "family: brat", "models.bart.family", ["Did you mean bart?", "flan-t5, mt5, t5"]),
    "an unknown kind of task": ("kind: sentiment", "kind: sentimant", "tasks.sentiment.kind",
                                ["Did you mean sentiment?", "qa", "translation"]),
    "an unknown kind of source": ("kind: generated", "kind: generate", "tasks.qa.source.kind",
                                  ["Did you mean generated?", "files", "hub"]),
    "an unknown kind of model source": ("kind: directory", "kind: dir", "models.bart.source.kind", ["directory, hub, pretrain"]),
    "an unknown kind of method": ("lora: {kind: lora,", "lora: {kind: lorra,", "methods.lora.kind",
                                  ["Did you mean lora?", "adapters, bitfit, full"]),
    "the untuned model as a method": ("{kind: bitfit}", "{kind: untuned}", "methods.bitfit.kind", ["unknown: 'untuned'"]),
    "an unknown role": ("r: 8", "targets: [query, vlaue]", "methods.lora.targets[1]", ["Did you mean value?", "feed-forward"]),
    "an unknown file type": ("train: train.csv", "train: train.tsv", "tasks.sentiment.source.paths", ["train.tsv", ".jsonl"]),
    "a missing kind": ("lora: {kind: lora, r: 8}", "lora: {r: 8}", "methods.lora.kind", ["required"]),
    "a missing key at the top": ("title: A title\n", "", "title", ["required"]),
    "a missing key inside": ("    max_target_length: 8\n", "", "tasks.qa.max_target_length", ["required"]),
    "a missing key in training": ("learning_rate: 1.0e-3, ", "", "training.learning_rate", ["required"]),
    "an unknown task in grid": ("tasks: [qa, sentiment]", "tasks: [qa, sentimant]", "grid.tasks[1]",
                                ["'sentimant'", "Did you mean sentiment?", "qa, sentiment"]),
    "an unknown model in grid": ("models: [t5, bart]", "models: [t5, brat]", "grid.models[1]", ["Did you mean bart?"]),
    "an unknown method in grid": ("methods: [full, lora]", "methods: [ful, lora]", "grid.methods[0]", ["Did you mean full?"]),
    "an unknown task in overrides": ("where: {task: qa}", "where: {task: qq}", "overrides[0].where.task", ["'qq'", "qa, sentiment"]),
    "an unknown model in overrides": ("where: {task: qa}", "where: {model: t6}", "overrides[0].where.model", ["Did you mean t5?"]),
    "an unknown method in overrides": ("where: {task: qa}", "where: {method: lorra}", "overrides[0].where.method", ["Did you mean lora?"]),
    "an unknown model in exclude": ("methods: [full, lora]", "methods: [full, lora]\n  exclude: [{model: brat}]",
                                    "grid.exclude[0].model", ["Did you mean bart?"]),
    "a task twice in grid": ("tasks: [qa, sentiment]", "tasks: [qa, qa]", "grid.tasks[1]", ["qa is listed twice"]),
    "a seed twice": ("seeds: [1, 2]", "seeds: [1, 2, 1]", "seeds[2]", ["seed 1", "twice"]),
    "a seed too large": ("seeds: [1, 2]", "seeds: [1, 4294967296]", "seeds[1]", ["4294967296"]),
    "a cell that cannot exist": ("methods: [full, lora]", "methods: [full, lora, bitfit]", "grid.methods[2]",
                                 ["qa_t5_bitfit", "no bias", "exclude: [{model: t5, method: bitfit}]"]),
    "every cell excluded": ("methods: [full, lora]", "methods: [full, lora]\n  exclude: [{task: qa}, {task: sentiment}]",
                            "grid.exclude", ["nothing is left to run"]),
    "a method called untuned": ("bitfit: {kind: bitfit}", "untuned: {kind: bitfit}", "methods.untuned", ["taken"]),
    "a study name that leaves the folder": ("study: base", "study: ../base", "study", ["not a valid name", "'../base'"]),
    "a study name with a slash": ("study: base", "study: a/b", "study", ["not a valid name"]),
    "a study name that is a dot": ("study: base", "study: ..", "study", ["not a valid name"]),
    "a study name with a line break": ("study: base", 'study: "base\\n"', "study", ["not a valid name"]),
    "a study name with LaTeX": ("study: base", r"study: \input{/etc/passwd}", "study", ["not a valid name"]),
    "a task name with an underscore": ("  qa:\n", "  q_a:\n", "tasks.q_a", ["not a valid name", "'q_a'"]),
    "a model name with LaTeX": ("  bart: {family", "  $bart$: {family", "models.$bart$", ["not a valid name"]),
    "a method name that leaves the folder": ("  bitfit: {", "  ../x: {", "methods.../x", ["not a valid name", "'../x'"]),
    "a prompt without the text": ("max_target_length: 8", "max_target_length: 8\n    prompts: {t5: 'ask {question}'}",
                                  "tasks.qa.prompts.t5", ["does not use {context}"]),
    "a prompt over an unknown column": ("max_target_length: 8", "max_target_length: 8\n    prompts: {t5: '{context} {qustion}'}",
                                        "tasks.qa.prompts.t5", ["'qustion'", "Did you mean question?"]),
    "a prompt that is no template": ("max_target_length: 8", "max_target_length: 8\n    prompts: {t5: '{context} {'}",
                                     "tasks.qa.prompts.t5", ["not a valid template"]),
    "a prompt with an attribute": ("max_target_length: 8", "max_target_length: 8\n    prompts: {t5: '{context.x} {context}'}",
                                   "tasks.qa.prompts.t5", ["'context.x'"]),
    "a prompt for an unknown family": ("max_target_length: 8", "max_target_length: 8\n    prompts: {t6: '{context}'}",
                                       "tasks.qa.prompts.t6", ["Did you mean t5?"]),
    "a mapping of an unknown column": ("source: {kind: files,", "source: {columns: {txt: review}, kind: files,",
                                       "tasks.sentiment.source.columns.txt", ["Did you mean text?", "id, label, text"]),
    "a positive label that is none": ("kind: sentiment", "kind: sentiment\n    labels: [bad, good]", "tasks.sentiment",
                                      ["'positive'", "bad, good"]),
    "one label": ("kind: sentiment", "kind: sentiment\n    labels: [positive]", "tasks.sentiment.labels", ["at least 2"]),
    "two lengths of training": ("max_steps: 100", "max_steps: 100, epochs: 2", "training", ["exactly one of max_steps and epochs"]),
    "no length of training": (", max_steps: 100", "", "training", ["exactly one of max_steps and epochs"]),
    "two lengths in an override": ("training: {max_steps: 200}", "training: {max_steps: 200, epochs: 1.0}",
                                   "overrides[0].training", ["exactly one of max_steps and epochs"]),
    "an override out of range": ("training: {max_steps: 200}", "training: {max_steps: 0}",
                                 "overrides[0].training.max_steps", ["greater than 0"]),
    "an override of a method it does not fit": ("training: {max_steps: 200}", "method: {r: 4}",
                                                "overrides[0].method.r", ["unknown key"]),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "key", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_study_is_refused_with_file_line_key_and_a_way_out(load, old, new, key, says):
    text = changed(old, new)
    said = message(load, text)
    first = said.splitlines()[0]
    file, line, *_ = first.split(": ")[0].split(", line ")
    assert file == "first.yaml"
    assert f": {key}: " in first
    assert [part for part in says if part not in said] == []
    last = key.split(".")[-1].split("[")[0]
    if last and f"{last}:" in new:
        # The key itself stands in the text: the line has to be its own.
        lines = text.splitlines()
        assert f"{last}:" in lines[int(line) - 1]


def test_the_line_is_the_one_the_wrong_key_stands_on(load):
    text = changed("max_target_length: 8", "max_target_lenght: 8")
    assert f"first.yaml, line {line_of(text, 'max_target_lenght')}: " in message(load, text)


def test_the_mini_study_is_valid_and_one_wrong_key_in_it_is_found(load):
    study = load(MINI)
    assert len(study.cells()) == 27
    broken = MINI.replace("training: {learning_rate:", "training: {lerning_rate:", 1)
    said = message(load, broken)
    assert f"line {line_of(broken, 'lerning_rate')}: training.lerning_rate" in said
    assert "Did you mean learning_rate?" in said


def test_a_duplicate_key_is_refused_where_it_stands_the_second_time(load):
    text = BASE + "training: {learning_rate: 1.0e-2, max_steps: 3}\n"
    said = message(load, text)
    assert f"first.yaml, line {len(text.splitlines())}: " in said
    assert "'training'" in said
    said = message(load, changed("learning_rate: 1.0e-3", "learning_rate: 1.0e-3, learning_rate: 2.0e-3"))
    assert "'learning_rate'" in said


def test_several_problems_are_all_named(load):
    said = message(load, changed("threads: 1", "threads: 0").replace("r: 8", "r: 0"))
    assert "hardware.threads" in said
    assert "methods.lora.r" in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("study: [", "not valid YAML"),
        ("", "mapping"),
        ("- a\n- b\n", "mapping"),
        ("just text", "mapping"),
        ("? [a, b]\n: c\n", "not valid YAML"),
        ("study: !!python/object:os.system x", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(load, text, says):
    said = message(load, text)
    assert said.startswith("first.yaml: ")
    assert says in said


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TuneGridError, match=r"nowhere\.yaml: no such file"):
        load_study(tmp_path / "nowhere.yaml")


def test_a_folder_instead_of_a_file_is_named(tmp_path):
    with pytest.raises(TuneGridError, match="cannot be read"):
        load_study(tmp_path)


def test_invalid_utf8_is_refused(tmp_path):
    file = tmp_path / "latin.yaml"
    file.write_bytes(BASE.replace("A title", "Größe").encode("latin-1"))
    with pytest.raises(TuneGridError, match=r"latin\.yaml: cannot be read: .*utf-8"):
        load_study(file)


# -- several files ----------------------------------------------------------------------------------------------------


def test_files_are_laid_over_each_other_mappings_merged_lists_replaced(load):
    study = load(BASE, "seeds: [7]\nhardware: {precision: bf16}\n", "grid: {tasks: [qa]}\n")
    assert study.seeds == [7]
    assert (study.hardware.device, study.hardware.precision) == ("cpu", "bf16")
    assert study.grid.tasks == ["qa"]
    assert study.grid.models == ["t5", "bart"]


def test_an_error_names_the_file_that_holds_the_key(load):
    over = "# a comment\nhardware:\n  threads: 0\n"
    assert message(load, BASE, over).startswith("second.yaml, line 3: hardware.threads: ")
    # A key of the first file stays the first's, whatever else the second one holds.
    broken = changed("device: cpu", "device: cpo")
    said = message(load, broken, "hardware: {precision: bf16}\n")
    assert said.startswith(f"first.yaml, line {line_of(broken, 'device')}: hardware.device: ")


def test_a_list_item_is_looked_for_in_the_file_whose_list_is_used(load):
    said = message(load, BASE, "\n\ngrid: {models: [bart, t6]}\n")
    assert said.startswith("second.yaml, line 3: grid.models[1]: ")


# -- the grid, its exclusions and overrides ---------------------------------------------------------------------------


def test_the_grid_is_the_product_less_what_is_excluded(load):
    study = load(
        changed("methods: [full, lora]", "methods: [full, lora, bitfit]\n  exclude: [{model: t5, method: bitfit}]")
    )
    assert [str(cell) for cell in study.cells()] == [
        f"{task}_{cell}"
        for task in ("qa", "sentiment")
        for cell in ("t5_full", "t5_lora", "bart_full", "bart_lora", "bart_bitfit")
    ]
    assert len(study.runs()) == 2 * len(study.cells())
    assert len(set(study.runs())) == len(study.runs())


def test_later_overrides_win_and_touch_only_the_cells_they_name(load):
    text = (
        BASE
        + """\
  - {where: {model: t5}, training: {learning_rate: 3.0e-3}}
  - {where: {model: t5, method: lora}, training: {learning_rate: 5.0e-3, warmup_ratio: 0.2}, method: {r: 2}}
  - {where: {method: lora}, method: {alpha: 4}}
"""
    )
    study = load(text)
    rate = {str(cell): study.training_settings(cell).learning_rate for cell in study.cells()}
    assert rate == {
        "qa_t5_full": 3e-3, "qa_t5_lora": 5e-3, "qa_bart_full": 1e-3, "qa_bart_lora": 1e-3,
        "sentiment_t5_full": 3e-3, "sentiment_t5_lora": 5e-3, "sentiment_bart_full": 1e-3, "sentiment_bart_lora": 1e-3,
    }  # fmt: skip
    lora = {model: study.method_settings(Cell("qa", model, "lora")) for model in ("t5", "bart")}
    assert (lora["t5"].r, lora["t5"].alpha) == (2, 4)
    assert (lora["bart"].r, lora["bart"].alpha) == (8, 4)
    assert study.training_settings(Cell("qa", "t5", "lora")).max_steps == 200
    assert study.training_settings(Cell("sentiment", "t5", "lora")).max_steps == 100


def test_an_override_that_names_one_length_drops_the_other(load):
    study = load(changed("training: {max_steps: 200}", "training: {epochs: 2.5}"))
    training = study.training_settings(Cell("qa", "t5", "full"))
    assert (training.max_steps, training.epochs) == (None, 2.5)
    training = study.training_settings(Cell("sentiment", "t5", "full"))
    assert (training.max_steps, training.epochs) == (100, None)


def test_an_integer_serves_as_a_fraction(load):
    assert (
        load(changed("training: {max_steps: 200}", "training: {epochs: 2}"))
        .training_settings(Cell("qa", "t5", "full"))
        .epochs
        == 2.0
    )


def test_a_study_cannot_be_changed_once_it_is_read(load):
    with pytest.raises(ValidationError):
        load(BASE).seeds = [3]


def test_local_files_that_are_missing_are_named_before_anything_runs(load):
    study = load(BASE)
    with pytest.raises(TuneGridError, match=r"tasks\.sentiment\.source: train\.csv: no such file"):
        check_files(study)
    for name in ("train.csv", "test.csv"):
        Path(name).touch()
    with pytest.raises(TuneGridError, match=r"models\.bart\.source: models/bart/config\.json: no such file"):
        check_files(study)
    Path("models/bart").mkdir(parents=True)
    Path("models/bart/config.json").touch()
    check_files(study)


def test_files_of_a_task_outside_the_grid_are_not_asked_for(load):
    study = load(changed("tasks: [qa, sentiment]", "tasks: [qa]").replace("models: [t5, bart]", "models: [t5]"))
    check_files(study)


def test_did_you_mean_names_the_closest_or_none():
    assert did_you_mean("lorra", ["lora", "full"]) == "Did you mean lora? Valid: full, lora"
    assert did_you_mean("xyz", ["lora", "full"]) == "Valid: full, lora"
    assert did_you_mean("xyz", []) == "Valid: none"


# -- every key reaches the workflow -----------------------------------------------------------------------------------

FULL = """\
study: whole
title: A title
description: A description.
seeds: [1]
hardware: {}
grid:
  tasks: [qa, sentiment, translation]
  models: [t5, bart, flan-t5]
  methods: [full, lora, adapters, bitfit]
  exclude: [{model: t5, method: bitfit}, {model: flan-t5, method: bitfit}]
tasks:
  qa:
    kind: qa
    source: {kind: hub, path: squad}
    max_source_length: 64
    max_target_length: 8
    generation: {max_new_tokens: 8}
  sentiment:
    kind: sentiment
    source: {kind: files, paths: {train: train.csv, test: test.csv}}
    max_source_length: 64
    max_target_length: 4
    generation: {max_new_tokens: 3}
  translation:
    kind: translation
    source: {kind: generated, rows: {train: 10, validation: 5, test: 5}}
    max_source_length: 64
    max_target_length: 4
    generation: {max_new_tokens: 3}
models:
  t5: {family: t5, source: {kind: hub, id: google-t5/t5-base}}
  bart: {family: bart, source: {kind: directory, path: models/bart}}
  flan-t5: {family: flan-t5, source: {kind: pretrain}}
methods:
  full: {kind: full}
  lora: {kind: lora}
  adapters: {kind: adapters}
  bitfit: {kind: bitfit}
training: {learning_rate: 1.0e-3, max_steps: 100}
search: {factors: [1.0, 3.0]}
"""
PARSED = yaml.safe_load(FULL)


def whole() -> dict:
    return copy.deepcopy(PARSED)


# Another value than the default where it cannot be made from the type alone.
OTHER = {
    "prompts": {"t5": "{context}{text}{source}"},  # replaced below by one that fits the task
    "columns": {"id": "other"},
    "labels": ["positive", "negative"],
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
        place[name] = {family: "other {" + before.task(way[1]).cuttable + "}"}
    elif name == "columns":
        place[name] = OTHER["columns"]
    elif name in ("train", "test", "validation") and "paths" in way:
        place[name] = "other.csv"
    elif name == "family":
        place[name] = "t5" if value != "t5" else "flan-t5"
        values["grid"]["methods"].remove("bitfit")
        before = Study.model_validate({**whole(), "grid": values["grid"]})
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
