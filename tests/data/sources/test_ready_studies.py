"""The sources of config/glue.yaml and config/domains.yaml, read from local folders in the layout of the Hub."""

import csv
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import yaml

from tests.support import ROOT
from tunegrid.cli import main
from tunegrid.data.parquet import read_parquet
from tunegrid.stages.fetch_data import fetch_data, fetch_domain
from tunegrid.study.load import load_study

COUNT = 40
LEDGAR = yaml.safe_load((ROOT / "config/domains.yaml").read_text(encoding="utf-8"))["tasks"]["contracts"]["labels"]
TAGS = [1, 2, 0, 5]  # B-PER I-PER O B-LOC


def classes(*names: str) -> dict[str, Any]:
    return {"class_label": {"names": {str(number): name for number, name in enumerate(names)}}}


# Configuration -> (type of each column in the card, rows of a split); splits -> number of rows.
LAYOUTS: dict[str, dict[str, tuple[dict[str, Any], Any, tuple[str, ...]]]] = {
    "nyu-mll/glue": {
        "sst2": (
            {"sentence": "string", "label": classes("negative", "positive"), "idx": "int32"},
            lambda n: {"sentence": f"a fine film {n} ", "label": n % 2, "idx": n},
            ("train", "validation", "test"),
        ),
        "mrpc": (
            {"sentence1": "string", "sentence2": "string", "label": classes("not_equivalent", "equivalent"), "idx": "int32"},
            lambda n: {"sentence1": f"one {n}", "sentence2": f"two {n}", "label": n % 2, "idx": n},
            ("train", "validation", "test"),
        ),
        "mnli": (
            {"premise": "string", "hypothesis": "string", "label": classes("entailment", "neutral", "contradiction"), "idx": "int32"},
            lambda n: {"premise": f"so {n}", "hypothesis": f"then {n}", "label": n % 3, "idx": n},
            ("train", "validation_matched", "validation_mismatched", "test_matched", "test_mismatched"),
        ),
    },
    "fancyzhx/ag_news": {
        "default": (
            {"text": "string", "label": classes("World", "Sports", "Business", "Sci/Tech")},
            lambda n: {"text": f"news {n}", "label": n % 4},
            ("train", "test"),
        )
    },
    "Babelscape/wikineural": {
        "default": (
            {"tokens": {"sequence": "string"}, "ner_tags": {"sequence": "int32"}, "lang": "string"},
            lambda n: {"tokens": ["Ann", "Lee", "left", f"Rome{n}"], "ner_tags": TAGS, "lang": "en"},
            ("train_en", "val_en", "test_en", "train_de", "val_de", "test_de"),
        )
    },
    "qiaojin/PubMedQA": {
        "pqa_labeled": (
            {"pubid": "int32", "question": "string", "context": {"struct": [{"name": name, "sequence": "string"} for name in ("contexts", "labels", "meshes")]}, "long_answer": "string", "final_decision": "string"},
            lambda n: {
                "pubid": n,
                "question": f"does it help {n}?",
                "context": {"contexts": [f"One {n}.", "Two."], "labels": ["A", "B"], "meshes": ["m"]},
                "long_answer": "It may.",
                "final_decision": ("yes", "no", "maybe")[n % 3],
            },
            ("train",),
        )
    },
    "atrost/financial_phrasebank": {
        "default": (
            {"sentence": "string", "label": classes("negative", "neutral", "positive")},
            lambda n: {"sentence": f"Profit rose by {n} % .", "label": n % 3},
            ("train", "validation", "test"),
        )
    },
    "coastalcph/lex_glue": {
        "ledgar": (
            {"text": "string", "label": classes(*LEDGAR)},
            lambda n: {"text": f"The Company shall pay {n}.", "label": n % len(LEDGAR)},
            ("train", "validation", "test"),
        ),
        "case_hold": (
            {"context": "string", "endings": {"sequence": "string"}, "label": classes(*"01234")},
            lambda n: {"context": f"so {n}", "endings": ["a"] * 5, "label": n % 5},
            ("train", "validation", "test"),
        ),
    },
    "allenai/sciq": {
        "default": (
            dict.fromkeys(("question", "distractor3", "distractor1", "distractor2", "correct_answer", "support"), "string"),
            lambda n: {
                "question": f"what is {n}?",
                "distractor3": "a",
                "distractor1": "b",
                "distractor2": "c",
                "correct_answer": f"gas {n}",
                "support": f"It is gas {n}." if n % 5 else "",
            },
            ("train", "validation", "test"),
        )
    },
}  # fmt: skip


