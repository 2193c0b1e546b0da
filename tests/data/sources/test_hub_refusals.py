"""What the Hub source refuses: scripts, unknown configurations and splits, files outside the data set's own folder."""

from pathlib import Path

import pytest

from tests.support.hub_layouts import IMDB, SQUAD, WMT, imdb, squad, wmt16
from tests.support.hub_sources import CARD, folder, refused, rows, source


def test_a_configuration_has_to_be_chosen_where_there_are_several(hub):
    hub.add("datasets", WMT, wmt16())
    message = refused(rows, source(WMT), "train")
    assert f"data set {WMT}" in message
    assert "has several configurations; choose one with `name:`. Valid: cs-en, de-en" in message
    assert hub.count(".parquet") == 0


def test_a_configuration_that_is_not_there_is_named_before_anything_is_fetched(hub):
    hub.add("datasets", WMT, wmt16())
    assert "has no configuration 'en-de'. Valid: cs-en, de-en" in refused(rows, source(WMT, name="en-de"), "train")
    assert hub.count(".parquet") == 0


def test_a_split_that_is_not_there_is_named_before_anything_is_fetched(hub):
    hub.add("datasets", SQUAD, squad())
    assert "has no split 'test'. Valid: train, validation" in refused(rows, source(SQUAD), "train")
    assert hub.count(".parquet") == 0


def test_a_data_set_that_is_a_script_is_not_run(hub):
    hub.add("datasets", "anna/old", {"README.md": b"# old", "old.py": b"raise SystemExit"})
    message = refused(rows, source("anna/old"), "train")
    assert "no Parquet, JSON or CSV files" in message
    assert "needs its own script is not read" in message
    assert "refs/convert/parquet" in message
    assert hub.count("old.py") == 0


def test_a_readme_that_cannot_be_read_is_named(hub):
    hub.add("datasets", "anna/bad", {"README.md": b"---\nconfigs: 7\n---\n", "train.csv": b"a\n1\n"})
    assert "data set anna/bad" in refused(rows, source("anna/bad"), "train")


OUTSIDE = ["../secret.csv", "a/../../secret.csv", "..", "{here}/secret.csv", "file://{here}/secret.csv", "'file:{here}/secret.csv'",
           "'hf://datasets/a/b/c.csv'", "https://localhost/secret.csv", "~/secret.csv", "'zip://x.csv::a.zip'",
           "'..\\secret.csv'", "[1]", "[a.csv, ../secret.csv]"]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_readme_that_names_files_outside_of_its_folder_is_refused(hub, path):
    Path("secret.csv").write_text("text,label\nsecret,1\n")
    card = CARD.format(path=path.format(here=Path.cwd()), more="")
    folder({"README.md": card, "a.csv": "text,label\na,1\n", "test.csv": "text,label\na,1\n"})
    message = refused(rows, source("own", splits={"train": "train", "test": "train"}), "train")
    assert "which is outside of its own folder; such files are not read" in message
    hub.add("datasets", "anna/out", {"README.md": card.encode(), "a.csv": b"text,label\na,1\n"})
    assert "such files are not read" in refused(
        rows, source("anna/out", splits={"train": "train", "test": "train"}), "train"
    )
    assert hub.count(".csv") == 0


@pytest.mark.parametrize("path", ["..", "../", "a/../..", "{here}", "file://{here}"])
def test_a_readme_whose_configuration_is_a_folder_outside_is_refused(hub, path):
    Path("train.csv").write_text("text,label\nsecret,1\n")
    card = f"---\nconfigs:\n- config_name: default\n  data_dir: {path.format(here=Path.cwd())}\n---\n"
    folder({"README.md": card, "a/train.csv": "text,label\na,1\n"})
    assert "such files are not read" in refused(
        rows, source("own", splits={"train": "train", "test": "train"}), "train"
    )


def test_a_repository_that_lists_a_file_outside_of_its_folder_is_refused(hub, tmp_path):
    hub.add("datasets", "anna/up", {"../up.csv": b"text,label\na,1\n", "train.csv": b"text,label\na,1\n"})
    assert "data set anna/up" in refused(rows, source("anna/up", splits={"train": "train", "test": "train"}), "train")
    assert list(tmp_path.rglob("up.csv")) == []


def test_files_within_the_folder_may_be_named_in_every_way(hub):
    for path in ("./a.csv", "a.csv", "'*.csv'", "'**/a.csv'", "[a.csv]", "a..csv"):
        name = "a..csv" if path == "a..csv" else "a.csv"
        folder({"README.md": CARD.format(path=path, more=""), name: "text\na\n"}, f"own{len(path)}{path[0]}")
        read = source(f"own{len(path)}{path[0]}", splits={"train": "train", "test": "train"})
        assert rows(read, "train") == [{"text": "a"}]


def test_a_configuration_that_the_library_would_read_in_another_way_is_refused(hub):
    folder({"README.md": CARD.format(path="a.csv", more="  names: [x, y]\n  header: null\n"), "a.csv": "text,1\n"})
    assert "sets header, names, which is not supported" in refused(rows, source("own"), "train")


def test_a_slice_that_cannot_be_is_named(hub):
    folder({"train.csv": "text\na\n"})
    for split, says in (
        ("train[x:]", "split 'train[x:]'"),
        ("train[:50%", "split 'train[:50%'"),
        ("dev[:1]", "has no split 'dev'"),
    ):
        assert says in refused(rows, source("own", splits={"train": split, "test": "train"}), "train")


def test_a_file_that_is_no_parquet_is_named_with_its_row(hub):
    files = imdb()
    files["plain_text/train-00000-of-00001.parquet"] = b"PAR1 and then something else PAR1"
    hub.add("datasets", IMDB, files)
    message = refused(rows, source(IMDB), "train")
    assert f"data set {IMDB}, plain_text/train-00000-of-00001.parquet: not a valid Parquet file" in message
