"""What `tunegrid clean` removes, what it never touches, and when it refuses."""

import os
import shutil
from pathlib import Path

import pytest

from tunegrid.cli import main
from tunegrid.study.cells import Cell, Run


@pytest.fixture
def finished(tiny_study):
    """The tiny study, with a result for all that it has to have."""
    study = tiny_study()
    paths = study.paths
    for run in study.runs():
        folder = paths.run(run)
        _write(folder / "weights" / "model.safetensors", 1000)
        _write(folder / "predictions.parquet", 10)
        _write(paths.checkpoints(run, "abc") / "checkpoint-1" / "x", 500)
        for name in ("train.json", "metrics.json"):
            _write(folder / name, 2)
    for task in study.grid.tasks:
        places = [paths.untuned(task, model) for model in study.grid.models]
        for folder in [*places, *(paths.baseline(task, name) for name in study.task(task).baselines())]:
            _write(folder / "metrics.json", 2)
    return study


def _write(file: Path, size: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * size)


def files() -> set[str]:
    return {str(file) for file in Path("results").rglob("*") if file.is_file()}


def clean(*options: str) -> int:
    return main(["clean", "tiny.yaml", "changes.yaml", *options])


def test_a_dry_run_removes_nothing(finished, capsys):
    before = files()
    assert clean("--dry-run", "--weights") == 0
    assert files() == before
    assert "would be removed" in capsys.readouterr().out


def test_checkpoints_tokens_and_models_go_and_what_tables_read_stays(finished, capsys):
    before = files()
    card = finished.paths.model_card("t5").read_text()
    assert clean() == 0
    gone = before - files()
    assert {Path(name).parts[2] for name in gone} == {"checkpoints", "tokens", "models"}
    assert all(name.endswith(".arrow") for name in gone if "/tokens/" in name)
    assert finished.paths.kept_card("t5").read_text() == card
    # 54 runs of 500 bytes each.
    assert "checkpoints 26.4 KiB" in capsys.readouterr().out
    assert clean() == 0
    assert "nothing that can be removed" in capsys.readouterr().out


@pytest.mark.parametrize("of", ["a model", "a trial"])
def test_what_a_killed_process_was_writing_goes(finished, of):
    from tunegrid.common.temporary import temporary_path

    trial = finished.paths.trial(Cell("qa", "t5", "lora"), "0.3")
    living = temporary_path(finished.paths.model("t5") if of == "a model" else trial.with_suffix(""))
    name = living.name.replace(f"-{os.getpid()}-", "-99999999-")  # above the largest number of a process
    _write(living / "x", 1)
    _write(living.with_name(name) / "model.safetensors", 1000)
    assert clean("--checkpoints") == 0
    assert living.is_dir()
    assert not living.with_name(name).exists()


def test_weights_go_only_on_request(finished):
    assert clean("--weights") == 0
    assert not any("/weights/" in name for name in files())
    assert all(
        (finished.paths.run(Run(Cell(*place), 1)) / "predictions.parquet").is_file() for place in [("qa", "t5", "full")]
    )


def test_an_unfinished_study_is_refused_but_its_finished_runs_lose_their_checkpoints(finished, capsys):
    paths = finished.paths
    undone = paths.run(Run(Cell("qa", "bart", "lora"), 2))
    for name in ("train.json", "metrics.json"):
        (undone / name).unlink()
    before = files()
    assert clean() == 1
    assert files() == before
    message = capsys.readouterr().err
    assert "1 of " in message
    assert "qa_bart_lora, seed 2" in message
    assert clean("--checkpoints") == 0
    kept = [name for name in files() if "/checkpoints/" in name]
    assert kept == [str(paths.checkpoints(Run(Cell("qa", "bart", "lora"), 2), "abc") / "checkpoint-1" / "x")]
    assert before - files() == {name for name in before if "/checkpoints/" in name} - set(kept)


def test_a_folder_where_snakemake_is_at_work_is_refused(finished, capsys):
    _write(Path(".snakemake/locks/0.input.lock"), 1)
    before = files()
    assert clean() == 1
    message = capsys.readouterr().err
    assert "Snakemake is at work" in message
    assert "`tunegrid unlock`" in message
    assert files() == before
    shutil.rmtree(".snakemake")
    assert clean() == 0


def test_a_study_that_lacks_its_other_domains_is_refused(finished, tiny_study, capsys):
    tiny_study("tasks: {qa: {evaluate_on: {away: {kind: generated, domain: away, rows: {test: 5}}}}}")
    assert clean() == 1
    assert "other domains" in capsys.readouterr().err
    for run in finished.runs():
        if run.cell.task == "qa":
            finished.paths.domain_results(finished.paths.run(run)).mkdir()
    assert clean() == 0
