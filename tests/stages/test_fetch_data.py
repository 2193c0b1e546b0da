"""The data stage: subsets and held-out rows, bounded memory, repeated ids, unusable rows, protocols."""

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from pydantic import TypeAdapter, ValidationError

from tests.support.rows_of_tasks import make_task
from tunegrid.common.errors import TuneGridError
from tunegrid.data import parquet
from tunegrid.data.formats import parquet_rows
from tunegrid.data.parquet import read_parquet
from tunegrid.data.sources import files
from tunegrid.stages import fetch_data as stage
from tunegrid.stages.fetch_data import fetch_data
from tunegrid.tasks import TASKS, Task

SPLITS = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def _in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def files_task(
    kind: str, names: tuple = ("train", "test"), suffix: str = "jsonl", settings: dict | None = None, **source
) -> Task:
    """A task whose rows are in files, one for each of the named splits."""
    paths = {split: f"{split}.{suffix}" for split in names}
    return make_task(kind, {"kind": "files", "paths": paths, **source}, **(settings or {}))


def write(rows, *names: str) -> None:
    for name in names or ("train.jsonl", "test.jsonl"):
        with Path(name).open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def fetch(task) -> tuple[dict, dict]:
    """(rows of each split, card)."""
    fetch_data("t", task, Path("out"))
    rows = {split: read_parquet(Path(f"out/{split}.parquet")) for split in SPLITS}
    return rows, json.loads(Path("out/card.json").read_text())


def test_overlap_of_test_and_training_rows_is_counted_beside_the_rows() -> None:
    words = " ".join(f"word{number}" for number in range(14))
    write([{"text": f"{words}.", "label": 1}, review(0), review(1)], "train.jsonl")
    write([{"text": f"So: {words}!", "label": 0}, review(1)], "test.jsonl")
    write([review(2)], "validation.jsonl")
    fetch(files_task("sentiment", SPLITS))
    counts = pyarrow.parquet.read_table("out/overlap.parquet").to_pylist()
    assert counts == [{"ngrams": 3, "seen": 2, "same": False}, {"ngrams": 0, "seen": 0, "same": True}]


def review(number: int) -> dict:
    return {"text": f"review {number}", "label": number % 2}


def question(number: int, article: object, paragraph: object) -> dict:
    context = f"Paragraph {paragraph} of article {article}."
    answers = {"text": [str(article)], "answer_start": [len(context) - 2]}
    return {"id": f"q{number}", "title": str(article), "context": context, "question": f"{number}?", "answers": answers}


def even_articles(count: int, questions: int) -> list[dict]:
    """Articles with the same number of questions each."""
    numbers = iter(range(count * questions))
    return [question(next(numbers), article, 0) for article in range(count) for _ in range(questions)]


