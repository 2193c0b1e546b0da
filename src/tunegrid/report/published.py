"""A report of the paper's own numbers, with the layout, rule and templates of a study's report."""

from collections.abc import Iterable

from tunegrid.common.digits import DASH
from tunegrid.report import audit, layout
from tunegrid.report.document import Report
from tunegrid.report.layout import Column, ScoreLine, Section, Table
from tunegrid.results.expected import printed_metrics
from tunegrid.results.paper.numbers import NUMBERS, TASKS, published_recommendations, published_rows, published_score


def published_tables() -> list[Table]:
    """The paper's Tables 6.1 to 6.4, the last by our rule."""
    tables = []
    for kind, title in TASKS.items():
        metrics = printed_metrics(kind)
        lines = [
            ScoreLine(row["model"], row["method"], {metric.name: published_score(row, metric) for metric in metrics})
            for row in published_rows(kind)
        ]
        caption = f"{title} (the paper's Table {NUMBERS[kind]})."
        tables.append(layout.score_table(f"published-{kind}", caption, metrics, lines))
    return [*tables, _recommendation_table()]


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


def _recommendation_table() -> Table:
    recommendations = published_recommendations()
    rows: Iterable[tuple[str, str, str]] = (
        (TASKS[kind], rule.chosen.title if rule.chosen else DASH, rule.rationale)
        for kind, rule in recommendations.items()
    )
    columns = (Column("Task", width=0.2), Column("Recommended Setup", width=0.24), Column("Rationale", width=0.48))
    caption = "Recommended model and tuning method per task, by the rule (the paper's Table 6.4)."
    return layout.plain_table("published-recommendation", caption, columns, rows)
