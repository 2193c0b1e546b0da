"""The plan of a study: formulas by hand and against real models, data sizes from every source, and what it says."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support import ROOT
from tunegrid.cli import main
from tunegrid.common.errors import TuneGridError
from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES, Shape
from tunegrid.models.flops import Stacks, counted, training_flops
from tunegrid.runtime import cpu_kernels
from tunegrid.runtime.devices import GPUS, assumed_cpu, device, measured_cpu
from tunegrid.study.cells import Cell
from tunegrid.study.load import load_study
from tunegrid.study.plan.cells import Estimator
from tunegrid.study.plan.disk import IGNORE, check_disk, disk
from tunegrid.study.plan.duration import evaluations, examples, passes, training_seconds
from tunegrid.study.plan.flops import decoding, executed
from tunegrid.study.plan.jobs import Job, Jobs
from tunegrid.study.plan.lengths import Lengths, SplitSize, from_quantiles
from tunegrid.study.plan.memory import training_memory
from tunegrid.study.plan.plan import plan
from tunegrid.study.plan.sizes import Sizes
from tunegrid.study.plan.text import WIDTH, plan_text
from tunegrid.study.plan.tuned import Tuned
from tunegrid.study.stage_settings import evaluation_settings, run_settings
from tunegrid.study.study import Study
from tunegrid.training.settings import Training

HOUR, GIB = 3600, 2**30
SETTINGS = {
    "full": {"kind": "full"},
    "lora": {"kind": "lora", "r": 2},
    "adapters": {"kind": "adapters", "reduction_factor": 4},
    "bitfit": {"kind": "bitfit"},
}
# A model that fits on a hand: width 8, one head of 4, feed-forward 16, two encoder layers, one decoder layer, 100 words.
HAND = Shape(FAMILIES["t5"], 8, 16, 1, 4, 2, 1, vocabulary=100, positions=None, tied=True, relative_buckets=32)
BLOCK, FEED_FORWARD = 4 * 8 * 4, 2 * 8 * 16  # weights of an attention block, of a feed-forward block
PAPER = """\
study: paper
title: As in the paper
description: For tests.
seeds: [1]
hardware: {device: cuda, threads: 4, precision: bf16}
resources: {gpu: h100}
grid: {tasks: [qa, translation, sentiment], models: [t5-base, bart-base, flan-t5-small], methods: [full, lora, adapters]}
tasks:
  qa:
    kind: qa
    source: {kind: hub, path: rajpurkar/squad, splits: {test: validation}, validation_share: 0.05}
    max_source_length: 512
    max_target_length: 32
    generation: {max_new_tokens: 32}
  translation:
    kind: translation
    source: {kind: hub, path: wmt/wmt16, name: de-en, splits: {validation: validation}}
    max_source_length: 128
    max_target_length: 256
    generation: {max_new_tokens: 256, num_beams: 4, length_penalty: 0.6}
  sentiment:
    kind: sentiment
    source: {kind: hub, path: stanfordnlp/imdb}
    max_source_length: 512
    max_target_length: 4
    generation: {max_new_tokens: 4}
models:
  t5-base: {family: t5, source: {kind: hub, id: google-t5/t5-base}}
  bart-base: {family: bart, source: {kind: hub, id: facebook/bart-base}}
  flan-t5-small: {family: flan-t5, source: {kind: hub, id: google/flan-t5-small}}
methods: {full: {kind: full}, lora: {kind: lora}, adapters: {kind: adapters}}
training: {learning_rate: 3.0e-4, epochs: 5, batch_size: 32}
overrides:
  - {where: {method: full}, training: {epochs: 3}}
  - {where: {task: translation}, training: {epochs: 1, batch_size: 256}}
"""


@pytest.fixture
def paper(tmp_path, monkeypatch):
    """Reads a study like the paper's, with changes laid over it; nothing of it is there."""
    monkeypatch.chdir(tmp_path)

    def load(changes: str = "{}") -> Study:
        Path("paper.yaml").write_text(PAPER)
        Path("changes.yaml").write_text(changes)
        return load_study("paper.yaml", "changes.yaml")

    return load


