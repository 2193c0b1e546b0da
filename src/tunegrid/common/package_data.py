"""Paths of the package's own files: in the repository for an editable install, inside the package for a wheel."""

from pathlib import Path

from tunegrid.common.errors import TuneGridError

PACKAGE = Path(__file__).resolve().parents[1]  # the folder of `tunegrid` itself
_REPOSITORY = PACKAGE.parents[1]


def templates_folder() -> Path:
    """The folder of the report's templates. Raises TuneGridError if it is in neither place."""
    return _first(_REPOSITORY / "report" / "templates", PACKAGE / "_resources" / "templates")


def published_folder() -> Path:
    """The folder of the paper's numbers. Raises TuneGridError if it is in neither place."""
    return _first(_REPOSITORY / "resources" / "published", PACKAGE / "_resources" / "published")


def families_folder() -> Path:
    """The folder of the families' YAML files. Raises TuneGridError if it is in neither place."""
    return _first(_REPOSITORY / "resources" / "families", PACKAGE / "_resources" / "families")


def architectures_folder() -> Path:
    """The folder of the known models' config.json files. Raises TuneGridError if it is in neither place."""
    return _first(_REPOSITORY / "resources" / "architectures", PACKAGE / "_resources" / "architectures")


def miniworld_folder() -> Path:
    """The folder of the generated world's words. Raises TuneGridError if it is in neither place."""
    return _first(_REPOSITORY / "resources" / "miniworld", PACKAGE / "_resources" / "miniworld")


def models_folder() -> Path:
    """The folder of the pretrained mini models. Raises TuneGridError if it is in neither place."""
    return _first(_REPOSITORY / "resources" / "models", PACKAGE / "_resources" / "models")


def tuners_folder() -> Path:
    """The folder of what the libraries' tuners can do. Raises TuneGridError if it is in neither place."""
    return _first(_REPOSITORY / "resources" / "tuners", PACKAGE / "_resources" / "tuners")


def wordings_folder() -> Path:
    """The folder of the instructions for each kind of task. Raises TuneGridError if it is in neither place."""
    return _first(_REPOSITORY / "resources" / "wordings", PACKAGE / "_resources" / "wordings")


def probes_folder() -> Path:
    """The folder of the sets of bias probes. Raises TuneGridError if it is in neither place."""
    return _first(_REPOSITORY / "resources" / "probes", PACKAGE / "_resources" / "probes")


def datasets_file() -> Path:
    """The file that describes the paper's data sets. Raises TuneGridError if it is in neither place."""
    return _first(_REPOSITORY / "resources", PACKAGE / "_resources") / "datasets.yaml"


def pretraining_file() -> Path:
    """The file on what pretrained models were trained on. Raises TuneGridError if it is in neither place."""
    return _first(_REPOSITORY / "resources", PACKAGE / "_resources") / "pretraining.yaml"


def _first(*folders: Path) -> Path:
    for folder in folders:
        if folder.is_dir():
            return folder
    raise TuneGridError(f"Not found: {' or '.join(map(str, folders))}. Install the package again.")
