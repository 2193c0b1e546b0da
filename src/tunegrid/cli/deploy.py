"""Commands that use a finished study: predict with the recommended run, export it, and serve it over HTTP."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from tunegrid.cli.command import Commands, known, prepare_to_compute
from tunegrid.cli.outputs import check_study_output, output_path
from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import MOST_ROWS
from tunegrid.deploy.choose import Winner, require_form
from tunegrid.deploy.input import FORMATS, STDIN
from tunegrid.models.forms import Form, form_named
from tunegrid.study.cells import Cell
from tunegrid.study.engine import require_engine, require_server, why_not_converted
from tunegrid.study.evaluation_settings import Engine
from tunegrid.study.limits import PLAIN
from tunegrid.study.study import Study

if TYPE_CHECKING:
    from tunegrid.deploy.exported import Exported
    from tunegrid.deploy.server import Served

ENGINES = get_args(Engine)


def add_to(commands: Commands) -> None:
    predict = commands.on_study("predict", _predict, "Answer rows of a task with the recommended run, or another.")
    _which_run(predict)
    predict.add_argument(
        "--input",
        type=Path,
        metavar="FILE",
        help=f"rows to answer: {', '.join(FORMATS.values())}; default, or -: stdin",
    )
    predict.add_argument(
        "--format", choices=FORMATS, help="format of the input; default: by its suffix, or its first line"
    )
    predict.add_argument(
        "--output",
        type=output_path,
        metavar="FILE",
        help="write JSON Lines to this file; default: one answer per line to stdout",
    )
    predict.add_argument("--unmerged", action="store_true", help="do not merge LoRA's updates, as in the evaluation")
    _engine(predict)
    predict.add_argument(
        "--at-once", type=_whole(1, MOST_ROWS), metavar="ROWS", help="rows answered together; default: 16 batches"
    )
    text = "Write the recommended run, or another, as a folder that transformers, peft or adapters loads, with a card."
    export = commands.on_study("export", _export, text)
    _which_run(export)
    export.add_argument(
        "folder", type=output_path, metavar="FOLDER", help="folder to write: the last argument that is no option"
    )
    export.add_argument(
        "--as",
        dest="form",
        choices=("model", "adapter", "ctranslate2", "onnx"),
        default="model",
        help="model: all in one, LoRA merged; adapter: what peft or adapters loads, its base named; "
        "ctranslate2, onnx: all in one, converted",
    )
    export.add_argument(
        "--form",
        dest="weights_form",
        metavar="NAME",
        help="form of the weights: plain, distil-3, prune-30, …; default: the recommended one's, where a library "
        "loads it",
    )
    _compute_type(export)
    export.add_argument(
        "--language",
        type=lambda codes: codes.split(","),
        default=[],
        metavar="CODES",
        help="languages of the texts, for the card: en,de",
    )
    export.add_argument("--force", action="store_true", help="replace an earlier export in the folder")
    _add_serve(commands)


def _add_serve(commands: Commands) -> None:
    text = "Answer over HTTP with the recommended run, or another: JSON, metrics, and a page to try it."
    serve = commands.on_study("serve-model", _serve, text)
    _which_run(serve)
    _engine(serve)
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; default: 127.0.0.1, this machine only"
    )
    serve.add_argument(
        "--port", type=_whole(0, 65_535), default=8000, help="port to listen on; 0: a free one; default: 8000"
    )
    serve.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="file with a token that requests must bring; default: the environment's TUNEGRID_TOKEN, or none",
    )
    serve.add_argument(
        "--exported",
        type=Path,
        metavar="FOLDER",
        help="answer with a folder of `tunegrid export` (a plain model, or CTranslate2's) and not from the results; "
        "with --model, whose prompts it takes",
    )
    serve.add_argument(
        "--queue-rows", type=_whole(1, MOST_ROWS), default=512, metavar="ROWS", help="rows that may wait; more get 429"
    )
    serve.add_argument(
        "--batch-rows", type=_whole(1, MOST_ROWS), metavar="ROWS", help="rows answered together; default: the study's"
    )
    serve.add_argument(
        "--timeout",
        type=_whole(1, 86_400),
        default=60,
        metavar="SECONDS",
        help="for a request, waiting included; default: 60",
    )


def _engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", choices=ENGINES, help="what computes; default: that of the study's evaluation")
    _compute_type(parser)
    parser.add_argument(
        "--form", metavar="NAME", help="form of the weights: plain, int8, prune-30, …; default: the recommended one's"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: the device of the study")


def _compute_type(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--compute-type",
        choices=("float32", "int8", "float16", "bfloat16"),
        help="weights of CTranslate2; default: the study's precision",
    )


def _which_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", required=True)
    parser.add_argument("--model", help="with --method: another cell than the recommended one")
    parser.add_argument("--method")
    parser.add_argument("--seed", type=int, help="default: the cell's best seed on validation data")


def _whole(least: int, most: int) -> Callable[[str], int]:
    """The type of an option that is a whole number from `least` to `most`."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r:.40} is no whole number from {least} to {most}")
        return int(text)

    return number