def method_of(kind: str, family: str):
    return METHODS[kind](METHODS[kind].Settings.model_validate(SETTINGS[kind]), FAMILIES[family])


def tuned(shape: Shape, kind: str, family: str = "t5") -> Tuned:
    method = method_of(kind, family)
    return Tuned.of(shape, method)


def batch(rows: int, source: int, target: int) -> SplitSize:
    return SplitSize(rows, rows, Lengths(source, 0.0, source), Lengths(target, 0.0, target))


# -- operations --------------------------------------------------------------------------------------------------------


def test_training_flops_by_hand():
    # 4 per parameter and token, 2 more for each that is trained.
    assert training_flops(Stacks(100, 10, 200, 200), source_tokens=7, target_tokens=3) == 7 * 420 + 3 * 1200


@pytest.mark.parametrize("family", ["t5", "flan-t5", "bart"])
@pytest.mark.parametrize("kind", ["full", "lora", "adapters"])
def test_planned_flops_are_those_that_a_run_records(checkpoints, family, kind):
    method = method_of(kind, family)
    config = json.loads((checkpoints / family / "config.json").read_text())
    stacks = method.stacks(Shape.from_config(FAMILIES[family], config))
    model = method.inject(method.load_base(checkpoints / family))
    assert training_flops(stacks, 1000, 10) == training_flops(counted(model), 1000, 10)


def test_executed_flops_by_hand():
    work = executed(HAND, None, batch=1, source=10, target=5)
    norms, relative = 8, 32
    encoder = 2 * (BLOCK + FEED_FORWARD + 2 * norms) + norms + relative
    decoder = 2 * BLOCK + FEED_FORWARD + 3 * norms + norms + relative
    cross = 2 * 8 * 4  # keys and values of the source, in the decoder
    assert work.linear == 2 * (10 * (encoder + cross) + 5 * (decoder - cross))
    assert work.head == 2 * 5 * 100 * 8
    assert work.attention == 2 * 2 * 4 * (2 * 10 * 10 + 5 * 5 + 5 * 10)
    assert work.training(1.0, True, False) == 3 * work.forward
    assert work.training(0.0, False, False) == 2 * (work.linear + work.head) + 3 * work.attention
    assert work.training(1.0, True, True) == 4 * work.forward - work.head


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_executed_flops_are_what_torch_counts(checkpoints, family):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    method = method_of("full", family)
    model = method.load_base(checkpoints / family).train()
    model.set_attn_implementation("eager")  # torch does not count what its fused attention does on a CPU
    ids, labels = torch.randint(5, 100, (3, 40)), torch.randint(5, 100, (3, 20))
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss.backward()
    shape = Shape.from_config(FAMILIES[family], json.loads((checkpoints / family / "config.json").read_text()))
    expected = executed(shape, None, 3, 40, 20).training(1.0, True, False)
    # Normalisations and biases are parameters, but no multiplications: much in so narrow a model.
    assert expected == pytest.approx(counter.get_total_flops(), rel=0.06)


def test_writing_a_text_word_by_word_costs_what_reading_it_at_once_does():
    at_once = executed(HAND, None, batch=3, source=10, target=6)
    encoder = executed(HAND, None, batch=3, source=10, target=0)
    cross = 2 * 3 * 10 * 2 * 8 * 4  # cross-attention's keys and values: without a target they are in neither
    encoded = encoder.forward - cross
    # With a triangle of attention instead of the whole square.
    triangle = 4 * 3 * 4 * 6 * 6 / 2
    assert decoding(HAND, None, 3, 10, 6) == at_once.forward - encoded - triangle


# -- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"max_steps": 10, "batch_size": 4}, (10, 10, 40)),
        ({"max_steps": 10, "batch_size": 4, "gradient_accumulation_steps": 3}, (10, 30, 120)),
        ({"epochs": 2, "batch_size": 8}, (26, 26, 200)),  # 13 batches an epoch, the last of 4 rows
        ({"epochs": 2, "batch_size": 8, "gradient_accumulation_steps": 4}, (8, 26, 200)),
        ({"epochs": 0.5, "batch_size": 10}, (5, 5, 50)),
    ],
)
def test_length_of_a_run_of_100_rows(settings, expected):
    training = Training(learning_rate=1.0, **settings)
    assert (training.steps(100), passes(training, 100), round(examples(training, 100))) == expected


