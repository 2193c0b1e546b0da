"""The pretrained models that come with the package: whole, reproducible, and without any held-out text."""

import json
import shutil
from functools import cache
from itertools import chain, islice

import pytest
import yaml

from tests.support import ROOT
from tunegrid.common.errors import TuneGridError
from tunegrid.common.package_data import models_folder
from tunegrid.data import miniworld
from tunegrid.models import packaged
from tunegrid.models.packaged import PackagedModel
from tunegrid.models.pretrain.loop import FIRST_LOSSES, optimise, prepare
from tunegrid.models.pretrain.settings import PretrainSource
from tunegrid.runtime.provenance import digest

NAMES = ("t5", "bart", "flan-t5")
MINI, PRETRAINING = (
    yaml.safe_load((ROOT / "config" / name).read_text()) for name in ("mini.yaml", "pretrain-mini.yaml")
)


def card(name):
    return json.loads((models_folder() / name / "card.json").read_text())


def recipe(name):
    return PretrainSource(kind="pretrain", **card(name)["recipe"])


def held_out_keys():
    """The keys of the mini study's validation and test texts."""
    return {
        miniworld.text_key(text)
        for task, settings in MINI["tasks"].items()
        for split in ("validation", "test")
        for row in miniworld.rows(task, split, settings["source"]["rows"][split], settings["source"].get("seed", 0))
        for text in miniworld.row_texts(task, row)
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_model_is_fetched_with_the_card_of_its_pretraining(tmp_path, name):
    facts = PackagedModel(kind="packaged", name=name).fetch(tmp_path)
    assert facts["pretraining"] == card(name)
    assert facts["pretraining"]["recipe"]["seed"] == 1
    assert "Apache-2.0" in facts["pretraining"]["licence"]
    assert (tmp_path / "model.safetensors").stat().st_size > 500_000


def test_the_models_are_small():
    assert sum(file.stat().st_size for file in models_folder().rglob("*")) < 12e6


def test_an_altered_file_is_refused(tmp_path, monkeypatch):
    shutil.copytree(models_folder() / "t5", tmp_path / "models" / "t5")
    monkeypatch.setattr(packaged, "models_folder", lambda: tmp_path / "models")
    config = tmp_path / "models" / "t5" / "generation_config.json"
    config.write_text(config.read_text() + "\n")
    (tmp_path / "fetched").mkdir()
    with pytest.raises(TuneGridError, match=r"generation_config\.json"):
        PackagedModel(kind="packaged", name="t5").fetch(tmp_path / "fetched")


def test_the_recipes_are_those_of_the_study_that_pretrains():
    assert PRETRAINING["tasks"] == MINI["tasks"]  # so the same rows are left out
    for name, settings in PRETRAINING["models"].items():
        assert (
            PretrainSource(**settings["source"]).model_dump()
            == recipe(name).model_copy(update={"licence": settings["source"]["licence"]}).model_dump()
        )


@cache
def documents(seed, count):
    return tuple(islice(miniworld.documents(seed), count))


@cache
def exercises(seed, easy, count):
    return tuple(islice(miniworld.instructions(seed, easy), count))


def texts_read(source, most=None):
    """What a model has read, or the first `most` documents and exercises of either kind."""
    texts = list(documents(source.seed, most or source.documents))
    for easy in (True, False) if source.easy_share or source.first_steps else (False,):
        texts += chain.from_iterable(exercises(source.seed, easy, most or source.exercises))
    return texts


def test_no_validation_or_test_text_of_the_study_is_in_the_first_texts():
    held_out = held_out_keys()
    assert all(held_out.isdisjoint(miniworld.contained_keys(text)) for text in texts_read(recipe("t5"), 3000))


@pytest.mark.slow
def test_no_validation_or_test_text_of_the_study_is_in_what_the_models_have_read():
    texts = {name: texts_read(recipe(name)) for name in NAMES}
    assert {name: card(name)["text_fingerprint"] for name in NAMES} == {
        name: digest(read) for name, read in texts.items()
    }  # they have read that text
    held_out = held_out_keys()
    assert all(held_out.isdisjoint(miniworld.contained_keys(text)) for text in set().union(*texts.values()))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_first_steps_of_the_recipe_follow_the_recorded_losses(name):
    source = recipe(name)
    assert card(name)["left_out"] == 0  # so nothing has to be looked for in the text
    prepared = prepare(
        source,
        name,
        iter(documents(source.seed, source.documents)),
        lambda easy: iter(exercises(source.seed, easy, source.exercises)),
        set(),
    )
    losses = optimise(prepared, FIRST_LOSSES[-1], lambda line: None)["losses"]
    recorded = {int(step): loss for step, loss in card(name)["losses"].items()}
    assert losses == {step: pytest.approx(recorded[step], rel=0.02) for step in FIRST_LOSSES}
    assert recorded[source.steps] < 0.25 * losses[FIRST_LOSSES[-1]]
