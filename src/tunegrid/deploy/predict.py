"""Answers of one run, by the steps of its evaluation: the same prompts, windows, cuts, settings and label words."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TextIO

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import written
from tunegrid.deploy.choose import Winner, require_form
from tunegrid.deploy.input import Input, Stream
from tunegrid.runtime import cpu_kernels
from tunegrid.study.engine import compute_type, plain_model, require_engine
from tunegrid.study.evaluation_settings import Engine
from tunegrid.study.mixtures import cell_task
from tunegrid.study.study import Study
from tunegrid.tasks import Row, Task

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from tunegrid.models.converted import ComputeType
    from tunegrid.models.forms import Form

BATCHES = 16  # of the evaluation's size, answered at once: they are sorted by length among themselves


class Answerer:
    """The tuned model of a run, with its tokenizer and task."""

    def __init__(
        self,
        study: Study,
        winner: Winner,
        merged: bool = True,
        engine: Engine = "transformers",
        compute: ComputeType | None = None,
        form: Form | None = None,
        many: bool = False,
    ) -> None:
        """Loads the model.

        Args:
            merged: without the method's own modules, where that is defined (LoRA).
            engine: what computes; `ctranslate2` only with merged models.
            compute: type of CTranslate2's weights; None: the study's precision.
            form: of the weights, which decides what computes; None: as they were trained.
            many: computed as is fastest for many rows, not for one, where there is a difference.

        Raises:
            TuneGridError: the engine is not there, or cannot compute this model.
        """
        from tunegrid.data.tokens import load_tokenizer
        from tunegrid.runtime.torch_device import pick_device

        cell = winner.run.cell
        self.precision = study.hardware.precision
        self.weights = winner.folder / "weights"
        tokenizer = load_tokenizer(study.paths.model(cell.model))
        device = pick_device(study.hardware)
        if form is not None:
            self.precision = "fp32"  # no autocast: a form has its own precision
            model = load_form(study, winner, form, tokenizer, device, many)
        elif engine == "ctranslate2":
            require_engine(engine)
            from tunegrid.models.converted import Converted, convert

            plain = plain_model(study.method(cell), load_model(study, winner, merged=False))
            with TemporaryDirectory() as folder:
                convert(plain, tokenizer, Path(folder))
                model = Converted(
                    Path(folder),
                    device=device.type,
                    threads=study.hardware.threads,
                    compute=compute or compute_type(study),
                )
                model.answer_many(many)
        else:
            model = cpu_kernels.place(load_model(study, winner, merged), device).eval()
        self._take(cell_task(study, cell), study.models[cell.model].family, tokenizer, model)

    def _take(self, task: Task, family: str, tokenizer: PreTrainedTokenizerBase, model: Any) -> None:
        from tunegrid.tasks.unreadable import Unread

        self.task, self.family, self.tokenizer, self.model = task, family, tokenizer, model
        self.unread = Unread(task, tokenizer)
        tokenizer.deprecation_warnings["Asking-to-pad-a-fast-tokenizer"] = True  # advice that says nothing here

    def answer(self, rows: list[Row]) -> list[dict[str, Any]]:
        """Answers rows: their `id`, if any, their `prediction`, and the further columns of predictions.parquet."""
        from tunegrid.models.generate import NonFiniteLogits
        from tunegrid.tasks.predict import predict_rows
        from tunegrid.tasks.tokenise import tokenise_unlabelled

        if not rows:
            return []
        self.unread.add(rows)
        tokens = tokenise_unlabelled(self.task, self.family, self.tokenizer, rows)
        try:
            predicted = predict_rows(self.model, self.tokenizer, self.task, tokens, len(rows), precision=self.precision)
        except NonFiniteLogits as error:
            raise TuneGridError(f"{self.weights}: {error}.") from error
        more = [{}] * len(rows) if predicted.columns is None else predicted.columns.to_dict("records")
        ids = [{"id": row["id"]} if "id" in row else {} for row in rows]
        return [
            {**given, "prediction": text, **{key: value for key, value in further.items() if value == value}}  # not NaN
            for given, text, further in zip(ids, predicted.texts, more, strict=True)
        ]


def load_form(
    study: Study,
    winner: Winner,
    form: Form,
    tokenizer: PreTrainedTokenizerBase,
    device: torch.device,
    many: bool = False,
) -> Any:
    """A run's model in another form, on a device: as it was saved where it was tuned, else made of the run's weights.

    `many`: as for `Answerer`.

    Raises:
        TuneGridError: it was tuned, and is not there.
    """
    if form.tuned_by:
        from tunegrid.models import load

        return cpu_kernels.place(load.load_model(require_form(study, winner, form)), device).eval()
    method = study.method(winner.run.cell)
    plain = plain_model(method, load_model(study, winner, merged=False))
    with TemporaryDirectory() as folder:
        threads = study.hardware.threads
        formed = form.make(plain, tokenizer, Path(folder), family=method.family, device=device.type, threads=threads)
        if form.converts:
            formed.predictor.answer_many(many)
    return formed.predictor


def load_model(study: Study, winner: Winner, merged: bool = True) -> Any:
    """A run's tuned model, on the CPU. `merged`: as a plain model of transformers, where its method defines that."""
    cell = winner.run.cell
    method = study.method(cell)
    model = method.load(study.paths.model(cell.model), winner.folder / "weights")
    plain = method.merge(model) if merged else None
    return model if plain is None else plain