def test_evaluations_are_at_the_end_and_now_and_then():
    assert evaluations(Training(learning_rate=1.0, max_steps=100), 10) == 1
    assert evaluations(Training(learning_rate=1.0, max_steps=100, evaluation_steps=30), 10) == 4
    assert evaluations(Training(learning_rate=1.0, max_steps=100, evaluations=10), 10) == 10


def test_time_follows_work_and_device():
    training, split = Training(learning_rate=1.0, max_steps=100, batch_size=32), batch(3200, 512, 16)
    shape = Shape.from_config(FAMILIES["t5"], json.loads(_architecture("google-t5--t5-base")))
    full, lora = (tuned(shape, kind) for kind in ("full", "lora"))
    seconds = {name: training_seconds(full, training, split, GPUS[name], "bf16") for name in ("h100", "a100", "t4")}
    assert seconds["h100"] < seconds["a100"] < seconds["t4"]
    low, high = (training_seconds(full, training, split, GPUS["h100"], "bf16", share) for share in (0.08, 0.35))
    assert high < seconds["h100"] < low
    # A LoRA has fewer gradients, but its many small modules keep a large GPU waiting; a CPU is slow enough anyway.
    cpu = assumed_cpu(1, "fp32")
    assert training_seconds(lora, training, split, cpu, "fp32") < training_seconds(full, training, split, cpu, "fp32")
    again = training.model_copy(update={"gradient_checkpointing": True})
    assert training_seconds(full, again, split, cpu, "fp32") > 1.2 * training_seconds(
        full, training, split, cpu, "fp32"
    )


def _architecture(name: str) -> str:
    return (ROOT / "resources" / "architectures" / f"{name}.json").read_text()


def test_this_cpu_is_measured():
    found = measured_cpu(1, "fp32", seconds=0.05)
    assert 1e8 < found.flops("fp32") < 1e13
    # Where wide models have a library of their own, they are planned with its speed.
    assert (found.wide_fp32 is not None) == cpu_kernels.onednn_is_faster()
    assert found.flops("fp32", 768) == (found.wide_fp32 or found.flops("fp32"))
    assert found.flops("fp32", 64) == found.flops("fp32")
    assert 1e8 < found.bandwidth < 1e12


def test_an_unknown_device_is_named_with_the_known_ones():
    with pytest.raises(TuneGridError, match=r"unknown device: 'h10'\. Did you mean h100"):
        device("h10", 1, "fp32")


def test_a_gpu_without_bf16_is_planned_in_fp32_and_the_plan_says_so(paper):
    assert GPUS["t4"].flops("bf16") == GPUS["t4"].flops("fp32") == 8.1e12
    assert "no bf16" in plan_text(plan(paper(), GPUS["t4"]))


# -- memory ------------------------------------------------------------------------------------------------------------


def test_what_a_full_finetuning_keeps_by_hand():
    training = Training(learning_rate=1.0, max_steps=1, batch_size=2)
    found = training_memory(tuned(HAND, "full"), training, batch(2, 10, 5), "fp32", gpu=True)
    parameters = HAND.parameters
    assert (found.weights, found.gradients, found.optimiser) == (4 * parameters, 4 * parameters, 8 * parameters)
    assert found.logits == 2 * 5 * 100 * (4 + 4 + 4)  # logits, log-softmax, gradient
    # Per token of an attention block: the normalisation keeps its input and what it scales (2 x 8 numbers), the
    # projections their input (8) and the output's (4), query, key and value (3 x 4), and a byte of mask for each of 8.
    attention = 4 * (2 * 8 + 8 + 4 + 3 * 4) + 8
    # Of a feed-forward block: the same two, the input, 16 numbers before and after dropout, its mask, the mask of 8.
    feed_forward = 4 * (2 * 8 + 8 + 2 * 16) + 16 + 8
    # Per pair of tokens and head: the softmax in fp32, the mask, and what is left.
    score = 4 + 1 + 4
    encoder = 2 * (10 * (attention + feed_forward) + 10 * 10 * score)
    decoder = 5 * (2 * attention + feed_forward) + 10 * 2 * 4 * 4 + (5 * 5 + 5 * 10) * score
    assert found.activations == 2 * (encoder + decoder)


