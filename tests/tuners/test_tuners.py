"""The tables of tuners hold for the installed libraries."""

import json
import warnings
from importlib.metadata import version

import pytest

from tests.tuners import own_methods
from tests.tuners.__main__ import LIBRARIES
from tests.tuners.trial import make_models
from tunegrid.methods import METHODS
from tunegrid.methods.start import StartedMethod
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


@pytest.mark.slow
def test_what_the_table_of_the_project_s_methods_says_is_what_is_found(tmp_path):
    make_models(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = own_methods.find(tmp_path)
    told = json.loads(own_methods.FILE.read_text())
    assert found.keys() == told.keys()
    for kind, families in found.items():
        for family, verdict in families.items():
            other = told[kind][family]
            assert verdict.get("failed") == other.get("failed"), (kind, family, verdict)
            assert ("unmerged" in verdict) == ("unmerged" in other), (kind, family, verdict)
            assert verdict.get("trained") == verdict.get("by_arithmetic") == other.get("trained"), (kind, family)


def test_every_kind_that_tunes_a_pretrained_model_by_itself_is_in_the_table():
    own = {kind for kind, method in METHODS.items() if method.trains and not issubclass(method, StartedMethod)}
    assert json.loads(own_methods.FILE.read_text()).keys() == own_methods.TRIED.keys() == own - {"peft"}


def outcome(tuner: dict) -> dict:
    """A tuner's entry without the words of reasons, in which sizes of differences may round otherwise."""
    families = {
        family: (verdict.get("failed"), "unmerged" in verdict) for family, verdict in tuner.pop("families").items()
    }
    return tuner | {"families": families}
