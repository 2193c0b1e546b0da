"""Data sets of the Hub: which files are fetched, that they are fetched once, and that rows come out of them."""

import gzip
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tests.support.hub_layouts import IMDB, SQUAD, WMT, imdb, squad, wmt16
from tests.support.hub_sources import CARD, SQUAD_SPLITS, WMT_SPLITS, folder, refused, rows, source
from tunegrid.data.parquet import read_parquet
from tunegrid.stages.fetch_data import fetch_data
from tunegrid.tasks import TASKS

SIZES = {"max_source_length": 64, "max_target_length": 8, "generation": {"max_new_tokens": 4}}


def fetched(hub) -> set[str]:
    """Names of the files whose content was sent."""
    names = {request.path.split("?")[0].rsplit("/", 2)[-1] for request in hub.requests if "/resolve/" in request.path}
    return names & hub.sent.keys()


# -- the three layouts ------------------------------------------------------------------------------------------------


def test_squad_is_read_with_its_validation_split_as_test(hub):
    commit = hub.add("datasets", SQUAD, squad())
    settings = {"kind": "qa", "source": {"kind": "hub", "path": SQUAD, "splits": SQUAD_SPLITS}, **SIZES}
    fetch_data("qa", TASKS["qa"](TASKS["qa"].Settings.model_validate(settings)), Path("out"))
    test = read_parquet(Path("out/test.parquet"))
    assert len(test) == 18
    assert test[0] == {
        "id": "validation-0",
        "group": "validation article 0",
        "question": "Where is the key of house 0?",
        "context": "The key of house 0 is under stone 1.",
        "answers": ["under stone 1"],
        "candidates": [],
    }
    card = json.loads(Path("out/card.json").read_text())
    assert (card["id"], card["revision"], card["commit"]) == (SQUAD, None, commit)


def test_of_wmt16_one_language_pair_is_fetched_and_its_parts_are_read_in_order(hub):
    hub.add("datasets", WMT, wmt16())
    read = source(WMT, name="de-en", splits=WMT_SPLITS)
    assert rows(read, "train") == [{"translation": {"de": f"de train {i}", "en": f"en train {i}"}} for i in range(36)]
    assert len(rows(read, "validation")) == len(rows(read, "test")) == 12
    sent = {
        request.path.split("/resolve/")[1].split("/", 1)[1].split("?")[0] for request in hub.requests if request.storage
    }
    assert sent == {*(f"de-en/train-0000{i}-of-00003.parquet" for i in range(3)),
                    "de-en/validation-00000-of-00001.parquet", "de-en/test-00000-of-00001.parquet"}  # fmt: skip


def test_of_imdb_the_split_without_labels_is_not_fetched(hub):
    hub.add("datasets", IMDB, imdb())
    read = source(IMDB)
    assert [row["label"] for row in rows(read, "train")] == [0] * 5 + [1] * 5
    assert rows(read, "test")[0] == {"text": "Review 0 of test.<br /><br />Fine.", "label": 0}
    assert read.read("validation", "sentiment") is None
    assert hub.count("unsupervised") == 0


@pytest.mark.parametrize(("files", "keys"), [(squad, {"splits": SQUAD_SPLITS}), (imdb, {}), (wmt16, {"name": "de-en"})])
def test_a_folder_of_one_s_own_in_these_layouts_is_read_without_the_hub(hub, files, keys):
    for name, data in files().items():
        if not name.startswith(("cs-en", "ru-en")):  # not all configurations have to be there
            path = Path("own", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    read = source("own", **keys)
    assert len(rows(read, "train")) == len(rows(read, "train")) > 9
    assert read.provenance() == {}
    assert hub.count() == 0


def test_slices_of_what_is_on_the_hub_serve_as_splits(hub):
    hub.add("datasets", IMDB, imdb())
    read = source(IMDB, splits={"train": "train[:60%]", "validation": "train[60%:]", "test": "test[:2]+train[:1]"})
    texts = {split: [row["text"].split(".")[0] for row in rows(read, split)] for split in WMT_SPLITS}
    assert texts["train"] == [f"Review {i} of train" for i in range(6)]
    assert texts["validation"] == [f"Review {i} of train" for i in range(6, 10)]
    assert texts["test"] == ["Review 0 of test", "Review 1 of test", "Review 0 of train"]
    assert hub.count("unsupervised") == 0


def test_rows_are_streamed_without_a_copy_on_the_disk(hub, monkeypatch, tmp_path):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "arrow")
    hub.add("datasets", IMDB, imdb())
    assert len(rows(source(IMDB), "train")) == 10
    assert [path for path in (tmp_path / "arrow").rglob("*") if path.suffix != ".lock"] == []