def test_methods_that_train_little_keep_little_for_the_optimiser():
    shape = Shape.from_config(FAMILIES["t5"], json.loads(_architecture("google-t5--t5-base")))
    training, split = Training(learning_rate=1.0, max_steps=1, batch_size=1), batch(1, 32, 8)
    full, lora = (training_memory(tuned(shape, kind), training, split, "bf16", gpu=True) for kind in ("full", "lora"))
    # T5-base has 222,903,552 parameters: 16 bytes of each for weights, gradient and moments.
    assert full.weights + full.gradients + full.optimiser == 16 * 222_903_552
    assert lora.weights == lora.gradients + 4 * 222_903_552
    assert lora.gradients < 0.05 * full.gradients
    assert lora.peak < 0.5 * full.peak


def test_gradient_checkpointing_and_smaller_batches_save_memory():
    shape = Shape.from_config(FAMILIES["t5"], json.loads(_architecture("google-t5--t5-base")))
    split = batch(64, 512, 32)

    def activations(**settings) -> float:
        training = Training(learning_rate=1.0, max_steps=1, **settings)
        return training_memory(tuned(shape, "lora"), training, split, "bf16", gpu=True).activations

    whole = activations(batch_size=32)
    assert activations(batch_size=16) < 0.55 * whole
    assert activations(batch_size=32, gradient_checkpointing=True) < 0.3 * whole


def test_on_a_cpu_only_a_group_of_a_batch_is_in_memory():
    shape = Shape.from_config(FAMILIES["t5"], json.loads(_architecture("google-t5--t5-base")))

    def activations(rows: int, gpu: bool) -> float:
        training = Training(learning_rate=1.0, max_steps=1, batch_size=rows)
        return training_memory(tuned(shape, "lora"), training, batch(64, 512, 32), "fp32", gpu=gpu).activations

    assert activations(32, gpu=True) == 2 * activations(16, gpu=True)
    # 2^20 / 768 tokens are two rows of 544. Beside them the gradients of the groups before are kept.
    gradients = 4 * tuned(shape, "lora").trainable
    assert activations(32, gpu=False) == activations(2, gpu=False) + gradients < activations(3, gpu=True)


# -- lengths and rows --------------------------------------------------------------------------------------------------


def test_lengths_cut_at_a_limit_are_those_of_a_drawn_sample():
    generator = np.random.default_rng(0)
    sigma = np.sqrt(np.log1p(0.74**2))
    drawn = generator.lognormal(np.log(300) - sigma**2 / 2, sigma, 200_000)
    found = Lengths.estimate(300, 0.74, 512, 25_000)
    assert found.mean == pytest.approx(np.minimum(drawn, 512).mean(), rel=0.01)
    assert found.longest == 512
    uncut = Lengths.estimate(30, 0.3, 512, 1000)
    assert uncut.mean == pytest.approx(30, rel=0.01)
    assert uncut.longest_of(32) == pytest.approx(
        np.median(generator.lognormal(*_log(30, 0.3), (4000, 32)).max(1)), rel=0.05
    )


def _log(mean: float, spread: float) -> tuple[float, float]:
    sigma = np.sqrt(np.log1p(spread**2))
    return np.log(mean) - sigma**2 / 2, sigma


def test_lengths_by_quantiles_are_near_those_they_were_taken_of():
    drawn = np.random.default_rng(1).lognormal(*_log(100, 0.4), 5000)
    quantiles = {str(q): float(np.quantile(drawn, q)) for q in (0.5, 0.9, 0.99, 1.0)}
    stats = {"splits": {"train": {"rows": 5000, "source_length": quantiles, "target_length": quantiles}}}
    found = from_quantiles(stats, (512, 512))["train"]
    assert found.source.mean == pytest.approx(drawn.mean(), rel=0.03)


