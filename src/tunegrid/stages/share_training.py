"""The stage `share_training`: the run of a task as what was trained on a mixture of tasks, for all that reads runs."""

from __future__ import annotations

import shutil
from pathlib import Path

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced_folder
from tunegrid.models.sources import copy_file
from tunegrid.results.records import TrainRecord, read_record, write_record
from tunegrid.results.records.training import Shared
from tunegrid.runtime.provenance import digest
from tunegrid.stages.train import hold_lock
from tunegrid.study.cells import Run
from tunegrid.study.mixtures import mixed_names, settings_of
from tunegrid.study.stage_settings import run_settings
from tunegrid.study.study import Study


def share_training(study: Study, run: Run, folder: Path) -> TrainRecord:
    """Writes `weights/`, `history.csv` and `train.json` of a run from the training of its mixture.

    The files of the weights are further names of the same files where the disk can have them, else copies. The record
    has the cost of the whole training and says how many cells share it. A training that failed or diverged fails all.

    Raises:
        TuneGridError: the mixture was not trained, or with other settings than the study has now.
    """
    cell, training = run.cell, Run(study.training_of(run.cell), run.seed)
    source = study.paths.run(training)
    if not (source / "train.json").is_file():
        raise TuneGridError(
            f"{source / 'train.json'}: no such file. Write it first: tunegrid train-mixture CONFIG "
            f"--model {cell.model} --method {cell.method} --seed {run.seed}"
        )
    record = read_record(source / "train.json", TrainRecord, **training.names)
    if record.configuration_hash != digest({**run_settings(study, cell), "seed": run.seed}):
        raise TuneGridError(
            f"{source / 'train.json'}: was trained with other settings than the study has now. Train it again."
        )
    with hold_lock(study, run):
        with replaced_folder(folder / "weights") as weights:
            # Snakemake notes the time of a folder in a hidden file of it, which has to be each folder's own.
            files = (path for path in (source / "weights").rglob("*") if path.is_file() and path.name[0] != ".")
            for file in sorted(files):
                target = weights / file.relative_to(source / "weights")
                target.parent.mkdir(parents=True, exist_ok=True)
                copy_file(file, target, link=True)
        shutil.copyfile(source / "history.csv", folder / "history.csv")
        tasks = mixed_names(study, settings_of(study, cell))
        shared = Shared(
            training=str(source.relative_to(study.paths.root)),
            tasks=tasks,
            cells=len(study.sharing(cell)),
            held_out=cell.task not in tasks,
        )
        own = record.model_copy(update={"task": cell.task, "shared": shared})
        write_record(folder / "train.json", own)
    role = "held out of" if shared.held_out else "one of"
    print(f"{cell}, seed {run.seed}: {source} ({cell.task} is {role} its tasks {', '.join(tasks)})", flush=True)
    return own