def test_a_split_can_be_read_again_without_another_request(hub):
    commit = hub.add("datasets", IMDB, imdb())
    read = source(IMDB)
    first = rows(read, "train"), rows(read, "test")
    count = hub.count()
    hub.repositories["datasets", IMDB].commit({})  # and whatever the branch is meanwhile
    assert (rows(read, "train"), rows(read, "test")) == first
    assert read.provenance() == {"id": IMDB, "name": None, "revision": None, "commit": commit}
    assert hub.count() == count


# -- other layouts ----------------------------------------------------------------------------------------------------


def test_without_configurations_in_its_readme_the_names_of_the_files_say_the_split(hub):
    line = '{"text": "good", "label": 1}\n'
    hub.add("datasets", "anna/reviews", {"data/train.jsonl": line.encode() * 3, "data/test.jsonl": line.encode(),
                                         "README.md": b"# reviews", "reviews.py": b"raise", "photo.png": b"png",
                                         "dataset_infos.json": b"{}"})  # fmt: skip
    read = source("anna/reviews")
    assert rows(read, "train") == [{"text": "good", "label": 1}] * 3
    assert rows(read, "test") == [{"text": "good", "label": 1}]
    assert fetched(hub) == {"train.jsonl", "test.jsonl", "README.md", "dataset_infos.json"}


def test_configurations_that_are_folders_are_read(hub):
    card = b"---\nconfigs:\n- config_name: a\n  data_dir: a\n- config_name: b\n  data_dir: b\n---\n"
    files = {f"{name}/{split}.csv": f"text,label\n{name} {split},1\n".encode() for name in "ab" for split in WMT_SPLITS}
    hub.add("datasets", "anna/two", {"README.md": card, **files})
    assert rows(source("anna/two", name="b"), "test") == [{"text": "b test", "label": "1"}]


def test_csv_and_json_are_read_as_files_are(hub):
    folder(
        {"train.csv": "id,text,label\n001,NA,0\n002,null,1\n,None,1\n", "test.csv": "id,text,label\n1,2021-01-03,1\n"}
    )
    assert rows(source("own"), "train") == [
        {"id": "001", "text": "NA", "label": "0"}, {"id": "002", "text": "null", "label": "1"}, {"id": "", "text": "None", "label": "1"},
    ]  # fmt: skip
    lines = ['{"text": "2021-01-03", "label": 1}', '{"text": "2021-01-04", "label": [1]}']
    folder({"train.jsonl": "\n".join(lines), "test.json": "[" + ",".join(lines) + "]"}, "dates")
    for split in ("train", "test"):
        assert rows(source("dates"), split) == [json.loads(line) for line in lines]


def test_of_a_data_set_in_several_formats_one_is_read(hub):
    folder({"train.csv": "text,label\na,1\n", "train.parquet": imdb()["plain_text/test-00000-of-00001.parquet"],
            "train.png": b"png", "test.csv": "text,label\nb,0\n"})  # fmt: skip
    assert rows(source("own"), "train") == [{"text": "a", "label": "1"}]
    folder({"train.csv": "text,label\na,1\n", "train-2.tsv": "text\tlabel\nb\t1\n"}, "both")
    assert [row["text"] for row in rows(source("both", splits={"train": "train", "test": "train"}), "train")] == [
        "b",
        "a",
    ]


def test_separators_and_compressions_of_a_data_set_are_understood(hub):
    bars = b"text|label\na;b|1\n"
    folder({"README.md": CARD.format(path="'*.gz'", more="  sep: '|'\n"), "train.csv.gz": gzip.compress(bars)})
    assert rows(source("own", splits={"train": "train", "test": "train"}), "train") == [{"text": "a;b", "label": "1"}]