def _chosen(study: Study, options: argparse.Namespace) -> Winner:
    from tunegrid.deploy.choose import choose

    known(options.task, study.grid.tasks, "task")
    if options.model is not None and options.method is not None:
        known(Cell(options.task, options.model, options.method), study.cells(), "cell (task_model_method)")
    if options.seed is not None:
        known(options.seed, study.seeds, "seed")
    return choose(study, options.task, options.model, options.method, options.seed)


def _ready(
    study: Study, options: argparse.Namespace, unmerged: bool = False
) -> tuple[Study, Winner, Engine, Form | None]:
    """The study on the device that is asked for, the run that answers, what computes, and the form of the weights.

    Raises TuneGridError if the command's options do not fit each other or the run.
    """
    engine = options.engine or study.evaluation.engine
    computes = [option for option in ("engine", "compute_type") if getattr(options, option)]
    if options.form and (computes or unmerged):
        raise TuneGridError(
            "--form says what computes, and of merged weights: leave out --engine, --compute-type and --unmerged."
        )
    if engine == "transformers" and options.compute_type:
        raise TuneGridError("--compute-type is CTranslate2's: add --engine ctranslate2.")
    if engine == "ctranslate2" and unmerged:
        raise TuneGridError("CTranslate2 computes merged models only: leave out --unmerged, or --engine transformers.")
    require_engine(engine)
    winner = _chosen(study, options)
    name = options.form or (None if computes or unmerged else winner.form)
    form = None if name in (None, PLAIN) else _form(study, winner, name)
    if form is not None:
        engine = "ctranslate2" if form.converts else "transformers"
        require_engine(engine)
    elif engine == "ctranslate2" and (reason := why_not_converted(study.method(winner.run.cell))):
        raise TuneGridError(f"{winner.run.cell}: {reason}. Add --engine transformers.")
    winner = replace(winner, form=form and form.name)
    return _on_device(study, options), winner, engine, form


def _form(study: Study, winner: Winner, name: str) -> Form:
    """The form of this name. Raises TuneGridError if there is none, or the run's weights cannot have it."""
    try:
        form = form_named(name)
    except ValueError as error:
        raise TuneGridError(f"--form: {error}, or {PLAIN}.") from None
    method = study.method(winner.run.cell)
    reason = why_not_converted(method) if form.converts else method.why_unmerged()
    if reason:
        raise TuneGridError(f"{winner.run.cell} as {name}: {reason}. Add --form {PLAIN}.")
    if form.tuned_by:
        require_form(study, winner, form)
    return form


def _predict(study: Study, options: argparse.Namespace) -> int:
    from tunegrid.deploy.input import Input, Stream

    check_study_output(study, options.config, options.output, None if options.input == STDIN else options.input)
    study, winner, engine, form = _ready(study, options, unmerged=options.unmerged)
    task = study.task(options.task)
    print(winner, file=sys.stderr, flush=True)  # standard output is for answers alone
    if options.input in (None, STDIN) and sys.stdin and sys.stdin.isatty():
        print(f"One row a line: {', a tab, '.join(task.source_columns)}. Ctrl-D ends.", file=sys.stderr, flush=True)
    from tunegrid.deploy.predict import Answerer, answer_all, check_rows

    try:
        source = Input.open(task, options.input, options.format)
        if not isinstance(source.place, Stream):
            check_rows(source)  # before anything is loaded or written
        prepare_to_compute(study)
        answerer = Answerer(
            study,
            winner,
            merged=not options.unmerged,
            engine=engine,
            compute=options.compute_type,
            form=form,
            many=not isinstance(source.place, Stream),
        )
        answer_all(answerer, source, options.output, options.at_once)
    except KeyboardInterrupt:
        return 130
    return 0


