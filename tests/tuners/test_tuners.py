"""The tables of tuners hold for the installed libraries."""

import json
import warnings
from importlib.metadata import version

import pytest

from tests.tuners.__main__ import LIBRARIES
from tests.tuners.trial import make_models
from tunegrid.methods.tuners import tuners


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_tables_are_those_of_the_installed_version(library):
    assert tuners(library).version == version(library)


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_what_the_tables_say_is_what_is_found(library, tmp_path):
    make_models(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = json.loads(json.dumps(LIBRARIES[library](tmp_path)))
    told = json.loads(tuners(library).model_dump_json(exclude_defaults=True))
    assert found.keys() == told.keys()
    for name, tuner in found["tuners"].items():
        assert outcome(tuner) == outcome(told["tuners"][name]), name


def outcome(tuner: dict) -> dict:
    """A tuner's entry without the words of reasons, in which sizes of differences may round otherwise."""
    families = {
        family: (verdict.get("failed"), "unmerged" in verdict) for family, verdict in tuner.pop("families").items()
    }
    return tuner | {"families": families}
