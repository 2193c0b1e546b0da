"""The stage `evaluate_wordings`: how much the words of an instruction matter to a model, tuned or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunegrid.common.files import replaced
from tunegrid.data.parquet import read_parquet
from tunegrid.data.tokens import read_tokens, take_rows
from tunegrid.models.generate import NonFiniteLogits
from tunegrid.results.records import WordingsRecord, write_record
from tunegrid.results.records.asked import WordedScores
from tunegrid.runtime import measure
from tunegrid.runtime.provenance import now
from tunegrid.stages.latency import spread
from tunegrid.stages.record_facts import study_provenance
from tunegrid.stages.subject import Subject, run_subject, untuned_subject
from tunegrid.study.cells import Cell, Run
from tunegrid.study.mixtures import mixed_names, settings_of, wordings
from tunegrid.study.study import Study


def evaluate_wordings(study: Study, run: Run, folder: Path) -> WordingsRecord:
    """Has a run answer the test rows in each wording and writes `wordings.parquet` and `wordings.json`.

    A run that failed gets a record without scores.
    """
    return _evaluate(study, run.cell, run_subject(study, run, folder))


def evaluate_untuned_wordings(study: Study, cell: Cell, folder: Path) -> WordingsRecord:
    """Has the untuned model of a cell answer the test rows in each wording."""
    return _evaluate(study, cell, untuned_subject(study, cell.task, cell.model, folder))


def _evaluate(study: Study, cell: Cell, subject: Subject) -> WordingsRecord:
    import pandas as pd

    started, clock = now(), measure.clock()
    if subject.failure:
        return _write(study, cell, subject, started, **subject.failure)
    paths, settings = study.paths, settings_of(study, cell)
    task, tuned = study.task(cell.task, cell.model), subject.load(study)
    rows = read_parquet(paths.split(cell.task, "test"))
    chosen = spread(len(rows), settings.wording_rows or len(rows))
    rows, scores, tables = [rows[index] for index in chosen], [], []
    for wording in wordings(study, cell.task, settings):
        tokens = read_tokens(paths.wording_tokens(cell.task, cell.model, cell.method) / f"{wording.name}.arrow")
        try:
            answers = tuned.predict(take_rows(tokens, chosen), len(rows)).texts
        except NonFiniteLogits as error:
            return _write(study, cell, subject, started, status="failed", reason=str(error))
        scored = task.score(answers, rows)
        first = {"wording": wording.name, "id": [row["id"] for row in rows], "prediction": answers}
        first["references"] = [task.references(row) for row in rows]
        tables.append(pd.concat([pd.DataFrame(first), scored.examples], axis=1))
        scores.append(
            WordedScores(name=wording.name, template=wording.template, trained=wording.trained, metrics=scored.metrics)
        )
        print(f"{wording.name}: {task.primary} {scored.metrics[task.primary]:.4f}  ({wording.template})", flush=True)
    facts = {"examples": len(rows), "wordings": scores, "seconds": measure.clock() - clock}
    return _write(study, cell, subject, started, pd.concat(tables, ignore_index=True), **facts)


def _write(study: Study, cell: Cell, subject: Subject, started: str, table: Any = None, **facts: Any) -> WordingsRecord:
    import pandas as pd

    if table is None:
        table = pd.DataFrame({"wording": [], "id": [], "prediction": [], "references": []})
    with replaced(subject.folder / "wordings.parquet") as temporary:
        table.to_parquet(temporary, index=False)
    record = WordingsRecord(
        **subject.names | {"method": cell.method},  # of an untuned model the method whose wordings it is asked in
        held_out=cell.task not in mixed_names(study, settings_of(study, cell)),
        primary=study.task(cell.task).primary,
        **{"status": "ok", "reason": None, "examples": 0, "wordings": [], "seconds": None} | facts,
        provenance=study_provenance(study, started, data=study.paths.data_card(cell.task), model=cell.model),
    )
    write_record(subject.folder / "wordings.json", record)
    return record
