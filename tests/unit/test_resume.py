"""A run that is killed ends as one that never was: kill -9 at every moment that matters, and damaged checkpoints."""

import json
import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import pytest
import yaml

from tunegrid.cells import Cell, Run
from tunegrid.compare import compare
from tunegrid.errors import TuneGridError
from tunegrid.records import TrainRecord, read_record

# 40 rows in batches of 6, two to a step: 4 steps an epoch, whose last has one short batch. Neither the lines of the log
# nor the evaluations fall on the borders of epochs, nor on one another.
TRAINING = {
    "max_steps": 40, "batch_size": 6, "gradient_accumulation_steps": 2, "schedule": "constant", "warmup_ratio": 0.0,
    "logging_steps": 2, "evaluation_steps": 3, "keep_best": True, "early_stopping_patience": 2,
}  # fmt: skip
# Rates at which the validation loss soon gets worse.
RATES = {"full": 0.1, "lora": 0.2, "adapters": 0.5}
SLOW = pytest.mark.slow
RUN = Run(Cell("qa", "t5", "lora"), 1)


@pytest.fixture
def study_of(tiny_study):
    """The tiny study with other settings of training."""

    def load(method: str = "lora", **training):
        values = TRAINING | {"learning_rate": RATES[method]} | training
        return tiny_study(yaml.safe_dump({"training": values}))

    return load


def folder_of(study, run: Run = RUN) -> Path:
    return study.paths.run(run.cell.task, run.cell.model, run.cell.method, run.seed)


def checkpoints(study) -> list[Path]:
    return sorted(study.paths.root.glob("checkpoints/*/*/*/*/checkpoint-*"), key=lambda path: int(path.name[11:]))


def steps_of(study) -> list[int]:
    return [int(path.name[11:]) for path in checkpoints(study)]


def finish(study, run: Run = RUN) -> int:
    """Trains to the end; returns how many batches it trained on."""
    from tunegrid.train import train
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
    from tunegrid import train as stage
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


@pytest.mark.parametrize(("model", "method"), [
    ("t5", "full"), pytest.param("t5", "lora", marks=SLOW), pytest.param("t5", "adapters", marks=SLOW),
    pytest.param("flan-t5", "full", marks=SLOW), pytest.param("flan-t5", "lora", marks=SLOW), ("flan-t5", "adapters"),
    pytest.param("bart", "full", marks=SLOW), ("bart", "lora"), pytest.param("bart", "adapters", marks=SLOW),
])  # fmt: skip
def test_killed_again_and_again_a_run_ends_with_the_same_bits(study_of, model, method):
    threshold = 0.5 if (model, method) == ("flan-t5", "adapters") else 0.0  # it would get better to the end
    study, run = study_of(method, early_stopping_threshold=threshold), Run(Cell("qa", model, method), 1)
    chosen = undisturbed(study, run).selection
    assert chosen.stopped_early
    assert chosen.kept == "best"
    assert 3 <= chosen.step == chosen.best_step < 40

    kill(study, ("before", "training_step", 4), run)  # before the first evaluation
    assert steps_of(study) == []
    kill(study, ("after", "evaluate", 1), run)  # between it and its checkpoint
    assert steps_of(study) == []
    kill(study, ("before", "seal", 2), run)  # the second checkpoint is written, but not declared so
    assert steps_of(study) == [3, 6]
    kill(study, ("before", "training_step", 6), run)  # from step 3, written again and sealed, in the middle of a step
    kill(study, ("after", "seal", 1), run)  # the next one, before an older one is removed
    kill(study, ("before", "_load_best_model", 1), run)  # early stopping has ended it
    before = steps_of(study)
    kill(study, ("before", "save", 1), run)  # before the weights are saved
    kill(study, ("before", "write_record", 1), run)  # after that
    assert steps_of(study) == before
    assert chosen.step in before
    assert len(before) <= 3, "two, and the one that was to be removed when it was killed"
    assert finish(study, run) == 0, "it trained on"
    assert_as_undisturbed(study, run)
    assert not list(study.paths.root.glob("checkpoints/*/*/*/*"))


@pytest.mark.parametrize("evaluate_and_save", [(2, 3), (3, 2), (5, 4)])
def test_checkpoints_that_fall_between_evaluations_lose_nothing_of_early_stopping(study_of, evaluate_and_save):
    """With no best weights to keep, checkpoints need not be where evaluations are."""
    evaluation, saving = evaluate_and_save
    study = study_of(keep_best=False, evaluation_steps=evaluation, checkpoint_steps=saving)
    record = undisturbed(study)
    assert record.selection.stopped_early
    assert record.selection.kept == "last"
    assert record.selection.step == record.cost.steps > record.selection.best_step
    for number in (9, 5, 7):
        kill(study, ("before", "training_step", number))
    finish(study)
    assert_as_undisturbed(study)


