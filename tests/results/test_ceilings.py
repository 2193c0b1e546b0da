"""Ceilings from the records of `tokenise` to ceilings.csv, and what they mean in sentences."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from tests.support.records_on_disk import ceiling_record
from tests.support.study_on_disk import expected_study, write_json
from tunegrid.common.errors import TuneGridError
from tunegrid.results.ceilings import ceiling_rows, ceiling_sentences, read_ceilings
from tunegrid.results.expected import Expected
from tunegrid.results.tables import build_tables
from tunegrid.study.paths import Paths
from tunegrid.tasks.ceiling import CeilingRecord
from tunegrid.tasks.metrics.label_counts import Accuracy, ClassF1

EXPECTED = expected_study()
TASKS = {task.name: task for task in EXPECTED.tasks}


def record(task: str, **changes) -> CeilingRecord:
    return CeilingRecord.model_validate(ceiling_record(TASKS[task], 200, complete=True, **changes))


def sentences(expected: Expected = EXPECTED, **ceilings: CeilingRecord) -> list[str]:
    """Sentences on one task's ceilings, given by model with `_` for `-`."""
    (task,) = {task for task in TASKS for key in ceilings if key.startswith(task)}
    named = {(task, key.removeprefix(f"{task}_").replace("_", "-")): value for key, value in ceilings.items()}
    return ceiling_sentences(expected, ceiling_rows(expected, named))


def test_there_is_a_row_for_each_metric_with_every_fact(made_up_tables):
    rows = made_up_tables["ceilings"].set_index(["task", "model", "metric"])
    assert len(rows) == 3 * (2 + 3 + 4)
    row = rows.loc["qa", "mini-t5", "exact_match"]
    assert (row.references, row.written, row.within_lengths) == (1.0, 0.995, 0.995)
    assert (row.examples, row.not_written, row.unread, row.longest_target) == (120, 2, 4, 14)
    assert (row.lost_characters, row.unread_characters) == ("Ö:2 ạ:1", "Ö:2 ạ:1")
    assert (row.source_tokens, row.source_tokens_per_word, row.target_tokens_per_word) == (56, 1.4, 2.5)
    assert rows["primary"].sum() == 3 * 3


def test_results_of_before_have_no_ceilings_and_keep_their_tables(own_made_up):
    for file in own_made_up.glob("tokens/*/*/ceiling.json"):
        file.unlink()
    assert len(build_tables(own_made_up, EXPECTED, 200)["ceilings"]) == 0


def test_a_record_that_is_none_is_named(own_made_up):
    file = own_made_up / "tokens/qa/mini-t5/ceiling.json"
    write_json(file, json.loads(file.read_text()) | {"examples": -1})
    with pytest.raises(TuneGridError, match=r"qa/mini-t5/ceiling\.json: not a valid CeilingRecord \(examples"):
        read_ceilings(Paths(EXPECTED.study, own_made_up.parent), EXPECTED)


def test_lengths_of_another_setting_are_left_out():
    """`max_new_tokens` is no setting of `tokenise`: a change of it leaves the record as it was."""
    task = replace(TASKS["qa"], max_new_tokens=25)
    rows = ceiling_rows(replace(EXPECTED, tasks=(task,)), {("qa", "mini-t5"): record("qa", too_long=3)})
    assert {row["metric"] for row in rows} == {"exact_match", "f1"}
    assert not any({"within_lengths", "too_long"} & row.keys() for row in rows)
    assert ceiling_sentences(replace(EXPECTED, tasks=(task,)), rows) == []
    task = replace(task, max_new_tokens=24)
    rows = ceiling_rows(replace(EXPECTED, tasks=(task,)), {("qa", "mini-t5"): record("qa", too_long=3)})
    assert [(row["within_lengths"], row["too_long"]) for row in rows] == [(1.0, 3)] * 2


def test_characters_that_cannot_be_seen_are_code_points():
    lost = [{"character": character, "rows": 1} for character in "Ö\u0301\u200b"]
    rows = ceiling_rows(EXPECTED, {("qa", "mini-t5"): record("qa", lost_characters=lost)})
    assert rows[0]["lost_characters"] == "Ö:1 U+0301:1 U+200B:1"


def written(**scores: float) -> dict[str, float]:
    return dict.fromkeys(("bleu", "cosine_similarity", "chrf"), 1.0) | scores


