"""TuneGrid beside a plain `Seq2SeqTrainer` script on the same work: a table of ratios, and a CSV of every measurement.

Usage: python benchmarks/bench.py [--parts …] [--repeats N] [--output FOLDER]; `make bench` runs all of it.

| part | what is compared |
| --- | --- |
| peak | nothing: the matrix-multiply rate of this machine, fp32 and bf16, beside which the rest can be read |
| mini | the whole mini study: its time, and what of it is computing |
| start-up | seconds of each stage's command that are not its work |
| quality | with the mini study's models and rows, a job per core: scores of both, and the same ratios |
| training | seconds of one epoch over the same rows (real size) |
| evaluation | seconds to predict the same test rows, per task (real size, fixed output lengths) |

Training and quality compare every method, with each model on the first task and with the first model on all tasks; in
bf16, which is measured too where the CPU has instructions for it (`--precision`), with the first model only.

Each measurement is a process of its own. The sides take turns, so that what else the machine does hits all of them; a
ratio is the median over the pairs, with the interval of the pairs' geometric mean (t distribution) in brackets. The
script runs in two ways: with the public examples' defaults (once, and of the methods only the first), and with dynamic
padding and our batch sizes. Beside trainings stands the share of the peak that they reach, where that is measured too:
on a GPU (`--device cuda`) the utilisation of its floating-point units.
"""

import argparse
import csv
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from peers import measure, ratios, whole_study, work
from peers.quality import own_quality, quality

from tunegrid.runtime import cpu_kernels

PARTS = ("peak", "mini", "start-up", "quality", "training", "evaluation")
# Every task with one model and one method, and every model and method on one task.
TASKS = ("translation", "qa", "sentiment")
MODELS = ("t5", "bart", "flan-t5")
MINI = Path("mini-study/results/mini")  # in the output folder
SIDES = {"defaults": True, "our-batches": False}  # of the script: whether with the public examples' defaults


def main() -> None:
    options = parser().parse_args()
    if options.precision is None:
        fast = "bf16" if options.device == "cuda" else cpu_kernels.cpu_precision()
        options.precision = list(dict.fromkeys(["fp32", fast]))
    options.output.mkdir(parents=True, exist_ok=True)
    measurements: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="tunegrid-bench-") as folder:
        for part in options.parts:
            run = {
                "peak": peak,
                "training": training,
                "evaluation": evaluation,
                "quality": quality_part,
                "start-up": start_up,
                "mini": mini,
            }[part]
            for row in run(Path(folder), options):
                measurements.append({"part": part, **row})
                write(measurements, options.output / "measurements.csv")
    table = ratios.table(measurements)
    (options.output / "bench.md").write_text(table, encoding="utf-8")
    print(table)


def parser() -> argparse.ArgumentParser:
    one = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    one.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    one.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    one.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    one.add_argument("--methods", nargs="+", choices=tuple(work.METHODS), default=tuple(work.METHODS))
    one.add_argument(
        "--sides", nargs="+", choices=tuple(SIDES), default=tuple(SIDES), help="of the script; default: both"
    )
    one.add_argument("--repeats", type=int, default=3, help="pairs per comparison (3)")
    one.add_argument(
        "--rows",
        type=int,
        default=32,
        help="training rows at the real size; twice as many of the translation (32)",
    )
    one.add_argument("--test-rows", type=int, default=128, help="rows to predict at the real size (128)")
    one.add_argument("--batch", type=int, default=8, help="training batch; translation takes twice as many (8)")
    one.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of both sides")
    one.add_argument("--threads", type=int, default=os.cpu_count(), help="of both sides")
    one.add_argument("--precision", choices=("fp32", "bf16"), nargs="+", help="default: fp32, and bf16 if it is faster")
    one.add_argument("--checkpoints", type=Path, default=Path("results/bench/checkpoints"), help="made where missing")
    one.add_argument("--mini-results", type=Path, help="of a finished mini study; default: those of the part `mini`")
    one.add_argument("--output", type=Path, default=Path("results/bench"))
    return one


def pairs(options: argparse.Namespace, ours: Any, others: dict[str, Any], **what: Any) -> Iterator[dict[str, Any]]:
    """Takes turns; yields one row per measurement. `others` get what ours measured; their defaults run only once."""
    for repeat in range(options.repeats):
        own = ours()
        yield row("tunegrid", repeat, own, what)
        for name, other in others.items():
            if repeat == 0 or "defaults" not in name:
                yield row(name, repeat, other(own), what)


def row(side: str, repeat: int, measured: measure.Measured, what: dict[str, Any]) -> dict[str, Any]:
    print(
        f"{what}  {side}: {measured.seconds:.1f} s, {measured.peak_bytes / 2**30:.2f} GiB", file=sys.stderr, flush=True
    )
    return {**what, "side": side, "repeat": repeat, **asdict(measured)}


def real_works(folder: Path, options: argparse.Namespace, precision: str, cells: Any) -> Iterator[work.Work]:
    for task, model in cells:
        more = 2 if task == "translation" else 1
        yield work.real(
            folder / f"real-{precision}-{task}-{model}",
            options.checkpoints.resolve(),
            task,
            model,
            rows=options.rows * more,
            test_rows=options.test_rows,
            batch=options.batch * more,
            threads=options.threads,
            precision=precision,
            device=options.device,
        )


