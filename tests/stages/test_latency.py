"""What one answer costs: measured on real runs, merged and not; its operations by hand and as torch counts them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.extras import needs_ctranslate2
from tests.support.made_runs import trained
from tests.support.planned import BLOCK, FEED_FORWARD, HAND, method_of
from tunegrid.models import FAMILIES, Shape
from tunegrid.models.flops import Stacks, counted, prediction_flops
from tunegrid.results.records import MetricsRecord, read_record


@pytest.mark.parametrize(("method", "merge"), [("full", "plain"), ("lora", "merged"), ("adapters", "undefined")])
def test_a_run_says_what_an_answer_costs_and_is_scored_as_without(tiny_study, method, merge):
    from tunegrid.stages.evaluate import evaluate_run

    study = tiny_study("measure: {latency_examples: 0}\ntraining: {learning_rate: 0.05, max_steps: 20}")
    run, folder = trained(study, "translation", method)
    without = evaluate_run(study, run, folder)
    predictions = (folder / "predictions.parquet").read_bytes()
    study = tiny_study("measure: {latency_examples: 4}\ntraining: {learning_rate: 0.05, max_steps: 20}")
    record = evaluate_run(study, run, folder)
    assert (folder / "predictions.parquet").read_bytes() == predictions
    assert record.metrics == without.metrics
    assert read_record(folder / "metrics.json", MetricsRecord) == record

    cost, bare = record.cost.inference, without.cost.inference
    assert (cost.merge, bare.merge) == (merge, merge)
    assert (bare.unmerged, bare.merged, bare.latency_examples) == (None, None, 0)
    assert (bare.flops, bare.merged_flops) == (cost.flops, cost.merged_flops)
    assert (cost.latency_examples, cost.batch_examples) == (4, 13)  # all of the test set fit into one batch
    assert 0 < cost.unmerged.latency_seconds <= cost.unmerged.latency_p90_seconds
    # At most six tokens and an end are written, and at least one.
    assert cost.unmerged.latency_seconds / 8 < cost.unmerged.token_seconds <= cost.unmerged.latency_p90_seconds
    assert 1 <= cost.generated_tokens <= 7
    assert cost.measuring_seconds > cost.unmerged.latency_seconds
    if merge != "merged":
        assert (cost.merged, cost.merged_flops, cost.merged_compared) == (None, None, None)
    else:
        assert cost.merged.latency_seconds > 0
        assert cost.merged_flops < cost.flops  # without the low-rank matrices
        assert (cost.merged_compared, cost.merged_differences) == (13, 0)


@needs_ctranslate2
@pytest.mark.parametrize(("method", "threads"), [("full", 1), ("full", 2), ("lora", 1)])
def test_another_engine_predicts_the_same_and_the_record_says_which(tiny_study, monkeypatch, method, threads):
    """With two threads, two batches of the test set are computed at once, but one answer by both, as it is served."""
    from importlib.metadata import version

    from tunegrid.models.converted import Converted
    from tunegrid.stages.evaluate import evaluate_run

    at_once, generate = [], Converted.generate

    def watched(self, *arguments, **options):
        at_once.append(self._model.num_translators)
        return generate(self, *arguments, **options)

    monkeypatch.setattr(Converted, "generate", watched)
    text = "measure: {latency_examples: 4}\ngrid: {methods: [full, lora]}\n"
    text += "training: {learning_rate: 0.05, max_steps: 20}\n"
    study = tiny_study(text)
    run, folder = trained(study, "translation", method)
    ours = evaluate_run(study, run, folder)
    predictions = (folder / "predictions.parquet").read_bytes()
    text += f"evaluation: {{engine: ctranslate2}}\nhardware: {{threads: {threads}}}\n"
    theirs = evaluate_run(tiny_study(text), run, folder)
    assert at_once == [threads] + [1] * (2 + 4 + 1), "the test set, the warm-up, single answers, one batch"
    assert (folder / "predictions.parquet").read_bytes() == predictions
    assert theirs.metrics == ours.metrics
    engines = [f"{name} {version(name)}" for name in ("transformers", "ctranslate2")]
    assert [record.provenance.engine for record in (ours, theirs)] == engines
    assert theirs.provenance.fp32_library is None

    cost = theirs.cost.inference
    assert (cost.merge, cost.merged, cost.latency_examples) == ("converted", None, 4)
    assert 0 < cost.unmerged.token_seconds < cost.unmerged.latency_seconds
    merged = ours.cost.inference.merged_flops or ours.cost.inference.flops
    assert cost.flops == merged
    assert not list(folder.glob("*converted*")), "nothing of the conversion is kept"


def test_labels_are_chosen_without_tokens_and_untuned_models_are_not_timed(tiny_study):
    from tunegrid.stages.evaluate import evaluate_run, evaluate_untuned

    study = tiny_study()
    run, folder = trained(study, "sentiment", "full", "bart")
    cost = evaluate_run(study, run, folder).cost.inference
    assert cost.generated_tokens is None
    assert cost.unmerged.token_seconds is None
    assert cost.unmerged.latency_seconds > 0
    untuned = evaluate_untuned(study, "sentiment", "bart", Path("untuned")).cost.inference
    assert untuned.unmerged is None
    assert untuned.flops == cost.flops  # the same sources, and labels of the same lengths


def test_a_merged_model_that_answers_otherwise_is_counted(tiny_study):
    """The merge of LoRA, but of a model that the merge spoils."""
    import torch

    from tunegrid.data.tokens import load_tokenizer, read_tokens
    from tunegrid.methods import METHODS
    from tunegrid.stages.latency import TunedModel, inference_cost

    study = tiny_study()
    run, folder = trained(study, "translation", "lora")

    class Spoiling(METHODS["lora"]):
        def merge(self, model):
            merged = super().merge(model)
            with torch.no_grad():
                merged.get_output_embeddings().weight.copy_(merged.get_output_embeddings().weight.flip(0))
            return merged

    base = study.paths.model("t5")
    method = Spoiling(study.method_settings(run.cell), study.family("t5"))
    model = method.load(base, folder / "weights").eval()
    tokenizer, task = load_tokenizer(base), study.task("translation", "t5")
    tokens = read_tokens(study.paths.tokens("translation", "t5") / "test.arrow")
    shape = Shape.from_config(method.family, json.loads((base / "config.json").read_text()))
    tuned = TunedModel(model, method, shape, tokenizer, task, "fp32")
    cost = inference_cost(tuned, tokens, tuned.predict(tokens, 13), examples=3)
    assert cost.merged_compared == 13
    assert 0 < cost.merged_differences <= 13


def test_examples_are_spread_over_the_test_set():
    from tunegrid.stages.latency import differences, spread

    assert spread(10, 4) == [0, 2, 5, 7]
    assert spread(3, 20) == [0, 1, 2]
    assert differences([(0, "a"), (5, "b"), (0, "a")], [(0, "a"), (5, "c"), (0, "x")]) == (2, 2)


def test_an_example_in_windows_is_answered_as_it_is_in_prediction(checkpoints, tiny_study):
    import pyarrow

    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.stages.latency import Examples, TunedModel

    method = method_of("full", "t5")
    model, tokenizer = method.load_base(checkpoints / "t5").eval(), load_tokenizer(checkpoints / "t5")
    shape = Shape.from_config(method.family, model.config.to_dict())
    tuned = TunedModel(model, method, shape, tokenizer, tiny_study().task("qa", "t5"), "fp32")
    sources = [[20, 21, 22, 1], [30, 31, 1], [40, 1], [50, 51, 52, 53, 1], [60, 1]]
    tokens = pyarrow.table({"input_ids": sources, "labels": [[1]] * 5, "row": [0, 0, 1, 2, 2]})
    predicted = tuned.predict(tokens, 3)
    assert len(predicted.written) == 5
    examples = Examples.choose(tokens, 3, singles=3, batch=tuned.task.settings.evaluation_batch_size)
    assert [len(tokens) for _, tokens in examples.singles] == [2, 1, 2]
    speed, answers = examples.measure(tuned)
    assert answers == [*enumerate(predicted.texts), *enumerate(predicted.texts)]
    assert speed.token_seconds < speed.latency_seconds


# -- operations --------------------------------------------------------------------------------------------------------


def test_operations_of_an_answer_by_hand():
    norms, relative, inner = 8, 32, 4
    encoder = 2 * (BLOCK + FEED_FORWARD + 2 * norms) + norms + relative
    decoder = 2 * BLOCK + FEED_FORWARD + 3 * norms + norms + relative
    cross = 2 * 8 * inner  # one decoder layer: keys and values of the source
    stacks = Stacks(encoder, 0, decoder, 0, 100 * 8, 0)
    read = 2 * 10 * encoder + 4 * inner * 2 * 10 * 10  # two encoder layers
    write = 2 * 10 * cross + 5 * 2 * (decoder - cross + 100 * 8) + 4 * inner * (5 * 10 + 1 + 2 + 3 + 4 + 5)
    assert prediction_flops(HAND, stacks, [(10, 5)], texts=1, rows=1) == read + write
    assert prediction_flops(HAND, stacks, [(10, 5)], texts=3, rows=1) == read + 3 * write
    assert prediction_flops(HAND, stacks, [(10, 5), (10, 5)], texts=1, rows=1) == 2 * (read + write)  # two windows
    assert prediction_flops(HAND, stacks, [(10, 5), (10, 5)], texts=1, rows=2) == read + write


@pytest.mark.parametrize("family", ["t5", "bart"])
@pytest.mark.parametrize("beams", [1, 2])
def test_operations_of_an_answer_are_what_torch_counts(checkpoints, family, beams):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model = method_of("full", family).load_base(checkpoints / family).eval()
    model.set_attn_implementation("eager")  # torch does not count what its fused attention does on a CPU
    ids, tokens = torch.randint(5, 100, (1, 30)), 12
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        output = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), num_beams=beams, min_new_tokens=tokens,
            max_new_tokens=tokens, do_sample=False,
        )  # fmt: skip
    assert output.shape[1] == tokens + 1
    shape = Shape.from_config(FAMILIES[family], json.loads((checkpoints / family / "config.json").read_text()))
    expected = prediction_flops(shape, counted(model), [(30, tokens)], texts=beams, rows=1)
    # Normalisations and biases are parameters, but no multiplications: much in so narrow a model.
    assert expected == pytest.approx(counter.get_total_flops(), rel=0.06)


# -- memory ------------------------------------------------------------------------------------------------------------

linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak can be reset on Linux only")


@linux
def test_the_peak_of_a_stage_is_its_own():
    code = """
from tunegrid.runtime.measure import peak_memory, reset_peak_memory
block = bytearray(200 << 20)
before = peak_memory()
del block
reset_peak_memory()
print(before >> 20, peak_memory() >> 20)
block = bytearray(100 << 20)
print(peak_memory() >> 20)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    first, reset, second = map(int, said)
    assert first > 200
    assert reset < first - 150
    assert 90 < second - reset < 130


@linux
def test_a_process_does_not_count_the_memory_of_the_one_that_started_it():
    # getrusage does: what starts the jobs may be large.
    child = "from tunegrid.runtime.measure import peak_memory; print(peak_memory() >> 20)"
    code = f"import subprocess, sys; block = bytearray(500 << 20); subprocess.run([sys.executable, '-c', {child!r}])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(said) < 300
