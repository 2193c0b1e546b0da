"""Text generation: metrics by choice, several references, and judges of single answers."""

import pytest
from pydantic import ValidationError

from tests.support.rows_of_tasks import ROWS, make_task, predict_baseline
from tunegrid.data.formats import RawRow
from tunegrid.stages.expected import expected
from tunegrid.study.load import load_study
from tunegrid.tasks import RowError
from tunegrid.tasks.rows import canonical_row

FILES = {"kind": "files", "paths": {"train": "a.jsonl", "test": "b.jsonl"}}
STUDY = """\
study: g
title: G
description: G.
seeds: [1]
grid: {tasks: [g], models: [t5], methods: [full]}
tasks:
  g:
    kind: generation
    metrics: [exact_text, bleu]
    source: {kind: files, paths: {train: a.jsonl, test: b.jsonl}}
    max_source_length: 48
    max_target_length: 8
    generation: {max_new_tokens: 6}
models: {t5: {family: t5, source: {kind: packaged, name: t5}}}
methods: {full: {kind: full}}
training: {learning_rate: 1.0e-3, max_steps: 4, batch_size: 8}
"""


def names(task) -> list[str]:
    return [metric.name for metric in task.metrics]


def test_the_study_chooses_the_metrics_and_the_first_is_the_primary_one():
    task = make_task("generation")
    assert (names(task), task.primary, task.example_metric) == (["chrf", "rouge_l", "exact_text"], "chrf", "chrf")
    task = make_task("generation", metrics=["exact_match", "bleu"])
    assert (names(task), task.primary, task.right_from) == (["exact_match", "bleu"], "exact_match", 1.0)
    task = make_task("generation", metrics=["rouge1"])
    assert (names(task), task.primary, task.right_from) == (["rouge1"], "rouge1", 0.5)


def test_bleu_alone_has_chrf_beside_it_as_a_single_answer_may_have_no_four_words():
    task = make_task("generation", metrics=["bleu"])
    assert (names(task), task.primary, task.example_metric) == (["bleu", "chrf"], "bleu", "chrf")


@pytest.mark.parametrize(("metrics", "says"), [([], "at least 1"), (["chrf", "chrf"], "twice"), (["f1"], "chrf")])
def test_metrics_that_cannot_be_meant_are_refused(metrics, says):
    with pytest.raises(ValidationError, match=says):
        make_task("generation", metrics=metrics)


def test_tables_and_examples_take_the_primary_metric_and_the_judge_from_the_settings(tmp_path):
    (tmp_path / "s.yaml").write_text(STUDY)
    (task,) = expected(load_study(tmp_path / "s.yaml")).tasks
    assert task.primary.name == "exact_text"
    judge, right_from = task.judge
    assert (judge.name, right_from) == ("exact_text", 1.0)


def test_a_target_is_a_text_or_several_references():
    task = make_task("generation", source=FILES | {"columns": {"source": "instruction", "target": "output"}})
    row = canonical_row(task, RawRow({"instruction": ["Say", "hello."], "output": ["Hello.", "Hi."]}, "here"))
    assert (row["source"], task.target_text(row), task.references(row)) == ("Say hello.", "Hello.", ["Hello.", "Hi."])
    with pytest.raises(RowError, match="no target"):
        canonical_row(task, RawRow({"instruction": "Say.", "output": []}, "here"))


def test_baselines_copy_the_source_and_give_the_commonest_target():
    task, train = make_task("generation"), [{"target": [text]} for text in ("b", "a", "b", "a", "c")]
    assert predict_baseline(task, "copy", [], ROWS["generation"]) == ["dogs: 2", "cats: 1"]
    assert predict_baseline(task, "commonest-target", train, ROWS["generation"]) == ["a", "a"]


def test_exact_text_counts_case_and_punctuation_but_no_white_space():
    task = make_task("generation", metrics=["exact_text"])
    scores = task.score(["A\n cat.", "a cat."], [ROWS["generation"][1]] * 2)
    assert scores.examples["exact_text"].tolist() == [1, 0]