def peak(_: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Operations per second of a product of two square matrices, the best of ten, by each library in use."""
    import torch

    torch.set_num_threads(options.threads)
    gpu = options.device == "cuda"
    size = 8192 if gpu else 2048
    ways = [
        ("fp32", torch.float32, "cublas" if gpu else "mkl"),
        ("bf16", torch.bfloat16, "cublas" if gpu else "onednn"),
    ]
    if not gpu and cpu_kernels.onednn_is_faster():
        ways.insert(1, ("fp32", torch.float32, "onednn"))
    for name, dtype, library in ways:
        left, right = torch.randn(2, size, size, device=options.device).to(dtype)
        with cpu_kernels.onednn() if library == "onednn" else nullcontext():
            best = min(timed(lambda: left @ right, gpu) for _ in range(10))  # noqa: B023 (called at once)
        about = {"precision": name, "library": library, "side": "tunegrid"}
        yield {**about, "seconds": best, "gflops": 2 * size**3 / best / 1e9}


def timed(call: Any, gpu: bool) -> float:
    from torch import cuda

    began = time.perf_counter()
    call()
    if gpu:
        cuda.synchronize()
    return time.perf_counter() - began


def training(folder: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for precision in options.precision:
        for one in real_works(folder, options, precision, cells(options, precision)):
            for method in options.methods:
                yield from pairs(
                    options,
                    lambda one=one, method=method: measure.train(one, method),
                    {
                        side: lambda own, one=one, method=method, defaults=defaults: measure.script_training(
                            one, method, own, defaults
                        )
                        for side, defaults in sides(options)
                        if method == options.methods[0] or not defaults
                    },
                    size="real", task=one.task, model=one.model, method=method, precision=precision,
                )  # fmt: skip


def sides(options: argparse.Namespace) -> list[tuple[str, bool]]:
    """(name in the table, whether with the public examples' defaults)."""
    return [(f"script, {side.replace('-', ' ')}", SIDES[side]) for side in options.sides]


def cells(options: argparse.Namespace, precision: str) -> list[tuple[str, str]]:
    """(task, model): the first model on every task, and in the first precision every model on the first task."""
    first_task, first_model = options.tasks[0], options.models[0]
    more = options.models[1:] if precision == options.precision[0] else ()
    return [(task, first_model) for task in options.tasks] + [(first_task, model) for model in more]


def evaluation(folder: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for precision in options.precision:
        for one in real_works(folder, options, precision, [(task, options.models[0]) for task in options.tasks]):
            yield from pairs(
                options,
                lambda one=one: measure.evaluate(one),
                {
                    side: lambda _, one=one, defaults=defaults: measure.script_prediction(one, defaults)
                    for side, defaults in sides(options)
                },
                size="real", task=one.task, model=one.model, precision=precision,
            )  # fmt: skip


def mini_results(options: argparse.Namespace) -> Path:
    """Of a finished mini study, whose models are the small ones of the other parts."""
    results = options.mini_results or options.output / MINI
    if not (results / "report").is_dir():
        raise SystemExit(f"{results}: no results of the mini study. Give --mini-results, or run the part `mini` first.")
    return results.resolve()


def quality_part(folder: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """As the mini study runs its jobs: one thread each, and on a CPU as many at once as there are threads."""
    settings = {"threads": 1, "device": options.device}
    study, works = mini_results(options), []
    for precision in options.precision:
        for task, model in cells(options, precision):
            place = folder / f"mini-{task}-{model}-{precision}"
            works.append(work.mini(place, study, task, model, precision=precision, **settings))

    def measured(one: work.Work, method: str) -> list[dict[str, Any]]:
        if one.loaded.hardware.precision == options.precision[0]:
            return list(quality(one, method, options.repeats))
        return [own_quality(one, method)]  # of interest is whether the score holds

    with ThreadPoolExecutor(1 if options.device == "cuda" else options.threads) as pool:
        for rows in pool.map(lambda job: measured(*job), product(works, options.methods)):
            for one in rows:
                said = f"{one['seconds']:.1f} s" if "seconds" in one else f"{one['metric']} {one['score']:.3f}"
                names = (one[name] for name in ("task", "model", "method", "precision", "side"))
                print(one.get("part", "quality"), *names, said, file=sys.stderr, flush=True)
            yield from rows


def start_up(folder: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    one = work.mini(folder / "start-up", mini_results(options), "qa", options.models[0], threads=1)
    yield from whole_study.start_up(one, options.repeats)


def mini(_: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    folder = options.output / MINI.parts[0]
    shutil.rmtree(folder, ignore_errors=True)
    yield from whole_study.mini(folder)


def write(measurements: list[dict[str, Any]], file: Path) -> None:
    names = list(dict.fromkeys(name for row in measurements for name in row))
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, names)
        writer.writeheader()
        writer.writerows(measurements)


if __name__ == "__main__":
    main()
