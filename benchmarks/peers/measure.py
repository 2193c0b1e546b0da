"""Both sides of one comparison: seconds, speed and peak memory of the same work, each in a process of its own."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.work import Work, run

SCRIPT = Path(__file__).with_name("seq2seq_script.py")
# What the public examples do where nothing is said: rows per batch, and which tasks they pad to the longest length.
EXAMPLE_BATCH = 8
PADDED = ("qa", "sentiment")


@dataclass(frozen=True)
class Measured:
    """One measurement.

    `seconds`: the work alone; `wall`: the whole process. `tokens`: source and target, unpadded. `flops`: of a training,
    by `tunegrid.models.flops.FLOPS_FORMULA`. 0: not known.
    """

    seconds: float
    wall: float
    peak_bytes: int
    tokens: int
    rows: int
    flops: float = 0.0


def train(work: Work, method: str) -> Measured:
    """`tunegrid train` of one run."""
    began = time.perf_counter()
    run(
        work.command("train", "--task", work.task, "--model", work.model, "--method", method, "--seed", "1"),
        work.folder,
    )
    wall = time.perf_counter() - began
    record = json.loads((_run(work, method) / "train.json").read_text())
    if record["status"] != "ok":
        raise SystemExit(f"{work.folder}: the training is {record['status']}: {record['reason']}")
    cost = record["cost"]
    seconds, peak, flops = (cost[name] for name in ("optimisation_seconds", "peak_memory_bytes", "training_flops"))
    return Measured(seconds, wall, peak, cost["tokens"], cost["examples"], flops)


def evaluate(work: Work, method: str | None = None) -> Measured:
    """`tunegrid evaluate` of a run, or of the model as it is."""
    began = time.perf_counter()
    of_run = ("--method", method, "--seed", "1") if method else ("--method", "untuned")
    run(work.command("evaluate", "--task", work.task, "--model", work.model, *of_run), work.folder)
    wall = time.perf_counter() - began
    folder = _run(work, method) if method else work.results / "untuned" / work.task / work.model
    cost = json.loads((folder / "metrics.json").read_text())["cost"]
    return Measured(cost["prediction_seconds"], wall, cost["peak_memory_bytes"], 0, len(work.rows("test")))


def script(
    work: Work, method: str, *, train: bool, predict: bool, defaults: bool, folder: Path
) -> tuple[dict[str, Any], float]:
    """(what the peer's script reports, seconds of its whole process).

    Args:
        defaults: batches and padding of the public examples; else dynamic padding and our batch sizes.
    """
    cell = work.loaded.training_settings(next(c for c in work.loaded.cells() if c.method == method))
    settings, generation = work.settings, work.settings.generation
    folder.mkdir(parents=True, exist_ok=True)
    arguments = {
        "model": work.checkpoint,
        "method": method,
        "train_file": work.texts["train"],
        "test_file": work.texts["test"],
        "output_dir": folder,
        "max_source_length": settings.max_source_length,
        "max_target_length": settings.max_target_length,
        # The script's length counts the token that the decoder starts with.
        "generation_max_length": generation.max_new_tokens + 1,
        "learning_rate": cell.learning_rate,
        "num_train_epochs": cell.epochs or 1,
        "max_steps": cell.max_steps or -1,
        "warmup_ratio": cell.warmup_ratio or 0,
        "threads": work.loaded.hardware.threads,
        "device": work.loaded.hardware.device,
        "per_device_train_batch_size": EXAMPLE_BATCH if defaults else cell.batch_size,
        "per_device_eval_batch_size": EXAMPLE_BATCH if defaults else settings.evaluation_batch_size,
    }
    chosen = work.loaded.methods[method]
    if method == "lora":
        family = work.loaded.method(next(c for c in work.loaded.cells() if c.method == method)).family
        arguments |= {"lora_r": chosen.r, "lora_alpha": round(chosen.alpha), "lora_dropout": chosen.dropout}
        arguments["lora_targets"] = family.linear_names(chosen.targets)
    if method == "adapters":
        arguments["reduction_factor"] = chosen.reduction_factor
    command = [sys.executable, str(SCRIPT)]
    for name, value in arguments.items():
        command += [f"--{name}", *(map(str, value) if isinstance(value, list) else [str(value)])]
    flags = {"do_train": train, "do_predict": predict, "pad_to_max_length": defaults and work.task in PADDED}
    flags["bf16"] = work.loaded.hardware.precision == "bf16"
    command += [f"--{name}" for name, on in flags.items() if on]
    began = time.perf_counter()
    output = run(command, work.folder)
    return json.loads(output.splitlines()[-1]), time.perf_counter() - began


def script_training(work: Work, method: str, ours: Measured, defaults: bool) -> Measured:
    report, wall = script(
        work, method, train=True, predict=False, defaults=defaults, folder=work.folder / f"script-{method}"
    )
    # The same rows and therefore the same tokens; with max_steps other rows, as many per step.
    return Measured(report["train_seconds"], wall, report["train_peak_bytes"], ours.tokens, ours.rows)


def script_prediction(work: Work, defaults: bool) -> Measured:
    report, wall = script(
        work, "full", train=False, predict=True, defaults=defaults, folder=work.folder / "script-predict"
    )
    return Measured(report["predict_seconds"], wall, report["predict_peak_bytes"], 0, len(work.rows("test")))


def script_both(work: Work, method: str, ours: Measured, folder: Path) -> tuple[Measured, Measured]:
    """A training and the prediction after it, in one process: the latter's own memory is not known."""
    report, wall = script(work, method, train=True, predict=True, defaults=False, folder=folder)
    trained = Measured(report["train_seconds"], wall, report["train_peak_bytes"], ours.tokens, ours.rows)
    return trained, Measured(report["predict_seconds"], wall, 0, 0, len(work.rows("test")))


def _run(work: Work, method: str) -> Path:
    return work.results / "runs" / work.task / work.model / method / "seed-1"