def articles(count: int, rows: int) -> list[dict]:
    """Questions on paragraphs of three, on articles of unequal size, sorted by article as SQuAD is."""
    drawn = sorted(random.Random(1).choices(range(count), k=rows))
    return [question(number, article, number // 3) for number, article in enumerate(drawn)]


# -- subsets and held-out rows: what they were before rows were streamed ----------------------------------------------


def in_memory(rows: list[dict], share: float, limits: dict, seed: int, key) -> dict[str, list]:
    """Held-out rows and subsets as they are made of lists, which is how the first version made them."""
    groups = sorted({key(row) for row in rows})
    random.Random(seed).shuffle(groups)
    held_out = set(groups[: max(1, round(len(groups) * share))])
    made = {
        "train": [row for row in rows if key(row) not in held_out],
        "validation": [row for row in rows if key(row) in held_out],
    }
    for split, most in limits.items():
        if most < len(made[split]):
            chosen = sorted(random.Random(seed).sample(range(len(made[split])), most))
            made[split] = [made[split][i] for i in chosen]
    return made


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("limits", [{}, {"train": 41}, {"train": 60, "validation": 9}, {"validation": 1000}])
def test_held_out_articles_and_subsets_are_those_that_lists_of_all_rows_give(limits, seed, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP", 7)
    rows = articles(23, 150)
    write(rows)
    made, card = fetch(files_task("qa", rows=limits, validation_share=0.3, seed=seed))
    expected = in_memory(rows, 0.3, limits, seed, lambda row: row["title"])
    for split in ("train", "validation"):
        assert [row["id"] for row in made[split]] == [row["id"] for row in expected[split]]
        assert card["rows"][split] == len(expected[split])
    assert not {row["group"] for row in made["train"]} & {row["group"] for row in made["validation"]}
    everything = in_memory(rows, 0.3, {}, seed, lambda row: row["title"])
    assert card["rows_available"] == {split: len(everything[split]) for split in everything} | {"test": 150}


def test_rows_without_ids_are_held_out_as_lists_of_them_would_be():
    rows = [review(number) for number in range(90)]
    write(rows)
    made, _ = fetch(files_task("sentiment", rows={"train": 30}, validation_share=0.2, seed=3))
    expected = in_memory(list(range(1, 91)), 0.2, {"train": 30}, 3, lambda number: f"train-{number:06}")
    for split in ("train", "validation"):
        assert [row["id"] for row in made[split]] == [f"train-{number:06}" for number in expected[split]]


def test_a_subset_of_the_test_rows_is_taken_and_the_card_says_of_how_many():
    write([review(number) for number in range(50)])
    made, card = fetch(files_task("sentiment", rows={"train": 20, "test": 10}, validation_share=0.1))
    assert card["rows"] == {"train": 20, "validation": 5, "test": 10}
    assert card["rows_available"] == {"train": 45, "validation": 5, "test": 50}
    chosen = sorted(random.Random(0).sample(range(50), 10))
    assert [row["text"] for row in made["test"]] == [f"review {number}" for number in chosen]


def test_imdb_sorted_by_label_gives_mixed_subsets_and_held_out_rows_and_its_unlabelled_rows_are_not_read():
    rows = [{"text": f"review {i}<br /><br />end", "label": int(i >= 1000)} for i in range(2000)]
    folder = Path("imdb/plain_text")
    folder.mkdir(parents=True)
    unlabelled = [{"text": f"unlabelled {i}", "label": -1} for i in range(50)]
    for split, content in {"train": rows, "test": rows, "unsupervised": unlabelled}.items():
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(content), folder / f"{split}-00000-of-00001.parquet")
    source = {"kind": "hub", "path": "imdb", "rows": {"train": 400, "validation": 100, "test": 300}}
    made, card = fetch(make_task("sentiment", source))
    assert card["rows"] == {"train": 400, "validation": 100, "test": 300}
    assert card["rows_available"] == {"train": 1800, "validation": 200, "test": 2000}
    assert card["unusable_rows"] == {}
    for split in SPLITS:
        positive = sum(row["label"] == "positive" for row in made[split])
        spread = 5 * (len(made[split]) / 4) ** 0.5  # five standard deviations of fair draws
        assert abs(positive - len(made[split]) / 2) < spread
        assert not any("<br" in row["text"] or "unlabelled" in row["text"] for row in made[split])


def test_whole_articles_are_held_out_for_validation():
    write(even_articles(10, 5))
    splits, _ = fetch(files_task("qa", validation_share=0.3))
    groups = {split: {row["group"] for row in splits[split]} for split in SPLITS}
    assert (len(groups["train"]), len(groups["validation"])) == (7, 3)
    assert not groups["train"] & groups["validation"]
    assert len(splits["train"]) + len(splits["validation"]) == 50
    assert len(splits["test"]) == 50


def test_articles_that_are_numbers_are_held_out_as_a_whole_and_0_is_one_of_them():
    numbers = [0, 0.5, 2, 3, False]
    write([question(number, "x", number) | {"title": numbers[number % 5]} for number in range(50)])
    for seed in range(4):
        splits, _ = fetch(files_task("qa", validation_share=0.3, seed=seed))
        groups = {split: {row["group"] for row in splits[split]} for split in SPLITS}
        assert groups["train"] | groups["validation"] == {"0", "0.5", "2", "3", "False"}
        assert not groups["train"] & groups["validation"]


def test_what_is_held_out_depends_on_the_seed_and_not_on_the_order_of_the_rows():
    rows = even_articles(10, 2)
    write(rows)

    def held_out(seed: int) -> set[str]:
        splits, _ = fetch(files_task("qa", validation_share=0.3, seed=seed))
        return {row["id"] for row in splits["validation"]}

    first = held_out(0)
    assert held_out(0) == first
    assert any(held_out(seed) != first for seed in (1, 2, 3))
    random.Random(5).shuffle(rows)
    write(rows)
    assert held_out(0) == first


def test_rows_without_a_group_are_held_out_one_by_one():
    write([review(i) for i in range(20)])
    splits, _ = fetch(files_task("sentiment", validation_share=0.25))
    assert (len(splits["train"]), len(splits["validation"])) == (15, 5)
    assert not {row["text"] for row in splits["train"]} & {row["text"] for row in splits["validation"]}


def test_at_least_one_row_is_held_out():
    write([review(i) for i in range(3)])
    splits, _ = fetch(files_task("sentiment", validation_share=0.01))
    assert (len(splits["train"]), len(splits["validation"])) == (2, 1)


def test_a_single_article_cannot_be_split_and_says_so():
    write(even_articles(1, 5))
    with pytest.raises(TuneGridError, match="train split has no rows"):
        fetch(files_task("qa"))


def test_a_subset_is_seeded_keeps_the_order_and_mixes_a_sorted_data_set():
    # Sorted by label, as IMDB is.
    write(
        [{"text": f"review {i:03}", "label": int(i >= 100)} for i in range(200)],
        *(f"{split}.jsonl" for split in SPLITS),
    )

    def subset(seed: int) -> list[dict]:
        limits = {"train": 40, "validation": 1000, "test": 10}
        splits, _ = fetch(files_task("sentiment", SPLITS, rows=limits, seed=seed))
        assert [len(splits[split]) for split in SPLITS] == [40, 200, 10]
        return splits["train"]

    rows = subset(0)
    assert rows == subset(0) != subset(1)
    assert [row["text"] for row in rows] == sorted(row["text"] for row in rows)
    positive = sum(row["label"] == "positive" for row in rows)
    assert 8 <= positive <= 32


# -- streaming --------------------------------------------------------------------------------------------------------


def test_the_files_do_not_depend_on_how_many_rows_are_read_at_once(monkeypatch):
    for split in ("train", "test"):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(articles(9, 60)), f"{split}.parquet", row_group_size=11)
    task = files_task("qa", suffix="parquet", rows={"train": 30})
    fetch_data("t", task, Path("one"))
    monkeypatch.setattr(parquet_rows, "BATCH", 7)
    fetch_data("t", task, Path("two"))
    for name in ("train.parquet", "validation.parquet", "test.parquet", "card.json"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()


MEASURE = """
import resource, sys
from pathlib import Path
from pydantic import TypeAdapter
from tunegrid.stages.fetch_data import fetch_data
from tunegrid.tasks import TASKS, Task

def fetch(train, out):
    source = {"kind": "files", "paths": {"train": train, "test": "small.jsonl"}, "rows": {"train": 150_000}}
    values = {"kind": "translation", "source": source, "max_source_length": 64, "max_target_length": 8}
    values |= {"generation": {"max_new_tokens": 4}}
    task = TASKS["translation"](TypeAdapter(TASKS["translation"].Settings).validate_python(values))
    fetch_data("t", task, Path(out))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

print(fetch("some.jsonl", "some"), fetch("many.jsonl", "many"))
"""


@pytest.mark.slow
def test_many_rows_need_hardly_more_memory_than_some():
    def pairs(count: int):
        generator = random.Random(0)
        pool = "".join(generator.choices("abcdefgh ", k=100_000))
        for _ in range(count):
            start = generator.randrange(99_000)
            english = "." + pool[start : start + 150]
            yield {"translation": {"en": english, "de": english[::-1].strip()}}

    # As lists of dictionaries 200,000 pairs of 300 letters are over 100 MiB, and once more as a table.
    write(pairs(200_000), "many.jsonl")
    write(pairs(30_000), "some.jsonl")
    write(pairs(100), "small.jsonl")
    done = subprocess.run([sys.executable, "-c", MEASURE], check=True, capture_output=True, text=True, timeout=300)
    some, many = map(int, done.stdout.split())
    assert many - some < 50, f"peaks of {some} and {many} MiB"
    rows = pyarrow.parquet.ParquetFile("many/train.parquet").metadata.num_rows
    assert rows == 150_000


def test_a_source_that_changes_between_its_two_readings_is_refused(monkeypatch):
    write([review(number) for number in range(10)])
    task = files_task("sentiment")
    read, calls = files.FilesSource.read, Counter()

    def changing(self, split, kind):
        calls[split] += 1
        rows = read(self, split, kind)
        return rows if split != "train" or calls[split] == 1 else list(rows)[:-1]

    monkeypatch.setattr(files.FilesSource, "read", changing)
    with pytest.raises(TuneGridError, match=r"tasks\.t: the train split changed while it was read .*Run again"):
        fetch_data("t", task, Path("out"))
    assert not Path("out").exists()


# -- ids --------------------------------------------------------------------------------------------------------------


def test_a_repeated_id_is_found_over_row_groups_and_among_rows_that_no_split_takes(monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP", 3)
    rows = [{"id": f"r{number}"} | review(number) for number in range(40)]
    rows[33]["id"] = "r2"
    write(rows, "train.jsonl")
    write(rows[:2], "test.jsonl")
    with pytest.raises(TuneGridError, match=r"train\.jsonl, line 34: the id 'r2' stands there a second time"):
        fetch_data("t", files_task("sentiment", rows={"train": 1}), Path("out"))


def test_ids_whose_hashes_agree_are_told_apart(monkeypatch):
    monkeypatch.setattr(stage, "hash", lambda text: len(text), raising=False)
    rows = [{"id": f"r{number}"} | review(number) for number in range(10)]
    write(rows)
    assert len(fetch(files_task("sentiment"))[0]["test"]) == 10
    rows[9]["id"] = "r4"
    write(rows)
    with pytest.raises(TuneGridError, match=r"train\.jsonl, line 10: the id 'r4' stands"):
        fetch_data("t", files_task("sentiment"), Path("out"))


def test_a_given_id_must_not_be_one_that_another_row_gets():
    write([{"id": "test-000002"} | review(0), review(1)], "test.jsonl")
    write([review(0), review(1)], "train.jsonl")
    with pytest.raises(TuneGridError, match=r"test\.jsonl, line 2: the id 'test-000002' stands there a second time"):
        fetch_data("t", files_task("sentiment"), Path("out"))


# -- unusable rows ----------------------------------------------------------------------------------------------------


def pair(number: int, **sides) -> dict:
    return {"translation": {"en": f"english {number}", "de": f"deutsch {number}"} | sides}


def test_unusable_rows_are_skipped_counted_by_column_and_named():
    rows = [pair(number) for number in range(12)]
    for number in (1, 4, 5, 8, 9):
        rows[number] = pair(number, de="" if number % 2 else None)
    rows[10] = pair(10, en="  ")
    rows[11] = {"other": 1}
    write(rows, "train.jsonl")
    write([pair(0), pair(1, en="")], "test.jsonl")
    task = files_task("translation", unusable_rows="skip", validation_share=0.2)
    made, card = fetch(task)
    assert card["rows"] == {"train": 4, "validation": 1, "test": 1}
    counts = {
        split: {column: skipped["rows"] for column, skipped in columns.items()}
        for split, columns in card["unusable_rows"].items()
    }
    assert counts == {"train": {"target": 5, "source": 2}, "test": {"source": 1}}
    examples = card["unusable_rows"]["train"]["target"]["examples"]
    assert [example.split(":")[0] for example in examples] == [f"train.jsonl, line {number}" for number in (2, 5, 6)]
    assert examples[0].endswith("column target: expected text, found ''")
    # The id is that of the row in its source, skipped rows counted.
    ids = sorted(row["id"] for split in ("train", "validation") for row in made[split])
    assert ids == [f"train-{number + 1:06}" for number in (0, 2, 3, 6, 7)]


def test_by_default_an_unusable_row_ends_the_stage_and_the_message_names_the_way_out():
    write([pair(0), pair(1, de="")])
    with pytest.raises(TuneGridError, match=r"train\.jsonl, line 2: column target: .*`unusable_rows: skip`"):
        fetch_data("t", files_task("translation"), Path("out"))


@pytest.mark.parametrize("bad", ["train", "test"])
def test_a_split_of_which_every_row_is_skipped_is_an_error(bad):
    write([pair(0), pair(1), pair(2)])
    write([pair(0, de=""), pair(1, de="")], f"{bad}.jsonl")
    says = rf"tasks\.t: the {bad} split has no usable row .*all 2 were skipped.*{bad}\.jsonl, line 1: column target"
    with pytest.raises(TuneGridError, match=says):
        fetch_data("t", files_task("translation", unusable_rows="skip"), Path("out"))
    assert not Path("out").exists()


def test_a_file_that_cannot_be_read_is_never_skipped():
    write([pair(0), pair(1)])
    Path("test.jsonl").write_text('{"translation": {"en": "a", "de": "b"}}\n{\n')
    with pytest.raises(TuneGridError, match=r"test\.jsonl, line 2: not valid JSON"):
        fetch_data("t", files_task("translation", unusable_rows="skip"), Path("out"))


# -- protocols of question answering ----------------------------------------------------------------------------------

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
