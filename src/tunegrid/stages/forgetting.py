"""The stage `evaluate-forgetting`: the pretraining loss of a run, or of an untuned model, on held-out text.

`forgetting.parquet` has the loss of each document, `forgetting.json` that of all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunegrid.common.files import replaced
from tunegrid.data.parquet import read_parquet
from tunegrid.methods import Method, Untuned
from tunegrid.methods.untuned import UntunedSettings
from tunegrid.results.records import ForgettingRecord, TrainRecord, read_record, write_record
from tunegrid.runtime import measure
from tunegrid.runtime.provenance import now
from tunegrid.stages.evaluate import check_run, load_tuned
from tunegrid.stages.record_facts import study_provenance
from tunegrid.study.cells import UNTUNED, Run
from tunegrid.study.evaluation_settings import Evaluation
from tunegrid.study.mixtures import cell_task
from tunegrid.study.study import Study
from tunegrid.tasks import Task


def forgetting_of_run(study: Study, run: Run) -> None:
    """Writes the pretraining loss of a run with what its method added; of a run that failed a record without one."""
    cell, folder = run.cell, study.paths.run(run)
    names = {"kind": "run", "task": cell.task, "model": cell.model, "method": cell.method, "seed": run.seed}
    trained = read_record(folder / "train.json", TrainRecord)
    if trained.status != "ok":
        _write(study, folder, names, now(), status=trained.status, reason=trained.reason)
        return
    check_run(study, run, folder, trained)
    _measure(study, folder, names, study.method(cell), folder / "weights", cell_task(study, cell))


def forgetting_of_untuned(study: Study, model: str) -> None:
    """Writes the pretraining loss of an untuned pretrained model."""
    names = {"kind": "untuned", "task": None, "model": model, "method": UNTUNED, "seed": None}
    method, folder = Untuned(UntunedSettings(), study.family(model)), study.paths.untuned_forgetting(model)
    _measure(study, folder, names, method, study.paths.model(model), study.task(study.grid.tasks[0], model))


def _measure(study: Study, folder: Path, names: dict[str, Any], method: Method, weights: Path, task: Task) -> None:
    import pandas as pd

    from tunegrid.models.generate import NonFiniteLogits
    from tunegrid.models.pretrain.forgetting import pretraining_losses
    from tunegrid.tasks.tokenise import as_text, special_token_names

    started, clock = now(), measure.clock()
    folder.mkdir(parents=True, exist_ok=True)
    # Losses are those of transformers' model, whichever engine predicts.
    plain = study.model_copy(update={"evaluation": Evaluation()})
    tuned = load_tuned(plain, folder, names["model"], method, weights, task)
    special = special_token_names(tuned.tokenizer)
    rows = [as_text(row, special) for row in read_parquet(study.paths.held_out_text / "text.parquet")]
    try:
        losses = pretraining_losses(
            tuned.model, tuned.tokenizer, method.family.model_types[0], rows, study.forgetting, tuned.precision
        )
    except NonFiniteLogits as error:
        _write(study, folder, names, started, status="failed", reason=str(error))
        return
    frame = pd.DataFrame(losses, columns=["nats", "tokens"])
    facts = {"documents": len(frame), "tokens": int(frame["tokens"].sum())}
    facts |= {"loss": float(frame["nats"].sum() / frame["tokens"].sum()), "seconds": measure.clock() - clock}
    _write(study, folder, names, started, frame, **facts)


def _write(study: Study, folder: Path, names: dict[str, Any], started: str, frame: Any = None, **facts: Any) -> None:
    import pandas as pd

    with replaced(folder / "forgetting.parquet") as temporary:
        (pd.DataFrame({"nats": [], "tokens": []}) if frame is None else frame).to_parquet(temporary, index=False)
    card = study.paths.held_out_text / "card.json"
    values = {"status": "ok", "reason": None} | facts
    record = ForgettingRecord(
        **names, **values, provenance=study_provenance(study, started, data=card, model=names["model"])
    )
    write_record(folder / "forgetting.json", record)
    what = record.reason or f"{record.loss:.4f} nats a token, {record.documents} documents, {record.tokens} tokens"
    print(f"pretraining loss: {what}", flush=True)
