"""The command line: exit codes, messages, and that a refused command leaves nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tunegrid.cli import main
from tunegrid.runtime.provenance import digest
from tunegrid.study.load import load_study
from tunegrid.study.stage_settings import (
    data_settings,
    evaluation_settings,
    model_settings,
    run_settings,
    token_settings,
)


def files() -> set[str]:
    return {str(path) for path in Path().rglob("*")}


def run(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "tunegrid", *arguments], capture_output=True, text=True, **options)


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """Commands set the environment of their own process, which here is the tests'."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


# command, what the message says
REFUSED = {
    "unknown task": (["fetch-data", "--task", "qq"], ["no task qq", "qa, sentiment, translation"]),
    "a task that is close": (["fetch-data", "--task", "sentimant"], ["Did you mean sentiment?"]),
    "unknown model": (["fetch-model", "--model", "brt"], ["no model brt", "Did you mean bart?"]),
    "unknown model of tokens": (["tokenise", "--task", "qa", "--model", "x"], ["no model x"]),
    "unknown method": (["train", "--task", "qa", "--model", "t5", "--method", "lorra", "--seed", "1"],
                       ["qa_t5_lorra", "Did you mean qa_t5_lora?"]),
    "unknown seed": (["train", "--task", "qa", "--model", "t5", "--method", "lora", "--seed", "7"], ["no seed 7", "1, 2"]),
    "no seed to evaluate": (["evaluate", "--task", "qa", "--model", "t5", "--method", "lora"], ["no seed None"]),
    "unknown baseline": (["baseline", "--task", "qa", "--name", "copy"], ["no baseline copy", "random-candidate"]),
}  # fmt: skip