INFO = "dataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n        names:\n          '0': '1'\n          '1': '2'\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [("train.csv", "label\n0\n2\n7\n"), ("train.jsonl", '{"label": 0}\n{"label": "2"}\n{"label": 7}\n{"label": null}')],
)
def test_names_of_classes_that_the_readme_declares_are_known(hub, name, content):
    folder({"README.md": f"---\n{INFO}---\n", name: content})
    labels = [row["label"] for row in rows(source("own", splits={"train": "train", "test": "train"}), "train")]
    assert [label.name for label in labels[:3]] == ["1", "2", None]
    assert labels[3:] in ([], [None])


def test_star_ratings_mean_the_same_as_indices_of_named_classes_and_as_numbers(hub):
    """0 of the names "1" to "3" is the label "1"; the number 1 of a plain file is it, too."""
    from datasets import ClassLabel, Dataset, Features, Value

    names = ["1", "2", "3"]
    features = Features({"text": Value("string"), "label": ClassLabel(names=names)})
    texts = [f"text {number}" for number in range(12)]
    Dataset.from_dict({"text": texts, "label": [number % 3 for number in range(12)]}, features=features).to_parquet(
        "x.parquet"
    )
    folder({"data/train.parquet": Path("x.parquet").read_bytes()}, "hub")
    plain = [{"text": text, "label": number % 3 + 1} for number, text in enumerate(texts)]
    Path("plain.jsonl").write_text("".join(json.dumps(row) + "\n" for row in plain))
    made = []
    for given in (
        {"kind": "hub", "path": "hub", "splits": {"train": "train", "validation": "train", "test": "train"}},
        {"kind": "files", "paths": dict.fromkeys(WMT_SPLITS, "plain.jsonl")},
        {"kind": "files", "paths": dict.fromkeys(WMT_SPLITS, "x.parquet")},
    ):
        settings = {"kind": "sentiment", "labels": names, "positive": "3", "source": given, **SIZES}
        fetch_data("s", TASKS["sentiment"](TASKS["sentiment"].Settings.model_validate(settings)), Path("out"))
        made.append(read_parquet(Path("out/test.parquet")))
    assert [row["label"] for row in made[0]] == ["1", "2", "3"] * 4
    assert made[0] == made[1] == made[2]


def test_a_folder_named_like_a_configuration_is_one(hub):
    folder(
        {f"{name}/{split}/0000.csv": f"text\n{name} {split}\n" for name in ("de-en", "fr-en") for split in WMT_SPLITS}
    )
    assert rows(source("own", name="fr-en"), "test") == [{"text": "fr-en test"}]
    assert "has no configurations, and no folder 'x'" in refused(rows, source("own", name="x"), "test")


def test_a_folder_whose_name_looks_like_a_pattern_is_read(hub):
    folder({"train.csv": "a\n1\n", "test.csv": "a\n2\n"}, "my [1] data*")
    assert rows(source("my [1] data*"), "test") == [{"a": "2"}]


def test_a_download_that_breaks_off_goes_on_at_the_next_call(hub):
    big = pyarrow.table({"text": [str(i) * (1 << 20) for i in range(10, 25)], "label": [0] * 15})  # 30 MB
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(big, sink, compression="none", use_dictionary=False)
    files = {**imdb(), "plain_text/train-00000-of-00001.parquet": sink.getvalue().to_pybytes()}
    hub.add("datasets", IMDB, files)
    hub.cut("train-", after=15 << 20)
    hub.cut("train-", after=0, times=10**6)
    message = refused(rows, source(IMDB), "train")
    assert "plain_text/train-00000-of-00001.parquet (10.5 MB of" in message
    assert "next call goes on" in message
    hub.faults.clear()
    hub.forget()
    assert sum(1 for _ in source(IMDB).read("train", "sentiment")) == 15
    size = len(files["plain_text/train-00000-of-00001.parquet"])
    assert hub.sent["train-00000-of-00001.parquet"] == size - (10 << 20)
