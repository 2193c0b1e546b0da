"""The stage `evaluate-forgetting`: the pretraining loss of a run, or of an untuned model, on held-out text.

`forgetting.parquet` has the loss of each document, `forgetting.json` that of all of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tunegrid.common.files import replaced
from tunegrid.data.parquet import read_parquet
from tunegrid.models.pretrain.forgetting import pretraining_losses
from tunegrid.results.records import ForgettingRecord, write_record
from tunegrid.runtime import measure
from tunegrid.runtime.provenance import now
from tunegrid.stages.record_facts import study_provenance
from tunegrid.stages.subject import Subject, run_subject, untuned_subject
from tunegrid.study.cells import Run
from tunegrid.study.evaluation_settings import Evaluation
from tunegrid.study.study import Study
from tunegrid.tasks.tokenise import as_text, special_token_names


def forgetting_of_run(study: Study, run: Run) -> None:
    """Writes the pretraining loss of a run with what its method added; of a run that failed a record without one."""
    _measure(study, run_subject(study, run))


def forgetting_of_untuned(study: Study, model: str) -> None:
    """Writes the pretraining loss of an untuned pretrained model."""
    subject = untuned_subject(study, study.grid.tasks[0], model, study.paths.untuned_forgetting(model))
    _measure(study, replace(subject, names=subject.names | {"task": None}))  # it is that of all tasks


def _measure(study: Study, subject: Subject) -> None:
    import pandas as pd

    from tunegrid.models.generate import NonFiniteLogits

    started, clock = now(), measure.clock()
    if subject.failure:
        _write(study, subject, started, **subject.failure)
        return
    subject.folder.mkdir(parents=True, exist_ok=True)
    # Losses are those of transformers' model, whichever engine predicts.
    plain = study.model_copy(update={"evaluation": Evaluation()})
    tuned = subject.load(plain)
    special = special_token_names(tuned.tokenizer)
    rows = as_text(read_parquet(study.paths.held_out_text / "text.parquet"), special)
    try:
        losses = pretraining_losses(
            tuned.model, tuned.tokenizer, subject.method.family.model_types[0], rows, study.forgetting, tuned.precision
        )
    except NonFiniteLogits as error:
        _write(study, subject, started, status="failed", reason=str(error))
        return
    frame = pd.DataFrame(losses, columns=["nats", "tokens"])
    facts = {"documents": len(frame), "tokens": int(frame["tokens"].sum())}
    facts |= {"loss": float(frame["nats"].sum() / frame["tokens"].sum()), "seconds": measure.clock() - clock}
    _write(study, subject, started, frame, **facts)


def _write(study: Study, subject: Subject, started: str, frame: Any = None, **facts: Any) -> None:
    import pandas as pd

    folder, names = subject.folder, subject.names
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
