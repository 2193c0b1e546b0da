"""What commands write: never over what they read, never over what is not theirs; a message where it cannot be."""

import inspect
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tunegrid.cli import main
from tunegrid.cli.outputs import PARTS
from tunegrid.study.cells import Cell, Run
from tunegrid.study.paths import Paths

CELL = ["--task", "qa", "--model", "t5", "--method", "full", "--seed", "1"]


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file() and not path.is_symlink()}


@pytest.fixture
def tables(tmp_path, monkeypatch) -> Path:
    """A folder of tables, in the current folder."""
    monkeypatch.chdir(tmp_path)
    make_table()
    return Path("tables")


def make_table() -> None:
    Path("tables").mkdir()
    Path("tables/a.csv").write_text("model,exact_match\nx,0.5\n")


def run(*arguments: str, stdout=subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tunegrid", *arguments]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=os.environ | environment)


def refused(capsys, *arguments: str) -> str:
    """The message of a command that must end with 1 and change no file."""
    before = contents()
    assert main(list(arguments)) == 1
    message = capsys.readouterr().err
    assert message.startswith("tunegrid: error: ")
    assert contents() == before
    return message


STUDY_INPUTS = ["tiny.yaml", "tiny.lock.json", "rows/qa-train.jsonl", "link", "checkpoints/t5/config.json"]


@pytest.mark.parametrize("output", STUDY_INPUTS)
def test_no_output_replaces_a_file_that_the_study_reads(tiny, capsys, output):
    Path("tiny.lock.json").write_text('{"version": 1, "models": [], "datasets": []}')
    os.link("rows/sentiment-test.jsonl", "link")
    for command in (
        ["plan", str(tiny), "--csv", output],
        ["predict", str(tiny), "--task", "qa", "--output", output],
        ["tables", str(tiny), "--log", output],
        ["train", str(tiny), *CELL, "--log", output],
    ):
        assert "is an input of this command" in refused(capsys, *command)


def test_no_output_replaces_preference_pairs(tiny, capsys):
    Path("pairs.jsonl").write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}\n')
    own = "preferences: {p: {source: {kind: files, paths: {train: pairs.jsonl}}}}\n"
    Path("own.yaml").write_text(own)
    message = refused(capsys, "plan", str(tiny), "own.yaml", "--csv", "pairs.jsonl")
    assert "is an input of this command" in message


def test_every_folder_of_results_is_known_to_be_one():
    """What jobs write below `results/<study>/`, by the functions that name it; logs are outputs themselves."""
    cell, paths = Cell("task", "model", "method"), Paths("study")
    values = {"cell": cell, "run": Run(cell, 1)}
    folders = set()
    for name, member in inspect.getmembers(Paths, inspect.isfunction):
        names = list(inspect.signature(member).parameters)
        if not name.startswith("_") and names[0] == "self":
            made = getattr(paths, name)(*(values.get(own, "x") for own in names[1:]))
            folders |= {path.parts[2] for path in (made if isinstance(made, list) else [made])}
    assert folders - {"logs", "benchmarks"} <= set(PARTS)


@pytest.mark.parametrize(
    "output",
    [
        "results/tiny/runs/x/metrics.json",
        "results/tiny/data/qa/train.parquet",
        "results/tiny/preferences/qa/p/train.parquet",
        "results/tiny/rewards/qa/t5/r/reward.json",
    ],
)
def test_no_output_is_among_the_study_s_results(tiny, capsys, output):
    assert "is among the study's results" in refused(capsys, "plan", str(tiny), "--csv", output)


def test_a_log_is_not_written_over_a_study_that_cannot_be_loaded(tiny, capsys):
    tiny.write_text("no: study\n")
    assert "is an input" in refused(capsys, "train", str(tiny), *CELL, "--log", str(tiny))


def test_answers_do_not_replace_the_rows_that_are_answered(tiny, capsys):
    Path("in.jsonl").write_text("{}\n")
    Path("out.jsonl").symlink_to("in.jsonl")
    for output in ("in.jsonl", "./in.jsonl", "out.jsonl"):
        message = refused(capsys, "predict", str(tiny), "--task", "qa", "--input", "in.jsonl", "--output", output)
        assert "is an input" in message


def test_an_audit_writes_nothing_into_its_own_tables(tables, capsys):
    table = next(iter(tables.glob("*.csv")))
    for option in ("--csv", "--pairs"):
        assert "in the folder that is audited" in refused(capsys, "audit", str(tables), option, str(table))
        assert "in the folder that is audited" in refused(capsys, "audit", str(tables), option, "tables/findings.csv")
    Path("link").symlink_to(table)
    assert "in the folder that is audited" in refused(capsys, "audit", str(tables), "--csv", "link")
    assert "two outputs" in refused(capsys, "audit", str(tables), "--csv", "same", "--pairs", "./same")


