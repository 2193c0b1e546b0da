"""One run from tokens to scores: its records, its costs, its failures, and that it can be repeated to the bit."""

import csv
import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.checkpoints import DECODER_LAYERS, ENCODER_LAYERS, INNER_WIDTH, WIDTH
from tests.support.diverging import DIVERGING
from tunegrid.common.errors import TuneGridError
from tunegrid.methods import METHODS
from tunegrid.results.compare import compare
from tunegrid.results.records import MetricsRecord, TrainRecord, read_record
from tunegrid.study.cells import Cell, Run
from tunegrid.study.stage_settings import run_settings

RUN = Run(Cell("qa", "t5", "lora"), 1)


def run_all(study, run: Run) -> Path:
    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.train import train

    folder = study.paths.run(run)
    train(study, run, folder)
    evaluate_run(study, run, folder)
    return folder


def encoder_parameters() -> int:
    """T5 without its embeddings: attention, feed-forward, two norms a layer, a last norm, and 32 position buckets a head."""
    layer = 4 * WIDTH * WIDTH + 2 * WIDTH * INNER_WIDTH + 2 * WIDTH
    return ENCODER_LAYERS * layer + WIDTH + 32 * 2


def decoder_parameters() -> int:
    layer = 8 * WIDTH * WIDTH + 2 * WIDTH * INNER_WIDTH + 3 * WIDTH
    return DECODER_LAYERS * layer + WIDTH + 32 * 2


def token_counts(study, task: str, model: str, epochs: int) -> tuple[int, int]:
    from tunegrid.data.tokens import read_tokens

    table = read_tokens(study.paths.tokens(task, model) / "train.arrow").to_pydict()
    return tuple(epochs * sum(map(len, table[name])) for name in ("input_ids", "labels"))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_run_leaves_valid_records_whose_numbers_follow_from_the_data(tiny_study, method):
    import pyarrow.parquet

    # Two epochs of 40 rows in batches of 8.
    study = tiny_study("training: {max_steps: null, epochs: 2.0, logging_steps: 3, evaluation_steps: 5}")
    run = Run(Cell("qa", "t5", method), 1)
    folder = run_all(study, run)
    record = read_record(folder / "train.json", TrainRecord)
    assert (record.status, record.reason, record.seed, record.method) == ("ok", None, 1, method)
    assert record.configuration == run_settings(study, run.cell)

    source, target = token_counts(study, "qa", "t5", epochs=2)
    assert (record.cost.steps, record.cost.examples, record.cost.tokens) == (10, 80, source + target)
    encoder, decoder = encoder_parameters(), decoder_parameters()
    vocabulary = json.loads((study.paths.model("t5") / "config.json").read_text())["vocab_size"]
    if method == "full":
        total = encoder + decoder + vocabulary * WIDTH
        assert (record.parameters.total, record.parameters.trainable) == (total, total)
        assert record.cost.training_flops == source * 6 * encoder + target * 6 * (decoder + vocabulary * WIDTH)
        assert record.injected.count == 0
    else:
        head = vocabulary * WIDTH  # read, not trained
        attention, feed_forward = 2 * 4 * 2 * WIDTH, 2 * 2 * (WIDTH + INNER_WIDTH)  # rank 2
        in_encoder = ENCODER_LAYERS * (attention + feed_forward)
        in_decoder = DECODER_LAYERS * (2 * attention + feed_forward)
        assert record.parameters.trainable == in_encoder + in_decoder
        # 2 N forward, 2 N for the gradient of the activations, 2 T for that of the weights
        expected = source * (4 * (encoder + in_encoder) + 2 * in_encoder) + target * (
            4 * (decoder + in_decoder + head) + 2 * in_decoder
        )
        assert record.cost.training_flops == expected
        assert record.injected.count == record.injected.expected == len(record.injected.modules) == 38
    cost = record.cost
    assert cost.saved_bytes == sum(file.stat().st_size for file in (folder / "weights").iterdir())
    assert min(cost.loading_seconds, cost.optimisation_seconds, cost.evaluation_seconds, cost.saving_seconds) > 0
    assert cost.examples_per_second == pytest.approx(80 / cost.optimisation_seconds)
    assert 50e6 < cost.peak_memory_bytes < 16e9
    assert record.provenance.threads == 1
    assert record.provenance.data_fingerprint == json.loads(study.paths.data_card("qa").read_text())["fingerprint"]
    assert record.provenance.model_fingerprint == json.loads(study.paths.model_card("t5").read_text())["fingerprint"]
    assert str(Path.cwd()) not in (folder / "train.json").read_text()

    with (folder / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    assert [int(row["step"]) for row in history if row["loss"]] == [3, 6, 9]
    assert [int(row["step"]) for row in history if row["validation_loss"]] == [5, 10]
    assert all(math.isfinite(float(row["loss"])) for row in history if row["loss"])

    metrics = read_record(folder / "metrics.json", MetricsRecord)
    assert (metrics.kind, metrics.status, metrics.examples, metrics.primary) == ("run", "ok", 13, "exact_match")
    predictions = pyarrow.parquet.read_table(folder / "predictions.parquet").to_pandas()
    rows = pyarrow.parquet.read_table(study.paths.split("qa", "test")).to_pandas()
    assert predictions["id"].tolist() == rows["id"].tolist()
    assert [list(answers) for answers in predictions["references"]] == [list(answers) for answers in rows["answers"]]
    assert metrics.metrics["f1"].value == pytest.approx(predictions["f1"].mean())


def test_training_lowers_the_loss(tiny_study):
    study = tiny_study("training: {max_steps: 60, learning_rate: 2.0e-2, logging_steps: 10}")
    folder = run_all(study, Run(Cell("qa", "bart", "full"), 1))
    with (folder / "history.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(("task", "columns"), [
    ("qa", ["exact_match", "f1"]),
    ("translation", ["chrf", "cosine_similarity", "bleu_statistics"]),
    ("sentiment", ["correct", "score_negative", "score_positive"]),
])  # fmt: skip
def test_untuned_models_and_baselines_are_scored_as_runs_are(tiny_study, task, columns):
    import pyarrow.parquet

    from tunegrid.stages.evaluate import evaluate_baseline, evaluate_untuned

    study = tiny_study()
    record = evaluate_untuned(study, task, "bart", Path("untuned"))
    assert (record.kind, record.method, record.seed, record.examples) == ("untuned", "untuned", None, 13)
    names = pyarrow.parquet.read_schema("untuned/predictions.parquet").names
    assert names == ["id", "prediction", "references", *columns]
    for name in study.task(task).baselines():
        record = evaluate_baseline(study, task, name, Path(name))
        assert (record.kind, record.method, record.model, record.status) == ("baseline", name, None, "ok")
        assert read_record(Path(name, "metrics.json"), MetricsRecord) == record
        names = pyarrow.parquet.read_schema(f"{name}/predictions.parquet").names
        assert names == [
            "id",
            "prediction",
            "references",
            *(column for column in columns if not column.startswith("score_")),
        ]