def _serve(study: Study, options: argparse.Namespace) -> None:
    require_server()
    from tunegrid.deploy.serve import read_token, serve, served
    from tunegrid.deploy.server import Limits

    token = read_token(options.token_file)
    if options.exported:
        answerer, what = _exported(study, options)
    else:
        study, winner, engine, form = _ready(study, options)
        print(winner, file=sys.stderr, flush=True)
        prepare_to_compute(study)
        from tunegrid.deploy.predict import Answerer

        answerer = Answerer(study, winner, engine=engine, compute=options.compute_type, form=form)
        what = served(study, winner, answerer, engine, form.name if form else None)
    batch_rows = options.batch_rows or answerer.task.settings.evaluation_batch_size
    limits = Limits(batch_rows=batch_rows, queue_rows=options.queue_rows, seconds=options.timeout)
    serve(what, limits, host=options.host, port=options.port, token=token)


def _exported(study: Study, options: argparse.Namespace) -> tuple[Exported, Served]:
    """What answers with an exported folder. Raises TuneGridError if it cannot."""
    from tunegrid.deploy.exported import Exported, served

    known(options.task, study.grid.tasks, "task")
    others = [name for name in ("method", "seed", "form", "engine") if getattr(options, name) is not None]
    if options.model is None or others:
        raise TuneGridError(
            "--exported goes with --model, the model of the study that it was tuned from, and without --method, "
            "--seed, --form and --engine: the folder says what they would."
        )
    known(options.model, study.grid.models, "model")
    study = _on_device(study, options)
    prepare_to_compute(study)
    answerer = Exported(study, options.task, options.model, options.exported, options.compute_type)
    return answerer, served(study, options.task, options.model, answerer)


def _on_device(study: Study, options: argparse.Namespace) -> Study:
    """The study on the device that is asked for."""
    if not options.device:
        return study
    return study.model_copy(update={"hardware": study.hardware.model_copy(update={"device": options.device})})


def _export(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.deploy.export import check_folder, check_form, export

    if options.compute_type and options.form != "ctranslate2":
        raise TuneGridError("--compute-type is CTranslate2's: add --as ctranslate2.")
    winner = _chosen(study, options)
    check_form(study, winner, options.form)
    check_folder(study, options.folder, options.force)
    prepare_to_compute(study)
    form = _exported_form(study, winner, options)
    chosen = replace(winner, form=form and form.name)
    print(chosen, flush=True)
    if winner.form and not options.weights_form and form is None and options.form != "ctranslate2":
        int8 = " For int8: --as ctranslate2 --compute-type int8." if winner.form == "int8" else ""
        print(f"The folder gets the weights as they were trained, not as {winner.form}.{int8}", flush=True)
    layout = export(
        study,
        chosen,
        options.folder,
        form=options.form,
        force=options.force,
        languages=options.language,
        compute=options.compute_type or "float32",
        weights=form,
    )
    print(f"{options.folder}: for {layout.library}; how to load it is in {options.folder / 'README.md'}")


def _exported_form(study: Study, winner: Winner, options: argparse.Namespace) -> Form | None:
    """The form of the weights that are exported; None: as they were trained.

    Raises:
        TuneGridError: the form that is asked for is none, or no folder holds it as it is.
    """
    name = options.weights_form or winner.form
    if name in (None, PLAIN):
        return None
    form = _form(study, winner, name)
    if not form.converts and options.form != "adapter":
        return form
    if not options.weights_form:
        return None  # the recommended one, which nobody asked for
    if form.converts:
        raise TuneGridError(f"--form: {name} is exported with --as ctranslate2 --compute-type int8.")
    raise TuneGridError(f"--form: {name} is a whole model: leave out --as adapter.")
