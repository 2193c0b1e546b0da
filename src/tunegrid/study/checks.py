"""Checks of a study that need more than one key: names that are not defined, families, bias probes, texts.

Each raises `KeyProblem`, with the place in the configuration and what is wrong there; only `check_files`, which looks
beyond the configuration, raises another error.
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

from pydantic import ValidationError

from tunegrid.common.errors import TuneGridError
from tunegrid.common.yaml_file import KeyProblem, Place, require_known
from tunegrid.data.sources import DataSource, FilesSource
from tunegrid.data.sources.generated import KINDS, GeneratedSource
from tunegrid.models import FAMILIES
from tunegrid.study.cells import UNTUNED, Cell
from tunegrid.study.engine import require_engines
from tunegrid.study.needs import sources
from tunegrid.study.study import Part, Study
from tunegrid.tasks import TASKS, TaskSettings
from tunegrid.training.settings import TrainingChange

MOST_CELLS = 10_000  # that overrides are checked for
MOST_RUNS = 100_000


def check_names(study: Study) -> None:
    """Checks that every name that the study uses is defined, once, and that no seed is used twice."""
    known = {"task": study.tasks, "model": study.models, "method": study.methods}
    if UNTUNED in study.methods:
        raise KeyProblem(("methods", UNTUNED), "this name is taken by the untuned models, which every study evaluates")
    _check_families(study)
    for key, names in known.items():
        for i, name in enumerate(listed := getattr(study.grid, f"{key}s")):
            require_known(("grid", f"{key}s", i), name, names)
            if listed.index(name) < i:
                raise KeyProblem(("grid", f"{key}s", i), f"{name} is listed twice")
        _check_distinct(study, f"{key}s")
    wheres = [(("grid", "exclude", i), where) for i, where in enumerate(study.grid.exclude)]
    wheres += [(("overrides", i, "where"), override.where) for i, override in enumerate(study.overrides)]
    for place, where in wheres:
        for key, names in known.items():
            if (name := getattr(where, key)) is not None:
                require_known((*place, key), name, names)
    for name, task in study.tasks.items():
        _check_source(task, task.source, ("tasks", name, "source"))
        for domain, source in task.evaluate_on.items():
            _check_source(task, source, ("tasks", name, "evaluate_on", domain), only_test=True)
    for name, pairs in study.preferences.items():
        if isinstance(pairs.source, FilesSource) and pairs.source.paths.train is None:
            raise KeyProblem(("preferences", name, "source", "paths", "train"), "required: the file of training pairs")
        for column, own in getattr(pairs.source, "columns", {}).items():
            place = ("preferences", name, "source", "columns", column)
            require_known(place, column, ("id", *pairs.columns))
            if own is None and column not in ("id", "prompt"):
                raise KeyProblem(place, "a pair cannot do without it")
    for i, seed in enumerate(study.seeds):
        if study.seeds.index(seed) < i:
            raise KeyProblem(("seeds", i), f"the seed {seed} is listed twice")
    possible = len(study.tasks) * len(study.models) * len(study.methods)
    if possible > MOST_CELLS:
        raise KeyProblem(
            (), f"{possible:,} cells could be made of its tasks, models and methods; {MOST_CELLS:,} at most"
        )
    if study.search and study.search.seed in study.seeds:
        # That run's learning rate would have been chosen with its own order of the rows, those of the others not.
        raise KeyProblem(("search", "seed"), f"{study.search.seed} is one of the study's seeds too; take another")


def _check_source(task: TaskSettings, source: DataSource, place: Place, only_test: bool = False) -> None:
    """Checks that the columns of a source are the task's, and that the rows of each split come from somewhere.

    Args:
        only_test: the source is only evaluated on.
    """
    kind = TASKS[task.kind]
    for column, own in getattr(source, "columns", {}).items():
        require_known((*place, "columns", column), column, kind.columns)
        if own is None and column not in kind.optional:
            raise KeyProblem(
                (*place, "columns", column), f"a row of a task of the kind {task.kind} cannot do without it"
            )
    if isinstance(source, GeneratedSource) and task.kind not in KINDS:
        raise KeyProblem((*place, "kind"), f"no rows of {task.kind} are generated, only of {', '.join(KINDS)}")
    if isinstance(source, GeneratedSource) and not only_test:
        for split in ("train", "validation"):
            if getattr(source.rows, split) is None:
                raise KeyProblem((*place, "rows", split), "required: how many rows the split has")
    if not isinstance(source, FilesSource):
        return
    if only_test:
        if source.paths.test is None:
            raise KeyProblem((*place, "paths", "test"), "required: the file of the test rows")
        return
    if source.paths.train is None:
        raise KeyProblem((*place, "paths", "train"), "required: the file of the training rows")
    by_rows = getattr(task, "protocol", None) == "published"
    if by_rows and source.test_share is not None:
        raise KeyProblem((*place, "test_share"), "`protocol: published` makes the test split itself; leave it out")
    if not (source.paths.test or source.test_share or by_rows):
        raise KeyProblem(
            (*place, "paths", "test"), "required: the file of the test rows; or hold out some: `test_share: 0.2`"
        )


def check_cells(study: Study) -> None:
    """Checks that there are cells, that overrides fit theirs, and that each method and prompt works with its model."""
    if not study.cells():
        raise KeyProblem(("grid", "exclude"), "every cell is excluded, nothing is left to run")
    if (runs := len(study.cells()) * len(study.seeds)) > MOST_RUNS:
        raise KeyProblem(("seeds",), f"{runs:,} runs; a study has {MOST_RUNS:,} at most. Make several studies of it")
    # Overrides are checked for all cells that could be, so that a smaller grid hides no mistake in them.
    for cell in map(Cell, *zip(*product(study.tasks, study.models, study.methods), strict=True)):
        study.method_settings(cell)
        _check_training(study, cell)
    for cell in study.cells():
        method, family = study.method(cell), study.family(cell.model)
        place = ("grid", "methods", study.grid.methods.index(cell.method))
        if reason := method.training_problem(study.training_settings(cell)):
            raise KeyProblem(
                place,
                f"the cell {cell} cannot be trained: {reason} (overrides: [{{where: {{method: {cell.method}}}, …}}])",
            )
        if reason := method.why_not(method.settings, family):
            raise KeyProblem(
                place,
                f"the cell {cell} cannot exist: {reason}. Leave it out: "
                f"grid.exclude: [{{model: {cell.model}, method: {cell.method}}}]",
            )


def check_probes(study: Study) -> None:
    """Checks every set of bias probes that the study names: its task, its file, and that it fits its task."""
    for name, settings in study.probes.items():
        require_known(("probes", name, "task"), settings.task, study.tasks)
        place = ("probes", name, "set" if settings.file is None else "file")
        try:
            probes = settings.read()
        except TuneGridError as error:
            raise KeyProblem(place, str(error)) from None
        if problem := probes.problem(study.task(settings.task)):
            raise KeyProblem(place, f"cannot probe {settings.task}: {problem}")


def check_forgetting(study: Study) -> None:
    """Checks that `forgetting` has a text where a model was pretrained on other text than the generated."""
    if study.forgetting is None or study.forgetting.text is not None:
        return
    for name in study.grid.models:
        if getattr(study.models[name].source, "text", None) != "miniworld":
            raise KeyProblem(
                ("forgetting", "text"),
                f"required: a text file that {name} has not seen. Generated text is for models that learned from it",
            )


def check_files(study: Study) -> None:
    """Checks that the local files of the study exist and are whole, and that models of known sizes fit their family.

    Raises:
        TuneGridError: the engine of the evaluation or a method's package is not installed, a file is missing or has a
            path that Snakemake cannot take, a model is of another family, or a local model is damaged or brings code.
    """
    require_engines(study)
    for cell in study.cells():
        if problem := study.method(cell).missing_package():
            raise TuneGridError(f"methods.{cell.method}: {problem}.")
    for place, source in sources(study):
        try:
            for file in source.files():
                if problem := _file_problem(file):
                    raise TuneGridError(f"{'.'.join(place)}: {file}: {problem}.")
        except OSError as error:  # of the system: a path that is too long, a folder that may not be read
            raise TuneGridError(f"{'.'.join(place)}: {error.filename}: {error.strerror}.") from None
    if study.forgetting and study.forgetting.text and (problem := _file_problem(Path(study.forgetting.text))):
        raise TuneGridError(f"forgetting.text: {study.forgetting.text}: {problem}.")
    for name in study.grid.models:
        study.shape(name)
        try:
            study.models[name].source.check()
        except TuneGridError as error:
            raise TuneGridError(f"models.{name}.source: {error}") from None
    _check_sizes(study)
    _check_room_for_prompts(study)


def _check_sizes(study: Study) -> None:
    """Checks that the settings of methods fit the sizes of the models that they tune. Raises TuneGridError."""
    checked = set()
    for cell in study.cells():
        key = (cell.model, cell.method, study.method_settings(cell).model_dump_json())
        if key in checked or (shape := study.shape(cell.model)) is None:
            continue
        checked.add(key)
        if reason := study.method(cell).misfit(shape):
            raise TuneGridError(f"methods.{cell.method}: does not fit {cell.model} ({cell}): {reason}")


def _check_room_for_prompts(study: Study) -> None:
    """Checks that the vectors a method puts in front of the sources have positions too. Raises TuneGridError."""
    for cell in study.cells():
        shape, added = study.shape(cell.model), study.method(cell).added_tokens
        longest = study.tasks[cell.task].max_source_length
        if added and shape and shape.positions and longest + added > shape.positions:
            raise TuneGridError(
                f"tasks.{cell.task}.max_source_length: {longest}, and {cell.method} puts {added} vectors in front of "
                f"each source, but {cell.model} has {shape.positions} positions. Set it to "
                f"{shape.positions - added} or less."
            )


def _file_problem(file: Path) -> str | None:
    """Explains why a local file cannot be an input of a job; None: it can. Raises OSError."""
    if re.search(r"\{.*\}", str(file)):
        return "Snakemake takes braces in a path for a wildcard, and knows no way to write them as text. Rename it"
    if file.is_dir():
        return "a folder, where a file is needed"
    if not file.exists():
        return "no such file. Paths are relative to the current folder"
    return None if file.is_file() else "not a regular file"


def _check_distinct(study: Study, part: Part) -> None:
    """Checks that files and readers can tell the tasks, models or methods of a study apart."""
    names: dict[str, str] = {}
    for name in getattr(study, part):
        if (other := names.setdefault(name.casefold(), name)) != name:
            # Their folders would be the same where a file system ignores case.
            raise KeyProblem((part, name), f"differs from {other} in case alone: take another name")
    titles: dict[str, str] = {}
    for name, title in study.titles(part).items():
        if (other := titles.setdefault(title, name)) != name:
            if not getattr(study, part)[name].title:  # its name: the other one is called so
                name, other = other, name
            raise KeyProblem(
                (part, name, "title"), f"{title!r} is the title of {other} too: no table could tell them apart"
            )


def _check_families(study: Study) -> None:
    """Checks that the study's own families have new names, and that every model's family is known and available."""
    for name, family in study.families.items():
        if name in FAMILIES:
            raise KeyProblem(("families", name), "this name is taken by a family that comes with the project")
        for part in ("prompts", "label_words"):
            for kind in getattr(family, part):
                require_known(("families", name, part, kind), kind, TASKS)
    for name, model in study.models.items():
        makes, place = model.source.families, ("models", name, "family")
        require_known(place, model.family, study.known_families())
        if makes is not None and model.family not in makes:
            reason = f"a source of the kind {model.source.kind} makes no {model.family}. Valid: {', '.join(makes)}"
            raise KeyProblem(place, reason)


def _check_training(study: Study, cell: Cell) -> None:
    """Checks the training of a cell and of its trials, as far as the number of its steps is known."""
    training, task = study.training_settings(cell), study.task(cell.task)
    rows = task.settings.source.rows.train
    # Windows make several examples of a row.
    problem = None
    alone = training.max_steps is None and rows is not None and not study.is_shared(cell)
    if alone and task.window_overlap() is None:
        problem = training.warmup_problem(training.steps(rows))
    if problem:
        raise KeyProblem(("training", "warmup_steps"), f"{problem} ({cell}: at most {rows:,} training rows)")
    for i, factor in enumerate(study.search.factors if study.search else ()):
        try:
            TrainingChange(**study.search.trial_changes(training, factor))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            reason = f"the {problem['loc'][0]} of {cell} times this is {problem['input']:g}: {problem['msg']}"
            raise KeyProblem(("search", "factors", i), reason) from None