def test_a_run_that_ends_in_the_middle_of_an_epoch_does_not_do_another_step(study_of):
    """The Trainer alone would: it forgets that it had come to its end."""
    study = study_of(max_steps=5, evaluation_steps=None, keep_best=False, early_stopping_patience=None,
                     checkpoint_steps=2)  # fmt: skip
    assert undisturbed(study).cost.steps == 5
    kill(study, ("before", "save", 1))
    assert steps_of(study) == [4, 5]
    assert finish(study) == 0
    assert_as_undisturbed(study)


def test_selection_by_the_metric_is_resumed_as_well(study_of):
    study = study_of(max_steps=9, select_by="metric", validation_rows=5, evaluation_steps=2)
    run = Run(Cell("sentiment", "bart", "lora"), 1)
    chosen = undisturbed(study, run).selection
    assert chosen.by == "accuracy"
    kill(study, ("after", "evaluate", 2), run)
    kill(study, ("after", "evaluate", 1), run)
    finish(study, run)
    assert_as_undisturbed(study, run)


def test_other_intervals_and_retention_use_the_same_checkpoints(study_of):
    shared = {"keep_best": False, "early_stopping_patience": None, "evaluation_steps": None, "max_steps": 12}
    study = study_of(**shared, checkpoint_steps=3)
    undisturbed(study)
    kill(study, ("before", "training_step", 8))
    assert steps_of(study) == [3]
    study = study_of(**shared, checkpoint_steps=5, checkpoints_kept=5, keep_checkpoints="always")
    finish(study)
    assert steps_of(study) == [3, 5, 10, 12], "the new settings hold"
    assert_as_undisturbed(study)


def test_the_work_before_an_interruption_is_part_of_the_cost(study_of):
    study = study_of()
    whole = undisturbed(study).cost
    kill(study, ("after", "seal", 2))
    seconds = json.loads((checkpoints(study)[-1] / "counts.json").read_text())
    finish(study)
    cost = read_record(folder_of(study) / "train.json", TrainRecord).cost
    assert (cost.steps, cost.examples, cost.tokens) == (whole.steps, whole.examples, whole.tokens)
    for name in ("optimisation_seconds", "evaluation_seconds", "saving_seconds"):
        assert getattr(cost, name) > seconds[name] > 0


# -- damage -----------------------------------------------------------------------------------------------------------

FILES = ["trainable.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "counts.json",
         "complete.json"]  # fmt: skip
PLAIN = {"keep_best": False, "early_stopping_patience": None, "evaluation_steps": None, "max_steps": 6,
         "checkpoint_steps": 2}  # fmt: skip


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_every_damage_of_every_file_is_noticed(study_of, capsys):
    """Each file cut off, with one bit flipped, and gone."""
    from tunegrid.training.checkpoints import last_checkpoint

    study = study_of(**PLAIN)
    kill(study, ("before", "training_step", 9))
    assert steps_of(study) == [2, 4]
    folder = checkpoints(study)[0].parent
    assert sorted(file.name for file in checkpoints(study)[1].iterdir()) == sorted(FILES)
    assert last_checkpoint(folder).name == "checkpoint-4"
    for file in FILES:
        for harm in (truncate, flip, Path.unlink):
            copy = shutil.copytree(folder, "copy")
            harm(copy / "checkpoint-4" / file)
            capsys.readouterr()
            assert last_checkpoint(copy).name == "checkpoint-2", (file, harm)
            said = capsys.readouterr().out
            assert said.startswith("copy/checkpoint-4 is not used: ")
            assert file in said or file == "complete.json"
            shutil.rmtree(copy)


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(study_of, capsys):
    study = study_of(**PLAIN)
    undisturbed(study)
    kill(study, ("before", "training_step", 9))
    truncate(checkpoints(study)[-1] / "optimizer.pt")
    assert finish(study) == 7  # steps 3 to 6
    said = capsys.readouterr().out
    assert "checkpoint-4 is not used: optimizer.pt is damaged" in said
    assert "goes on from" in said
    assert_as_undisturbed(study)


def test_with_every_checkpoint_damaged_it_begins_anew(study_of, capsys):
    study = study_of(**PLAIN)
    undisturbed(study)
    kill(study, ("before", "training_step", 9))
    for one in checkpoints(study):
        flip(one / "optimizer.pt")
    assert finish(study) == 11  # three epochs would be 14 batches
    assert capsys.readouterr().out.count("is not used: optimizer.pt is damaged") == 2
    assert_as_undisturbed(study)


def test_without_its_best_weights_a_newer_checkpoint_is_of_no_use(study_of, capsys):
    study = study_of()
    best = undisturbed(study).selection.step
    kill(study, ("before", "_load_best_model", 1))
    assert steps_of(study)[0] == best
    flip(checkpoints(study)[0] / "trainable.safetensors")
    assert finish(study) > 0
    assert f"the best one so far, of step {best}, is missing or damaged" in capsys.readouterr().out
    assert_as_undisturbed(study)


