"""The metrics as `evaluate.Metric` classes."""

import evaluate
import pytest

from tests.support.rows_of_tasks import ROWS, make_task
from tunegrid.tasks import METRICS, TASKS
from tunegrid.tasks.metrics.bleu import Bleu
from tunegrid.tasks.metrics.chrf import ChrF
from tunegrid.tasks.metrics.cosine_similarity import CosineSimilarity
from tunegrid.tasks.metrics.evaluate_metric import as_evaluate
from tunegrid.tasks.metrics.label_counts import Accuracy, Precision


def test_metrics_combine_with_others_offline():
    texts = ["der kleine Hund", "das Haus"]
    modules = [as_evaluate(metric) for metric in (Bleu(), ChrF(), CosineSimilarity(), Accuracy(), Precision())]
    assert all(isinstance(module, evaluate.Metric) for module in modules)
    scores = evaluate.combine(modules).compute(predictions=texts, references=texts)
    assert {"bleu", "chrf", "cosine_similarity", "accuracy", "precision"} <= scores.keys()
    assert scores["cosine_similarity"] == pytest.approx(1)


def test_every_metric_says_what_tables_and_reports_need():
    for name, metric in METRICS.items():
        assert all((metric.name, metric.title, metric.label, metric.description)), name
        assert metric().short(0.5) == ("50.0%" if metric.percent else "0.5000")
        assert metric().text(0.5) == ("50.0000%" if metric.percent else "0.5000")


@pytest.mark.parametrize("kind", TASKS)
def test_what_a_metric_computes_is_the_aggregate_of_its_columns(kind):
    task = make_task(kind)
    references = [task.references(row) for row in ROWS[kind]]
    predictions = [references[0][0], "the same and more " + references[1][0]]
    for metric in task.metrics:
        texts = references if metric.many_references else [first for first, *_ in references]
        result = as_evaluate(metric).compute(predictions=predictions, references=texts, examples=True)
        columns = result.pop("examples")
        assert tuple(columns) == metric.columns
        table = {"prediction": predictions, "references": references, **columns}
        plain = as_evaluate(metric).compute(predictions=predictions, references=texts)
        assert plain == result
        if (statistics := metric.statistics(table)) is None:
            continue  # chrF
        assert len(statistics) == 2
        assert result[metric.name] == pytest.approx(float(metric.aggregate(statistics.sum(axis=0))), rel=1e-15)
