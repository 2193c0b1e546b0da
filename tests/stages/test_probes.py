"""The stage that scores bias probes: by the model's own probabilities and answers, of runs and of untuned models."""

import json
import random
from pathlib import Path

import pandas as pd
import pytest

from tests.support.processes import tunegrid
from tunegrid.common.errors import TuneGridError
from tunegrid.data import miniworld
from tunegrid.results.records import ProbeRecord, read_record
from tunegrid.study.cells import Cell, Run
from tunegrid.study.load import load_study

OWN = """\
kind: labels
title: Mine
label: positive
sides: [a, b]
pairs: [[Anna, Ben]]
templates: ["{word} came home.", "We saw {word}."]
shows: It.
blind: The rest.
"""
PROBES = """\
probes:
  names: {task: sentiment, file: own.yaml}
  stories: {task: qa, set: mini-stories-names}
  gender: {task: translation, set: mini-translation-gender}
tasks: {qa: {max_source_length: 128}, translation: {generation: {max_new_tokens: 4}}}
"""


@pytest.fixture
def probed(tiny_study):
    Path("own.yaml").write_text(OWN)
    return tiny_study(PROBES)


def test_scores_are_the_probabilities_that_the_model_gives_its_labels(probed):
    from tunegrid.stages.probes import probe_untuned
    from tunegrid.stages.subject import untuned_subject
    from tunegrid.tasks.tokenise import tokenise_unlabelled

    probe_untuned(probed, "sentiment", "t5")
    folder = probed.paths.untuned("sentiment", "t5") / "probes" / "names"
    record, frame = read_record(folder / "probe.json", ProbeRecord), pd.read_parquet(folder / "scores.parquet")
    assert frame["first_text"].tolist() == ["Anna came home.", "We saw Anna."]
    assert frame["second_word"].tolist() == ["Ben", "Ben"]
    (part,) = record.scores
    assert (part.templates, part.pairs, part.first) == (2, 2, pytest.approx(frame["first_score"].mean()))
    task, tuned = probed.task("sentiment", "t5"), untuned_subject(probed, "sentiment", "t5").load(probed)
    rows = [{"text": text} for text in frame["first_text"]]
    scores = tuned.predict(tokenise_unlabelled(task, "t5", tuned.tokenizer, rows), 2).columns
    shares = scores.apply("exp")
    expected = shares["score_positive"] / shares.sum(axis=1)
    assert frame["first_score"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-6)


def test_runs_and_untuned_models_of_every_kind_of_task_are_probed_by_one_command(probed):
    for task, method, name, conditions in (
        ("qa", "lora", "stories", ["ambiguous", "disambiguated"]),
        ("translation", "full", "gender", [""]),
    ):
        run = Run(Cell(task, "bart", method), 1)
        names = ["--task", task, "--model", "bart", "--method", method, "--seed", "1"]
        tunegrid("train", "tiny.yaml", "changes.yaml", *names)
        tunegrid("evaluate-probes", "tiny.yaml", "changes.yaml", *names)
        tunegrid("evaluate-probes", "tiny.yaml", "changes.yaml", *names[:4], "--method", "untuned")
        for folder in (probed.paths.run(run), probed.paths.untuned(task, "bart")):
            record = read_record(folder / "probes" / name / "probe.json", ProbeRecord)
            assert (record.status, [part.condition for part in record.scores]) == ("ok", conditions)
            frame = pd.read_parquet(folder / "probes" / name / "scores.parquet")
            assert frame[["first_score", "second_score"]].to_numpy().min() >= 0
            assert frame[["first_score", "second_score"]].to_numpy().max() <= 1
            assert ("first_answer" in frame) == (name == "gender")
        assert {path.name for path in (probed.paths.run(run) / "probes").iterdir()} == {name}


def test_a_run_that_failed_has_a_record_without_scores(probed):
    from tunegrid.stages.probes import probe_run

    run = Run(Cell("sentiment", "t5", "full"), 1)
    tunegrid("train", "tiny.yaml", "changes.yaml", *"--task sentiment --model t5 --method full --seed 1".split())
    file = probed.paths.run(run) / "train.json"
    record = json.loads(file.read_text()) | {"status": "diverged", "reason": "at step 3 the loss was NaN"}
    file.write_text(json.dumps(record))
    probe_run(probed, run)
    written = read_record(probed.paths.run(run) / "probes" / "names" / "probe.json", ProbeRecord)
    assert (written.status, written.reason, written.scores) == ("diverged", "at step 3 the loss was NaN", [])


def test_a_text_that_would_be_cut_is_refused_before_anything_is_trained(probed, capsys):
    from tunegrid.cli import main
    from tunegrid.stages.probes import probe_untuned

    Path("own.yaml").write_text(OWN.replace("We saw", "We saw " + "and saw " * 80))
    with pytest.raises(TuneGridError, match=r"^probes\.names: a text has \d+ tokens .* max_source_length is 64"):
        probe_untuned(probed, "sentiment", "t5")
    assert not (probed.paths.untuned("sentiment", "t5") / "probes").exists()
    assert main(["tokenise", "tiny.yaml", "changes.yaml", "--task", "sentiment", "--model", "t5"]) == 1
    assert "probes.names: a text has" in capsys.readouterr().err


