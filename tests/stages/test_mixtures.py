"""The stages of instruction tuning: one training on a mixture, the runs of its tasks, and their answers to wordings."""

import json

import pandas as pd
import pytest

from tests.support.instructed import CONFIG, MIXTURE, cell
from tunegrid.common.errors import TuneGridError
from tunegrid.results.records import MetricsRecord, TrainRecord, WordingsRecord, read_record
from tunegrid.study.cells import Run
from tunegrid.study.load import load_study

TASKS = ("translation", "qa", "sentiment")


def run(task: str) -> Run:
    return Run(cell(task), 1)


def test_the_account_of_a_mixture_has_the_rows_that_its_limit_leaves(instructed):
    folder = instructed.paths.mixture_tokens("t5", "instruct")
    splits = json.loads((folder / "stats.json").read_text())["splits"]
    rows = {split: {} for split in splits}
    for split, parts in splits.items():
        for part in parts:
            rows[split][part["task"]] = rows[split].get(part["task"], 0) + part["rows"]
    assert rows == {"train": {"translation": 32, "sentiment": 24}, "validation": {"translation": 12, "sentiment": 8}}
    card = json.loads((folder / "card.json").read_text())
    assert list(card["tasks"]) == ["translation", "sentiment"]


def test_one_training_is_the_run_of_every_task(instructed):
    paths = instructed.paths
    trained = read_record(paths.run(Run(MIXTURE, 1)) / "train.json", TrainRecord)
    assert (trained.status, trained.task, trained.cost.examples, trained.shared) == ("ok", "mixtures", 24, None)
    weights = paths.run(Run(MIXTURE, 1)) / "weights" / "adapter_model.safetensors"
    for task in TASKS:
        record = read_record(paths.run(run(task)) / "train.json", TrainRecord)
        assert record.task == task
        assert record.shared.model_dump() == {
            "training": "mixtures/runs/t5/instruct/seed-1",
            "tasks": ["translation", "sentiment"],
            "cells": 3,
            "held_out": task == "qa",
        }
        assert (record.cost, record.weights) == (trained.cost, trained.weights)
        assert (paths.run(run(task)) / "weights" / weights.name).samefile(weights)  # no second copy
    assert not list(paths.root.glob("checkpoints/**/*.safetensors"))


def test_scores_of_a_run_are_those_of_the_first_wording(instructed):
    for task in TASKS:
        folder = instructed.paths.run(run(task))
        metrics, worded = (
            read_record(folder / "metrics.json", MetricsRecord),
            read_record(folder / "wordings.json", WordingsRecord),
        )
        assert [one.name for one in worded.wordings] == [*(f"train-{n}" for n in range(1, 5)), "unseen-1", "unseen-2"]
        trained = [task != "qa"] * 4 + [False] * 2
        assert [one.trained for one in worded.wordings] == trained
        assert worded.held_out == (task == "qa")
        assert worded.wordings[0].metrics == {name: score.value for name, score in metrics.metrics.items()}
        answers = pd.read_parquet(folder / "wordings.parquet")
        first = answers[answers["wording"] == "train-1"]
        assert first["prediction"].tolist() == pd.read_parquet(folder / "predictions.parquet")["prediction"].tolist()
        assert answers.groupby("wording").size().tolist() == [16] * 6
        untuned = read_record(
            instructed.paths.untuned_wordings(task, "t5", "instruct") / "wordings.json", WordingsRecord
        )
        assert (untuned.kind, untuned.seed, len(untuned.wordings)) == ("untuned", None, 6)