def feature(kind: Any) -> dict[str, Any]:
    """A column's type as a card has it: lists and structures stand for themselves, all else is a `dtype`."""
    return kind if isinstance(kind, dict) and "class_label" not in kind else {"dtype": kind}


def write_layout(folder: Path, configurations: dict[str, tuple[dict[str, Any], Any, tuple[str, ...]]]) -> None:
    """Writes Parquet files for each configuration and split, and the README that names them."""
    infos, configs = [], []
    for name, (types, row, splits) in configurations.items():
        features = [{"name": column, **feature(kind)} for column, kind in types.items()]
        infos.append({"config_name": name, "features": features})
        place = "data" if name == "default" else name
        files = [{"split": split, "path": f"{place}/{split}-*"} for split in splits]
        configs.append({"config_name": name, "data_files": files})
        for offset, split in enumerate(splits):
            file = folder / place / f"{split}-00000-of-00001.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            rows = [row(number + 1000 * offset) for number in range(COUNT)]
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    card = {"dataset_info": infos if len(infos) > 1 else infos[0], "configs": configs}
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(card, sort_keys=False)}---\n# Data\n", encoding="utf-8")


def write_csv_layout(folder: Path) -> None:
    """Writes SAMSum's three CSV files, of which the README says nothing; a line of a dialogue ends with CRLF, one is empty."""
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-nd-4.0\n---\n# SAMSum\n", encoding="utf-8")
    for split in ("train", "validation", "test"):
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "dialogue", "summary"])
            for number in range(COUNT):
                dialogue = f'Ann: Are you in, Ben?\r\nBen: Room {number}, "{split}" :)' if number else ""
                writer.writerow([f"1381{number:04}-{split[0]}", dialogue, f"Ben is in room {number}."])


@pytest.mark.parametrize("name", ["glue", "domains"])
def test_every_source_is_read_from_the_hubs_layout(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for hub_id, configurations in LAYOUTS.items():
        write_layout(tmp_path / hub_id, configurations)  # a local folder under the id's own name is taken for it
    write_csv_layout(tmp_path / "knkarthick" / "samsum")
    study = load_study(ROOT / "config" / f"{name}.yaml", locked=False)
    for task in study.grid.tasks:
        bound = study.task(task)
        fetch_data(task, bound, Path("out") / task)
        rows = [
            row
            for split in ("train", "validation", "test")
            for row in read_parquet(Path("out", task, f"{split}.parquet"))
        ]
        assert len(rows) >= 0.8 * COUNT
        assert all(bound.references(row)[0] for row in rows)
        if (labels := bound.labels()) is not None:
            assert {row["label"] for row in rows} == set(labels[:COUNT])
        if task == "entities":
            assert rows[0]["entities"].startswith("Ann Lee: person; Rome")
        if task == "dialogues":
            assert len(rows) == 3 * (COUNT - 1)
            assert rows[0]["id"] == "13810001-t"
        if task == "medicine":
            assert rows[0]["text"] == "One 0. Two."
        for domain in study.tasks[task].evaluate_on:
            fetch_domain(task, domain, study.domain_task(task, domain), Path("other") / domain)
            other = read_parquet(Path("other", domain, "test.parquet"))
            assert len(other) == COUNT
            assert not {row["text"] for row in other} & {row["text"] for row in rows}


@pytest.mark.parametrize("name", ["glue", "domains"])
def test_their_plans_know_the_rows_of_every_task(name, capsys):
    assert main(["plan", str(ROOT / "config" / f"{name}.yaml"), "--device", "h100"]) == 0
    assert "are not known" not in capsys.readouterr().out


def test_every_data_set_of_the_table_is_read_by_a_study_with_its_kind_and_its_licence():
    known = yaml.safe_load((ROOT / "resources" / "datasets.yaml").read_text(encoding="utf-8"))
    read = {}
    for file in (ROOT / "config").glob("*.yaml"):
        for task in load_study(file, locked=False).tasks.values():
            if task.source.kind == "hub":
                key = " ".join(filter(None, (task.source.path, task.source.name)))
                read.setdefault(key, set()).add((task.kind, task.source.licence))
    assert read == {key: {(facts["task"], facts["licence"])} for key, facts in known.items()}
