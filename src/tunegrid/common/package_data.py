"""Paths of the package's own files: in the repository for an editable install, inside the package for a wheel."""

from functools import partial
from pathlib import Path

from tunegrid.common.errors import TuneGridError

PACKAGE = Path(__file__).resolve().parents[1]  # the folder of `tunegrid` itself
_REPOSITORY = PACKAGE.parents[1]


def _resource(name: str, parent: str = "resources") -> Path:
    """A folder or file in `parent` of the repository. Raises TuneGridError if it is not there, nor in the package."""
    places = _REPOSITORY / parent / name, PACKAGE / "_resources" / name
    for place in places:
        if place.exists():
            return place
    raise TuneGridError(f"Not found: {' or '.join(map(str, places))}. Install the package again.")


templates_folder = partial(_resource, "templates", "report")  # of the report
published_folder = partial(_resource, "published")  # the paper's numbers
families_folder = partial(_resource, "families")  # YAML files of the families
architectures_folder = partial(_resource, "architectures")  # config.json of known models
miniworld_folder = partial(_resource, "miniworld")  # words of the generated world
models_folder = partial(_resource, "models")  # the pretrained mini models
tuners_folder = partial(_resource, "tuners")  # what the libraries' tuners can do
wordings_folder = partial(_resource, "wordings")  # instructions for each kind of task
probes_folder = partial(_resource, "probes")  # sets of bias probes
datasets_file = partial(_resource, "datasets.yaml")  # the paper's data sets
pretraining_file = partial(_resource, "pretraining.yaml")  # what pretrained models were trained on