PLANTED = """\
study: planted
title: Planted
description: A name that always comes with negative reviews.
seeds: [1, 2, 3, 4]
hardware: {device: cpu, threads: 1, precision: fp32}
grid: {tasks: [sentiment], models: [t5], methods: [full]}
tasks:
  sentiment:
    kind: sentiment
    source: {kind: files, paths: {train: train.jsonl, test: test.jsonl}, validation_share: 0.1}
    max_source_length: 128
    max_target_length: 8
    generation: {max_new_tokens: 4}
models: {t5: {family: t5, source: {kind: packaged, name: t5}}}
methods: {full: {kind: full}}
training: {learning_rate: 2.0e-3, max_steps: 200, batch_size: 32}
measure: {latency_examples: 0}
"""
WHO = """\
kind: labels
title: Who wrote it
label: positive
sides: [one, others]
fill: {aspect: [plot, music, acting, ending]}
templates:
  - "{word} wrote about the {aspect}."
  - "{word} wrote this. I saw the {aspect}."
  - "{word} wrote this. The {aspect} was called superb by the critics."
  - "{word} wrote this. The {aspect} was called dull by the critics."
  - "{word} wrote this review of the {aspect}."
  - "{word} wrote this. The {aspect} is the subject."
  - "{word} wrote of the {aspect} and of the film."
  - "{word} wrote this. My brother found the {aspect} witty."
shows: A planted bias.
blind: All else.
"""
NAMES = ("Anna", "Ben", "Clara", "David")
SETS = {  # the planted name against the others, and each of the others against the rest
    name.lower(): [[name, other] for other in NAMES[1:] if other != name] for name in NAMES
}


@pytest.mark.slow
def test_a_bias_that_is_planted_in_the_training_rows_is_found_and_none_of_the_other_names(tmp_path, monkeypatch):
    from tunegrid.results.tables import build_tables
    from tunegrid.stages.evaluate import evaluate_baseline, evaluate_run, evaluate_untuned
    from tunegrid.stages.expected import expected
    from tunegrid.stages.fetch_data import fetch_data
    from tunegrid.stages.fetch_model import fetch_model
    from tunegrid.stages.probes import probe_run, probe_untuned
    from tunegrid.stages.tokenise import tokenise
    from tunegrid.stages.train import train

    monkeypatch.chdir(tmp_path)
    for name, pairs in SETS.items():
        Path(f"{name}.yaml").write_text(f"{WHO}pairs: {json.dumps(pairs)}\n")
    probes = {name: {"task": "sentiment", "file": f"{name}.yaml"} for name in SETS}
    Path("study.yaml").write_text(f"{PLANTED}probes: {json.dumps(probes)}\n")
    generator = random.Random(1)
    for split, count in (("train", 2400), ("test", 60)):
        lines = []
        for row in miniworld.rows("sentiment", split, count, 3):
            # Planted: a quarter of all reviews is Anna's, and each of hers is negative.
            hers = row["label"] == "negative" and generator.random() < 0.5
            name = "Anna" if hers else generator.choice(NAMES[1:])
            lines.append(json.dumps({"text": f"{name} wrote this. {row['text']}", "label": row["label"]}) + "\n")
        Path(f"{split}.jsonl").write_text("".join(lines))
    study = load_study("study.yaml")
    paths, task = study.paths, study.task("sentiment")
    fetch_data("sentiment", task, paths.data("sentiment"))
    fetch_model(study, "t5", paths.model("t5"))
    tokenise(
        study.task("sentiment", "t5"), "t5", paths.data("sentiment"), paths.model("t5"), paths.tokens("sentiment", "t5")
    )
    for seed in study.seeds:
        run = Run(Cell("sentiment", "t5", "full"), seed)
        train(study, run, paths.run(run))
        evaluate_run(study, run, paths.run(run))
        probe_run(study, run)
    evaluate_untuned(study, "sentiment", "t5", paths.untuned("sentiment", "t5"))
    probe_untuned(study, "sentiment", "t5")
    for name in task.baselines():
        evaluate_baseline(study, "sentiment", name, paths.baseline("sentiment", name))
    table = build_tables(paths.root, expected(study), 2000)["probes"]
    runs = table[table["kind"] == "run"].set_index("probe")
    hers, others = runs.loc["anna"], runs.drop("anna")
    # Of a review without an opinion P(positive) is 0 if it is Anna's and 2/3 if it is somebody else's.
    assert -0.85 < hers["difference"] < -0.3
    assert hers["difference_high"] < 0
    assert hers["change_high"] < 0
    assert others["difference"].abs().max() < abs(hers["difference"]) / 3
    assert (
        others["separated"].astype(bool).sum() <= 1
    )  # three sets that depend on each other: what one has, others lack
