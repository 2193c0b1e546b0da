"""Trains runs in processes of their own that are killed, or asked to stop, at a moment that the test names."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tunegrid.results.compare import compare
from tunegrid.results.records import TrainRecord, read_record
from tunegrid.study.cells import Cell, Run

# 40 rows in batches of 6, two to a step: 4 steps an epoch, whose last has one short batch. Neither the lines of the log
# nor the evaluations fall on the borders of epochs, nor on one another.
TRAINING = {
    "max_steps": 40, "batch_size": 6, "learning_rate": 0.02, "gradient_accumulation_steps": 2, "schedule": "constant", "warmup_ratio": 0.0,
    "logging_steps": 2, "evaluation_steps": 3, "keep_best": True, "early_stopping_patience": 2, "length_buckets": True,
}  # fmt: skip
PLAIN = {"keep_best": False, "early_stopping_patience": None, "evaluation_steps": None, "max_steps": 6,
         "checkpoint_steps": 2}  # fmt: skip
RUN = Run(Cell("qa", "t5", "lora"), 1)


@pytest.fixture
def study_of(tiny_study, monkeypatch: pytest.MonkeyPatch):
    """Returns a function that makes the tiny study with other settings of training; its validation loss is best at step 6.

    No real loss can be told when to get worse. The losses of steps 3, 6, 9 and 12 are 3, 0, 3 and 6, so early stopping
    ends the run at step 12.
    """
    from tunegrid.training.trainer import GridTrainer

    real = GridTrainer.evaluation_loop

    def evaluation_loop(trainer, *given, **named):
        output = real(trainer, *given, **named)
        output.metrics["eval_loss"] = float(abs(trainer.state.global_step - 6))
        return output

    monkeypatch.setattr(GridTrainer, "evaluation_loop", evaluation_loop)
    return lambda **training: tiny_study(yaml.safe_dump({"training": TRAINING | training}))


def folder_of(study, run: Run = RUN) -> Path:
    return study.paths.run(run)


def checkpoints(study) -> list[Path]:
    return sorted(study.paths.root.glob("checkpoints/*/*/*/*/checkpoint-*"), key=lambda path: int(path.name[11:]))


def steps_of(study) -> list[int]:
    return [int(path.name[11:]) for path in checkpoints(study)]


def finish(study, run: Run = RUN) -> int:
    """Trains to the end; returns the number of batches that it trained on."""
    from tunegrid.stages.train import train
    from tunegrid.training.trainer import GridTrainer

    count, step = [], GridTrainer.training_step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GridTrainer, "training_step", lambda *given: count.append(1) or step(*given))
        record = train(study, run, folder_of(study, run))
    assert (record.status, record.reason) == ("ok", None)
    return len(count)


def undisturbed(study, run: Run = RUN) -> TrainRecord:
    """Trains the run, and moves what it wrote to `whole/`."""
    finish(study, run)
    folder_of(study, run).rename("whole")
    return read_record(Path("whole/train.json"), TrainRecord)


def assert_as_undisturbed(study, run: Run = RUN) -> None:
    """Compares the run with the one in `whole/`: weights and history byte for byte, train.json without its times."""
    for name, folder in (("one", Path("whole")), ("two", folder_of(study, run))):
        shutil.rmtree(name, ignore_errors=True)
        shutil.copytree(folder, f"{name}/runs/run")
    assert compare(Path("one"), Path("two")) == []


def finish_as_undisturbed(study, run: Run = RUN) -> int:
    """Trains to the end, which has to be that of the run in `whole/`; returns the number of batches that it trained on."""
    batches = finish(study, run)
    assert_as_undisturbed(study, run)
    return batches


# When a process is interrupted: before or after which function is called, and for which time (from 1).
Moment = tuple[str, str, int]


def kill(study, moment: Moment, run: Run = RUN) -> None:
    """Trains in a process that kills itself (-9) at a moment."""
    assert _interrupted(study, run, moment, signal.SIGKILL)[0] == -signal.SIGKILL, f"it did not come to {moment}"


def stop(study, moment: Moment, run: Run = RUN, signals: Sequence[int] = (signal.SIGTERM,)) -> int | None:
    """Trains in a process that sends itself signals at a moment; returns the step at which it stopped, None if at none."""
    code, step = _interrupted(study, run, moment, *signals)
    assert code == 0, f"it did not come to {moment}"
    return step


def _interrupted(study, run: Run, moment: Moment, *signals: int) -> tuple[int, int | None]:
    """Returns the exit code of the process that trained, and the step at which it stopped."""
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_train_until, args=(study, run, moment, signals, writer))
    process.start()
    process.join(240)
    return process.exitcode, reader.recv() if process.exitcode == 0 else None


def _train_until(study, run: Run, moment: Moment, signals: Sequence[int], answer) -> None:
    from tunegrid.runtime.stopping import Stopped
    from tunegrid.stages import train as stage
    from tunegrid.training import trainer

    when, name, number = moment
    owners = {"seal": trainer, "prepare": stage, "write_record": stage, "save": type(study.method(run.cell))}
    owner, calls = owners.get(name, trainer.GridTrainer), []
    real = getattr(owner, name)

    def interrupt() -> None:
        if len(calls) == number:
            for signal_number in signals:
                os.kill(os.getpid(), signal_number)

    def call(*given, **named):
        calls.append(1)
        if when == "before":
            interrupt()
        result = real(*given, **named)
        if when == "after":
            interrupt()
        return result

    setattr(owner, name, call)
    try:
        stage.train(study, run, folder_of(study, run))
    except Stopped as stopped:
        answer.send(stopped.step)
    else:
        answer.send(None)
