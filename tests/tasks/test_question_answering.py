"""Question answering: prompts, targets, overlap of windows, the random candidate."""

import pytest
from pydantic import ValidationError

from tests.support.rows_of_tasks import ROWS, make_task, predict_baseline


def test_flan_t5_s_question_stands_at_the_end():
    assert make_task("qa").source_text(ROWS["qa"][0], "flan-t5").endswith("who?")


def test_the_first_answer_is_the_target_and_all_are_references():
    task = make_task("qa")
    assert task.target_text(ROWS["qa"][0]) == "Anna"
    assert task.references(ROWS["qa"][0]) == ["Anna", "Anna B."]


def test_a_random_candidate_is_a_candidate_or_else_a_span_of_the_usual_length():
    train = [{"answers": ["two words"]}] * 3
    rows = [{"candidates": ["x", "y"], "context": "c"}] * 50 + [
        {"candidates": [], "context": "one two three four"}
    ] * 50
    predicted = predict_baseline(make_task("qa"), "random-candidate", train, rows)
    assert set(predicted[:50]) == {"x", "y"}
    assert set(predicted[50:]) == {"one two", "two three", "three four"}
    assert predicted != predict_baseline(make_task("qa"), "random-candidate", train, rows, seed=1)
    short = [{"candidates": [], "context": "one"}]
    assert predict_baseline(make_task("qa"), "random-candidate", train, short) == ["one"]


@pytest.mark.parametrize("overlap", [33, 64, 1000])
def test_windows_that_hardly_advance_are_refused(overlap):
    with pytest.raises(ValidationError, match=rf"window_overlap: {overlap} tokens .*max_source_length.* 32 or less"):
        make_task("qa", max_source_length=64, window_overlap=overlap)
    make_task("qa", max_source_length=64, window_overlap=32)


@pytest.mark.parametrize(("length", "expected"), [(512, 128), (1024, 128), (128, 32), (64, 16)])
def test_the_usual_overlap_is_128_tokens_or_a_quarter_of_the_input(length, expected):
    assert make_task("qa", max_source_length=length).window_overlap() == expected
    assert make_task("qa", max_source_length=length, long_contexts="cut").window_overlap() is None
    assert make_task("sentiment", max_source_length=length).window_overlap() is None
