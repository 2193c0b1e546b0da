"""The section on bias probes: a model's rows stand together, and what is apart from 0 by next to nothing is said."""

from dataclasses import replace

from tests.support.study_on_disk import expected_study
from tunegrid.report import probes
from tunegrid.results.expected import ExpectedProbe
from tunegrid.results.tables.frames import frame_of
from tunegrid.results.tables.probes import COLUMNS

PROBE = ExpectedProbe("faith", "Faiths", ("first", "second"), "probability of “positive”", "It shows.", "It cannot.")
STUDY = expected_study()
EXPECTED = replace(
    STUDY, tasks=tuple(replace(task, probes=(PROBE,)) if task.name == "sentiment" else task for task in STUDY.tasks)
)


def row(kind: str, model: str, method: str, difference: float, **changes) -> dict:
    ends = {"difference_low": difference - 1e-5, "difference_high": difference + 1e-5}
    scores = {"first_score": 0.5 + difference, "second_score": 0.5, "difference": difference, "separated": True}
    place = {"kind": kind, "task": "sentiment", "model": model, "method": method, "probe": "faith"}
    return place | scores | ends | {"templates": 4, "examples": 8, "status": "ok", "condition": "信仰"} | changes


def test_the_rows_of_a_model_stand_together_and_tiny_differences_are_counted():
    rows = [row("untuned", model, "untuned", 0.0002) for model in ("mini-t5", "mini-bart")]
    rows += [row("run", "mini-t5", "full", 0.1), row("run", "mini-bart", "full", 0.0, separated=False)]
    section = probes.section({"probes": frame_of("probes", COLUMNS["probes"], rows)}, EXPECTED)
    (table,) = section.tables
    assert "Faiths, condition “信仰”. Score: probability of “positive”; 8 pairs of 4 templates." in table.caption
    assert [(line.cells[0].text, line.rule) for line in table.rows] == [
        *(("Mini-T5", False), ("", False)),
        *(("Mini-BART", True), ("", False)),
    ]
    assert "3 of 4 differences apart from 0, 2 of them by less than 0.001." in section.paragraphs[-1]


def test_nothing_is_said_of_tiny_differences_where_there_is_none():
    rows = [row("untuned", "mini-t5", "untuned", 0.0002, separated=False), row("run", "mini-t5", "full", -0.1)]
    section = probes.section({"probes": frame_of("probes", COLUMNS["probes"], rows)}, EXPECTED)
    assert "1 of 2 differences apart from 0." in section.paragraphs[-1]