def answer_all(answerer: Answerer, source: Input, output: Path | None, at_once: int | None) -> None:
    """Answers every row of the input, in order.

    Warns once, at the end, if the input holds characters that the model's vocabulary does not have.

    Args:
        output: a file of JSON Lines, there whole or not at all; none: standard output, one answer a line.
        at_once: how many rows are answered together; none: 16 batches. A row's answer depends on its neighbours by
            no more than the rounding of sums over padding.

    Raises:
        TuneGridError: a row cannot be used. Those before it have been answered, unless it is a file that is written.
    """
    at_once = at_once or BATCHES * answerer.task.settings.evaluation_batch_size
    try:
        if output is None:
            _write(answerer, _blocks(source, at_once), sys.stdout, plain=True)
        else:
            with written(output) as file:
                _write(answerer, _blocks(source, at_once), file, plain=False)
    finally:
        if warning := answerer.unread.warning():
            print(f"tunegrid: {warning}", file=sys.stderr, flush=True)


def _write(answerer: Answerer, blocks: Iterable[list[Row]], file: TextIO, plain: bool) -> None:
    for block in blocks:
        for answer in answerer.answer(block):
            # One line stays one line, whatever a model writes.
            line = (
                " ".join(answer["prediction"].split("\n"))
                if plain
                else json.dumps(answer, ensure_ascii=False, allow_nan=False)
            )
            file.write(line + "\n")
        file.flush()


def _blocks(source: Input, size: int) -> Iterator[list[Row]]:
    """Rows to be answered together: so many of a file; of a stream no more than have come, so nobody waits."""
    if not isinstance(source.place, Stream):
        rows = source.rows()
        while block := list(islice(rows, size)):
            yield block
        return
    stream, block = source.place, []
    for raw in source.raw():
        try:
            block.append(source.row(raw))
        except TuneGridError as error:
            if not stream.interactive:
                if block:
                    yield block
                raise
            print(f"tunegrid: {error}", file=sys.stderr, flush=True)  # who types can type it again
        if block and (len(block) == size or not stream.more()):
            yield block
            block = []
    if block:
        yield block


def check_rows(source: Input) -> None:
    """Reads all rows of a file. Raises TuneGridError if there is none, or one cannot be used."""
    if not sum(1 for _ in source.rows()):
        raise TuneGridError(f"{source.place}: has no rows.")
