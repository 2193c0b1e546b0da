# What all rules share: the study, its paths, and the words of a command.
import atexit
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from functools import cache, partial
from pathlib import Path

from snakemake.exceptions import WorkflowError

from tunegrid.runtime import gpus, parent, warm
from tunegrid.study import stage_settings
from tunegrid.study.cells import Cell, Run
from tunegrid.study.checks import check_files
from tunegrid.common.yaml_file import ConfigFile
from tunegrid.common.errors import TuneGridError
from tunegrid.runtime.provenance import digest
from tunegrid.study.plan.disk import check_disk
from tunegrid.study.plan.jobs import Jobs
from tunegrid.report.index import read_index
from tunegrid.report.latex import TEX_HINT, tex_engine
from tunegrid.runtime.snakemake import hold
from tunegrid.runtime.slurm import check_requests, request
from tunegrid.study.load import load_study


def read_study(files, given):
    try:
        study = load_study(*files)
        check_files(study)
    except TuneGridError as error:
        raise WorkflowError(str(error)) from None
    if given != ConfigFile.read([Path(file) for file in files]).values:
        raise WorkflowError("A study is changed in its file, not with --config: each result has to follow from a file.")
    return study


STUDY = read_study(workflow.configfiles, config)
PATHS = STUDY.paths
# Rules have the study's files as a resource, not as a param or an input: where they lie, and what they hold for other
# jobs, must not run a job again. Their `conda:` documents the software; jobs run in the environment that is active.
CONFIG = shlex.join(str(file) for file in workflow.configfiles)
GPUS = 1 if STUDY.hardware.device == "cuda" else 0
JOBS = Jobs(STUDY)
PRETRAINED = [name for name in STUDY.grid.models if STUDY.models[name].source.kind == "pretrain"]
FETCHED = [name for name in STUDY.grid.models if name not in PRETRAINED]
SPLITS = ("train", "validation", "test")
# Bash makes way for the command: a signal to the job then reaches the command, and no shell dies of it before.
shell.prefix("set -euo pipefail; exec ")


def one_of(names):
    """A wildcard constraint: exactly these names; none: nothing matches."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    task=one_of(STUDY.grid.tasks),
    model=one_of(STUDY.grid.models),
    method=one_of(STUDY.grid.methods),
    seed=r"\d+",


# A cell and a run of wildcards: the form of the paths in rules for all of them.
CELL = Cell("{task}", "{model}", "{method}")
RUN = Run(CELL, "{seed}")


def cell_of(wildcards):
    return Cell(wildcards.task, wildcards.model, wildcards.method)


# Those that all jobs of a cell, or of a task, share are made once: a large study has thousands of jobs.
run_settings = cache(partial(stage_settings.run_settings, STUDY))
evaluation_settings = cache(partial(stage_settings.evaluation_settings, STUDY))


def as_json(settings):
    """Settings as a param: their text is what Snakemake compares, and shows, when they change."""
    return json.dumps(settings, sort_keys=True)


def asks(job):
    """What the jobs of a rule ask a cluster for; `job` gives the estimate for their wildcards.

    Here Snakemake holds to it only where --resources says how much there is of mem_mb or disk_mb.
    """

    def asking(name):
        return lambda wildcards, attempt: getattr(job(wildcards), name)(attempt)

    return {name: asking(name) for name in ("runtime", "mem_mb", "disk_mb")}


# How often Snakemake tries a training again. A Snakemake that runs a single job of another one leaves that to it: the
# next attempt has to be a job with more memory.
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


def limit_gpus():
    """On a workstation no more jobs on GPUs at once than there are, unless --resources says how many.

    A cluster hands out its own. Which of the two it is Snakemake does not say yet when it reads this file, but only
    where jobs are sent elsewhere does it know a number of nodes. The scheduler takes a limit only now.
    """
    here = workflow.is_main_process and workflow.resource_settings.nodes is None
    if GPUS and here and workflow.global_resources.get("gpu").value is None:
        if count := len(gpus.visible()):
            workflow.register_resource("gpu", count)


limit_gpus()


def require_gpu():
    """Ends the study before its first job if a job needs a GPU and this machine, which is to run it, has none."""
    if GPUS and workflow.local_exec and any(job.resources.get("gpu") for job in workflow.dag.needrun_jobs()):
        try:
            gpus.require()
        except TuneGridError as error:
            raise WorkflowError(str(error)) from None


def require_disk():
    """Ends the study before its first job if it will not fit on the disk."""
    settings = workflow.resource_settings
    if workflow.local_exec:
        at_once = gpus.jobs_at_once(STUDY.hardware, settings.cores or 1, workflow.global_resources.get("gpu").value)
    else:
        at_once = settings.nodes or 1
    try:
        check_disk(JOBS.estimator, at_once)
    except TuneGridError as error:
        raise WorkflowError(str(error)) from None


def announce():
    """Says to `tunegrid unlock` that this Snakemake lives, and to jobs on this machine: they end when it is gone."""
    hold()
    if workflow.local_exec:
        parent.announce()


def start_warm_process():
    """Jobs on the CPU of this machine share one process that has the libraries loaded; elsewhere each loads its own."""
    if STUDY.hardware.device == "cpu" and workflow.local_exec:
        folder = Path(tempfile.mkdtemp(prefix="tunegrid-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        address = str(folder / "socket")
        process = subprocess.Popen(["tunegrid", "warm", *map(str, workflow.configfiles), "--socket", address])
        while process.poll() is None and not os.path.exists(address):
            time.sleep(0.05)
        os.environ[warm.VARIABLE] = address


def print_plan():
    logger.info(f"{STUDY.title}: {len(STUDY.cells())} cells x {len(STUDY.seeds)} seeds. Results: {PATHS.root}/")
    if not tex_engine():
        logger.warning(f"No LaTeX here: the study will end with .tex and HTML files, without a PDF. {TEX_HINT}")


def check_scheduler():
    """Ends the study before its first job if Slurm would take none, say for want of an account."""
    if "slurm" in str(workflow.executor_plugin.name):
        submitted = [job for job in workflow.dag.needrun_jobs() if not job.is_local]
        try:
            warnings = check_requests(request(job.resources, job.threads) for job in submitted)
        except TuneGridError as error:
            raise WorkflowError(str(error)) from None
        for warning in warnings:
            logger.warning(warning)


def print_summary():
    if not os.environ.get("TUNEGRID_MAKE"):  # it says the same itself, at the very end
        subprocess.run(["tunegrid", "summary", *map(str, workflow.configfiles)], check=False)
