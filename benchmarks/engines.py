"""Prediction of translations by the package's own path and by CTranslate2, at the true shapes of models, in pairs.

Usage: python benchmarks/engines.py FOLDER [options]; --help lists them.

T5-small and BART-base with random weights (`peers/work.py`) translate rows as long as those of WMT16, in batches of 32.
Every measurement is a process of its own that loads the model, converts it where the engine needs that, and predicts
through the package's own code (`tasks.predict.predict_rows`); start-up is in its seconds. The engines take turns. On a
machine that others use too, CPU seconds say more than seconds; the load of the machine is printed with them.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from peers.ratios import ratio
from peers.work import Work, real

SIDES = {"transformers": None, "ctranslate2": "float32", "ctranslate2 int8": "int8"}
BATCH = 32


def main() -> None:
    options = parser().parse_args()
    if options.side:
        print(json.dumps(predict(options)))
        return
    print("| model | rows | engine | times as fast, CPU [95 %] | times as fast, wall | CPU s | of them start-up | "
          "same answers |\n| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |")  # fmt: skip
    for model in options.models:
        work = prepared(options, model)
        measured: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        for _ in range(options.pairs):
            for side in SIDES:
                measured[side].append(in_a_fresh_process(work, model, side, options.threads))
        report(model, options.rows, measured)
    print(f"\nLoad of the machine at the end (1, 5, 15 minutes): {os.getloadavg()}, {os.cpu_count()} CPUs")


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("folder", type=Path, help="folder of checkpoints and rows; made where they are missing")
    arguments.add_argument("--models", nargs="+", choices=("t5", "bart"), default=["t5", "bart"])
    arguments.add_argument("--rows", type=int, default=1000)
    arguments.add_argument("--pairs", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    return arguments


def prepared(options: argparse.Namespace, model: str) -> Work:
    folder = options.folder.resolve()
    return real(
        folder / f"{model}-{options.rows}", folder / "checkpoints", "translation", model, rows=8,
        test_rows=options.rows, batch=BATCH // 4, threads=options.threads,
    )  # fmt: skip


def in_a_fresh_process(work: Work, model: str, side: str, threads: int) -> dict[str, Any]:
    command = [sys.executable, __file__, str(work.folder), "--models", model, "--side", side]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([*command, "--threads", str(threads)], cwd=work.folder, stdout=subprocess.PIPE, text=True)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{model}, {side}: failed with exit code {done.returncode}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout.splitlines()[-1]) | {"seconds": seconds, "cpu": cpu}


def predict(options: argparse.Namespace) -> dict[str, Any]:
    """Loads and predicts, as an evaluation of the untuned model does; the work's folder is the current one."""
    from tunegrid.cli.command import prepare_to_compute
    from tunegrid.study.load import load_study

    study = load_study("study.yaml")
    prepare_to_compute(study)
    from tunegrid.data.tokens import load_tokenizer, read_tokens
    from tunegrid.models.load import load_model
    from tunegrid.runtime import cpu_kernels
    from tunegrid.runtime.torch_device import pick_device
    from tunegrid.tasks.predict import predict_rows

    (model_name,), compute = options.models, SIDES[options.side]
    base, device = study.paths.model(model_name), pick_device(study.hardware)
    model, tokenizer = load_model(base), load_tokenizer(base)
    if compute is None:
        model = cpu_kernels.place(model, device).eval()
    else:
        from tempfile import TemporaryDirectory

        from tunegrid.models.converted import Converted, convert

        with TemporaryDirectory() as folder:
            convert(model, tokenizer, Path(folder))
            model = Converted(Path(folder), threads=options.threads, compute=compute)
    tokens = read_tokens(study.paths.tokens("translation", model_name) / "test.arrow")
    startup = time.process_time()
    predicted = predict_rows(
        model, tokenizer, study.task("translation", model_name), tokens, len(tokens), precision="fp32"
    )
    return {"startup": startup, "texts": predicted.texts}


def report(model: str, rows: int, measured: dict[str, list[dict[str, Any]]]) -> None:
    """Prints a line for each engine; what it is compared with is the measurement of the same turn."""
    ours = measured["transformers"]
    for side, runs in measured.items():
        cpu, low, high = ratio([(run["cpu"], own["cpu"]) for run, own in zip(runs, ours, strict=True)])
        wall, *_ = ratio([(run["seconds"], own["seconds"]) for run, own in zip(runs, ours, strict=True)])
        same = sum(a == b for a, b in zip(runs[0]["texts"], ours[0]["texts"], strict=True))
        mean = {key: sum(run[key] for run in runs) / len(runs) for key in ("cpu", "startup")}
        print(f"| {model} | {rows} | {side} | {cpu:.2f} [{low:.2f}, {high:.2f}] | {wall:.2f} | {mean['cpu']:.1f} | "
              f"{mean['startup']:.1f} | {same} of {rows} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
