"""What the workflow does apart from its jobs: it reads the study, and checks the machine before the first job.

`workflow` is Snakemake's object of that name.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from logging import Logger
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.yaml_file import ConfigFile
from tunegrid.report.latex import TEX_HINT, tex_engine
from tunegrid.runtime import gpus, parent, warm
from tunegrid.runtime.slurm import check_requests, request
from tunegrid.runtime.snakemake import hold
from tunegrid.study.checks import check_files
from tunegrid.study.load import load_study
from tunegrid.study.plan.disk import check_disk
from tunegrid.study.plan.jobs import Jobs
from tunegrid.study.study import Study

LONGEST_FOLDER = 90  # bytes: the system allows 107 for the path of a socket


def read_study(files: Sequence[Path], config: Mapping[str, Any]) -> Study:
    """Reads and checks the study of a workflow.

    Raises:
        TuneGridError: the study is not valid, or Snakemake's configuration is not what its files hold.
    """
    study = load_study(*files)
    check_files(study)
    if config != ConfigFile.read([Path(file) for file in files]).values:
        raise TuneGridError("A study is changed in its file, not with --config: each result has to follow from a file.")
    return study


def limit_gpus(workflow: Any, study: Study) -> None:
    """Limits the jobs that use a GPU at once to the GPUs of this workstation, unless --resources sets a limit.

    A cluster hands out its own GPUs. Snakemake does not say which of the two it runs on while it reads the Snakefile,
    but it knows a number of nodes only where jobs are sent elsewhere. Later the scheduler takes no limit.
    """
    if study.hardware.device != "cuda" or not workflow.is_main_process or workflow.resource_settings.nodes is not None:
        return
    if workflow.global_resources.get("gpu").value is None and (count := len(gpus.visible())):
        workflow.register_resource("gpu", count)


def start(workflow: Any, study: Study, jobs: Jobs, logger: Logger) -> None:
    """Checks that the jobs can run, announces this Snakemake, and starts the warm process.

    Raises:
        TuneGridError: a job needs a GPU and there is none, the disk is too small, or Slurm would take no job.
    """
    _require_gpu(workflow, study)
    _require_disk(workflow, study, jobs)
    _stop_polling(workflow)
    hold(study.paths.lock("snakemake"))
    if workflow.local_exec:
        parent.announce()
        if study.hardware.device == "cpu":
            _start_warm_process(workflow.configfiles)
    logger.info(f"{study.title}: {len(study.cells())} cells x {len(study.seeds)} seeds. Results: {study.paths.root}/")
    if not tex_engine():
        logger.warning(f"No LaTeX here: the study will end with .tex and HTML files, without a PDF. {TEX_HINT}")
    for warning in _check_scheduler(workflow):
        logger.warning(warning)


def print_summary(files: Sequence[Path]) -> None:
    """Prints the summary of a study whose workflow has ended."""
    if not os.environ.get("TUNEGRID_MAKE"):  # `make` prints it itself, at the very end
        subprocess.run(["tunegrid", "summary", *map(str, files)], check=False)


def _require_gpu(workflow: Any, study: Study) -> None:
    """Raises TuneGridError if a job needs a GPU and this machine, which is to run it, has none."""
    if study.hardware.device != "cuda" or not workflow.local_exec:
        return
    if any(job.resources.get("gpu") for job in workflow.dag.needrun_jobs()):
        gpus.require()


def _require_disk(workflow: Any, study: Study, jobs: Jobs) -> None:
    """Raises TuneGridError if the study will not fit on the disk."""
    settings = workflow.resource_settings
    at_once = settings.nodes or 1
    if workflow.local_exec:
        at_once = gpus.jobs_at_once(study.hardware, settings.cores or 1, workflow.global_resources.get("gpu").value)
    check_disk(jobs.estimator, at_once)


def _stop_polling(workflow: Any) -> None:
    """Takes Snakemake's default limit, 100 jobs a second, from its scheduler. Another limit stays.

    With a limit, each round of the scheduler starts a timer for a further round as long as jobs wait, and so does each
    job that ends: after a hundred jobs there are a hundred rounds a second, each of which looks at every waiting job's
    input files (findings/snakemake-scheduler-polls.sh).
    """
    limiter = workflow.scheduler.job_rate_limiter
    if limiter is not None and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def _check_scheduler(workflow: Any) -> Sequence[str]:
    """Warnings of Slurm about the jobs; raises TuneGridError if it would take none, for lack of an account, say."""
    if "slurm" not in str(workflow.executor_plugin.name):
        return []
    submitted = [job for job in workflow.dag.needrun_jobs() if not job.is_local]
    return check_requests(request(job.resources, job.threads) for job in submitted)


def _start_warm_process(files: Sequence[Path]) -> None:
    """Starts the process that has the libraries loaded, for jobs on the CPU of this machine."""
    folder = _socket_folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    address = folder / "socket"
    process = subprocess.Popen(["tunegrid", "warm", *map(str, files), "--socket", str(address)])
    while process.poll() is None and not address.exists():
        time.sleep(0.05)
    os.environ[warm.VARIABLE] = str(address)


def _socket_folder() -> Path:
    """Makes a folder for temporary files whose path is short enough for that of a socket in it."""
    folder = Path(tempfile.mkdtemp(prefix="tunegrid-"))
    if len(os.fsencode(folder)) > LONGEST_FOLDER:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="tunegrid-", dir="/tmp"))
    return folder
