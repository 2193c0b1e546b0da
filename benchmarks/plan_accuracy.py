"""How far `tunegrid plan` is from measurements: true architectures with random weights, trained for a few steps here.

Usage: python benchmarks/plan_accuracy.py [--cases REGEX] [--steps 3] [--threads 1] [--measured FILE] [--csv FILE]

Each case runs in a process of its own, so that its peak memory is its own. Seconds are of CPU time, which other
programs on the machine disturb least; FLOPs are those that torch counts in the multiplications of one step. What was
measured is kept in a JSON file, and a case that is in it already is only predicted again.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

QA, TRANSLATION, MINI, NEXT_TO_NOTHING = (384, 16), (32, 40), (40, 6), (8, 4)  # tokens of source and target


@dataclass(frozen=True)
class Case:
    """A model of the Hub (or `mini-<family>`), a method, and the batches that it is trained on."""

    model: str
    method: str
    batch: int
    source: int
    target: int

    def __str__(self) -> str:
        return f"{self.model.split('/')[-1]} {self.method} {self.batch}x{self.source}/{self.target}"


MODELS = ("google-t5/t5-base", "facebook/bart-base", "google/flan-t5-small")
METHODS = {
    "full": {"kind": "full"},
    "lora": {"kind": "lora"},
    "adapters": {"kind": "adapters"},
}
CASES = [
    *(Case(model, method, 2, *QA) for model in MODELS for method in METHODS),
    *(Case(model, "full", 8, *TRANSLATION) for model in MODELS),
    *(Case(f"mini-{family}", method, 32, *MINI) for family in ("t5", "bart") for method in METHODS),
    *(Case("google-t5/t5-small", method, 1, *NEXT_TO_NOTHING) for method in METHODS),
    *(Case(f"mini-{family}", method, 1, *NEXT_TO_NOTHING) for family in ("t5", "bart") for method in METHODS),
]
GENERATED = 12  # tokens written per source when prediction is measured


def main() -> None:
    options = _options()
    if options.case:
        print(json.dumps(measure(Case(**json.loads(options.case)), options.steps, options.threads)))
        return
    measured = json.loads(options.measured.read_text()) if options.measured.is_file() else {}
    rows = []
    for case in CASES:
        if not re.search(options.cases, str(case)):
            continue
        if str(case) not in measured:
            command = [sys.executable, __file__, "--case", json.dumps(asdict(case))]
            command += ["--steps", str(options.steps), "--threads", str(options.threads)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            measured[str(case)] = json.loads(output.splitlines()[-1])
            options.measured.write_text(json.dumps(measured, indent=2))
        rows.append(compare(case, measured[str(case)], options.threads))
        print("  ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    if options.csv and rows:
        with options.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="", help="only the cases whose name this matches")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--measured", type=Path, default=Path("plan-accuracy.json"))
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    return parser.parse_args()


def _parts(case: Case):
    """(family, config.json's content, method) of a case."""
    from pydantic import TypeAdapter

    from tunegrid.methods import METHODS as KINDS
    from tunegrid.models import FAMILIES
    from tunegrid.models.pretrain.settings import PretrainSource
    from tunegrid.models.shape import known_config

    if case.model.startswith("mini-"):
        family = FAMILIES[case.model.removeprefix("mini-")]
        source = PretrainSource(kind="pretrain")
        config = source.known_config(family) | {
            "model_type": family.model_types[0],
            "dropout": 0.0,
            "dropout_rate": 0.0,
            "decoder_start_token_id": 0,
        }
    else:
        config = known_config(case.model)
        name = "bart" if "bart" in case.model else "flan-t5" if "flan" in case.model else "t5"
        family = FAMILIES[name]
    kind = KINDS[case.method]
    return family, config, kind(TypeAdapter(kind.Settings).validate_python(METHODS[case.method]), family)


def measure(case: Case, steps: int, threads: int) -> dict[str, float]:
    """Trains a case; seconds per step, FLOPs of a step, and the peak memory of this process, in bytes."""
    from tunegrid.runtime import cpu_kernels

    cpu_kernels.limit_caches()
    import pyarrow
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoConfig, AutoModelForSeq2SeqLM, TrainerCallback, set_seed

    from tunegrid.models.pretrain.tokenizers import train_tokeniser
    from tunegrid.training.session import TrainingSession
    from tunegrid.training.settings import Training
    from tunegrid.training.trainer import GridTrainer

    torch.set_num_threads(threads)
    set_seed(0)
    family, config, method = _parts(case)
    config = AutoConfig.for_model(config["model_type"], **{k: v for k, v in config.items() if k != "model_type"})
    model = cpu_kernels.place(method.inject(AutoModelForSeq2SeqLM.from_config(config)), torch.device("cpu"))
    tokenizer = train_tokeniser(["one two three four"], family.name, 400, 512)
    rows = case.batch * steps
    ids = torch.randint(5, 300, (rows, case.source)).tolist()
    labels = torch.randint(5, 300, (rows, case.target)).tolist()
    table = pyarrow.table({"input_ids": ids, "labels": labels})
    clock: list[float] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_, **__) -> None:
            clock.append(-time.process_time())

        def on_step_end(self, *_, **__) -> None:
            clock[-1] += time.process_time()

    with tempfile.TemporaryDirectory() as folder:
        training = Training(learning_rate=1e-4, max_steps=steps, batch_size=case.batch)
        session = TrainingSession(
            model, tokenizer, None, list, table, table.slice(0, 1), training, 0, "fp32", Path(folder) / "none"
        )
        trainer = GridTrainer(session)
        trainer.add_callback(Clock())
        trainer.train()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    batch = {"input_ids": torch.tensor(ids[: case.batch]), "labels": torch.tensor(labels[: case.batch])}
    batch["attention_mask"] = torch.ones_like(batch["input_ids"])
    with FlopCounterMode(display=False) as counter:
        model.train()
        model(**batch).loss.backward()
    model.eval()
    del batch["labels"]
    start = time.process_time()
    with torch.inference_mode():
        model.generate(**batch, min_new_tokens=GENERATED, max_new_tokens=GENERATED, do_sample=False)
    return {
        "seconds": min(clock[1:]),  # the first step makes the optimiser's state
        "flops": counter.get_total_flops(),
        "memory": peak,
        "generation_seconds": time.process_time() - start,
    }


