"""Prompts and words of labels that a model could not read, or not tell apart, are refused."""

import pytest

from tests.support.small_study import assert_refused, changed, refusal

KEY = "tasks.qa.prompts.t5"
# (the prompt as YAML has it, what the message says); without a format or a conversion, a prompt is its text as it stands
PROMPTS = {
    "empty": ("''", "does not use {context}"),
    "blank": ("'  '", "does not use {context}"),
    "cut to nothing": ("'{question} {context:.0}'", "write {context} alone"),
    "cut": ("'{question} {context:.100}'", "write {context} alone"),
    "filled": ("'{question} {context:>9}'", "write {context} alone"),
    "a format of numbers": ("'{question:d} {context}'", "write {question} alone"),
    "a format of the row": ("'{context:{question}}'", "write {context} alone"),
    "a conversion": ("'{context!r}'", "write {context} alone"),
    "an unknown conversion": ("'{context!z}'", "write {context} alone"),
    "a conversion without a name": ("'{context!}'", "not a valid template"),
    "an index": ("'{context[0]} {context}'", "unknown: 'context[0]'"),
    "an attribute": ("'{context.__class__} {context}'", "unknown: 'context.__class__'"),
    "no name": ("'{} {context}'", "unknown: ''"),
    "a number": ("'{0} {context}'", "unknown: '0'"),
    "escaped": ("'{{context}}'", "does not use {context}"),
    "the answer": ("'{answers} {context}'", "unknown: 'answers'"),
}


@pytest.mark.parametrize(("prompt", "says"), PROMPTS.values(), ids=PROMPTS)
def test_a_prompt_that_a_row_cannot_fill_or_that_alters_its_text_is_refused(load, prompt, says):
    new = f"max_target_length: 8\n    prompts: {{t5: {prompt}}}"
    assert_refused(load, "max_target_length: 8", new, KEY, [says])


def test_a_prompt_of_a_family_that_no_model_is_of_is_checked_too(load):
    new = "max_target_length: 8\n    prompts: {mt5: '{context'}"
    assert_refused(load, "max_target_length: 8", new, "tasks.qa.prompts.mt5", ["not a valid template"])


def test_a_prompt_that_is_given_is_used_and_braces_can_be_text(load):
    study = load(
        changed("max_target_length: 8", "max_target_length: 8\n    prompts: {t5: '{{q}} {question}\\n{context}'}")
    )
    row = {"question": "Who?", "context": "A {dog}."}
    assert study.task("qa", "t5").source_text(row, "t5") == "{q} Who?\\nA {dog}."


# -- labels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "key", "says"),
    [
        ("['', positive]", "labels[0]", "blank"),
        ("[' ', positive]", "labels[0]", "blank"),
        ('["\\u200b", positive]', "labels[0]", "blank"),
        ("[' negative', positive]", "labels[0]", "write 'negative'"),
        ("[negative, 'very  good', positive]", "labels[1]", "write 'very good'"),
        ('["negative\\nbad", positive]', "labels[0]", "write 'negative bad'"),
        ("[positive, positive]", "labels", "the same word"),
        ("[Positive, positive]", "labels", "differ in case alone: Positive and positive"),
        ("[ﬁne, fine, positive]", "labels", "differ in case alone: ﬁne and fine"),
    ],
)
def test_labels_that_are_blank_or_the_same_to_a_vocabulary_are_refused(load, labels, key, says):
    new = f"kind: sentiment\n    labels: {labels}"
    message = refusal(load, changed("kind: sentiment", new))
    assert f": tasks.sentiment.{key}: " in message
    assert says in message
