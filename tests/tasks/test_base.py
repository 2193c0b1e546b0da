"""What every task does: prompts, scores, a trivial baseline."""

import pytest

from tests.support.rows_of_tasks import ROWS, make_task, predict_baseline
from tunegrid.tasks import TASKS


@pytest.mark.parametrize("kind", TASKS)
def test_scores_hold_every_metric_and_a_row_per_example_in_order(kind):
    task = make_task(kind)
    predictions = [task.target_text(row) for row in ROWS[kind]]
    predictions[1] = "nothing alike"
    scores = task.score(predictions, ROWS[kind])
    assert set(scores.metrics) == {metric.name for metric in task.metrics}
    assert task.primary in scores.metrics
    assert len(scores.examples) == 2
    first, second = scores.examples.iloc[0], scores.examples.iloc[1]
    column = {
        "qa": "exact_match",
        "translation": "cosine_similarity",
        "summarisation": "rouge_l",
        "ner": "entities_exact",
        "generation": "exact_text",
    }.get(kind, "correct")
    assert (first[column], second[column]) == (pytest.approx(1), 0)
    signed = {"translation": {"bleu", "chrf"}, "summarisation": {"rouge1", "rouge2", "rouge_l", "rouge_lsum", "chrf"}}
    signed["generation"] = {"chrf", "rouge_l"}
    assert set(scores.signatures) == signed.get(kind, set())
    with pytest.raises(ValueError, match=r"zip|Mismatch"):
        task.score(predictions[:1], ROWS[kind])


@pytest.mark.parametrize("kind", TASKS)
def test_no_score_is_above_1(kind):
    """Whatever the rounding of a metric's library: sacreBLEU's BLEU of a whole match is 100.00000000000004."""
    rows = [
        {**row, "target": row["target"] + " mit einem Ball"} if kind == "translation" else row for row in ROWS[kind]
    ]
    scores = make_task(kind).score([make_task(kind).target_text(row) for row in rows], rows).metrics
    assert all(value <= 1 for value in scores.values())
    assert scores[make_task(kind).primary] == pytest.approx(1)


@pytest.mark.parametrize("kind", ["qa", "sentiment"])
def test_metrics_are_the_means_of_the_examples(kind):
    task = make_task(kind)
    scores = task.score([task.target_text(ROWS[kind][0]), "x"], ROWS[kind])
    pairs = {"qa": [("exact_match",) * 2, ("f1",) * 2], "sentiment": [("accuracy", "correct")]}[kind]
    for metric, column in pairs:
        assert scores.metrics[metric] == pytest.approx(scores.examples[column].mean()) == 0.5


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("family", ["t5", "flan-t5", "bart"])
def test_a_prompt_holds_the_text_as_it_is_braces_and_all(kind, family):
    task = make_task(kind)
    row = ROWS[kind][0] | {task.truncatable: "x {y} {0} {{z}} %s"}
    assert "x {y} {0} {{z}} %s" in task.source_text(row, family)
    own = make_task(kind, prompts={family: "mine: {" + task.truncatable + "}"})
    assert own.source_text(row, family) == "mine: x {y} {0} {{z}} %s"


@pytest.mark.parametrize("kind", TASKS)
def test_the_trivial_baseline_is_one_of_the_baselines(kind):
    task = make_task(kind)
    assert task.trivial_baseline in task.baselines()
    predicted = predict_baseline(task, task.trivial_baseline, ROWS[kind], ROWS[kind])
    assert len(predicted) == 2
    assert predicted == predict_baseline(task, task.trivial_baseline, ROWS[kind], ROWS[kind])