def test_a_mixture_that_failed_fails_the_runs_of_its_tasks_with_its_reason(own_instructed):
    from tunegrid.runtime.provenance import now
    from tunegrid.stages.evaluate_wordings import evaluate_wordings
    from tunegrid.stages.share_training import share_training
    from tunegrid.stages.train import write_failure

    study, source = own_instructed, own_instructed.paths.run(Run(MIXTURE, 1))
    (source / "train.json").unlink()
    write_failure(study, Run(MIXTURE, 1), source, "killed", now())
    folder = study.paths.run(run("qa"))
    record = share_training(study, run("qa"), folder)
    assert (record.status, record.reason) == ("failed", "killed")
    assert list((folder / "weights").iterdir()) == []
    worded = evaluate_wordings(study, run("qa"), folder)
    assert (worded.status, worded.reason, worded.wordings) == ("failed", "killed", [])


def test_the_time_that_snakemake_notes_in_a_folder_is_not_shared(own_instructed):
    from tunegrid.stages.share_training import share_training

    study, folder = own_instructed, own_instructed.paths.run(run("qa"))
    (study.paths.run(Run(MIXTURE, 1)) / "weights" / ".snakemake_timestamp").touch()
    share_training(study, run("qa"), folder)
    assert sorted(file.name for file in (folder / "weights").iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


def test_a_training_that_is_missing_or_of_other_settings_is_not_shared(own_instructed, tmp_path):
    from tunegrid.stages.share_training import share_training

    other = tmp_path / "other.yaml"
    other.write_text("training: {max_steps: 4}\n")
    changed = load_study(*CONFIG, other)
    with pytest.raises(TuneGridError, match="with other settings than the study has now"):
        share_training(changed, run("qa"), changed.paths.run(run("qa")))
    (changed.paths.run(Run(MIXTURE, 1)) / "train.json").unlink()
    with pytest.raises(TuneGridError, match="tunegrid train-mixture CONFIG --model t5 --method instruct --seed 1"):
        share_training(changed, run("qa"), changed.paths.run(run("qa")))


def test_weights_can_be_chosen_by_the_mean_of_the_tasks_metrics(own_instructed, tmp_path):
    from tunegrid.stages.train import train

    other = tmp_path / "other.yaml"
    other.write_text("training: {evaluations: 3, keep_best: true, select_by: metric, validation_rows: 10}\n")
    study = load_study(*CONFIG, other)
    record = train(study, Run(MIXTURE, 1), study.paths.run(Run(MIXTURE, 1)))
    assert (record.status, record.selection.by, record.selection.evaluations) == ("ok", "mean_metric", 3)
    assert 0 <= record.selection.best_value <= 1


def test_a_cell_of_a_mixture_is_not_trained_by_itself(instructed, capfd):
    from tunegrid.cli.dispatch import main

    names = ["--task", "qa", "--model", "t5", "--method", "instruct", "--seed", "1"]
    assert main(["train", *map(str, CONFIG), *names]) == 1
    assert "tunegrid train-mixture" in capfd.readouterr().err


def test_new_rows_are_answered_in_the_first_wording(instructed):
    from tunegrid.deploy.choose import choose
    from tunegrid.deploy.predict import Answerer
    from tunegrid.study.mixtures import wordings

    winner = choose(instructed, "qa", "t5", "instruct")
    asked = Answerer(instructed, winner).task.prompt("t5")
    assert asked == wordings(instructed, "qa", instructed.methods["instruct"])[0].template


@pytest.mark.slow
def test_a_mixture_that_is_killed_or_stopped_ends_with_the_same_bits(own_instructed, tmp_path):
    from tests.support.interrupted_runs import finish_as_undisturbed, kill, stop, undisturbed

    other = tmp_path / "other.yaml"
    other.write_text("training: {max_steps: 5, checkpoint_steps: 2}\n")
    study, mixture = load_study(*CONFIG, other), Run(MIXTURE, 1)
    undisturbed(study, mixture)
    kill(study, ("before", "training_step", 4), mixture)
    assert stop(study, ("before", "training_step", 2), mixture) == 4
    assert finish_as_undisturbed(study, mixture) == 1, "only the last step was left"
    assert not list(study.paths.root.glob("checkpoints/**/*.safetensors"))
