"""The training stage: one run, from a base model and token ids to weights, history, cost and provenance."""

from __future__ import annotations

import csv
import json
import shutil
import time
import traceback
from dataclasses import astuple
from pathlib import Path
from typing import Any

from tunegrid.cells import Cell, Run
from tunegrid.errors import TuneGridError
from tunegrid.files import replaced, replaced_folder, size_of
from tunegrid.methods import Method
from tunegrid.models import Shape
from tunegrid.plan import flops
from tunegrid.plan.flops import FLOPS_FORMULA
from tunegrid.provenance import digest, now, peak_memory, provenance
from tunegrid.records import Injected, Parameters, TrainingCost, TrainRecord, write_record
from tunegrid.study import Study
from tunegrid.training.session import Diverged, TrainingSession, TrainingSummary

HISTORY_COLUMNS = ("step", "epoch", "loss", "learning_rate", "gradient_norm", "validation_loss")


def train(study: Study, run: Run, folder: Path) -> TrainRecord:
    """Trains one run and writes `weights/`, `history.csv` and `train.json` into a folder.

    A run that fails is a result too: its record says why, and its weights are an empty folder.
    """
    started, clock = now(), time.perf_counter()
    settings = study.run_settings(run.cell)
    paths, cell = study.paths, run.cell
    facts: dict[str, Any] = {"parameters": None, "injected": None, "cost": None}
    status, reason = "ok", None
    summary = TrainingSummary()
    with replaced_folder(folder / "weights") as weights:
        try:
            session = _prepare(study, run, settings)
            facts |= _size(session)
            size, injected = facts["parameters"], facts["injected"].count
            print(f"{cell}, seed {run.seed}: {size.trainable} of {size.total} parameters, {injected} modules injected")
            loading_seconds = time.perf_counter() - clock
            summary = session.method.fit(session)
            clock = time.perf_counter()
            session.method.save(session.model, weights)
            summary.saving_seconds += time.perf_counter() - clock
            facts["cost"] = _cost(session, summary, loading_seconds, size_of(weights))
        except Diverged as error:
            status, reason, summary.history = "diverged", str(error), error.history
        except TuneGridError:
            raise  # something the user has to mend before any run can work
        except Exception as error:
            traceback.print_exc()
            status, reason = "failed", f"{type(error).__name__}: {error}"
        if status != "ok":  # what was saved by half would look like weights
            shutil.rmtree(weights)
            weights.mkdir()
    _write_history(summary.history, folder / "history.csv")
    record = TrainRecord(
        task=cell.task,
        model=cell.model,
        method=cell.method,
        seed=run.seed,
        status=status,
        reason=reason,
        configuration=settings,
        configuration_hash=digest({**settings, "seed": run.seed}),
        **facts,
        provenance=provenance(
            started=started,
            threads=study.hardware.threads,
            precision=study.hardware.precision,
            accelerator=accelerator(),
            data=paths.data_card(cell.task),
            model=paths.model_card(cell.model),
        ),
    )
    write_record(folder / "train.json", record)
    return record


def pick_device(study: Study) -> Any:
    """The torch device of a study's jobs; also fixes the number of threads, on which the bits of a result depend."""
    import torch

    torch.set_num_threads(study.hardware.threads)
    if study.hardware.device == "cuda" and not torch.cuda.is_available():
        raise TuneGridError("hardware.device is cuda, but no GPU can be used here. Set it to cpu, or run where one is.")
    return torch.device(study.hardware.device)


