"""The stages `tables` and `report`: tables are computed once for the same results."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.study_on_disk import expected_study, write_study
from tunegrid.results import tables as results_tables
from tunegrid.stages import report, tables
from tunegrid.study.paths import Paths

EXPECTED = expected_study(seeds=(1,), cells=(("qa", "mini-t5", "lora"),))


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A finished study with its tables, and how often they were computed."""
    write_study(tmp_path, EXPECTED, examples=20)
    study = SimpleNamespace(paths=Paths(EXPECTED.study, tmp_path), expected=EXPECTED, computed=0)
    write = results_tables.write_tables

    def counted(*arguments: object) -> list[Path]:
        study.computed += 1
        return write(*arguments, resamples=50)

    monkeypatch.setattr(results_tables, "write_tables", counted)
    monkeypatch.setattr(tables, "expected", lambda study: study.expected)
    monkeypatch.setattr(report, "expected", lambda study: study.expected)
    tables.write_tables(study)
    return study


def updates(study: SimpleNamespace) -> bool:
    """Whether the tables had to be computed again."""
    before = study.computed
    tables.update_tables(study)
    return study.computed > before


def test_the_report_computes_no_table_that_is_there(study: SimpleNamespace) -> None:
    report.write_report(study, pdf=False)
    assert study.computed == 1
    assert "A made-up study" in (study.paths.report / "report.html").read_text()


def test_without_tables_the_report_writes_them(study: SimpleNamespace) -> None:
    (study.paths.tables / "cells.csv").unlink()
    report.write_report(study, pdf=False)
    assert study.computed == 2
    assert (study.paths.tables / "cells.csv").is_file()


def test_every_file_of_the_results_counts(study: SimpleNamespace) -> None:
    made = {study.paths.tables}
    files = [file for file in study.paths.root.rglob("*.*") if file.is_file() and not made & set(file.parents)]
    assert len(files) > 20
    digests = {tables._digest(study)}
    for number, file in enumerate(files, 2):
        file.write_bytes(file.read_bytes() + b" ")
        digests.add(tables._digest(study))
        assert len(digests) == number, file


def test_settings_count_and_times_do_not(study: SimpleNamespace) -> None:
    import os

    assert not updates(study)
    for file in study.paths.root.rglob("*"):
        os.utime(file, (0, 0))
    assert not updates(study)
    study.expected = expected_study(seeds=(1,), cells=EXPECTED.cells, title="Another title")
    assert updates(study)
    assert not updates(study)


def test_a_table_that_was_edited_is_written_again(study: SimpleNamespace) -> None:
    file = study.paths.tables / "cells.csv"
    content = file.read_text()
    file.write_text(content.replace("0", "1"))
    assert updates(study)
    assert file.read_text() == content


def test_what_a_killed_job_was_writing_counts_for_nothing(study: SimpleNamespace) -> None:
    run = next((study.paths.root / "runs").rglob("metrics.json")).parent
    half = run / ".domains.machine-1-0123abcd.tmp" / "away"
    half.mkdir(parents=True)
    (half / "metrics.json").write_text("{}")
    assert not updates(study)
