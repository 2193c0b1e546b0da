"""Paper comparison: what is compared, what agrees, why the rest cannot be compared, and the report's section."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.support import ROOT
from tests.support.study_on_disk import write_json, write_study
from tunegrid.report import paper as section
from tunegrid.results.expected import Expected, printed_metrics
from tunegrid.results.paper.agreement import AGREEMENT_COLUMNS, COMPARISON_COLUMNS, agreement_rows, comparison_rows
from tunegrid.results.paper.numbers import published_rows
from tunegrid.results.tables import build_tables
from tunegrid.stages.expected import expected
from tunegrid.study.load import load_study

PAPER = expected(load_study(ROOT / "config" / "paper.yaml"))
MINI = expected(load_study(ROOT / "config" / "mini.yaml"))
MODELS = {"t5-base": "T5-base", "bart-base": "BART-base", "flan-t5-small": "Flan-T5-small"}
METHODS = {"full": "Full Finetuning", "lora": "LoRA", "adapters": "Adapters"}
SIZES = {"translation": 2999, "qa": 14016, "sentiment": 25000}
Key = tuple[str, str, str, str]


def printed(key: Key) -> float:
    task, model, method, metric = key
    row = next(r for r in published_rows(task) if (r["model"], r["method"]) == (MODELS[model], METHODS[method]))
    return float(row[f"{metric}_percent"]) / 100 if f"{metric}_percent" in row else float(row[metric])


def every_cell() -> list[Key]:
    return [
        (task.name, model.name, method.name, metric.name)
        for task in PAPER.tasks
        for model, method in PAPER.grid(task)
        for metric in printed_metrics(task.kind)
    ]


def cells(changes: dict[Key, dict[str, Any]] | None = None, seeds: int = 3) -> list[dict[str, Any]]:
    """Rows of the tidy table of cells in which every score is the paper's, ± 0.01."""
    rows = []
    for task in PAPER.tasks:
        for model, method in PAPER.grid(task):
            for metric in printed_metrics(task.kind):
                key = (task.name, model.name, method.name, metric.name)
                mean = (changes or {}).get(key, {}).get("mean", printed(key))
                row = {"kind": "run", "task": task.name, "model": model.name, "method": method.name}
                row |= {"metric": metric.name, "mean": mean, "seeds_ok": seeds, "seeds_expected": seeds}
                row |= {"status": "ok", "reason": ""}
                row |= {"next_low": mean and mean - 0.01, "next_high": mean and mean + 0.01}
                rows.append(row | (changes or {}).get(key, {}))
    return rows


def cards(**sizes: int) -> dict[str, Any]:
    return {task: {"rows_available": {"test": size}} for task, size in (SIZES | sizes).items()}


def compared(rows: list[dict[str, Any]], of: Expected = PAPER, **sizes: int) -> pd.DataFrame:
    return pd.DataFrame(comparison_rows(of, rows, cards(**sizes)), columns=COMPARISON_COLUMNS.split())


def frames(
    rows: list[dict[str, Any]], of: Expected = PAPER, recommendations: list | None = None, **sizes: int
) -> dict[str, Any]:
    comparison = comparison_rows(of, rows, cards(**sizes))
    agreement = agreement_rows(of, comparison, recommendations or [])
    return {
        "beside": pd.DataFrame(comparison, columns=COMPARISON_COLUMNS.split()),
        "agreement": pd.DataFrame(agreement, columns=AGREEMENT_COLUMNS.split()),
    }


def test_every_number_of_the_paper_agrees_with_itself() -> None:
    frame = compared(cells())
    assert len(frame) == 72
    assert set(frame["verdict"]) == {"agrees"}
    assert frame["difference"].abs().max() < 1e-12
    for row in frame.itertuples():
        assert row.published == printed((row.task, row.model, row.method, row.metric))


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        # 85.2312 % is printed for all of 0.85231150 to 0.85231250: an interval that holds some of that agrees.
        (0.8523124, 0.9, "agrees"),
        (0.8523126, 0.9, "differs"),
        (0.8, 0.8523116, "agrees"),
        (0.8, 0.8523114, "differs"),
    ],
)
def test_a_number_agrees_as_it_is_rounded_in_print(low: float, high: float, verdict: str) -> None:
    key = ("qa", "t5-base", "full", "exact_match")
    frame = compared(cells({key: {"mean": 0.85, "next_low": low, "next_high": high}}))
    row = frame.set_index(["task", "model", "method", "metric"]).loc[key]
    assert row["verdict"] == verdict
    assert row["difference"] == pytest.approx(0.85 - 0.852312)