def accelerator() -> str | None:
    """The name of the GPU that this process used."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_initialized() else None


def _prepare(study: Study, run: Run, settings: dict[str, Any]) -> TrainingSession:
    from transformers import set_seed

    from tunegrid.tokenise import load_tokenizer, read_tokens

    cell, paths = run.cell, study.paths
    device = pick_device(study)
    set_seed(run.seed)
    method = study.method(cell)
    base = method.load_base(paths.model(cell.model))
    shape = Shape.from_config(method.family, json.loads((paths.model(cell.model) / "config.json").read_text()))
    model = method.inject(base)
    _check_size(cell, method, model, shape)
    tokens = paths.tokens(cell.task, cell.model)
    return TrainingSession(
        method=method,
        model=model.to(device),
        tokenizer=load_tokenizer(paths.model(cell.model)),
        train=read_tokens(tokens / "train.arrow"),
        validation=read_tokens(tokens / "validation.arrow"),
        training=study.training_settings(cell),
        seed=run.seed,
        precision=study.hardware.precision,
        checkpoints=paths.checkpoints(*astuple(cell), run.seed, _checkpoint_key(study, run, settings)),
    )


def _check_size(cell: Cell, method: Method, model: Any, shape: Shape) -> None:
    """Whether the method touched and trains what the architecture says: libraries skip what they do not find."""
    from tunegrid.methods import trainable_parameters

    family = f"Is its family really {shape.family.name}?"
    count, expected = len(method.injected_modules(model)), method.expected_modules(shape)
    if count != expected:
        raise TuneGridError(
            f"{cell}: {cell.method} was put into {count} modules, but the architecture of {cell.model} has {expected} "
            f"of them. {family}"
        )
    count, expected = trainable_parameters(model), method.trainable_count(shape)
    if expected is not None and count != expected:
        raise TuneGridError(
            f"{cell}: {cell.method} trains {count} parameters, but by the architecture of {cell.model} and the "
            f"method's settings it has to train {expected}. {family} Or the checkpoint does not fit its config.json."
        )


def _checkpoint_key(study: Study, run: Run, settings: dict[str, Any]) -> str:
    """A checkpoint is only ever used by a run with the same settings on the same data and the same base."""
    cards = (study.paths.data_card(run.cell.task), study.paths.model_card(run.cell.model))
    return digest([settings, run.seed, *(json.loads(card.read_text())["fingerprint"] for card in cards)])


def _size(session: TrainingSession) -> dict[str, Any]:
    from tunegrid.methods import trainable_parameters

    total = sum(parameter.numel() for parameter in session.model.parameters())
    modules = session.method.injected_modules(session.model)
    return {
        "parameters": Parameters(total=total, trainable=trainable_parameters(session.model)),
        "injected": Injected(count=len(modules), expected=len(modules), modules=modules),
    }


def _cost(session: TrainingSession, summary: TrainingSummary, loading_seconds: float, saved_bytes: int) -> TrainingCost:
    seconds, tokens = summary.optimisation_seconds, summary.source_tokens + summary.target_tokens
    return TrainingCost(
        loading_seconds=loading_seconds,
        optimisation_seconds=seconds,
        evaluation_seconds=summary.evaluation_seconds,
        saving_seconds=summary.saving_seconds,
        steps=summary.steps,
        examples=summary.examples,
        tokens=tokens,
        examples_per_second=summary.examples / seconds if seconds else None,
        tokens_per_second=tokens / seconds if seconds else None,
        peak_memory_bytes=peak_memory(),
        saved_bytes=saved_bytes,
        training_flops=training_flops(session.model, summary.source_tokens, summary.target_tokens),
        flops_formula=FLOPS_FORMULA,
    )


def training_flops(model: Any, source_tokens: int, target_tokens: int) -> float:
    """Estimated floating-point operations of a training, by `FLOPS_FORMULA`."""
    sizes = {"encoder": [0, 0], "decoder": [0, 0]}
    for name, parameter in model.named_parameters():
        if "shared" in name or "embed" in name:
            continue
        size = sizes["encoder" if ".encoder." in f".{name}" else "decoder"]
        size[0] += parameter.numel()
        size[1] += parameter.numel() * parameter.requires_grad
    return flops.training_flops(flops.Stacks(*sizes["encoder"], *sizes["decoder"]), source_tokens, target_tokens)


def _write_history(history: list[dict[str, float]], path: Path) -> None:
    with replaced(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, HISTORY_COLUMNS)
        writer.writeheader()
        writer.writerows(history)
