"""The stage `train_reward`: a reward model of preference pairs, with what it is worth on pairs that it never saw."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import read_object, size_of
from tunegrid.data.tokens import load_tokenizer
from tunegrid.models.flops import counted, total_parameters, trainable_parameters
from tunegrid.models.seal import check_base, digests
from tunegrid.results.records import RewardRecord, write_record, written_since
from tunegrid.results.records.preferences import CalibrationBin
from tunegrid.results.records.training import Parameters
from tunegrid.runtime import cpu_kernels, locks
from tunegrid.runtime.attempts import ONLY, Attempt
from tunegrid.runtime.measure import reset_peak_memory
from tunegrid.runtime.provenance import digest, installed_packages, now
from tunegrid.runtime.stopping import Stop
from tunegrid.runtime.torch_device import pick_device
from tunegrid.stages.inputs import open_pairs
from tunegrid.stages.record_facts import study_provenance, training_cost
from tunegrid.stages.session import LIBRARIES
from tunegrid.stages.training_outcome import explaining_a_full_disk, leave_no_weights, training_outcome
from tunegrid.study.needs import pairs_place
from tunegrid.study.stage_settings import reward_settings
from tunegrid.study.study import Study
from tunegrid.tasks.pair_tokens import pair_table
from tunegrid.training.history import keep_history
from tunegrid.training.session import TrainingSession

if TYPE_CHECKING:
    import torch

BINS = 10  # of the calibration


def train_reward(study: Study, task: str, model: str, name: str, folder: Path, attempt: Attempt = ONLY) -> RewardRecord:
    """Trains a reward model and writes `weights/`, `history.csv` and `reward.json` into a folder.

    Failures, attempts, checkpoints and errors are those of a run, see `stages.train.train`.
    """
    title = f"the reward model {name} of {model} for {task}"
    with _hold_lock(study, task, model, name), Stop(title).listening() as stop, explaining_a_full_disk(folder):
        return _train(study, (task, model, name), folder, attempt, stop)


def write_failed_reward(
    study: Study, task: str, model: str, name: str, folder: Path, reason: str, started: str
) -> RewardRecord:
    """Writes the results of a reward model whose process died at `started` or later, unless it had written them."""
    with _hold_lock(study, task, model, name):
        if (written := written_since(started, folder / "reward.json", RewardRecord)) is not None:
            return written
        leave_no_weights(folder)
        with suppress(TuneGridError):
            keep_history(_checkpoints(study, task, model, name), folder)
        return _write(study, (task, model, name), folder, started, status="failed", reason=reason)


def _hold_lock(study: Study, task: str, model: str, name: str) -> AbstractContextManager[None]:
    return locks.hold(study.paths.lock(f"rewards/{task}/{model}/{name}"), f"the reward model {name}")


def _checkpoints(study: Study, task: str, model: str, name: str) -> Path:
    """The folder of the model's checkpoints: another one for other settings, pairs, base models or libraries."""
    paths = study.paths
    cards = (paths.pairs_card(*pairs_place(study, task, model, study.rewards[name].pairs)), paths.model_card(model))
    versions = {library: number for library, number in installed_packages().items() if library in LIBRARIES}
    key = digest(
        [reward_settings(study, task, model, name), *(read_object(card)["fingerprint"] for card in cards), versions]
    )
    return paths.reward_checkpoints(task, model, name, key)


def _train(study: Study, names: tuple[str, str, str], folder: Path, attempt: Attempt, stop: Stop) -> RewardRecord:
    started, clock = now(), time.perf_counter()
    with training_outcome(" ".join(names), folder, attempt, stop) as outcome:
        with stop.interrupting():
            outcome.session, test = _prepare(study, *names)
        session = outcome.session
        session.stop = stop
        loading_seconds = time.perf_counter() - clock
        reset_peak_memory()
        from tunegrid.training.trainer import fit

        outcome.summary = summary = fit(session)
        with stop.interrupting():
            measured = _measure(session, test)
        clock = time.perf_counter()
        session.model.save(outcome.weights)
        summary.saving_seconds += time.perf_counter() - clock
        saved_bytes = size_of(outcome.weights)
        outcome.facts = measured | {
            "parameters": Parameters(
                total=total_parameters(session.model), trainable=trainable_parameters(session.model)
            ),
            "selection": summary.selection,
            "weights": digests(outcome.weights),
            "cost": training_cost(summary, counted(session.model.model), loading_seconds, saved_bytes),
        }
    record = _write(study, names, folder, started, status=outcome.status, reason=outcome.reason, **outcome.facts)
    outcome.remove_checkpoints()
    return record