def compare(case: Case, measured: dict[str, float], threads: int) -> dict[str, object]:
    """Measured and predicted side by side; errors as predicted / measured."""
    from tunegrid.models import Shape
    from tunegrid.runtime.device_models import measured_cpu
    from tunegrid.study.plan.duration import encoding_seconds, training_seconds, writing_seconds
    from tunegrid.study.plan.flops import executed
    from tunegrid.study.plan.lengths import Lengths, SplitSize
    from tunegrid.study.plan.memory import training_memory
    from tunegrid.study.plan.tuned import Tuned
    from tunegrid.training.settings import Training

    family, config, method = _parts(case)
    shape = Shape.from_config(family, config)
    tuned = Tuned.of(shape, method)
    device = measured_cpu(threads, "fp32")
    lengths = [Lengths(length, 0.0, length) for length in (case.source, case.target)]
    split = SplitSize(case.batch, case.batch, *lengths)
    training = Training(learning_rate=1e-4, max_steps=1, batch_size=case.batch)
    rate = device.flops("fp32", shape.d_model) * device.low
    work = executed(shape, tuned.stacks, case.batch, case.source, case.target)
    predicted = {
        "seconds": training_seconds(tuned, training, split, device, "fp32"),
        "flops": work.training(tuned.trained_share, tuned.full, False),
        "memory": training_memory(tuned, training, split, "fp32", gpu=False).peak,
        "generation_seconds": encoding_seconds(tuned, case.batch, case.source, case.batch, rate)
        + writing_seconds(tuned, case.batch, case.source, GENERATED, 1, case.batch, device, rate),
    }
    row: dict[str, object] = {"case": str(case), "matmul GFLOP/s": f"{device.flops('fp32') / 1e9:.1f}"}
    scale = {"seconds": 1, "flops": 1e9, "memory": 2**30, "generation_seconds": 1}
    for name, unit in scale.items():
        row[name] = f"{measured[name] / unit:.3f}"
        row[f"predicted {name}"] = f"{predicted[name] / unit:.3f}"
        row[f"{name} ratio"] = f"{predicted[name] / measured[name]:.2f}"
    return row


if __name__ == "__main__":
    main()
