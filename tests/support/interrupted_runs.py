"""Runs that are killed, for tests: kill -9 of a process of their own at a moment that the test names."""

import multiprocessing
import os
import shutil
import signal
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


def study_maker(tiny_study, monkeypatch: pytest.MonkeyPatch):
    """Makes the tiny study with other settings of training, and a validation loss that is best at step 6.

    No real one can be told when to get worse. The losses of step 3, 6, 9 and 12 are 3, 0, 3 and 6: it stops at 12.
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
    """Trains to the end; returns how many batches it trained on."""
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
    """Weights and history byte for byte, and all of train.json but times."""
    for name, folder in (("one", Path("whole")), ("two", folder_of(study, run))):
        shutil.rmtree(name, ignore_errors=True)
        shutil.copytree(folder, f"{name}/runs/run")
    assert compare(Path("one"), Path("two")) == []


# Where a process is killed: (moment, what is called then, the how-manieth call).
Moment = tuple[str, str, int]


def kill(study, moment: Moment, run: Run = RUN) -> None:
    """Trains in a process that ends itself with kill -9 before or after something is called so many times."""
    process = multiprocessing.get_context("fork").Process(target=_train_until, args=(study, run, moment))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL, f"it did not come to {moment}"


def _train_until(study, run: Run, moment: Moment) -> None:
    from tunegrid.stages import train as stage
    from tunegrid.training import trainer

    when, name, number = moment
    places = {"seal": trainer, "write_record": stage, "save": type(study.method(run.cell))}
    place, calls = places.get(name, trainer.GridTrainer), []
    real = getattr(place, name)

    def call(*given, **named):
        calls.append(1)
        if when == "before" and len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*given, **named)
        if when == "after" and len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(place, name, call)
    stage.train(study, run, folder_of(study, run))
