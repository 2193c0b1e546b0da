"""Loading a study: its files are read and merged, validated, held to their lock file, and checked."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from tunegrid.common.errors import TuneGridError
from tunegrid.common.yaml_file import ConfigFile, KeyProblem
from tunegrid.study import lock
from tunegrid.study.checks import check_cells, check_forgetting, check_names, check_probes
from tunegrid.study.engine import check_engine
from tunegrid.study.mixture_checks import check_mixtures
from tunegrid.study.needs import check_needs
from tunegrid.study.prompts import check_prompts
from tunegrid.study.study import Study


def load_study(*paths: Path | str, locked: bool = True) -> Study:
    """Reads a study from a YAML file; further files are laid over it (mappings merge, lists are replaced).

    Args:
        locked: hold what the study takes from the Hub to the commits of the lock file beside the first file, if any.

    Raises:
        TuneGridError: anything in it is wrong; the message names the file, line and key of every problem.
    """
    config = ConfigFile.read([Path(path) for path in paths])
    try:
        study = Study.model_validate(config.values)
        # What `auto` comes to is part of the configuration from here on, and of every record.
        study = study.model_copy(update={"hardware": study.hardware.resolved(study.resources.gpu)})
        check_names(study)
        check_mixtures(study)
        check_cells(study)
        check_needs(study)
        check_engine(study)
        check_prompts(study)
        check_probes(study)
        check_forgetting(study)
        if locked:
            lock.apply(study, paths[0])
    except ValidationError as error:
        raise TuneGridError(config.explain(error)) from None
    except KeyProblem as problem:
        raise TuneGridError(f"{config.where(problem.place)}: {problem}") from None
    return study