def test_a_baseline_reads_no_more_of_the_training_rows_than_it_needs(tiny_study):
    import pandas as pd

    from tunegrid.stages.evaluate import evaluate_baseline

    study = tiny_study()
    named = [(task, name) for task in study.grid.tasks for name in study.task(task).baselines()]
    for task, name in named:
        evaluate_baseline(study, task, name, Path("all", name))
    for task, name in named:
        rows = study.paths.split(task, "train")
        columns = study.task(task).baselines()[name].training_columns
        whole = rows.read_bytes()
        if columns:
            pd.read_parquet(rows, columns=list(columns)).to_parquet(rows)
        else:
            rows.unlink()
        evaluate_baseline(study, task, name, Path("needed", name))
        rows.write_bytes(whole)
        assert (
            Path("needed", name, "predictions.parquet").read_bytes()
            == Path("all", name, "predictions.parquet").read_bytes()
        )
    assert dict(named) == {"qa": "random-candidate", "translation": "copy", "sentiment": "ngram-logistic-regression"}


# -- repeatability ----------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits_and_another_seed_gives_others(tiny_study):
    import torch

    study = tiny_study("training: {max_steps: 3}")
    results, run = study.paths.root, Run(Cell("sentiment", "flan-t5", "adapters"), 1)
    folder = run_all(study, run)
    shutil.copytree(results, "first")
    shutil.rmtree(folder)
    torch.manual_seed(99)  # whatever the process drew before
    np.random.seed(99)
    run_all(study, run)
    assert compare(Path("first"), results) == []
    first = {file.name: file.read_bytes() for file in (folder / "weights").glob("*.safetensors")}
    other = run_all(study, Run(run.cell, 2))
    assert any((other / "weights" / name).read_bytes() != content for name, content in first.items())


