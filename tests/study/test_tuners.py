"""Methods that name a tuner of a library: names and settings are checked when a study is read."""

import pytest

from tests.support.small_study import changed, refusal


def with_method(settings: str) -> str:
    return changed("lora: {kind: lora, r: 8}", f"lora: {settings}")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{kind: peft, tuner: IA33}", r"methods.lora.tuner: unknown: 'IA33'. Did you mean IA3? Valid: ADALORA"),
        ("{kind: peft}", "methods.lora.tuner: required, but not given"),
        ("{kind: peft, tuner: LOHA, settings: {rr: 4}}", "methods.lora.settings.rr: unknown key. Did you mean r? "),
        ("{kind: peft, tuner: LOHA, settings: {r: 4.5}}", "methods.lora.settings.r: integer expected (found 4.5)"),
        ("{kind: peft, tuner: LOHA, settings: {r: true}}", "methods.lora.settings.r: integer expected (found True)"),
        ("{kind: peft, tuner: LOHA, settings: {r: 1000000}}", "methods.lora.settings.r: a number of at most 65,536"),
        ("{kind: peft, tuner: GLORA, settings: {config_C: lorra}}", "settings.config_C: unknown: 'lorra'. Did you mean lora?"),
        ("{kind: peft, tuner: LOHA, settings: {rank_dropout: .nan}}", "settings.rank_dropout: a number of at most"),
        ("{kind: peft, tuner: P_TUNING}", "num_virtual_tokens: required by P_TUNING, but not given"),
        ("{kind: peft, tuner: IA3, settings: {target_modules: [q]}}", "Name roles of linear layers in `targets` instead"),
        ("{kind: peft, tuner: IA3, targets: [q]}", "methods.lora.targets[0]: unknown: 'q'."),
        ("{kind: peft, tuner: LN-Tuning, targets: [query]}", "LN_TUNING chooses its places by itself"),
        ("{kind: peft, tuner: lily}", "what it generates is not what it was trained to (logits differ"),
        ("{kind: peft, tuner: prefix_tuning, settings: {num_virtual_tokens: 4}}", "cannot exist: "),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_tuner_is_one_sentence_at_its_key(load, settings, message):
    assert message in refusal(load, with_method(settings))


def test_the_name_of_a_tuner_is_read_as_people_write_it(load):
    study = load(with_method("{kind: peft, tuner: LoHa}"))
    assert study.methods["lora"].tuner == "LOHA"
    assert study.title_of("methods", "lora") == "LOHA"
