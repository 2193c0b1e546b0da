"""The predictions of a task: of a row's windows, the one with the highest score answers."""

import pytest

from tests.support.random_models import TEXTS


def table(sources: list[list[int]], rows: list[int]):
    import pyarrow

    return pyarrow.table({"input_ids": sources, "labels": [[1]] * len(rows), "row": rows})


def test_the_window_with_the_highest_score_answers(random_model):
    from tests.support.rows_of_tasks import make_task
    from tunegrid.models.generate import generate
    from tunegrid.tasks.predict import predict_rows

    model, tokenizer = random_model("t5")
    task = make_task("qa", evaluation_batch_size=2)
    sources = tokenizer(TEXTS)["input_ids"]
    options = {"batch_size": 2, "precision": "fp32", "scored": set(range(5))}
    answers = generate(model, tokenizer, sources, task.settings.generation, **options)
    owners = [0, 0, 1, 2, 2]
    first = max((0, 1), key=lambda index: (answers[index].text != "", answers[index].score))
    last = max((3, 4), key=lambda index: (answers[index].text != "", answers[index].score))
    predicted = predict_rows(model, tokenizer, task, table(sources, owners), 3, precision="fp32")
    assert predicted.texts == [answers[first].text, answers[2].text, answers[last].text]
    assert predicted.columns["window"].tolist() == [first, 0, last - 3]
    assert predicted.columns["window_score"].tolist()[::2] == pytest.approx(
        [answers[first].score, answers[last].score], abs=1e-4
    )
    assert predicted.columns["window_score"].isna().tolist() == [False, True, False]
    assert predicted.cut == sum(not answers[index].ended for index in (first, 2, last))
    alone = predict_rows(model, tokenizer, task, table(sources, list(range(5))), 5, precision="fp32")
    assert (alone.texts, alone.columns) == ([answer.text for answer in answers], None)
    for rows, count in ((owners, 4), (owners, 2), ([0, 0, 2, 2, 3], 4)):
        with pytest.raises(ValueError, match=rf"but {count} rows: tokenise again"):
            predict_rows(model, tokenizer, task, table(sources, rows), count, precision="fp32")


def test_an_empty_answer_wins_only_where_there_is_no_other():
    from tunegrid.models.generate import Answer
    from tunegrid.tasks.predict import _best_windows

    answers = [Answer("", True, -0.1), Answer("dog", True, -9.0), Answer("cat", False, -8.0), Answer("", True, -3.0)]
    answers += [Answer("", True, -0.5), Answer("key", True)]
    predicted = _best_windows([0, 0, 0, 1, 1, 2], answers, 3)
    assert predicted.texts == ["cat", "", "key"]
    assert predicted.columns["window"].tolist() == [2, 1, 0]
    assert predicted.cut == 1
