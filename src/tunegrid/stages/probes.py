"""The stage `evaluate-probes`: the scores of a run, or of an untuned model, on the bias probes of its task.

Each set of probes is a folder beside the result's own predictions, `probes/<name>/`: `probe.json`, and `scores.parquet`
with the texts and scores of every pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.common.files import replaced, replaced_folder
from tunegrid.results.records import ProbeRecord, write_record
from tunegrid.results.records.asked import ProbeScores
from tunegrid.runtime.provenance import digest, now
from tunegrid.stages.evaluate import Stopwatch
from tunegrid.stages.record_facts import study_provenance
from tunegrid.stages.subject import Subject, run_subject, untuned_subject
from tunegrid.study.cells import Run
from tunegrid.study.study import Study
from tunegrid.tasks import Row
from tunegrid.tasks.probes import ProbePair, ProbeSet, Scored
from tunegrid.tasks.probes.prompts import encode_prompts

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from tunegrid.stages.latency import TunedModel


def probe_run(study: Study, run: Run) -> None:
    """Scores a run on the bias probes of its task; of a run that failed each set gets a record without scores."""
    _probe(study, run_subject(study, run))


def probe_untuned(study: Study, task: str, model: str) -> None:
    """Scores an untuned pretrained model on the bias probes of a task."""
    _probe(study, untuned_subject(study, task, model))


@dataclass(frozen=True)
class _Asked:
    """A loaded model, asked as the task asks it: a `ProbeModel`."""

    tuned: TunedModel
    place: str  # of the set in the study, for messages

    def choose(self, rows: Sequence[Row], words: Sequence[str]) -> np.ndarray:
        import numpy as np

        from tunegrid.tasks.predict import choose_words

        tuned = self.tuned
        logs = choose_words(tuned.model, tuned.tokenizer, tuned.task, self._sources(rows), words, tuned.precision)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def write(self, rows: Sequence[Row]) -> list[str]:
        import pyarrow

        sources = self._sources(rows)
        return self.tuned.predict(pyarrow.table({"input_ids": sources, "row": range(len(rows))}), len(rows)).texts

    def _sources(self, rows: Sequence[Row]) -> list[list[int]]:
        """Token ids of the prompts. Raises TuneGridError for a text that is too long."""
        tuned = self.tuned
        return encode_prompts(tuned.task, tuned.method.family.name, tuned.tokenizer, rows, self.place)


def _probe(study: Study, subject: Subject) -> None:
    from tunegrid.models.generate import NonFiniteLogits

    if subject.failure:
        _write_each(study, subject, lambda new, names, _: _write(study, new, names, now(), **subject.failure))
        return
    tuned, asked = subject.load(study), subject.task

    def write(new: Path, identity: dict[str, Any], probes: ProbeSet) -> None:
        started, watch = now(), Stopwatch()
        pairs = list(probes.rows(asked))
        try:
            scored = probes.score(asked, _Asked(tuned, f"probes.{identity['probe']}"), pairs)
        except NonFiniteLogits as error:
            _write(study, new, identity, started, status="failed", reason=str(error))
            return
        facts = {"texts": digest([pair.rows for pair in pairs]), "seconds": watch.lap()}
        frame = _frame(pairs, scored)
        with replaced(new / "scores.parquet") as temporary:
            frame.to_parquet(temporary, index=False)
        _write(study, new, identity, started, scores=list(_means(probes, frame)), **facts)

    _write_each(study, subject, write)


def _frame(pairs: Sequence[ProbePair], scored: Scored) -> pd.DataFrame:
    """One row per pair: template and condition; word, text, score and, where it was written, answer of both sides."""
    import pandas as pd

    columns: dict[str, Any] = {
        "template": [pair.template for pair in pairs],
        "condition": [pair.condition for pair in pairs],
    }
    for side, name in enumerate(("first", "second")):
        columns[f"{name}_word"] = [pair.words[side] for pair in pairs]
        columns[f"{name}_text"] = ["\n".join(pair.rows[side].values()) for pair in pairs]
        columns[f"{name}_score"] = scored.scores[:, side]
        if scored.answers is not None:
            columns[f"{name}_answer"] = [answers[side] for answers in scored.answers]
    return pd.DataFrame(columns)


def _means(probes: ProbeSet, frame: pd.DataFrame) -> Iterator[ProbeScores]:
    for condition in probes.conditions:
        part = frame[frame["condition"] == condition]
        if len(part):
            means = {name: float(part[f"{name}_score"].mean()) for name in ("first", "second")}
            yield ProbeScores(condition=condition, templates=int(part["template"].nunique()), pairs=len(part), **means)


def _write_each(study: Study, subject: Subject, write: Callable[[Path, dict[str, Any], ProbeSet], object]) -> None:
    """Writes the results of every set of probes of a task into a folder of its own, all or none of them."""
    with replaced_folder(study.paths.probe_results(subject.folder)) as new:
        for name, probes in study.probe_sets(subject.names["task"]).items():
            (new / name).mkdir()
            write(new / name, subject.names | {"probe": name}, probes)


def _write(study: Study, folder: Path, names: dict[str, Any], started: str, **facts: Any) -> None:
    card = study.paths.data_card(names["task"])
    values = {"status": "ok", "reason": None} | facts
    provenance = study_provenance(study, started, data=card, model=names["model"], engine=study.evaluation.engine)
    record = ProbeRecord(**names, **values, provenance=provenance)
    write_record(folder / "probe.json", record)
    for part in record.scores:
        what = f"{record.probe}{f', {part.condition}' if part.condition else ''}"
        print(f"{what}: {part.first:.4f} and {part.second:.4f}, {part.pairs} pairs", flush=True)
    if record.reason:
        print(f"{record.probe}: {record.status}: {record.reason}", flush=True)
