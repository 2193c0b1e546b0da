"""Rows of the learning-rate search in the tidy tables: one for each trial, also for a missing one."""

from tunegrid.results.expected import Row
from tunegrid.results.read import StudyResults
from tunegrid.results.records import ChoiceRecord, TrialRecord, read_record
from tunegrid.results.tables.frames import provenance_columns
from tunegrid.study.cells import Cell

COLUMNS = (
    "study task model method factor learning_rate status reason metric score validation_loss chosen edge seed "
    "train_rows validation_rows steps examples tokens total_seconds optimisation_seconds evaluation_seconds "
    "prediction_seconds peak_memory_bytes"
)


def search_rows(study: StudyResults) -> tuple[list[Row], list[Row]]:
    """(rows of search.csv, their rows of provenance.csv), in the order of the cells; none where there is no search.

    Raises TuneGridError, naming the file, for a record that is not what it should be.
    """
    rows, provenance, search = [], [], study.expected.search
    tasks = study.expected.tasks if search else ()
    for cell in [Cell(*key) for task in tasks for key in study.expected.keys(task)]:
        file = study.paths.choice(cell)
        choice = read_record(file, ChoiceRecord, **cell.names) if file.exists() else None
        for name, factor in search.trials.items():
            row, file = cell.names | {"factor": factor, "chosen": False}, study.paths.trial(cell, name)
            if not file.exists():
                rows.append(row | {"status": "missing", "reason": "no result"})
                continue
            trial = read_record(file, TrialRecord, **cell.names, factor=factor)
            if choice and choice.factor == trial.factor:
                row |= {"chosen": True, "edge": choice.edge}
            rows.append(row | trial.model_dump(exclude={"factor", "cost", "provenance"}) | trial.cost.model_dump())
            stage = {"kind": "trial", "stage": "search", "seed": trial.seed}
            provenance.append(row | stage | provenance_columns(trial.provenance))
    return rows, provenance
