"""A report of the paper's own numbers, with the layout, rule and templates of a study's report."""

from collections.abc import Iterable

from tunegrid.common.words import DASH
from tunegrid.report import audit, layout
from tunegrid.report.document import Report
from tunegrid.report.layout import Column, ScoreLine, Section, Table
from tunegrid.results.expected import printed_metrics
from tunegrid.results.paper.numbers import NUMBERS, TASKS, published_rows
from tunegrid.results.statistics.recommend import Candidate, Recommendation, from_printed
from tunegrid.tasks import Metric


def published_tables() -> list[Table]:
    """The paper's Tables 6.1 to 6.4, the last by our rule."""
    tables = []
    for kind, title in TASKS.items():
        lines = [
            ScoreLine(
                row["model"], row["method"], {metric.name: _score(row, metric) for metric in printed_metrics(kind)}
            )
            for row in published_rows(kind)
        ]
        caption = f"{title} (the paper's Table {NUMBERS[kind]})."
        tables.append(layout.score_table(f"published-{kind}", caption, printed_metrics(kind), lines))
    return [*tables, _recommendation_table()]


def published_recommendations() -> dict[str, Recommendation]:
    """Recommendations of the rule for the paper's numbers, in the order of its Table 6.4."""
    sizes = {(row["model"], row["method"]): row for row in published_rows("parameters")}
    recommendations = {}
    for kind in ("qa", "translation", "sentiment"):
        metric = printed_metrics(kind)[0]
        candidates = [
            Candidate(
                model=row["model"],
                method=row["method"],
                score=_score(row, metric),
                printed=metric.text(_score(row, metric)),
                trainable=int(sizes[row["model"], row["method"]]["trainable"]),
                total=int(sizes[row["model"], row["method"]]["total"]),
            )
            for row in published_rows(kind)
        ]
        recommendations[kind] = from_printed(candidates, metric.label)
    return recommendations


def published_report() -> Report:
    """A report of the paper's numbers alone."""
    *scores, recommendation = published_tables()
    return Report(
        title="The paper's own numbers",
        subtitle="Tables 6.1 to 6.4 of “Transformer and Applications” (course paper, CO3086, May 2025)",
        date="As printed there",
        abstract=(
            "These are the numbers that the paper printed, not results of TuneGrid. The paper reports one number per "
            "cell, without seeds, predictions, costs or settings, so nothing can be said about how sure they are.",
        ),
        summary=(audit.published_sentence(),),
        warnings=(),
        sections=(
            Section("Scores", (), tuple(scores)),
            Section(
                "Recommendation",
                (
                    "The rule: the cells that print the same primary metric as the best (exact match, BLEU, accuracy) "
                    "are tied; of these the one with the fewest trainable parameters, then the fewest parameters, is "
                    "recommended. The paper gives no sizes: they are computed from the public checkpoints' "
                    "architectures, assuming LoRA of rank 16 in every linear layer and adapters with reduction factor "
                    "16 after self-attention and feed-forward.",
                ),
                (recommendation,),
            ),
            audit.published_section(),
        ),
    )


def _score(row: dict[str, str], metric: Metric) -> float:
    """A published score from 0 to 1, as a float that prints the same."""
    return float(row[f"{metric.name}_percent"]) / 100 if metric.percent else float(row[metric.name])


def _recommendation_table() -> Table:
    recommendations = published_recommendations()
    rows: Iterable[tuple[str, str, str]] = (
        (TASKS[kind], rule.chosen.title if rule.chosen else DASH, rule.rationale)
        for kind, rule in recommendations.items()
    )
    columns = (Column("Task", width=0.2), Column("Recommended Setup", width=0.24), Column("Rationale", width=0.48))
    caption = "Recommended model and tuning method per task, by the rule (the paper's Table 6.4)."
    return layout.plain_table("published-recommendation", caption, columns, rows)
