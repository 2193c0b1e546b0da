"""Prediction of translations by the package's own path and by CTranslate2, at the true shapes of models, in pairs.

Usage: python benchmarks/engines.py FOLDER [options]; --help lists them.

T5-small and BART-base with random weights (`peers/work.py`) translate rows as long as those of WMT16, in batches of 32
(`evaluation_batch_size`, of which CTranslate2 may take up to six times as many).
Every measurement is a process of its own that loads the model, converts it where the engine needs that, and predicts
through the package's own code (`tasks.predict.predict_rows`); `generate` is transformers' own, on batches of rows of
similar length. The sides take turns. What is compared is the time of 1,000 rows with start-up: that of the start, and
of the rows in proportion. (Fewer rows make it look longer: what a process does once after its start is taken for rows.)
On a machine that others use too, CPU seconds say more than seconds; the load of the machine is printed with them.

`--earlier FOLDER` lets the path of an earlier version take part, and compares with that one, too:
`git worktree add FOLDER 5337878`.
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

OWN, GENERATE, EARLIER = "transformers", "generate", "earlier"
# Side -> type of CTranslate2's weights; None: not of CTranslate2.
SIDES: dict[str, str | None] = {
    EARLIER: None,
    OWN: None,
    GENERATE: None,
    "ctranslate2": "float32",
    "ctranslate2 int8": "int8",
}
BATCH, ROWS = 32, 1000  # of a batch; rows of which the time is compared


def main() -> None:
    options = parser().parse_args()
    if options.side:
        print(json.dumps(predict(options)))
        return
    sides = [side for side in options.sides if side != EARLIER or options.earlier]
    against = [side for side in (OWN, EARLIER) if side in sides]
    titles = [title for other in against for title in (f"times as fast as {other}, wall [95 %]", "CPU")]
    titles = [
        "model",
        "rows",
        "threads",
        "side",
        *titles,
        f"s of {ROWS} rows",
        "of them start-up",
        "CPU s",
        "same answers",
    ]
    print(f"| {' | '.join(titles)} |\n| --- | ---: | ---: | --- |" + " ---: |" * (len(titles) - 4))
    for model in options.models:
        work = prepared(options, model)
        measured: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
        for turn in range(options.pairs):
            for side in sides if turn % 2 == 0 else reversed(sides):
                measured[side].append(in_a_fresh_process(work, model, side, options))
        report(model, options, measured, against)
    print(f"\nLoad of the machine at the end (1, 5, 15 minutes): {os.getloadavg()}, {os.cpu_count()} CPUs")


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("folder", type=Path, help="folder of checkpoints and rows; made where they are missing")
    arguments.add_argument("--models", nargs="+", choices=("t5", "bart"), default=["t5", "bart"])
    arguments.add_argument("--rows", type=int, default=ROWS)
    arguments.add_argument("--pairs", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument(
        "--sides", nargs="+", choices=SIDES, default=[EARLIER, OWN, "ctranslate2", "ctranslate2 int8"]
    )
    arguments.add_argument("--earlier", type=Path, metavar="FOLDER", help="a checkout of an earlier version (5337878)")
    arguments.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    return arguments


def prepared(options: argparse.Namespace, model: str) -> Work:
    folder = options.folder.resolve()
    return real(
        folder / f"{model}-{options.rows}-{options.threads}", folder / "checkpoints", "translation", model, rows=8,
        test_rows=options.rows, batch=BATCH // 4, threads=options.threads,
    )  # fmt: skip


def in_a_fresh_process(work: Work, model: str, side: str, options: argparse.Namespace) -> dict[str, Any]:
    """The texts of a side, its seconds until it predicts (`startup`) and for ROWS rows (`whole`; `cpu`: of the CPU)."""
    environment = dict(os.environ)
    if side == EARLIER:
        script = Path(__file__).resolve().parent / "peers" / "earlier_path.py"
        environment["PYTHONPATH"] = str(options.earlier.resolve() / "src")
        command = [sys.executable, str(script), "translation", model]
    else:
        command = [sys.executable, __file__, str(work.folder), "--models", model, "--side", side]
        command += ["--threads", str(options.threads)]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    done = subprocess.run(command, cwd=work.folder, env=environment, stdout=subprocess.PIPE, text=True)
    ended, after = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{model}, {side}: failed with exit code {done.returncode}")
    said = json.loads(done.stdout.splitlines()[-1])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    startup, share = said["started"] - began, ROWS / options.rows
    return {
        "texts": said["texts"],
        "startup": startup,
        "whole": startup + share * (ended - said["started"]),
        "cpu": said["startup_cpu"] + share * (cpu - said["startup_cpu"]),
    }


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

    (model_name,) = options.models
    base, device = study.paths.model(model_name), pick_device(study.hardware)
    model, tokenizer = load_model(base), load_tokenizer(base)
    task = study.task("translation", model_name)
    if (compute := SIDES[options.side]) is not None:
        from tempfile import TemporaryDirectory

        from tunegrid.models.converted import Converted, convert

        folder = TemporaryDirectory()
        convert(model, tokenizer, Path(folder.name))
        model = Converted(Path(folder.name), threads=options.threads, compute=compute)
        model.answer_many()
    elif options.side == OWN:
        model = cpu_kernels.place(model, device).eval()
    tokens = read_tokens(study.paths.tokens("translation", model_name) / "test.arrow")
    started = {"started": time.time(), "startup_cpu": time.process_time()}
    if options.side == GENERATE:
        return started | {"texts": generated(model.eval(), tokenizer, task, tokens.column("input_ids").to_pylist())}
    return started | {"texts": predict_rows(model, tokenizer, task, tokens, len(tokens), precision="fp32").texts}


def generated(model: Any, tokenizer: Any, task: Any, sources: list[list[int]]) -> list[str]:
    """The answers of transformers' `generate`, without anything of the package but the settings."""
    import torch

    from tunegrid.models.generate import generation_config

    config, texts = generation_config(model, tokenizer, task.settings.generation), [""] * len(sources)
    order = sorted(range(len(sources)), key=lambda index: -len(sources[index]))
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        batch = tokenizer.pad({"input_ids": [sources[row] for row in rows]}, return_tensors="pt")
        with torch.inference_mode():
            output = model.generate(**batch, generation_config=config, use_model_defaults=False)
        for row, text in zip(rows, tokenizer.batch_decode(output, skip_special_tokens=True), strict=True):
            texts[row] = text.strip()
    return texts


def report(
    model: str, options: argparse.Namespace, measured: dict[str, list[dict[str, Any]]], against: list[str]
) -> None:
    """Prints a line for each side; what it is compared with is the measurement of the same turn."""
    for side, runs in measured.items():
        cells = []
        for other in against:
            wall, low, high = ratio(
                [(run["whole"], one["whole"]) for run, one in zip(runs, measured[other], strict=True)]
            )
            cpu, *_ = ratio([(run["cpu"], one["cpu"]) for run, one in zip(runs, measured[other], strict=True)])
            cells += [f"{wall:.2f} [{low:.2f}, {high:.2f}]", f"{cpu:.2f}"]
        first = measured[OWN if OWN in measured else side][0]["texts"]
        same = sum(a == b for a, b in zip(runs[0]["texts"], first, strict=True))
        mean = {key: sum(run[key] for run in runs) / len(runs) for key in ("whole", "startup", "cpu")}
        print(f"| {model} | {options.rows} | {options.threads} | {side} | {' | '.join(cells)} | {mean['whole']:.1f} | "
              f"{mean['startup']:.1f} | {mean['cpu']:.1f} | {same} of {options.rows} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
