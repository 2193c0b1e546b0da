"""Protocols of question answering: the published split of the training file, and the official test file."""

from collections import Counter
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.support.rows_in_files import SPLITS, articles, fetch, files_task, pair, question, write
from tunegrid.tasks import TASKS

PUBLISHED = {"protocol": "published"}


@pytest.mark.slow
def test_a_file_of_squad_s_size_gives_14_016_test_questions_that_share_contexts_with_training():
    write((question(number, number // 200, number // 5) for number in range(87_599)), "train.jsonl")
    made, card = fetch(files_task("qa", names=("train",), settings=PUBLISHED))
    assert card["protocol"] == "published"
    assert card["rows"] == card["rows_available"] == {"train": 56_063, "validation": 17_520, "test": 14_016}
    assert sum((Counter(row["id"] for row in made[split]) for split in SPLITS), Counter()) == Counter(
        f"q{number}" for number in range(87_599)
    )
    contexts = {row["context"] for row in made["train"]}
    shared = sum(row["context"] in contexts for row in made["test"])
    assert card["test_contexts_seen_in_training"] == shared > 0
    assert card["test_rows_seen_in_training"] == 0
    numbers = [int(row["id"][1:]) for row in made["train"]]
    assert numbers == sorted(numbers), "rows keep the source's order"


def test_the_published_protocol_reads_training_rows_alone_and_takes_subsets():
    write(articles(5, 100), "train.jsonl")
    Path("test.jsonl").write_text("{")
    Path("validation.jsonl").write_text("{")
    task = files_task("qa", names=SPLITS, settings=PUBLISHED, rows={"train": 9, "validation": 8, "test": 7})
    _, card = fetch(task)
    assert card["rows"] == {"train": 9, "validation": 8, "test": 7}
    assert card["rows_available"] == {"train": 64, "validation": 20, "test": 16}


def test_the_official_protocol_holds_out_articles_and_counts_shared_contexts_too():
    write(articles(10, 100), "train.jsonl")
    shared = [question(1000 + number, "new", number) | {"context": "Paragraph of its own."} for number in range(3)]
    rows, _ = fetch_train_rows()
    shared += [question(2000, "new", 0) | {"context": rows[0]["context"]}, rows[5]]
    write(shared, "test.jsonl")
    made, card = fetch(files_task("qa", validation_share=0.2))
    assert card["protocol"] == "official"
    assert card["rows"]["test"] == 5
    contexts = {row["context"] for row in made["train"]}
    assert card["test_contexts_seen_in_training"] == sum(row["context"] in contexts for row in made["test"]) == 2
    assert card["test_rows_seen_in_training"] == 1


def fetch_train_rows() -> tuple[list[dict], set[str]]:
    """The source rows that the official protocol leaves in training, and their articles."""
    write([question(5000, "x", 1)], "test.jsonl")
    made, _ = fetch(files_task("qa", validation_share=0.2))
    kept = {row["id"] for row in made["train"]}
    return [row for row in articles(10, 100) if row["id"] in kept], {row["group"] for row in made["train"]}


def test_only_question_answering_of_existing_rows_has_a_choice_of_protocol():
    with pytest.raises(ValidationError, match="protocol"):
        files_task("translation", settings=PUBLISHED)
    values = {"kind": "qa", "protocol": "published", "generation": {"max_new_tokens": 4}, "max_source_length": 64}
    source = {"kind": "generated", "rows": {"train": 9, "validation": 9, "test": 9}}
    with pytest.raises(ValidationError, match="protocol: published splits existing rows"):
        TypeAdapter(TASKS["qa"].Settings).validate_python(values | {"source": source, "max_target_length": 8})
    write([pair(0), pair(1)])
    assert "protocol" not in fetch(files_task("translation"))[1]
    assert "test_contexts_seen_in_training" not in fetch(files_task("translation"))[1]