def test_another_test_set_is_shown_and_not_compared() -> None:
    frame = compared(cells(), qa=10570)
    qa = frame[frame["task"] == "qa"]
    assert set(qa["verdict"]) == {"cannot be compared"}
    assert set(qa["cause"]) == {"test"}
    assert "ours has 10,570 rows" in qa["reason"].iloc[0]
    assert "14,016" in qa["reason"].iloc[0]
    assert qa["reproduced"].notna().all()
    assert set(frame.loc[frame["task"] != "qa", "verdict"]) == {"agrees"}


def test_a_cell_without_a_result_says_so() -> None:
    key = ("sentiment", "bart-base", "lora", "accuracy")
    bad = {"mean": None, "next_low": None, "next_high": None, "status": "diverged", "reason": "loss is nan"}
    row = compared(cells({key: bad})).set_index(["task", "model", "method", "metric"]).loc[key]
    assert (row["verdict"], row["cause"], row["reason"]) == ("cannot be compared", "result", "diverged: loss is nan")


def test_a_study_of_other_models_and_data_is_not_about_the_paper() -> None:
    frame = compared([], MINI)
    assert len(frame) == 72
    assert set(frame["verdict"]) == {"cannot be compared"}
    assert set(frame["cause"]) == {"data model"}
    made = section.section(frames([], MINI), MINI)
    assert made.tables == ()
    assert made.paragraphs == (
        "None of the paper’s 72 numbers (its Tables 6.1 to 6.3) can be compared with this study: its data are not the "
        "paper’s SQuAD, WMT16 and IMDB and its models are not the paper’s checkpoints.",
    )
    assert section.summary(frames([], MINI), MINI) == []


def test_a_model_is_known_by_its_id_and_not_by_its_title(tmp_path: Path) -> None:
    text = (ROOT / "config" / "paper.yaml").read_text().replace("google-t5/t5-base", "someone/t5-base-squad")
    (tmp_path / "paper.yaml").write_text(text)
    frame = compared(cells(), expected(load_study(tmp_path / "paper.yaml")))
    others = frame[frame["cause"] != ""]
    assert set(others["paper_model"]) == {"T5-base"}
    assert set(others["reason"]) == {"no model is the paper's checkpoint google-t5/t5-base"}
    assert set(frame.loc[frame["cause"] == "", "verdict"]) == {"agrees"}


def test_with_one_seed_for_every_cell_no_number_can_be_compared() -> None:
    """Nothing is known of where another run of a cell would land; the order of the cells is known all the same."""
    alone = {key: {"next_low": None, "next_high": None} for key in every_cell()}
    frame = compared(cells(alone, seeds=1))
    assert set(frame["verdict"]) == {"cannot be compared"}
    assert set(frame["cause"]) == {"seeds"}
    assert frame["reason"].str.startswith("one seed: how far another run").all()
    assert frame["reproduced"].notna().all()
    assert [row["same_test"] for row in frames(cells(alone, seeds=1))["agreement"].to_dict("records")] == [True] * 3


def test_true_replications_agree() -> None:
    """One published run of each cell beside three of ours, all drawn alike: nineteen in twenty agree."""
    from tunegrid.results.statistics.seeds import next_run

    generator, agreeing, numbers = np.random.default_rng(12), 0, 0
    for _ in range(20):
        changes = {}
        for task in PAPER.tasks:
            keys = [key for key in every_cell() if key[0] == task.name and key[3] == task.primary.name]
            runs = [np.clip(printed(key) + 0.015 * generator.standard_normal() + 0.015 * generator.standard_normal(3), 0, 1)
                    for key in keys]  # fmt: skip
            for key, values, ahead in zip(keys, runs, next_run(runs, 0.95), strict=True):
                changes[key] = {"mean": values.mean(), "next_low": ahead[0], "next_high": ahead[1]}
        frame = compared(cells(changes)).set_index(["task", "model", "method", "metric"]).loc[list(changes)]
        agreeing, numbers = agreeing + (frame["verdict"] == "agrees").sum(), numbers + len(frame)
    assert agreeing / numbers == pytest.approx(0.95, abs=0.03)


