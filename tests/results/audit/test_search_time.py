"""The time limit of the audit's searches: notes instead of answers, each table's share, progress."""

import csv
import time
from pathlib import Path

import pytest

from tunegrid.cli import main
from tunegrid.results.audit import search_time
from tunegrid.results.audit.checks import audit_folder
from tunegrid.results.audit.folder import read_folder

# Of 25,000 examples with 12,500 positives, more than is searched; the search takes longer than the tests allow it.
SLOW = """model,accuracy_percent,precision_percent,recall_percent
A,97.512,97.436,97.592
B,96.872,96.704,97.048
C,98.104,98.087,98.120
"""


def test_a_search_that_takes_too_long_ends_with_a_note(tmp_path: Path, capsys) -> None:
    (tmp_path / "scores.csv").write_text(SLOW)
    started = time.monotonic()
    assert main(["audit", str(tmp_path), "--time-limit", "0.01", "--csv", str(tmp_path / "out/findings.csv")]) == 0
    assert time.monotonic() - started < 30
    output = " ".join(capsys.readouterr().out.split())
    assert "No answer within 0.01 seconds to the question w" in output
    assert "note: Test size " in output  # what was found before stays
    with (tmp_path / "out/findings.csv").open(newline="") as file:
        assert [row["severity"] for row in csv.DictReader(file) if "No answer" in row["computed"]] == ["note"]


def test_each_table_has_its_share_of_the_time(monkeypatch) -> None:
    now = 100.0
    monkeypatch.setattr(search_time.time, "monotonic", lambda: now)
    clock = search_time.SearchTime(120, tables=3)
    clock.begin("A")
    assert clock.share == 40
    now += 41
    with pytest.raises(search_time.OutOfTime):
        clock.check()
    clock.begin("B")
    now += 9  # what a table leaves is for those after it
    clock.check()
    clock.begin("C")
    assert clock.share == 70
    assert clock.limit_text() == "70 seconds"


def test_a_claim_is_answered_in_time_too(tmp_path: Path) -> None:
    # With a test set that large no digit says anything, and the counts to try are without end.
    (tmp_path / "tables.csv").write_text(f"table,test_size\nscores,{10**15}\n")
    (tmp_path / "scores.csv").write_text(SLOW)
    started = time.process_time()
    audit_folder(read_folder(tmp_path), time_limit=1)
    assert time.process_time() - started < 10


@pytest.mark.parametrize("limit", ["0", "-1", "nan", "inf", "soon"])
def test_a_limit_that_is_none_is_refused(limit: str, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["audit", f"--time-limit={limit}"])
    assert "is not a number of seconds above 0" in capsys.readouterr().err


def test_a_long_search_says_where_it_is(capsys, monkeypatch) -> None:
    monkeypatch.setattr(search_time, "BETWEEN_LINES", 0.0)
    clock = search_time.SearchTime(100, tables=1, progress=True)
    clock.begin("Table 1")
    clock.search("test sizes up to 15,000")
    assert capsys.readouterr().err == "audit: Table 1: test sizes up to 15,000 (0 s)\n"