@pytest.mark.parametrize(("command", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_an_unknown_name_is_one_message_with_the_valid_ones(tiny, capsys, command, says):
    before = files()
    assert main([command[0], str(tiny), *command[1:]]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("tunegrid: error: ")
    assert [part for part in says if part not in said.err] == []
    assert "Traceback" not in said.err
    assert files() == before


SETTINGS = {
    "fetch-data": (["--task", "qa"], lambda study: data_settings(study, "qa")),
    "fetch-model": (["--model", "t5"], lambda study: model_settings(study, "t5")),
    "tokenise": (["--task", "qa", "--model", "t5"], lambda study: token_settings(study, "qa", "t5")),
    "train": (["--task", "qa", "--model", "t5", "--method", "lora", "--seed", "1"], lambda study: run_settings(study, study.cells()[1])),
    "evaluate": (["--task", "qa", "--model", "t5", "--method", "untuned"], lambda study: evaluation_settings(study, "qa")),
    "baseline": (["--task", "qa", "--name", "random-candidate"], lambda study: evaluation_settings(study, "qa")),
}  # fmt: skip


@pytest.mark.parametrize("command", SETTINGS)
def test_settings_that_changed_since_the_workflow_started_are_refused(tiny, capsys, command):
    before = files()
    assert main([command, str(tiny), *SETTINGS[command][0], "--settings", "0123456789abcdef"]) == 1
    assert "settings for this job have changed since the workflow started" in capsys.readouterr().err
    assert files() == before


@pytest.mark.parametrize("command", ["fetch-data", "fetch-model", "tokenise", "baseline"])
def test_the_settings_that_the_workflow_hands_over_are_accepted(tiny, command):
    arguments, settings = SETTINGS[command]
    handed = digest(settings(load_study(tiny)))
    assert main([command, str(tiny), *arguments, "--settings", handed]) == 0


@pytest.mark.parametrize("command", ["check", "fetch-data", "train", "tables", "report", "summary"])
def test_a_broken_study_stops_every_command_before_it_starts(tiny, capsys, command):
    tiny.write_text(tiny.read_text().replace("max_steps", "max_stepz"))
    arguments = SETTINGS.get(command, ([],))[0]
    before = files()
    assert main([command, str(tiny), *arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith("tunegrid: error: tiny.yaml, line ")
    assert "Did you mean max_steps?" in said
    assert files() == before


def test_check_says_what_the_study_consists_of_and_notices_missing_files(tiny, capsys):
    assert main(["check", str(tiny)]) == 0
    said = capsys.readouterr().out
    for name in ("qa", "translation", "sentiment", "flan-t5", "lora", "27"):
        assert name in said
    Path("rows/qa-test.jsonl").unlink()
    assert main(["check", str(tiny)]) == 1
    assert "rows/qa-test.jsonl: no such file" in capsys.readouterr().err


def test_bad_rows_end_in_one_message_and_leave_what_was_there(tiny, capsys):
    before = {path: path.read_bytes() for path in Path("results").rglob("*") if path.is_file()}
    with Path("rows/qa-test.jsonl").open("a") as file:
        file.write("{\n")
    assert main(["fetch-data", str(tiny), "--task", "qa"]) == 1
    assert "rows/qa-test.jsonl, line 14: not valid JSON" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path("results").rglob("*") if path.is_file()} == before


def test_a_message_reaches_the_terminal_and_the_log(tiny):
    done = run("fetch-data", str(tiny), "--task", "qq", "--log", "logs/a/b.log")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("tunegrid: error: the study has no task qq")
    assert Path("logs/a/b.log").read_text() == done.stderr


PRINTING = """\
import os, sys, tunegrid.stages.fetch_data
from tunegrid.cli import main
def fetch_data(*arguments):
    print("printed")
    os.write(2, b"by a library in C")
tunegrid.stages.fetch_data.fetch_data = fetch_data
sys.exit(main(["fetch-data", "tiny.yaml", "--task", "qa", "--log", "x.log"]))
"""


@pytest.mark.usefixtures("tiny")
def test_the_log_takes_what_the_command_and_its_libraries_print():
    done = subprocess.run([sys.executable, "-c", PRINTING], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = Path("x.log").read_text()  # C and Python buffer apart, so the order is not promised
    assert text.count("by a library in C") == 1
    assert text.count("printed\n") == 1


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["train", "x.yaml"], ["fetch-data"], ["check"]])
def test_wrong_usage_exits_with_two(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_missing_study_is_named(tmp_path, capsys):
    assert main(["check", str(tmp_path / "nowhere.yaml")]) == 1
    assert "nowhere.yaml: no such file" in capsys.readouterr().err


@pytest.mark.slow
def test_a_signal_that_comes_when_all_is_done_changes_nothing(tiny):
    """Snakemake would have the work done again."""
    dying = "import atexit, os, runpy; atexit.register(os.kill, os.getpid(), 15); runpy.run_module('tunegrid')"
    done = subprocess.run([sys.executable, "-c", dying, "check", str(tiny)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_files_are_laid_over_each_other(tiny, capsys):
    Path("over.yaml").write_text("seeds: [5]\nhardware: {threads: 0}\n")
    assert main(["check", str(tiny), "over.yaml"]) == 1
    assert "over.yaml, line 2: hardware.threads" in capsys.readouterr().err


def test_compare_exits_with_one_where_something_differs(tiny, tmp_path, capsys):
    import shutil

    shutil.copytree("results/tiny", tmp_path / "copy")
    assert main(["compare", "results/tiny", str(tmp_path / "copy")]) == 0
    assert "the same results" in capsys.readouterr().out
    (tmp_path / "copy/data/qa/test.parquet").write_bytes(b"other")
    assert main(["compare", "results/tiny", str(tmp_path / "copy")]) == 1
    assert capsys.readouterr().out == "data/qa/test.parquet: the bytes differ\n"
    assert main(["compare", "results/tiny", str(tmp_path / "nowhere")]) == 1
    assert "holds no results" in capsys.readouterr().err


def test_schemas_are_json(tmp_path):
    assert main(["schema", str(tmp_path)]) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    records = "ceiling choice forgetting judgement metrics probe reward train trial wordings"
    assert names == [f"{kind}.schema.json" for kind in sorted([*records.split(), "study"])]
    for name in names:
        assert "properties" in json.loads((tmp_path / name).read_text())


def test_start_up_imports_nothing_heavy():
    """Snakemake reads the configuration in each of its processes."""
    heavy = (
        "torch",
        "transformers",
        "peft",
        "adapters",
        "datasets",
        "pandas",
        "sklearn",
        "sacrebleu",
        "matplotlib",
        "evaluate",
        "numpy",
        "pyarrow",
    )
    code = f"import sys, tunegrid.cli.dispatch, tunegrid.study.study; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_an_option_cut_short_is_refused(tiny, capsys):
    """`--check` of another command would be `--checkpoints` here."""
    with pytest.raises(SystemExit) as end:
        main(["clean", "tiny.yaml", "--check"])
    assert end.value.code == 2
    assert "unrecognized arguments: --check" in capsys.readouterr().err