def test_published_replaces_only_what_it_wrote(tables, capsys, monkeypatch):
    from tunegrid.report import render

    monkeypatch.setattr(render, "tex_engine", lambda: None)
    message = "`tunegrid published` did not write"
    assert message in refused(capsys, "published", ".")
    assert message in refused(capsys, "published", "tables")
    assert main(["published", "new"]) == 0
    assert main(["published", "new"]) == 0
    assert Path("new/tables").is_dir()
    Path("new/tables/mine.csv").touch()
    assert "holds tables/mine.csv, which" in refused(capsys, "published", "new")


# -- what is no file --------------------------------------------------------------------------------------------------

OUTPUTS = [
    ["audit", "tables", "--csv"],
    ["audit", "tables", "--pairs"],
    ["plan", "tiny.yaml", "--csv"],
    ["tables", "tiny.yaml", "--log"],
    ["predict", "tiny.yaml", "--task", "qa", "--output"],
    ["export", "tiny.yaml", "--task", "qa"],
    ["published"],
    ["schema"],
]


@pytest.mark.parametrize("command", OUTPUTS, ids=lambda command: " ".join(command[:1] + command[-1:]))
def test_an_output_that_cannot_be_is_a_message(tiny, capsys, command):
    make_table()
    Path("file").write_text("mine")
    Path("circle").symlink_to("circle")
    os.mkfifo("pipe")
    for output in ("file/x", "circle", "pipe/x", "a" * 300):
        refused(capsys, *command, output)
    if command[0] not in ("export", "published", "schema"):
        refused(capsys, *command, "tables")
    with pytest.raises(SystemExit):
        main([*command, ""])
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)


def test_a_log_of_a_supervised_command_that_cannot_be_is_a_message(tiny):
    before = contents()
    done = run("train", "tiny.yaml", *CELL, "--log", "tiny.yaml/x")
    assert (done.returncode, done.stderr.count("tunegrid: error: ")) == (1, 1)
    assert "tiny.yaml is a file, not a folder" in done.stderr
    assert contents() == before


@pytest.mark.parametrize("command", [["check"], ["plan"], ["status"], ["tables"], ["train", *CELL], ["clean"], ["pin"]])
def test_a_study_that_is_no_file_is_a_message(tiny, capsys, command):
    os.mkfifo("pipe")
    for study in (".", "/dev/null", "pipe"):
        assert f"{study}: " in refused(capsys, command[0], study, *command[1:])


# -- the terminal -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["audit", "tables"], ["check", "tiny.yaml"], ["status", "tiny.yaml"]])
def test_standard_output_that_is_full_is_a_message(tiny, command):
    make_table()
    with open("/dev/full", "w") as full:
        done = run(*command, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "tunegrid: error: the output cannot be written (No space left on device).\n"


@pytest.mark.slow
def test_a_terminal_that_cannot_write_a_letter_gets_its_number(tiny):
    tiny.write_text(tiny.read_text().replace("title: ", "title: Größe 日本 ", 1))
    done = run("check", str(tiny), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"Gr\xf6\xdfe \u65e5\u672c" in done.stdout


# -- the order of arguments -------------------------------------------------------------------------------------------


def test_files_of_a_study_may_follow_options(tiny, capsys):
    Path("over.yaml").write_text("seeds: [5]\nhardware: {threads: 0}\n")
    assert "over.yaml, line 2: hardware.threads" in refused(capsys, "plan", "tiny.yaml", "--device", "t4", "over.yaml")
    Path("over.yaml").write_text("seeds: [5]\n")
    for order in (
        ["tiny.yaml", "over.yaml", "--task", "qa", "tables"],
        ["tiny.yaml", "--task", "qa", "over.yaml", "tables"],
        ["tiny.yaml", "over.yaml", "tables", "--task", "qa"],
    ):
        message = refused(capsys, "export", *order)
        assert "no run is recommended" in message


@pytest.mark.parametrize("arguments", [["check", "a.yaml", "--no", "b"], ["compare", "a", "b", "c"]])
def test_what_is_left_over_is_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


def test_the_untuned_model_has_no_seed(tiny, capsys):
    message = refused(capsys, "evaluate", str(tiny), *CELL[:4], "--method", "untuned", "--seed", "1")
    assert "tunegrid evaluate tiny.yaml --task qa --model t5 --method untuned" in message
