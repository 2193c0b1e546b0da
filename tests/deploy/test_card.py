"""The card of an exported model: what it says of the records, its licence, languages and prompt."""

import json
import re
import shutil

import pytest

from tests.support import ROOT
from tests.support.exporting import card_of, export
from tests.support.winners import CELLS, CONFIG, recommend
from tunegrid.cli import main
from tunegrid.study.cells import Cell, Run
from tunegrid.study.load import load_study


def test_the_card_says_what_the_records_say(own, tmp_path):
    """Of the whole study, with its tables, so that intervals and the recommendation are in it."""
    folder = own.paths.run(Run(Cell("qa", "bart", "adapters"), 1))
    assert main(["tables", *CONFIG]) == 0
    recommend(own, qa="bart adapters")
    assert main(["export", *CONFIG, "--task", "qa", "--language", "en,no", str(tmp_path / "out")]) == 0
    front, text = card_of(tmp_path / "out")
    metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
    assert front["license"] == "unknown"
    assert front["language"] == ["en", "no"], "YAML reads a bare `no` as false"
    assert not front.keys() & {"base_model", "datasets"}, "neither is on the Hub"
    assert {"tunegrid", "qa", "adapters", "bart"} <= set(front["tags"])
    (result,) = front["model-index"][0]["results"]
    assert {m["type"]: m["value"] for m in result["metrics"]} == {name: m["value"] for name, m in metrics.items()}
    assert re.search(r"\| Exact Match \(EM\) \| [\d.]+% \| [\d.]+% \(1 of 1\) \| [\d.]+% to [\d.]+% \|", text)
    assert "Recommended: Best." in text
    assert "With one seed, the intervals hold the choice of the test rows only" in text
    train, data = (json.loads(path.read_text()) for path in (folder / "train.json", own.paths.data_card("qa")))
    size, cost = train["parameters"], train["cost"]
    assert f"{size['trainable']:,} of {size['total']:,}" in text
    assert f"{cost['steps']:,}, {cost['examples']:,} examples, {cost['tokens']:,} tokens" in text
    assert data["fingerprint"] in text
    assert all(f"| {split} | {rows:,} |" in text for split, rows in data["rows"].items())
    assert "````text\n<question> </s> <context>\n````" in text
    assert "At most 30 tokens: of a longer context windows are read that share 4 tokens" in text
    assert str(tmp_path) not in text
    assert "/root" not in text
    shutil.rmtree(tmp_path / "out" / "base")
    from huggingface_hub import ModelCard

    assert ModelCard.load(tmp_path / "out/README.md").data.eval_results[0].metric_type == "exact_match"


def test_tables_of_other_results_are_noticed(own, tmp_path, capsys):
    assert main(["tables", *CONFIG]) == 0
    file = own.paths.run(Run(Cell("qa", "t5", "full"), 1)) / "metrics.json"
    record = json.loads(file.read_text())
    record["metrics"]["f1"]["value"] = 0.123
    file.write_text(json.dumps(record))
    assert export(CELLS[0], tmp_path / "out") == 1
    assert "cells.csv: says f1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_table_that_lacks_a_column_of_the_card_is_named(own, tmp_path, capsys):
    assert main(["tables", *CONFIG]) == 0
    file = own.paths.tables / "cells.csv"
    file.write_text(file.read_text().replace("seeds_expected", "seeds_planned", 1))
    assert export(CELLS[0], tmp_path / "out") == 1
    assert "cells.csv: not a table of `tunegrid tables` (no column seeds_expected)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("CC BY-SA 4.0", {"license": "cc-by-sa-4.0"}),
        ("not stated by its authors", {"license": "unknown"}),
        ("see the paper", {"license": "other", "license_name": "see the paper"}),
    ],
)
def test_the_licence_is_the_hub_s_name_of_it_or_said_to_be_unknown(tiny_study, words, expected):
    from tunegrid.deploy.front_matter import base_licence

    study = tiny_study(f"models: {{t5: {{source: {{licence: '{words}'}}}}}}")
    assert base_licence(study, "t5") == expected


def test_languages_of_the_paper_s_data_are_known():
    from tunegrid.deploy.front_matter import languages_of

    paper, mini = load_study(ROOT / "config/paper.yaml"), load_study(ROOT / "config/mini.yaml")
    assert [languages_of(paper, task) for task in ("qa", "translation", "sentiment")] == [["en"], ["en", "de"], ["en"]]
    assert [languages_of(mini, task) for task in ("qa", "translation")] == [["en"], ["en", "de"]]


def test_a_prompt_is_shown_and_filled_in_as_it_is(tiny_study):
    from tunegrid.deploy.card import _prompt, _shown

    study = tiny_study('tasks: {sentiment: {prompts: {t5: "{{a}} `{text}` {options}"}, labels: ["{x}", positive]}}')
    task = study.task("sentiment", "t5")
    assert _prompt(task).format(text="film {y}") == task.source_text({"text": "film {y}"}, "t5")
    assert _shown(task) == "{a} `<text>` - {x}\n- positive"