def test_nothing_is_said_of_ceilings_near_one():
    low = record("translation", written=written(bleu=0.9992), within_lengths=written(bleu=0.9992), not_written=4)
    assert sentences(translation_mini_t5=low, translation_mini_bart=record("translation")) == []


def test_vocabularies_that_limit_the_score_are_named_together():
    lost = [{"character": character, "rows": 9 - number} for number, character in enumerate("ÖÄßñ:⊆×")]
    scores = written(bleu=0.945)
    low = record("translation", written=scores, within_lengths=scores, not_written=31, lost_characters=lost)
    assert sentences(
        translation_mini_t5=low, translation_mini_flan_t5=low, translation_mini_bart=record("translation")
    ) == [
        "Translation: Mini-T5 and Mini-Flan-T5 can score at most BLEU 0.9450: 31 of 200 test references hold what the "
        "vocabulary cannot write (Ö, Ä, ß, ñ, :, ⊆, …)."
    ]


def test_lengths_that_limit_the_score_are_named_with_the_number_that_is_needed():
    low = record("translation", within_lengths=written(bleu=0.8), too_long=40, longest_target=75)
    assert sentences(translation_mini_bart=low) == [
        "Translation: the lengths of the task let Mini-BART score at most BLEU 0.8000: 40 of 200 test references are "
        "longer than max_new_tokens (24) or max_target_length (32) allow; the longest needs 75 tokens."
    ]


def test_a_metric_that_the_test_set_keeps_from_one_is_named_once_and_no_vocabulary_is_blamed():
    scores = {"accuracy": 1.0, "precision": 0.0, "recall": 0.0, "f1": 0.0}
    low = record("sentiment", references=scores, written=scores, within_lengths=scores)
    assert sentences(sentiment_mini_t5=low, sentiment_mini_bart=low) == [
        "Sentiment Classification: even the right answers score precision 0.0000, recall 0.0000 and F1 0.0000 on this "
        "test set of 200 rows: its rows do not let the metric reach 1."
    ]
    scores = written(bleu=0.0)
    assert sentences(translation_mini_t5=record("translation", references=scores, written=scores)) == [
        "Translation: even the right answers score BLEU 0.0000 on this test set of 200 rows: its rows do not let the "
        "metric reach 1."
    ]


def test_labels_without_a_test_row_are_one_sentence_whatever_their_number():
    metrics = (Accuracy(), *map(ClassF1, "abcdefg"))
    task = replace(TASKS["sentiment"], own_metrics=metrics, own_primary="accuracy")
    expected = replace(EXPECTED, tasks=(task,))
    scores = {metric.name: 1.0 if metric.name in ("accuracy", "f1_g") else 0.0 for metric in metrics}
    low = record("sentiment", references=scores, written=scores, within_lengths=scores)
    assert sentences(expected, sentiment_mini_t5=low) == [
        "Sentiment Classification: this test set of 200 rows has no row for F1 of “a”, F1 of “b”, F1 of “c” and 3 more: "
        "0 says nothing of the models."
    ]


def test_sources_that_a_vocabulary_cannot_read_are_named_where_they_are_most():
    few = record("qa", unread=100)
    most = record(
        "qa", unread=101, unread_characters=[{"character": "中", "rows": 101}, {"character": "文", "rows": 7}]
    )
    assert sentences(qa_mini_t5=most, qa_mini_bart=few) == [
        "Question Answering: of 101 of 200 test sources Mini-T5 cannot read every character (中, 文)."
    ]


def test_a_table_read_back_says_the_same(tmp_path):
    from tunegrid.results.ceilings import COLUMNS
    from tunegrid.results.tables.frames import frame_of, read_frame, write_frame

    low = record("translation", within_lengths=written(bleu=0.8), too_long=40, longest_target=75)
    rows = ceiling_rows(EXPECTED, {("translation", "mini-t5"): low})
    write_frame(frame_of("ceilings", COLUMNS, rows), "ceilings", tmp_path / "ceilings.csv")
    frame = read_frame("ceilings", COLUMNS, tmp_path / "ceilings.csv")
    assert ceiling_sentences(EXPECTED, frame.to_dict("records")) == ceiling_sentences(EXPECTED, rows)
    assert isinstance(frame, pd.DataFrame)
