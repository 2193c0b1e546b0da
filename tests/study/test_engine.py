"""`evaluation: {engine: ctranslate2}`: what it cannot predict is refused before any job, with the reason."""

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.methods import METHODS
from tunegrid.methods.peft import PeftSettings
from tunegrid.models import FAMILIES
from tunegrid.study import engine
from tunegrid.study.checks import check_files
from tunegrid.study.engine import why_not_converted
from tunegrid.study.stage_settings import evaluation_settings

ENGINE = "evaluation: {engine: ctranslate2}\n"


def test_cells_that_do_not_merge_are_refused_with_the_key_and_what_to_do(tiny_study):
    with pytest.raises(TuneGridError) as refusal:
        tiny_study(ENGINE)
    text = str(refusal.value)
    assert "evaluation.engine" in text
    assert "what Adapters adds cannot be merged into the weights" in text
    assert "grid.exclude: [{model: t5, method: adapters}]" in text
    tiny_study(ENGINE + "grid: {methods: [full, lora]}")


def test_bf16_on_a_cpu_is_refused(tiny_study):
    with pytest.raises(TuneGridError, match="CTranslate2 does not compute in bf16 on a CPU"):
        tiny_study(ENGINE + "grid: {methods: [full]}\nhardware: {precision: bf16}")


@pytest.mark.parametrize(
    ("tuner", "reason"),
    [("IA3", None), ("BEFT", "BEFT has no plain model"), ("PROMPT_TUNING", "PROMPT_TUNING has no plain model")],
)
def test_a_tuner_of_peft_is_refused_where_it_does_not_merge(tuner, reason):
    settings = {"num_virtual_tokens": 4} if tuner == "PROMPT_TUNING" else {}
    method = METHODS["peft"](PeftSettings(kind="peft", tuner=tuner, settings=settings), FAMILIES["t5"])
    said = why_not_converted(method)
    assert said is None if reason is None else reason in said


def test_a_family_whose_conversion_is_not_tried_is_refused():
    family = FAMILIES["bart"].model_copy(update={"model_types": ["pegasus"]})
    method = METHODS["full"](METHODS["full"].Settings(kind="full"), family)
    assert "not tried with models of the type pegasus" in why_not_converted(method)


def test_without_the_package_the_study_is_refused_before_its_first_job(tiny_study, monkeypatch):
    study = tiny_study(ENGINE + "grid: {methods: [full]}")
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TuneGridError, match="CTranslate2 is not installed"):
        check_files(study)


def test_the_engine_reruns_the_evaluation_and_the_default_keeps_its_digest(tiny_study):
    plain, converted = (tiny_study(changes + "grid: {methods: [full]}") for changes in ("", ENGINE))
    before, after = (evaluation_settings(study, "qa") for study in (plain, converted))
    assert after == before | {"engine": "ctranslate2"}
    assert "engine" not in before