def test_compare_says_what_differs(tiny_study):
    study = tiny_study("training: {max_steps: 1}")
    results = study.paths.root
    folder = run_all(study, RUN).relative_to(results)
    shutil.copytree(results, "copy")
    copy = Path("copy") / folder
    weights = copy / "weights/adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    record = json.loads((copy / "metrics.json").read_text())
    record["metrics"]["f1"]["value"] += 0.001
    record["cost"]["prediction_seconds"] += 1
    record["provenance"]["finished"] = "2020-01-01T00:00:00+00:00"
    (copy / "metrics.json").write_text(json.dumps(record))
    (copy / "history.csv").write_text((copy / "history.csv").read_text().replace(",", ",0", 3))
    (copy / "train.json").unlink()
    differences = compare(results, Path("copy"))
    assert differences[0] == f"only in {results}: {folder}/train.json"
    assert sorted(line.split(": ")[0] for line in differences[1:]) == [
        f"{folder}/history.csv", f"{folder}/metrics.json", f"{folder}/weights/adapter_model.safetensors",
    ]  # fmt: skip
    assert any("metrics.f1.value" in line for line in differences)
    assert compare(Path("copy"), results)[0] == f"only in {results}: {folder}/train.json"


def test_compare_wants_results(tmp_path):
    with pytest.raises(TuneGridError, match="holds no results"):
        compare(tmp_path, tmp_path)


# -- failures are results too -----------------------------------------------------------------------------------------


def assert_row_without_scores(folder: Path, status: str, reason: str) -> None:
    record = read_record(folder / "train.json", TrainRecord)
    assert record.status == status
    assert reason in record.reason
    assert list((folder / "weights").iterdir()) == []
    assert (folder / "history.csv").read_text().startswith("step,epoch,loss")
    metrics = read_record(folder / "metrics.json", MetricsRecord)
    assert (metrics.status, metrics.reason, metrics.metrics, metrics.examples) == (status, record.reason, {}, 0)
    assert (folder / "predictions.parquet").is_file()


@pytest.mark.parametrize("steps", [2, 50])
def test_a_loss_that_is_no_number_is_a_diverged_run_with_its_reason(tiny_study, steps):
    """With a line of the log before the end (2), and without one (50)."""
    study = tiny_study(f"training: {json.dumps(DIVERGING | {'logging_steps': steps})}")
    folder = run_all(study, Run(Cell("qa", "t5", "full"), 1))
    assert_row_without_scores(folder, "diverged", "loss is")


def test_an_exception_in_a_method_is_a_failed_run_with_its_reason(tiny_study, monkeypatch):
    def fit(method, session):
        raise RuntimeError("the method broke")

    monkeypatch.setattr(METHODS["lora"], "fit", fit)
    folder = run_all(tiny_study(), RUN)
    assert_row_without_scores(folder, "failed", "RuntimeError: the method broke")


def test_weights_that_were_saved_by_half_are_not_kept(tiny_study, monkeypatch):
    def save(method, model, folder):
        (folder / "half.safetensors").write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(METHODS["lora"], "save", save)
    folder = run_all(tiny_study("training: {max_steps: 1}"), RUN)
    assert_row_without_scores(folder, "failed", "OSError: no space left on device")


def test_something_that_a_person_has_to_mend_is_no_failed_run(tiny_study):
    from tunegrid.stages.train import train

    study = tiny_study("hardware: {device: cuda}")
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(TuneGridError, match=r"hardware\.device is cuda"):
        train(study, RUN, Path("out"))
    assert not Path("out").exists() or os.listdir("out") == []


def test_tokens_of_other_rows_are_noticed(tiny_study):
    from tunegrid.stages.evaluate import evaluate_untuned

    study = tiny_study()
    tokens = study.paths.tokens("qa", "t5")
    shutil.copy(tokens / "train.arrow", tokens / "test.arrow")
    with pytest.raises(ValueError, match="40 tokenised rows, but 13 rows"):
        evaluate_untuned(study, "qa", "t5", Path("untuned"))
