"""The report's section on instruction tuning says what the tables say."""

import pandas as pd
import pytest

from tunegrid.report.cost_words import cost_text
from tunegrid.report.instruction import held_out, section
from tunegrid.report.summary import warnings
from tunegrid.results.tables import build_tables
from tunegrid.stages.expected import expected


@pytest.fixture
def frames(instructed):
    return build_tables(instructed.paths.root, expected(instructed), resamples=200)


def test_the_section_has_mixture_tasks_and_every_wording(instructed, frames):
    found = section(frames, expected(instructed))
    mixtures, summary, wordings = found.tables
    assert [row.cells[3].text for row in mixtures.rows] == ["in the mixture", "held out", "in the mixture"]
    assert [row.cells[2].text for row in summary.rows if not row.heading] == [
        "trained, 4",
        "unseen, 2",
        "held out, 6",
        "trained, 4",
        "unseen, 2",
    ]
    texts = {row.cells[0].text for row in wordings.rows}
    assert set(frames["wordings"]["template"]) <= texts
    assert any("shared by 3 tasks" in text for text in cost_text(frames, expected(instructed)))


def test_the_data_of_a_mixture_are_its_own_and_no_warning(instructed, frames):
    def data_warnings(provenance: pd.DataFrame) -> list[str]:
        return [text for text in warnings(frames | {"provenance": provenance}, expected(instructed)) if "data" in text]

    provenance = frames["provenance"]
    assert provenance.groupby("task")["data_fingerprint"].nunique().max() > 1
    assert data_warnings(provenance) == []
    changed = provenance.copy()
    changed.loc[provenance.index[provenance["stage"] == "evaluate"][-1], "data_fingerprint"] = "another"
    assert len(data_warnings(changed)) == 1
    twice = pd.concat([provenance, provenance[provenance["stage"] == "train"].assign(data_fingerprint="another")])
    assert len(data_warnings(twice)) == provenance["task"].nunique()


def test_a_study_without_mixtures_has_no_such_section(instructed, frames):
    from dataclasses import replace

    assert section(frames, replace(expected(instructed), mixtures={})) is None


LOWS = {  # (difference, to the prompt: each low and high) -> how the sentence begins
    "above both": ((0.1, 0.2), (0.05, 0.3), "above the untuned model, however that is asked,"),
    "above one": ((0.1, 0.2), (-0.05, 0.3), "not shown to be above it"),
    "below one": ((0.1, 0.2), (-0.3, -0.1), "below it, asked in one of the two ways,"),
}


@pytest.mark.parametrize(("difference", "prompt", "says"), LOWS.values(), ids=LOWS)
def test_held_out_tasks_are_above_only_where_both_intervals_are(instructed, frames, difference, prompt, says):
    table = frames["instruction"].copy()
    table[["difference_low", "difference_high"]] = difference
    table[["prompt_difference_low", "prompt_difference_high"]] = prompt
    table["prompt_difference"] = pd.Series([sum(prompt) / 2] * len(table))
    text = held_out({"instruction": table}, expected(instructed))
    assert (
        text
        == f"Tasks that were held out: the tuned model is {says} in Question Answering (T5 (mini) + Instructions, LoRA)."
    )