@pytest.mark.parametrize(
    ("task", "changes", "rows"),
    [
        ("qa", "{}", (83_219, 4_380, 10_570)),  # a twentieth of 87,599 held out
        ("translation", "{}", (4_548_885, 2_169, 2_999)),
        ("sentiment", "{}", (22_500, 2_500, 25_000)),
        ("translation", "tasks: {translation: {source: {rows: {train: 500000, test: 100}}}}", (500_000, 2_169, 100)),
        (
            "qa",
            "tasks: {qa: {source: {splits: {train: 'train[:10%]', validation: 'train[87000:]'}}}}",
            (8_760, 599, 10_570),
        ),
    ],
)
def test_rows_of_the_papers_data_sets(paper, task, changes, rows):
    found = Sizes(paper(changes)).rows(task)
    assert tuple(found.rows.values()) == rows
    assert found.exact


def test_rows_that_nobody_knows_are_assumed_and_said_so(paper):
    changes = "tasks: {qa: {source: {path: someone/something, splits: {test: test}}}}"
    found = Sizes(paper(changes)).of("qa", "t5-base")
    assert "not known: 100,000 taken for train, test" in found.basis
    assert "upper bound" in found.basis
    assert found.splits["train"].source.mean == 512


def test_files_are_counted_and_their_lengths_estimated(tiny_study):
    import shutil

    study = tiny_study()
    estimates = {}
    counted = {task: Sizes(study).of(task, "t5") for task in study.grid.tasks}
    shutil.rmtree("results")
    for task in study.grid.tasks:
        estimates[task] = found = Sizes(study).of(task, "t5")
        rows = {split: size.rows for split, size in found.splits.items()}
        assert sum(rows.values()) == 65  # 52 of the training file, 13 of the test file
        assert "rows counted in the files" in found.basis
        assert "estimated" in found.basis
        assert counted[task].exact
        # The tests' tokenizers make far more pieces of a word than real ones.
        mean = counted[task].splits["train"].source.mean
        assert 0.2 * mean < found.splits["train"].source.mean < 1.5 * mean


def test_tokens_that_are_there_are_counted(tiny_study):
    from tunegrid.data.tokens import read_tokens

    study = tiny_study()
    table = read_tokens(study.paths.tokens("qa", "bart") / "train.arrow").to_pylist()
    lengths = [len(row["input_ids"]) for row in table]
    found = Sizes(study).of("qa", "bart").splits["train"]
    assert found.entries == len(table)
    assert found.source.mean == pytest.approx(np.mean(lengths))
    assert found.source.longest == max(lengths)
    assert found.token_bytes == pytest.approx(
        sum(4 * (n + len(row["labels"])) for n, row in zip(lengths, table, strict=True)) + 12 * len(table)
    )


# -- the plan of a study -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("changes", "least", "most"), [
    ("{}", 8, 14),  # hours of one seed with all of WMT16, at 8 to 15 % of an H100's peak
    ("tasks: {translation: {source: {rows: {train: 500000}}}}", 2, 4),
])  # fmt: skip
def test_the_paper_on_an_h100_is_within_a_factor_of_two_of_the_reference(paper, changes, least, most):
    found = plan(paper(changes), GPUS["h100"])
    hours = found.sums["training"].seconds / HOUR
    assert least / 2 < hours < most * 2
    assert found.sums["training"].fast < found.sums["training"].seconds < found.sums["training"].slow


def test_parameters_of_the_nine_pairs_are_exact(paper):
    found = {str(cell): one for cell, one in plan(paper(), GPUS["h100"]).cells}
    totals = {"t5-base": 222_903_552, "bart-base": 139_420_416, "flan-t5-small": 76_961_152}
    for model, total in totals.items():
        full, lora = found[f"qa_{model}_full"], found[f"qa_{model}_lora"]
        assert (full.parameters, full.trainable, full.modules) == (total, total, 0)
        assert lora.parameters == total + lora.trainable
        assert lora.saved_bytes == 4 * lora.trainable
    assert found["qa_t5-base_lora"].modules == 12 * 6 + 12 * 10
    # A checkpoint of T5-base with its optimiser: 2.7 GB.
    assert found["qa_t5-base_full"].checkpoint_bytes == pytest.approx(2.7e9, rel=0.02)


