"""Checks of a study over several keys: names, overrides, cells, prompts, files."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.small_study import BASE, assert_refused, changed
from tunegrid.common.errors import TuneGridError
from tunegrid.study.checks import check_files

# (what is replaced, by what, the key as the message names it, what else the message says)
BROKEN = {
    "no test rows": (", test: test.csv", "", "tasks.sentiment.source.paths.test", ["required"]),
    "test rows from two places": ("paths: {train: train.csv, test: test.csv}", "paths: {train: train.csv, test: test.csv}, test_share: 0.1",
                                  "tasks.sentiment.source", ["test_share", "leave one of them out"]),
    "another domain without test rows": ("max_source_length: 64\n    max_target_length: 4",
                                         "evaluate_on: {d: {kind: files, paths: {train: a.csv}}}\n    max_source_length: 64\n    max_target_length: 4",
                                         "tasks.sentiment.evaluate_on.d.paths.test", ["required"]),
    "generated rows without training rows": ("rows: {train: 10, validation: 5, test: 5}", "rows: {validation: 5, test: 5}",
                                             "tasks.qa.source.rows.train", ["required"]),
    "generated rows of a kind that has none": ("kind: qa", "kind: pair-classification\n    labels: [same, other]", "tasks.qa.source.kind",
                                               ["no rows of pair-classification are generated", "summarisation"]),
    "no training file": ("paths: {train: train.csv, test: test.csv}", "paths: {test: test.csv}",
                         "tasks.sentiment.source.paths.train", ["required"]),
    "no column of what a row needs": ("source: {kind: files,", "source: {columns: {text: null}, kind: files,",
                                      "tasks.sentiment.source.columns.text", ["cannot do without"]),
    "names of columns for JSON": ("paths: {train: train.csv, test: test.csv}", "header: [text], paths: {train: a.jsonl, test: b.jsonl}",
                                  "tasks.sentiment.source", ["header", "only CSV and TSV"]),
    "a name of two columns": ("paths: {train: train.csv, test: test.csv}", "header: [a, a], paths: {train: a.csv, test: b.csv}",
                              "tasks.sentiment.source.header", ["a is listed twice"]),
    "unknown key in an override's method": ("training: {max_steps: 200}", "method: {rr: 4}",
                                            "overrides[0].method.rr", ["unknown key"]),
    "an unknown family": ("family: bart", "family: brat", "models.bart.family", ["Did you mean bart?", "flan-t5, mt5, t5"]),
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
    "a cell that cannot exist": ("methods: [full, lora]", "methods: [full, lora, bitfit]", "grid.methods[2]",
                                 ["qa_t5_bitfit", "no bias", "exclude: [{model: t5, method: bitfit}]"]),
    "every cell excluded": ("methods: [full, lora]", "methods: [full, lora]\n  exclude: [{task: qa}, {task: sentiment}]",
                            "grid.exclude", ["nothing is left to run"]),
    "a method called untuned": ("bitfit: {kind: bitfit}", "untuned: {kind: bitfit}", "methods.untuned", ["taken"]),
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
    "a title twice": ("t5: {family: t5,", "t5: {title: bart, family: t5,", "models.t5.title", ["'bart' is the title of bart too"]),
    "a title twice but for spaces": ("{kind: full}\n  lora: {", "{kind: full, title: A  b}\n  lora: {title: ' A b', ",
                                     "methods.lora.title", ["'A b' is the title of full too"]),
    "names that differ in case": ("  bitfit: {kind", "  Full: {kind", "methods.Full", ["differs from full in case alone"]),
    "two lengths in an override": ("training: {max_steps: 200}", "training: {max_steps: 200, epochs: 1.0}",
                                   "overrides[0].training", ["exactly one of max_steps and epochs"]),
    "an override out of range": ("training: {max_steps: 200}", "training: {max_steps: 0}",
                                 "overrides[0].training.max_steps", ["greater than 0"]),
    "an override of a method it does not fit": ("training: {max_steps: 200}", "method: {r: 4}",
                                                "overrides[0].method.r", ["unknown key"]),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "key", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_study_is_refused_with_file_line_key_and_a_way_out(load, old, new, key, says):
    assert_refused(load, old, new, key, says)


def test_local_files_that_are_missing_are_named_before_anything_runs(load, checkpoints):
    study = load(BASE)
    with pytest.raises(TuneGridError, match=r"tasks\.sentiment\.source: train\.csv: no such file"):
        check_files(study)
    for name in ("train.csv", "test.csv"):
        Path(name).touch()
    with pytest.raises(TuneGridError, match=r"models\.bart\.source: models/bart/config\.json: no such file"):
        check_files(study)
    shutil.copytree(checkpoints / "bart", "models/bart")
    check_files(study)
    Path("models/bart/tokenizer.json").unlink()
    with pytest.raises(TuneGridError, match=r"models\.bart\.source: local folder models/bart: no tokenizer"):
        check_files(study)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("train {a}.csv", "Snakemake takes braces in a path for a wildcard"),
        ("{a/b}/train.csv", "Snakemake takes braces in a path for a wildcard"),
        ("folder.csv", "a folder, where a file is needed"),
        ("pipe.csv", "not a regular file"),
        (f"{'x' * 300}.csv", "File name too long"),
        ("~/train.csv", "no such file. Paths are relative"),
    ],
)
def test_a_path_that_no_job_can_read_is_refused_before_anything_runs(load, name, says):
    study = load(changed("train: train.csv", f'train: "{name}"'))
    Path("folder.csv").mkdir()
    os.mkfifo("pipe.csv")
    with pytest.raises(TuneGridError, match=r"^tasks\.sentiment\.source: .*") as caught:
        check_files(study)
    assert says in str(caught.value)


def test_a_folder_of_a_model_that_no_job_can_read_is_refused(load):
    for path in ("models/{v1}", "x" * 300, "models/" + "x" * 5000):
        study = load(changed("path: models/bart", f'path: "{path}"'))
        for name in ("train.csv", "test.csv"):
            Path(name).touch()
        with pytest.raises(TuneGridError, match=r"^models\.bart\.source: .*(braces|File name too long)"):
            check_files(study)


def test_files_of_a_task_outside_the_grid_are_not_asked_for(load):
    study = load(changed("tasks: [qa, sentiment]", "tasks: [qa]").replace("models: [t5, bart]", "models: [t5]"))
    check_files(study)


def test_methods_of_one_kind_without_titles_are_called_by_their_names_too(load):
    study = load(
        changed("methods: [full, lora]", "methods: [full, lora, small]").replace(
            "  lora: {", "  small: {kind: lora, r: 2}\n  lora: {"
        )
    )
    assert study.titles("methods") == {"full": "Full Finetuning", "lora": "LoRA (lora)", "small": "LoRA (small)"}
    assert load(BASE).titles("methods")["lora"] == "LoRA"
