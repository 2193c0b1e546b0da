"""What models may have seen of the test rows: a section, and a note below each table of scores."""

from tunegrid.common import digits
from tunegrid.common.digits import DASH, absent
from tunegrid.report import layout
from tunegrid.report.layout import Column, Section, Table, right
from tunegrid.report.tables import Frames, Titles, where
from tunegrid.results.expected import Expected, ExpectedTask

RELATIONS = {
    "trained on it": "trained on its labelled rows",
    "read its texts": "read its texts, without labels",
    "not named": "not named in what it was trained on",
    "not known": "not known",
}


def section(frames: Frames, expected: Expected) -> Section | None:
    """The section on test rows and data sets that models had seen; None where nothing is known of either."""
    tables = tuple(filter(None, (_overlap(frames, expected), _pretraining(frames, expected))))
    if not tables:
        return None
    text = (
        "A score on rows that a model has seen says less about rows that it has not. Two things can be counted or "
        "looked up: test rows whose text occurs in the task's own training rows, and data sets that a pretrained model "
        "was trained on before this study. A model that was trained on a data set has seen its training rows, not, as "
        "far as is published, its test rows; its untuned row in the tables of scores shows what it already knew. What "
        "pages of the web a model read is not known row by row."
    )
    return Section("What models had seen before", (text,), tables)


def note(frames: Frames, expected: Expected, task: ExpectedTask) -> str:
    """What models had seen of a task, in sentences for below its scores; "" where there is nothing to say."""
    sentences = []
    for row in where(frames["contamination"], task=task.name).itertuples():
        if row.same or row.overlapping:
            sentences.append(
                f"Test rows with the same words as a training row: {digits.count(row.same)} of "
                f"{digits.count(row.test_rows)}; with {row.ngram:.0f} words in a row of one: "
                f"{digits.count(row.overlapping)}."
            )
    trained = where(frames["pretraining"], task=task.name, relation="trained on it")["model"]
    if len(trained):
        titles = Titles(expected).models
        sentences.append(f"Trained on this data set before this study: {', '.join(titles[name] for name in trained)}.")
    return " ".join(sentences)


def _overlap(frames: Frames, expected: Expected) -> Table | None:
    rows = []
    for task in expected.tasks:
        for row in where(frames["contamination"], task=task.name).itertuples():
            counts = (row.test_rows, row.same, row.overlapping, row.mostly_overlapping, row.too_short)
            share = digits.percent(row.ngrams_seen / row.ngrams) if row.ngrams else DASH
            rows.append((task.title, *map(digits.count, counts), share))
    if not rows:
        return None
    size = f"{frames['contamination']['ngram'].iloc[0]:.0f}"
    heads = ("Test rows", "Same words", f"{size} words in a row", "Half of them", f"Under {size} words", "N-grams seen")
    caption = (
        "Test rows whose text occurs in the task's training rows: with the same words as a training row; with at least "
        f"{size} words in a row of one, by the n-grams of GPT-3's report (Brown et al. 2020, appendix C): lower case, "
        "punctuation left aside, within one column; with at least half of their n-grams. Rows with fewer words have "
        "no n-gram. Last: the share of all n-grams of the test rows."
    )
    return layout.plain_table("contamination", caption, [Column("Task"), *right(*heads)], rows)


def _pretraining(frames: Frames, expected: Expected) -> Table | None:
    titles, groups = Titles(expected), []
    for task in expected.tasks:
        rows = []
        for row in where(frames["pretraining"], task=task.name).dropna(subset=["text"]).itertuples():
            relation = RELATIONS[row.relation] + ("" if absent(row.remark) else f": {row.remark}")
            rows.append((titles.models[row.model], relation, row.text, row.reference))
        groups.append((task.title, rows))
    if not any(rows for _, rows in groups):
        return None
    caption = (
        "What is published about the models' training before this study. Not named: the data set is in nothing that "
        "was published; the web text that the model read may hold it all the same."
    )
    columns = [Column("Model", width=0.12), Column("This data set", width=0.3), Column("Unlabelled text", width=0.2)]
    columns.append(Column("Source", width=0.26))
    return layout.grouped_table("pretraining", caption, columns, groups)