def _prepare(study: Study, task_name: str, model_name: str, name: str) -> tuple[TrainingSession, Any]:
    """(the session of the training, the table of the test pairs)."""
    from transformers import set_seed

    from tunegrid.models.load import load_model
    from tunegrid.models.reward import RewardModel
    from tunegrid.training.preferences.objectives import bradley_terry

    settings, paths = study.rewards[name], study.paths
    device = pick_device(study.hardware)
    pairs = open_pairs(study, task_name, model_name, settings.pairs)
    base = paths.model(model_name)
    check_base(base)
    set_seed(settings.seed)
    reward = cpu_kernels.place(RewardModel(load_model(base)), device)
    task, tokenizer = study.task(task_name, model_name), load_tokenizer(base)
    tables = {split: pair_table(pairs.settings, task, tokenizer, rows) for split, rows in pairs.rows.items()}

    def loss(session: TrainingSession, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return bradley_terry(*session.model(batch, "labels", "rejected"))

    session = TrainingSession(
        model=reward,
        tokenizer=tokenizer,
        task=task,
        read_rows=lambda: pairs.rows["train"],
        train=tables["train"],
        validation=tables["validation"],
        training=settings.training,
        seed=settings.seed,
        precision=study.hardware.precision,
        checkpoints=_checkpoints(study, task_name, model_name, name),
        loss=loss,
        validates_objective=True,
    )
    return session, tables["test"]


def _measure(session: TrainingSession, test: Any) -> dict[str, Any]:
    """What the model is worth on the test pairs. Sets the unit of its scores, that of the validation answers."""
    import torch

    from tunegrid.training.preferences.objectives import bradley_terry

    reward = session.model.eval()
    answers = torch.cat(_rewards(session, session.validation))
    reward.mean.copy_(answers.mean())
    reward.spread.copy_(answers.std(unbiased=False).clamp(min=1e-6))
    chosen, rejected = _rewards(session, test)
    bins, error = calibration(torch.sigmoid(chosen - rejected).tolist())
    return {
        "test_pairs": len(chosen),
        "accuracy": float((chosen > rejected).float().mean()),
        "test_loss": float(bradley_terry(chosen, rejected)),
        "calibration": bins,
        "calibration_error": error,
        "mean": float(reward.mean),
        "spread": float(reward.spread),
    }


def _rewards(session: TrainingSession, table: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """(raw rewards of the chosen answers, of the rejected ones) of a table of pairs."""
    import torch

    from tunegrid.training.batches import Collator, TokenDataset

    dataset, collator = TokenDataset(table), Collator(session.tokenizer, session.model)
    size, device, found = session.training.batch_size, session.model.head.weight.device, []
    for start in range(0, len(dataset), size):
        batch = collator([dataset[place] for place in range(start, min(start + size, len(dataset)))])
        with torch.inference_mode(), session.autocast():
            on_device = {name: tensor.to(device) for name, tensor in batch.items()}
            found.append([raw.float().cpu() for raw in session.model(on_device, "labels", "rejected")])
    chosen, rejected = (torch.cat(parts) for parts in zip(*found, strict=True))
    return chosen, rejected


def calibration(probabilities: list[float]) -> tuple[list[CalibrationBin], float]:
    """(bins of the calibration, expected calibration error) of the probabilities given to the chosen answers.

    Which of two answers was chosen is known, so each pair says as much about p as about 1 - p: the probability of the
    answer that the model prefers, from 0.5 to 1, is held against how often that answer was the chosen one. The error is
    the mean distance of the two over the bins, weighted by their pairs (Guo et al. 2017, arXiv 1706.04599).
    """
    bins, error = [], 0.0
    width = 0.5 / BINS
    preferred = [(max(p, 1 - p), p > 0.5) for p in probabilities]
    for number in range(BINS):
        low, high = 0.5 + number * width, 0.5 + (number + 1) * width
        inside = [(p, right) for p, right in preferred if low <= p < high or (number == BINS - 1 and p >= low)]
        if not inside:
            continue
        predicted = sum(p for p, _ in inside) / len(inside)
        observed = sum(right for _, right in inside) / len(inside)
        bins.append(
            CalibrationBin(low=low, high=min(high, 1.0), pairs=len(inside), predicted=predicted, observed=observed)
        )
        error += abs(predicted - observed) * len(inside) / len(preferred)
    return bins, error


def _write(study: Study, names: tuple[str, str, str], folder: Path, started: str, **facts: Any) -> RewardRecord:
    task, model, name = names
    settings = reward_settings(study, *names)
    record = RewardRecord(
        task=task,
        model=model,
        reward=name,
        pairs=study.rewards[name].pairs,
        seed=study.rewards[name].seed,
        configuration=settings,
        configuration_hash=digest(settings),
        provenance=study_provenance(
            study,
            started,
            data=study.paths.pairs_card(*pairs_place(study, task, model, study.rewards[name].pairs)),
            model=model,
        ),
        **facts,
    )
    write_record(folder / "reward.json", record)
    if record.status == "ok":
        print(
            f"{record.test_pairs} test pairs: accuracy {record.accuracy:.4f}, loss {record.test_loss:.4f}", flush=True
        )
    return record
