# What all rules share: the study, its paths, and the words of a command.
import json
import re
import shlex
from contextlib import contextmanager
from functools import cache

from snakemake.exceptions import WorkflowError

from tunegrid.common.errors import TuneGridError
from tunegrid.report.index import read_index
from tunegrid.report.latex import tex_engine
from tunegrid.runtime.provenance import digest
from tunegrid.stages.console import Console
from tunegrid.stages.workflow import limit_gpus, print_summary, read_study, start
from tunegrid.study import mixtures, stage_settings
from tunegrid.study.cells import Cell, MixtureCell, Run
from tunegrid.study.needs import judged_cells, needed_files, pairs_place, sampled_from
from tunegrid.study.plan.jobs import Jobs


@contextmanager
def plain_errors():
    """Has Snakemake print an error that its message explains, without a traceback."""
    try:
        yield
    except TuneGridError as error:
        raise WorkflowError(str(error)) from None


with plain_errors():
    STUDY = read_study(workflow.configfiles, config)
limit_gpus(workflow, STUDY)
CONSOLE = Console(workflow, STUDY, logger)
PATHS = STUDY.paths
# Rules have the study's files as a resource, not as a param or an input: neither their place nor their settings for
# other jobs may run a job again. Their `conda:` documents the software; jobs run in the environment that is active.
CONFIG = shlex.join(str(file) for file in workflow.configfiles)
GPUS = 1 if STUDY.hardware.device == "cuda" else 0
JOBS = Jobs(STUDY)
PRETRAINED = [name for name in STUDY.grid.models if STUDY.models[name].source.kind == "pretrain"]
FETCHED = [name for name in STUDY.grid.models if name not in PRETRAINED]
SPLITS = ("train", "validation", "test")
# The command replaces the shell: a signal to the job reaches the command, and no shell dies of it before.
shell.prefix("set -euo pipefail; exec ")


def one_of(names):
    """A wildcard constraint: exactly these names; none: nothing matches."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    task=one_of(STUDY.grid.tasks),
    model=one_of(STUDY.grid.models),
    method=one_of(STUDY.grid.methods),
    seed=r"\d+",
    form=one_of(STUDY.compress),


# A cell and a run of wildcards: the form of the paths in rules for all of them.
CELL = Cell("{task}", "{model}", "{method}")
RUN = Run(CELL, "{seed}")
FORMED_RUN = Run(CELL, "{seed}", "{form}")
MIXTURE_RUN = Run(MixtureCell.of("{model}", "{method}"), "{seed}")

# Of a cell that learnt from a reward model: the method that its runs started from, and the reward model.
JUDGED = judged_cells(STUDY)
DOMAINS = {task: list(STUDY.tasks[task].evaluate_on) for task in STUDY.grid.tasks}


def cell_of(wildcards):
    return Cell(wildcards.task, wildcards.model, wildcards.method)


def mixture_of(wildcards):
    return MixtureCell.of(wildcards.model, wildcards.method)


def results_of(cell):
    """The files of a run that are its results."""
    formed = (f"variants/{form}/metrics.json" for form in STUDY.forms(cell))
    return ("metrics.json", *(("wordings.json",) if STUDY.is_shared(cell) else ()), *formed)


def asked_tokens(cell):
    """The token ids of the test rows as the model of a cell is asked."""
    if STUDY.is_shared(cell):
        return PATHS.wording_tokens(cell.task, cell.model, cell.method)
    return PATHS.tokens(cell.task, cell.model) / "test.arrow"


def start_of(wildcards):
    start, _ = JUDGED[cell_of(wildcards)]
    return PATHS.run(Run(Cell(wildcards.task, wildcards.model, start), wildcards.seed))


def reward_of(wildcards):
    _, reward = JUDGED[cell_of(wildcards)]
    return PATHS.reward(wildcards.task, wildcards.model, reward)


def pairs_of(wildcards):
    return pairs_place(STUDY, wildcards.task, wildcards.model, STUDY.rewards[wildcards.reward].pairs)


def rows_of_domains(wildcards):
    return [PATHS.domain(wildcards.task, domain) / "test.parquet" for domain in DOMAINS[wildcards.task]]


def settings_params(settings, names):
    """Params of a rule: its settings as text, which Snakemake compares and shows, and their digest for the command.

    Functions, as the braces of a prompt in them are no wildcards. Settings that all jobs of a cell, or of a task, share
    are computed once: a large study has thousands of jobs.

    Args:
        settings: returns the settings of a job, given the study and some names.
        names: returns those names, given the job's wildcards.
    """

    @cache
    def text_and_digest(*given):
        values = settings(STUDY, *given)
        return as_json(values), digest(values)

    return {
        "settings": lambda wildcards: text_and_digest(*names(wildcards))[0],
        "digest": lambda wildcards: text_and_digest(*names(wildcards))[1],
    }


def as_json(settings):
    return json.dumps(settings, sort_keys=True)


def asks(job):
    """The resources that the jobs of a rule request; `job` returns the estimate for their wildcards.

    On a workstation Snakemake enforces mem_mb and disk_mb only where --resources says how much of them exists.
    """

    def asking(name):
        return lambda wildcards, attempt: getattr(job(wildcards), name)(attempt)

    return {name: asking(name) for name in ("runtime", "mem_mb", "disk_mb")}


# How often Snakemake tries a training again. A Snakemake that runs a single job for another one leaves retries to that
# one: the next attempt has to be a job with more memory.
RETRIES = STUDY.resources.attempts - 1 if workflow.is_main_process else 0


# What `snakemake --report` says of a table or a figure, by the wildcard `name` of its file; read when it is asked for.
def section_of(wildcards):
    item = read_index(PATHS.report)[wildcards.name]
    return f"{item['section_number']:02d} {item['section']}"


def labels_of(wildcards):
    # Few labels: of a second one with two values Snakemake makes a switch between pairs of files, and fails without them.
    item = read_index(PATHS.report)[wildcards.name]
    labels = {"what": f"{item['kind'].capitalize()} {item['number']:02d}: {item['title']}"}
    forms = {"html": "read", "csv": "save as CSV"}
    return labels | ({"to": forms[wildcards.format]} if "format" in wildcards.keys() else {})