def test_a_moved_study_finds_its_best_weights(study_of, monkeypatch):
    study = study_of()
    undisturbed(study)
    kill(study, ("before", "_load_best_model", 1))
    here = Path.cwd()
    moved = here.with_name("moved")
    shutil.copytree(here, moved)
    shutil.rmtree(here / "results")
    monkeypatch.chdir(moved)
    assert finish(study) == 0
    assert_as_undisturbed(study)


class Harm:
    """What a pickle could do."""

    def __reduce__(self):
        return (Path.touch, (Path("harmed"),))


@pytest.mark.parametrize("file", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_checkpoint_runs_no_code(study_of, file):
    import torch

    from tunegrid.train import train
    from tunegrid.training.checkpoints import seal

    study = study_of(**PLAIN)
    kill(study, ("before", "training_step", 9))
    torch.save(Harm(), checkpoints(study)[-1] / file)
    seal(checkpoints(study)[-1])
    record = train(study, RUN, folder_of(study))
    assert record.status == "failed"
    assert "UnpicklingError" in record.reason
    assert not Path("harmed").exists()


# -- retention --------------------------------------------------------------------------------------------------------


def test_checkpoints_are_kept_where_the_study_says_so_and_used_again(study_of):
    study = study_of(keep_checkpoints="always", checkpoints_kept=3)
    chosen = undisturbed(study)
    assert len(steps_of(study)) == 3
    assert {chosen.selection.step, chosen.cost.steps} <= set(steps_of(study))
    assert finish(study) == 0
    assert_as_undisturbed(study)


@pytest.mark.parametrize("kept", [1, 2, 4])
def test_so_many_checkpoints_are_kept_while_a_run_goes_on(study_of, kept):
    study = study_of(**PLAIN | {"checkpoint_steps": 1, "checkpoints_kept": kept})
    kill(study, ("before", "save", 1))
    assert steps_of(study) == [1, 2, 3, 4, 5, 6][-kept:]


def test_a_failed_run_keeps_its_checkpoints_and_a_diverged_one_does_not(study_of, monkeypatch):
    from tunegrid.methods import METHODS
    from tunegrid.train import train

    study = study_of(**PLAIN)
    with monkeypatch.context() as patch:
        patch.setattr(METHODS["lora"], "save", lambda *given: 1 / 0)
        assert train(study, RUN, folder_of(study)).status == "failed"
    assert steps_of(study) == [4, 6]
    assert finish(study) == 0
    wild = {"learning_rate": 1.0e30, "max_grad_norm": 1.0e30}
    study, run = study_of("full", **PLAIN | {"checkpoint_steps": 1} | wild), Run(Cell("qa", "t5", "full"), 1)
    assert train(study, run, folder_of(study, run)).status == "diverged"
    assert steps_of(study) == []


# -- a full disk ------------------------------------------------------------------------------------------------------


def _train_with_little_space(study, run: Run, limit: int, said: str) -> None:
    import resource

    from tunegrid.train import train

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))  # "File too large": the same to a program as a full disk
    try:
        train(study, run, folder_of(study, run))
    except TuneGridError as error:
        Path(said).write_text(str(error)[: limit // 2])
        os._exit(3)
    os._exit(0)


def train_with_little_space(study, run: Run, limit: int) -> str:
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_train_with_little_space, args=(study, run, limit, "said.txt"))
    process.start()
    process.join(120)
    assert process.exitcode == 3, "no error that a person can mend"
    return Path("said.txt").read_text()


def test_a_checkpoint_that_cannot_be_written_ends_the_run_at_once_and_nothing_is_lost(study_of):
    """The optimiser's state of full tuning is the largest file; a run with more space goes on from the one before."""
    study, run = study_of("full", **PLAIN), Run(Cell("qa", "t5", "full"), 1)
    undisturbed(study, run)
    kill(study, ("before", "training_step", 5), run)
    said = train_with_little_space(study, run, 60_000)
    assert "checkpoint-4: the checkpoint of step 4 cannot be written" in said
    assert "goes on from the checkpoint before" in said
    assert steps_of(study) == [2], "half a checkpoint was left"
    assert list(folder_of(study, run).iterdir()) == [], "a full disk is no result"
    assert finish(study, run) == 7
    assert_as_undisturbed(study, run)


def test_weights_that_find_no_space_are_no_failed_run(study_of):
    study, run = study_of("full", **PLAIN), Run(Cell("qa", "t5", "full"), 1)
    undisturbed(study, run)
    kill(study, ("before", "save", 1), run)
    said = train_with_little_space(study, run, 30_000)
    assert "weights: cannot be written" in said
    assert list(folder_of(study, run).iterdir()) == []
    assert finish(study, run) == 0
    assert_as_undisturbed(study, run)