def test_remarks_tell_what_weakens_a_verdict() -> None:
    frame = compared(cells(seeds=1)).set_index(["task", "model", "method", "metric"])
    assert frame["remark"].str.contains("one seed").all()
    assert not compared(cells())["remark"].str.contains("one seed").any()
    copied = frame[frame["remark"].str.contains("the paper prints the same numbers")].reset_index()
    assert set(zip(copied["task"], copied["paper_model"], copied["paper_method"], strict=True)) == {
        ("sentiment", "T5-base", "Full Finetuning"),
        ("sentiment", "Flan-T5-small", "LoRA"),
    }
    assert "tokenisation" in frame.loc[("translation", "t5-base", "full", "bleu"), "remark"]


def test_the_rank_order_is_kendalls() -> None:
    same = {row["task"]: row for row in frames(cells())["agreement"].to_dict("records")}
    assert same["qa"]["kendall_tau"] == same["translation"]["kendall_tau"] == pytest.approx(1)
    assert same["qa"]["cells"] == 9
    # BLEU without ties: the best and the second best change places, one of 36 pairs: (35 - 1) / 36.
    first, second = (("translation", "t5-base", method, "bleu") for method in ("adapters", "full"))
    swapped = cells({first: {"mean": printed(second)}, second: {"mean": printed(first)}})
    row = next(row for row in frames(swapped)["agreement"].to_dict("records") if row["task"] == "translation")
    assert row["kendall_tau"] == pytest.approx(34 / 36)
    # Ranks can be compared where single numbers cannot.
    other = next(r for r in frames(cells(), qa=10570)["agreement"].to_dict("records") if r["task"] == "qa")
    assert other["kendall_tau"] == pytest.approx(1)
    assert not other["same_test"]


def test_the_papers_recommendations_are_compared() -> None:
    recommendations = [
        {"task": "qa", "model": "t5-base", "method": "lora", "tied": "T5-base + LoRA"},
        {"task": "translation", "model": "bart-base", "method": "lora", "tied": "T5-base + Adapters; BART-base + LoRA"},
        {"task": "sentiment", "model": None, "method": None, "tied": ""},
    ]
    found = frames(cells(), recommendations=recommendations)
    rows = {row["task"]: row for row in found["agreement"].to_dict("records")}
    assert rows["qa"]["same_recommendation"] is True
    assert rows["translation"]["same_recommendation"] is False
    assert rows["translation"]["published_is_tied"] is True
    assert pd.isna(rows["sentiment"]["same_recommendation"])
    table = section.section(found, PAPER).tables[0]
    texts = {row.cells[0].text: row.cells[3].text for row in table.rows}
    assert texts["Question Answering"] == "T5-base + LoRA: recommended here too"
    assert texts["Translation"].endswith("which ties with the best here; here the rule recommends BART-base + LoRA")
    assert texts["Sentiment Classification"].endswith("cannot be compared")


def test_page_one_counts_and_the_tables_show_them() -> None:
    key = ("translation", "t5-base", "full", "bleu")
    found = frames(cells({key: {"mean": 0.31, "next_low": 0.3, "next_high": 0.32}}), qa=10570)
    assert section.summary(found, PAPER) == [
        "Of the paper’s 72 numbers, 54 can be compared with this study: 53 agree with ours, 1 differs."
    ]
    tables = {table.name: table for table in section.section(found, PAPER).tables}
    assert list(tables) == ["beside-agreement", "beside-translation", "beside-qa", "beside-sentiment"]
    row = tables["beside-translation"].rows[1]
    assert [cell.text for cell in row.cells] == [
        "Full Finetuning", "BLEU Score", "0.2259", "0.3100 [0.3000, 0.3200]", "+0.0841", "differs",
    ]  # fmt: skip
    assert "Not compared: another test set: ours has 10,570 rows" in tables["beside-qa"].note


def test_a_results_folder_gives_the_tables(made_up_tables, tmp_path: Path) -> None:
    assert len(made_up_tables["beside"]) == 72
    assert set(made_up_tables["beside"]["verdict"]) == {"cannot be compared"}
    folder = write_study(tmp_path, PAPER, examples=40)
    for task, size in SIZES.items():
        card = {"fingerprint": task, "rows": {"test": 40}, "rows_available": {"test": size}}
        write_json(folder / "data" / task / "card.json", card)
    frame = build_tables(folder, PAPER, resamples=100)
    assert frame["beside"]["reproduced"].notna().all()
    assert set(frame["beside"]["verdict"]) <= {"agrees", "differs"}
    assert frame["agreement"]["cells"].tolist() == [9, 9, 9]
