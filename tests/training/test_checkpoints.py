"""Checkpoints on disk: damage is noticed, so many are kept, a full disk loses nothing, and none runs code."""

import multiprocessing
import os
import shutil
from pathlib import Path

import pytest

from tests.support.diverging import DIVERGING
from tests.support.interrupted_runs import (
    PLAIN,
    RUN,
    assert_as_undisturbed,
    checkpoints,
    finish,
    finish_as_undisturbed,
    folder_of,
    kill,
    steps_of,
    undisturbed,
)
from tunegrid.common.errors import TuneGridError
from tunegrid.study.cells import Cell, Run

# -- damage -----------------------------------------------------------------------------------------------------------

FILES = ["trainable.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "counts.json",
         "complete.json"]  # fmt: skip


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
            copy = Path(shutil.copytree(folder, "copy"))
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
    undisturbed(study)
    kill(study, ("before", "_load_best_model", 1))
    assert steps_of(study) == [6, 12]
    flip(checkpoints(study)[0] / "trainable.safetensors")
    assert finish(study) > 0
    assert "the best one so far, of step 6, is missing or damaged" in capsys.readouterr().out
    assert_as_undisturbed(study)


def test_the_one_before_a_damaged_best_can_still_be_gone_on_from(study_of, monkeypatch, capsys):
    """Its own best weights are not removed when better ones come: those may be damaged."""
    from tunegrid.training.trainer import GridTrainer

    real, losses = GridTrainer.evaluation_loop, {3: 1.0, 6: 2.0, 9: 0.5, 12: 2.0, 15: 2.0}

    def evaluation_loop(trainer, *given, **named):
        output = real(trainer, *given, **named)
        output.metrics["eval_loss"] = losses[trainer.state.global_step]
        return output

    monkeypatch.setattr(GridTrainer, "evaluation_loop", evaluation_loop)
    study = study_of(max_steps=15)
    undisturbed(study)
    kill(study, ("after", "evaluate", 4))  # step 12's checkpoint is not there yet
    assert steps_of(study) == [3, 9], "6 would be of no use without 3"
    flip(checkpoints(study)[-1] / "optimizer.pt")
    finish(study)
    assert "checkpoint-3\n" in capsys.readouterr().out.partition("goes on from ")[2]
    assert_as_undisturbed(study)


@pytest.mark.parametrize(
    ("best_of", "count", "kept"),
    [
        ({3: 3, 6: 6, 9: 9}, 2, [6, 9]),
        ({3: 3, 6: 3, 9: 3}, 2, [3, 9]),
        ({3: 3, 6: 3, 9: 9}, 2, [3, 9]),
        ({3: 3, 6: 3, 9: 9}, 3, [3, 6, 9]),
        ({3: 3, 6: 6, 9: 6, 12: 12}, 3, [6, 9, 12]),
        ({3: 3, 6: 6, 9: 6, 12: 12}, 2, [6, 12]),
        ({3: 3, 6: 3, 9: 9}, 1, [9]),
        ({3: None, 6: None, 9: None}, 2, [6, 9]),
    ],
)
def test_of_the_older_ones_those_are_kept_that_are_of_use_without_the_others(tmp_path, best_of, count, kept):
    from tunegrid.training.checkpoints import prune

    for step, best in best_of.items():
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}/trainer_state.json").write_text(f'{{"best_global_step": {best or "null"}}}')
    prune(tmp_path, count, keep_best=True)
    assert sorted(int(one.name[11:]) for one in tmp_path.iterdir()) == kept


def test_a_moved_study_finds_its_best_weights(study_of, monkeypatch):
    study = study_of()
    undisturbed(study)
    kill(study, ("before", "_load_best_model", 1))
    here = Path.cwd()
    moved = here.with_name("moved")
    shutil.copytree(here, moved)
    shutil.rmtree(here / "results")
    monkeypatch.chdir(moved)
    assert finish_as_undisturbed(study) == 0


class Harm:
    """What a pickle could do."""

    def __reduce__(self):
        return (Path.touch, (Path("harmed"),))


@pytest.mark.parametrize("file", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_checkpoint_runs_no_code(study_of, file):
    import torch

    from tunegrid.stages.train import train
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
    undisturbed(study)
    assert steps_of(study) == [6, 9, 12]
    assert finish_as_undisturbed(study) == 0


@pytest.mark.parametrize("kept", [1, 2, 4])
def test_so_many_checkpoints_are_kept_while_a_run_goes_on(study_of, kept):
    study = study_of(**PLAIN | {"checkpoint_steps": 1, "checkpoints_kept": kept})
    kill(study, ("before", "save", 1))
    assert steps_of(study) == [1, 2, 3, 4, 5, 6][-kept:]


def test_a_failed_run_keeps_its_checkpoints_and_a_diverged_one_does_not(study_of, monkeypatch):
    from tunegrid.methods import METHODS
    from tunegrid.stages.train import train

    study = study_of(**PLAIN)
    with monkeypatch.context() as patch:
        patch.setattr(METHODS["lora"], "save", lambda *given: 1 / 0)
        assert train(study, RUN, folder_of(study)).status == "failed"
    assert steps_of(study) == [4, 6]
    assert finish(study) == 0
    study, run = study_of(**PLAIN | {"checkpoint_steps": 1} | DIVERGING), Run(Cell("qa", "t5", "full"), 1)
    assert train(study, run, folder_of(study, run)).status == "diverged"
    assert steps_of(study) == []


# -- a full disk ------------------------------------------------------------------------------------------------------


def _train_with_little_space(study, run: Run, limit: int, said: str) -> None:
    import resource

    from tunegrid.stages.train import train

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
    study, run = study_of(**PLAIN), Run(Cell("qa", "t5", "full"), 1)
    undisturbed(study, run)
    kill(study, ("before", "training_step", 5), run)
    said = train_with_little_space(study, run, 60_000)
    assert "checkpoint-4: the checkpoint of step 4 cannot be written" in said
    assert "goes on from the checkpoint before" in said
    assert steps_of(study) == [2], "half a checkpoint was left"
    assert list(folder_of(study, run).iterdir()) == [], "a full disk is no result"
    assert finish_as_undisturbed(study, run) == 7


def test_weights_that_find_no_space_are_no_failed_run(study_of):
    study, run = study_of(**PLAIN), Run(Cell("qa", "t5", "full"), 1)
    undisturbed(study, run)
    kill(study, ("before", "save", 1), run)
    said = train_with_little_space(study, run, 30_000)
    assert "weights: cannot be written" in said
    assert list(folder_of(study, run).iterdir()) == []
    assert finish_as_undisturbed(study, run) == 0
