"""Speed and memory of training and generation with the true configurations, on random weights.

Usage: python benchmarks/true_shapes.py CHECKPOINTS [options]; --help lists them.

For each model and method: a few training steps, then the generation of one batch, each in a process of its own and
through the package's own code (`Method.load_base`, `inject`, `fit`, `save`, `load`; `prediction.predict`). Every source
has the full length, so that nothing real needs more. CHECKPOINTS is made by tests/support/true_configurations.py.
Prints a table and writes a CSV file. On a CPU that others use too, CPU seconds say more than seconds. On a GPU:
--device cuda --precision bf16 --peak-tflops 989 (an H100, dense bf16).

FLOPs are those of `tunegrid.models.flops.FLOPS_FORMULA`: products with the parameters of the layers and of the LM
head. The attention's own products are not in it, so the utilisation errs on the low side.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MODELS = {
    "t5-base": ("google-t5/t5-base", "t5"),
    "bart-base": ("facebook/bart-base", "bart"),
    "flan-t5-small": ("google/flan-t5-small", "flan-t5"),
    "bart-large": ("facebook/bart-large", "bart"),
    "mt5-small": ("google/mt5-small", "mt5"),
}
METHODS = ("full", "lora", "adapters")  # with their defaults: r 16 on all linear layers; double_seq_bn, reduction 16
COLUMNS = (
    "model", "method", "parameters", "trainable", "injected", "seconds_per_step", "cpu_seconds_per_step",
    "tokens_per_second", "training_gib", "generation_seconds", "generation_gib", "saved_mb", "tflop_per_step",
    "utilisation",
)  # fmt: skip
REPOSITORY = Path(__file__).resolve().parents[1]


def main() -> None:
    options = parser().parse_args()
    if options.stage:
        print(json.dumps({"train": train, "generate": generate}[options.stage](options)))
        return
    rows = []
    for model in options.models:
        prepare(options.checkpoints, model)
        for method in options.methods:
            with tempfile.TemporaryDirectory() as weights:
                row = {"model": model, "method": method}
                for stage in ("train", "generate"):
                    row |= in_a_fresh_process(stage, model, method, weights)
            rows.append(row)
            print(line(row, header=len(rows) == 1), flush=True)
    with options.output.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*COLUMNS, "device", "precision", "threads", "batch_size", "source", "target"])
        writer.writeheader()
        writer.writerows(rows)


def parser() -> argparse.ArgumentParser:
    one = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    one.add_argument("checkpoints", type=Path, help="folder of the checkpoints; made where they are missing")
    one.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS)[:3])
    one.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    one.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    one.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    one.add_argument("--threads", type=int, default=2, help="CPU threads (2)")
    one.add_argument("--steps", type=int, default=3, help="training steps that are timed, after one that is not (3)")
    one.add_argument("--batch-size", type=int, default=4, help="of training and of generation (4)")
    one.add_argument("--source", type=int, default=512, help="tokens of every source (512)")
    one.add_argument("--target", type=int, default=32, help="tokens of every target, and longest answer (32)")
    one.add_argument("--peak-tflops", type=float, help="the device's dense peak at this precision, for the utilisation")
    one.add_argument("--output", type=Path, default=Path("true_shapes.csv"))
    one.add_argument("--stage", choices=("train", "generate"), help=argparse.SUPPRESS)
    one.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    return one


def prepare(checkpoints: Path, model: str) -> None:
    if not (checkpoints / model / "tokenizer.json").is_file():
        script = REPOSITORY / "tests" / "support" / "true_configurations.py"
        subprocess.run([sys.executable, script, checkpoints, MODELS[model][0]], check=True)


def in_a_fresh_process(stage: str, model: str, method: str, weights: str) -> dict[str, Any]:
    """What a stage reports; peak memory is a property of a process, so each stage gets one."""
    own = ["--models", model, "--methods", method, "--stage", stage, "--weights", weights]
    command = [sys.executable, __file__, *sys.argv[1:], *own]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{model}, {method}: {stage} failed (exit code {done.returncode})")
    return json.loads(done.stdout.splitlines()[-1])


def train(options: argparse.Namespace) -> dict[str, Any]:
    """Times the steps of a training; saves what was trained to `options.weights`."""
    method, base = start(options)
    import torch

    from tunegrid.common.files import size_of
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.models import Shape
    from tunegrid.models.flops import counted, trainable_parameters, training_flops
    from tunegrid.runtime import cpu_kernels
    from tunegrid.runtime.measure import peak_memory
    from tunegrid.runtime.torch_device import accelerator
    from tunegrid.training.session import TrainingSession
    from tunegrid.training.settings import Training

    config = json.loads((base / "config.json").read_text())
    shape = Shape.from_config(method.family, config)
    model = method.inject(method.load_base(base))
    injected, trainable = len(method.injected_modules(model)), trainable_parameters(model)
    assert (injected, trainable) == (method.expected_modules(shape), method.trainable_count(shape))

    def session(steps: int) -> TrainingSession:
        training = Training(learning_rate=1.0e-4, max_steps=steps, batch_size=options.batch_size)
        return TrainingSession(
            model=model, tokenizer=load_tokenizer(base), task=None, read_rows=list,
            train=tokens(options, shape.vocabulary, steps),
            validation=tokens(options, shape.vocabulary, 1), training=training, seed=1, precision=options.precision,
            checkpoints=options.weights / "checkpoints", loss=method.loss,
        )  # fmt: skip

    cpu_kernels.place(model, torch.device(options.device))
    method.fit(session(1))  # whatever is slow once: allocation, kernels
    wall, cpu = time.perf_counter(), time.process_time()
    summary = method.fit(session(options.steps))
    busy = (time.process_time() - cpu) / (time.perf_counter() - wall)  # CPUs in use, on average
    seconds = summary.optimisation_seconds / options.steps
    flops = training_flops(counted(model), summary.source_tokens, summary.target_tokens) / options.steps
    peak = peak_memory()
    method.save(model, options.weights)
    return {
        "parameters": shape.parameters,
        "trainable": trainable,
        "injected": injected,
        "seconds_per_step": seconds,
        "cpu_seconds_per_step": busy * seconds,
        "tokens_per_second": (summary.source_tokens + summary.target_tokens) / options.steps / seconds,
        "training_gib": peak / 2**30,
        "saved_mb": size_of(options.weights) / 1e6,
        "tflop_per_step": flops / 1e12,
        "utilisation": flops / seconds / 1e12 / options.peak_tflops if options.peak_tflops else None,
        "device": accelerator() or "cpu",
        **{key: getattr(options, key) for key in ("precision", "threads", "batch_size", "source", "target")},
    }


def generate(options: argparse.Namespace) -> dict[str, Any]:
    """Times the generation of one batch, greedily, as question answering does."""
    method, base = start(options)
    import torch
    from pydantic import TypeAdapter

    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.runtime import cpu_kernels
    from tunegrid.runtime.measure import peak_memory
    from tunegrid.tasks import TASKS
    from tunegrid.tasks.predict import predict_rows

    model = cpu_kernels.place(method.load(base, options.weights), torch.device(options.device)).eval()
    kind = TASKS["qa"]
    settings = {
        "kind": "qa",
        "source": {"kind": "generated", "rows": {"train": 1, "validation": 1, "test": 1}},
        "max_source_length": options.source,
        "max_target_length": options.target,
        "generation": {"max_new_tokens": options.target},
        "evaluation_batch_size": options.batch_size,
    }
    task = kind(TypeAdapter(kind.Settings).validate_python(settings))
    table, tokenizer = tokens(options, len(load_tokenizer(base)), 1), load_tokenizer(base)
    predict_rows(model, tokenizer, task, table.slice(0, 1), 1, precision=options.precision)  # whatever is slow once
    started = time.perf_counter()
    predict_rows(model, tokenizer, task, table, len(table), precision=options.precision)
    return {"generation_seconds": time.perf_counter() - started, "generation_gib": peak_memory() / 2**30}


def start(options: argparse.Namespace) -> tuple[Any, Path]:
    """(the method for a family, the folder of the base); sets up torch."""
    from tunegrid.runtime import cpu_kernels

    cpu_kernels.limit_caches()
    import torch
    from transformers import set_seed

    from tunegrid.methods import METHODS as KINDS
    from tunegrid.models import FAMILIES

    torch.set_num_threads(options.threads)
    set_seed(1)
    (name,), (kind,) = options.models, options.methods
    method = KINDS[kind](KINDS[kind].Settings(kind=kind), FAMILIES[MODELS[name][1]])
    return method, options.checkpoints / name


def tokens(options: argparse.Namespace, vocabulary: int, batches: int) -> Any:
    """Random token ids, every source and every target of the full length, as the tokenise stage would write them."""
    import numpy as np
    import pyarrow

    generator, rows = np.random.default_rng(1), options.batch_size * batches
    columns = {
        name: pyarrow.array(list(generator.integers(10, vocabulary, (rows, length), dtype=np.int32)))
        for name, length in (("input_ids", options.source), ("labels", options.target))
    }
    return pyarrow.table(columns | {"row": pyarrow.array(np.arange(rows, dtype=np.int32))})


def line(row: dict[str, Any], header: bool) -> str:
    """A line of a Markdown table."""

    def text(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        return "–" if value is None else f"{value:,}" if isinstance(value, int) else value

    lines = ["| " + " | ".join(text(row[name]) for name in COLUMNS) + " |"]
    if header:
        lines = ["| " + " | ".join(COLUMNS) + " |", "| --- | --- " + "| ---: " * (len(COLUMNS) - 2) + "|", *lines]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