def test_a_cell_that_does_not_fit_into_the_gpu_is_pointed_out(paper):
    found = plan(paper(), GPUS["t4"])
    assert any(warning.startswith("qa_t5-base_full needs about") for warning in found.warnings)
    text = plan_text(plan(paper("training: {batch_size: 1}\noverrides: []"), GPUS["h100"]))
    assert "needs about" not in text


def test_the_table_fits_into_120_columns_and_says_that_it_estimates(paper):
    text = plan_text(plan(paper("seeds: [1, 2, 3]"), GPUS["h100"]))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "81 jobs" in text
    assert "ESTIMATES" in text
    assert "resources/datasets.yaml" in text
    for cell in ("qa_t5-base_full", "sentiment_flan-t5-small_adapters"):
        assert cell in text


def test_the_command_prints_and_writes_csv(tiny, capsys, tmp_path):
    assert main(["plan", str(tiny), "--device", "a100", "--csv", str(tmp_path / "plan.csv")]) == 0
    assert "NVIDIA A100" in capsys.readouterr().out
    with (tmp_path / "plan.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 27
    assert rows[0]["task"] == "qa"
    assert int(rows[0]["trainable"]) == int(rows[0]["parameters"]) > 0
    assert main(["plan", str(tiny), "--device", "tpu"]) == 1


def test_a_model_that_nobody_knows_is_left_out_and_named(paper):
    found = plan(paper("models: {t5-base: {source: {id: someone/else}}}"), GPUS["h100"])
    assert sum(one is None for _, one in found.cells) == 9
    assert "Not in the sums" in found.warnings[0]
    assert "qa_t5-base_lora" in plan_text(found)
    job = Jobs(paper("models: {t5-base: {source: {id: someone/else}}}")).train(Cell("qa", "t5-base", "full"))
    assert job.runtime(1) >= 18 * 60


# -- what jobs ask for -------------------------------------------------------------------------------------------------


def test_a_job_asks_for_more_with_each_attempt_and_never_for_less_than_the_least():
    job = Job(seconds=7200, memory=4e9, disk=5e9, runtime_factor=3.0, memory_factor=1.5)
    assert [job.runtime(attempt) for attempt in (1, 2)] == [364, 728]  # 3 x 2 hours, the start, and the notice
    assert [job.mem_mb(attempt) for attempt in (1, 2)] == [6000, 9000]
    assert job.disk_mb(1) == 5000
    small = Job(1, 1, 1, 3.0, 1.5)
    assert (small.runtime(1), small.mem_mb(1), small.disk_mb(1)) == (10, 2000, 1000)


def test_larger_jobs_ask_for_more_time(paper):
    jobs = Jobs(paper())
    cells = [
        Cell("translation", "t5-base", "full"),
        Cell("qa", "t5-base", "full"),
        Cell("sentiment", "flan-t5-small", "full"),
    ]
    runtimes = [jobs.train(cell).runtime(1) for cell in cells]
    assert runtimes == sorted(runtimes, reverse=True)
    assert runtimes[0] > 2 * runtimes[1] > 2 * jobs.evaluate("qa", "t5-base", "full").runtime(1)
    slow = Jobs(paper("resources: {gpu: l4, runtime_factor: 6.0}"))
    assert slow.train(cells[0]).runtime(1) > 3 * runtimes[0]


def test_resources_alter_no_result(paper):
    one, other = paper(), paper("resources: {gpu: t4, runtime_factor: 9.0, memory_factor: 2.0}")
    for cell in one.cells():
        assert run_settings(one, cell) == run_settings(other, cell)
    assert evaluation_settings(one, "qa") == evaluation_settings(other, "qa")


def test_nothing_heavy_is_imported_for_the_rules(paper):
    paper()
    code = (
        "import sys; from tunegrid.study.load import load_study; from tunegrid.study.plan.jobs import Jobs\n"
        "from tunegrid.study.plan.disk import disk\n"
        "study = load_study('paper.yaml'); jobs = Jobs(study); disk(jobs.estimator)\n"
        "[jobs.train(cell).runtime(1) for cell in study.cells()]\n"
        "print([name for name in ('torch', 'transformers', 'pandas', 'pyarrow', 'datasets') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


# -- disk --------------------------------------------------------------------------------------------------------------


def test_disk_by_hand(paper):
    changes = "seeds: [1, 2]\ngrid: {tasks: [qa], models: [t5-base], methods: [full]}"
    needs = disk(Estimator(paper(changes), GPUS["h100"])).needs
    assert needs["weights"] == 2 * 4 * 222_903_552
    assert needs["models"] == pytest.approx(4 * 222_903_552, rel=0.01)
    assert needs["checkpoints"] == 0
    # 98,169 rows of 133 words of about six bytes, compressed.
    assert needs["cache"] == pytest.approx(98_169 * 133.2 * 6.3 * 0.6, rel=0.01)
    kept = "training: {checkpoint_steps: 100}\n"
    one, two = (disk(Estimator(paper(kept + changes), GPUS["h100"]), jobs).needs["checkpoints"] for jobs in (1, 2))
    assert one == 3 * 12 * 222_903_552  # two kept and one being written, weights and two moments
    assert two == 2 * one
    kept = "training: {checkpoints: 10, checkpoints_kept: 5, keep_checkpoints: always}\n"
    assert disk(Estimator(paper(kept + changes), GPUS["h100"])).needs["checkpoints"] == 2 * 6 * 12 * 222_903_552


def test_a_search_is_counted(paper):
    search = "search: {factors: [0.3, 1.0, 3.0], train_share: 0.1, validation_rows: 500, seed: 9}"
    found, whole = plan(paper(search), GPUS["h100"]), plan(paper(), GPUS["h100"])
    assert found.sums["search"].jobs == 3 * 27
    assert 0.25 * whole.sums["training"].seconds < found.sums["search"].seconds < 0.7 * whole.sums["training"].seconds
    assert found.sums["training"] == whole.sums["training"]
    jobs, cell = Jobs(paper(search)), Cell("translation", "t5-base", "full")
    assert 10 <= jobs.trial(cell).runtime(1) < jobs.train(cell).runtime(1) / 4


def test_the_papers_own_study_is_planned():
    found = plan(load_study(ROOT / "config" / "paper.yaml"), GPUS["h100"])
    assert found.sums["training"].jobs == 81
    assert found.sums["evaluation, untuned"].jobs == 9
    assert 2 / 2 < found.sums["training"].seconds / HOUR / 3 < 4 * 2  # hours of one seed, with 500,000 pairs


def test_what_is_there_needs_no_disk(tiny_study):
    estimator = Estimator(tiny_study(), assumed_cpu(1, "fp32"))
    needs, whole = disk(estimator).needs, disk(estimator, fresh=True).needs
    assert (needs["data"], needs["models"], needs["tokens"]) == (0, 0, 0)
    assert min(whole["data"], whole["models"], whole["tokens"]) > 0
    assert needs["weights"] == whole["weights"] > 0


def test_a_study_that_does_not_fit_is_refused_with_what_to_do(paper, monkeypatch):
    one = "grid: {tasks: [sentiment, qa], models: [t5-base], methods: [full]}"
    check_disk(Estimator(paper("grid: {tasks: [sentiment], models: [flan-t5-small], methods: [lora]}"), GPUS["h100"]))
    study = paper(one).model_copy(update={"seeds": list(range(20_000))})  # 34 TB of weights
    estimator = Estimator(study, GPUS["h100"])
    with pytest.raises(TuneGridError) as error:
        check_disk(estimator)
    message = str(error.value)
    assert re.search(r"about [\d,.]+ TiB more are needed under results/paper/ \(.*weights [\d.,]+ TiB", message)
    for word in ("are free", "tunegrid clean", "checkpoint", IGNORE):
        assert word in message
    monkeypatch.setenv(IGNORE, "1")
    check_disk(estimator)
