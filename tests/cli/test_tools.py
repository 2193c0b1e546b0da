"""`tunegrid audit`: what it prints and writes, and when it fails."""

import csv
import json
from pathlib import Path

from tests.support.audited_tables import CLASSIFIER, HONEST
from tunegrid.cli import main


def test_errors_and_nothing_else_fail_the_command(tmp_path: Path, capsys) -> None:
    (tmp_path / "scores.csv").write_text(CLASSIFIER + HONEST + HONEST.replace("A,", "D,", 1).split("\n")[0] + "\n")
    (tmp_path / "notes.csv").write_text("what\nnothing\n")
    (tmp_path / "tables.csv").write_text("table,title,data,test_size\nscores,Table 1,a test set,100\n")
    assert (
        main(
            [
                "audit",
                str(tmp_path),
                "--csv",
                str(tmp_path / "out/findings.csv"),
                "--pairs",
                str(tmp_path / "out/pairs.csv"),
            ]
        )
        == 0
    )
    output = capsys.readouterr().out
    assert "1 warning" in output
    assert "Table 1: 4 rows; compared with a test set, 100 examples" in output
    assert "notes.csv" in output
    assert "=> Unless the models answer alike" in output
    with (tmp_path / "out/findings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["severity"] for row in rows].count("warning") == 1
    assert rows[0]["rows"] == "A; D"
    assert json.loads(rows[0]["numbers"])["accuracy"] == "0.8000"
    with (tmp_path / "out/pairs.csv").open(newline="") as file:
        pairs = [
            (row["test_size"], row["positives"])
            for row in csv.DictReader(file)
            if float(row["tolerance_in_units"]) <= 0.5
        ]
    assert ("100", "50") in pairs
    (tmp_path / "scores.csv").write_text(CLASSIFIER + HONEST.replace("0.7826", "0.8826"))
    assert main(["audit", str(tmp_path)]) == 1
