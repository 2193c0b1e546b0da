"""Runs that are trained for a test, through the real stage."""

from pathlib import Path

from tunegrid.study.cells import Cell, Run


def trained(study, task: str, method: str, model: str = "t5") -> tuple[Run, Path]:
    """(a run of seed 1, its folder)."""
    from tunegrid.stages.train import train

    run = Run(Cell(task, model, method), 1)
    folder = study.paths.run(Run(Cell(task, model, method), 1))
    train(study, run, folder)
    return run, folder
