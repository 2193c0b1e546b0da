"""What a running workflow shows: a display on a terminal, plain lines elsewhere, and all the rest in Snakemake's log."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
from types import SimpleNamespace

import pytest
import yaml

from tests.support.instructed import MIXTURE, cell
from tests.support.running import PRETRAINING, TINY, Workflow
from tunegrid.runtime.provenance import now
from tunegrid.stages.progress import Progress
from tunegrid.stages.share_training import share_training
from tunegrid.stages.train import write_failure
from tunegrid.study.cells import Run
from tunegrid.study.status.alive import Alive
from tunegrid.study.status.read import read_status

ROWS, COLUMNS = 24, 80


def broken_study(folder):
    (folder / "train.jsonl").write_text('{"text": "good", "label": 1}\n{"text": "bad", "label": 7}\n')
    study = yaml.safe_load(PRETRAINING.read_text()) | {"study": "broken", "overrides": []}
    study["tasks"]["sentiment"]["source"] = {"kind": "files", "paths": {"train": "train.jsonl", "test": "train.jsonl"}}
    study["grid"]["tasks"] = ["sentiment"]
    (folder / "broken.yaml").write_text(yaml.safe_dump(study))
    return Workflow(folder, folder / "broken.yaml")


def on_a_terminal(workflow: Workflow, *arguments: str) -> tuple[int, str]:
    """(exit code, output) of Snakemake on a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = workflow._environment() | {"TERM": "xterm"}
    process = subprocess.Popen(
        workflow._command(*arguments), cwd=workflow.folder, env=environment, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    printed = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        printed += part
    os.close(ours)
    return process.wait(), printed.decode().replace("\r\n", "\n")


def frames(printed: str) -> list[list[str]]:
    """The lines of each frame of the display, which begins at the top of the screen."""
    return [part.partition("\x1b[J")[0].replace("\x1b[K", "").splitlines() for part in printed.split("\x1b[H")[1:]]


@pytest.mark.slow
def test_elsewhere_than_on_a_terminal_an_error_is_a_few_lines_with_its_log_and_command(tmp_path):
    result = broken_study(tmp_path).snakemake()
    assert result.returncode != 0
    message = "train.jsonl, line 2: column label: 7 is not a label. Valid: negative, positive"
    assert re.search(rf"^FAILED: fetch_data: {re.escape(message)}", result.stdout, re.MULTILINE)
    assert "  log: results/broken/logs/fetch_data/sentiment.log" in result.stdout.splitlines()
    assert re.search(
        r"^  try it by hand: tunegrid fetch-data \S+broken.yaml --task sentiment", result.stdout, re.MULTILINE
    )
    assert "localrule" not in result.stdout
    assert "\x1b" not in result.stdout
    log = tmp_path / re.search(r"^Snakemake's log: (\S+)$", result.stdout, re.MULTILINE)[1]
    assert "Error in rule fetch_data" in log.read_text()


@pytest.mark.slow
def test_on_a_terminal_an_error_is_on_the_screen_and_below_it_at_the_end(tmp_path):
    code, printed = on_a_terminal(broken_study(tmp_path))
    assert code != 0
    last = frames(printed)[-1]
    assert any("fetch_data: train.jsonl, line 2" in line for line in last)
    assert max(len(line) for frame in frames(printed) for line in frame) <= COLUMNS
    assert max(map(len, frames(printed))) < ROWS
    assert "try it by hand: tunegrid fetch-data" in printed.rpartition("\x1b[J")[2]


@pytest.mark.slow
def test_a_study_that_runs_fills_one_screen_and_a_second_start_has_lines_of_what_is_new(tmp_path):
    (tmp_path / "seeds.yaml").write_text("seeds: [1, 2]")
    one, two = Workflow(tmp_path, PRETRAINING, TINY), Workflow(tmp_path, PRETRAINING, TINY, tmp_path / "seeds.yaml")
    code, printed = on_a_terminal(one, "cell_qa_t5_lora")
    assert code == 0, printed[-3000:]
    shown = frames(printed)
    assert max(map(len, shown)) < ROWS
    assert re.search(r"1 of 9 runs", shown[-1][1])
    assert any(re.match(r"qa  t5 .* ● 0\.\d{3}", line) for line in shown[-1])
    assert any(re.match(r"now  [a-z]", line) for frame in shown for line in frame)  # a training may be too short
    result = two.snakemake("cell_qa_t5_lora")
    assert result.returncode == 0, result.stdout[-3000:]
    news = [line for line in result.stdout.splitlines() if line.startswith("[")]
    assert len(news) == 1
    assert re.match(r"\[2 of 18 runs.*\] qa_t5_lora, seed 2: scored 0\.\d{3}$", news[0])


def test_a_run_of_a_failed_mixture_is_a_line_with_the_reason_of_the_mixture(own_instructed):
    run = Run(cell("sentiment"), 1)
    write_failure(own_instructed, Run(MIXTURE, 1), own_instructed.paths.run(Run(MIXTURE, 1)), "no memory", now())
    share_training(own_instructed, run, own_instructed.paths.run(run))
    progress = Progress(SimpleNamespace(configfiles=[]), own_instructed, io.StringIO())
    status = read_status(own_instructed, [], progress._record, Alive())
    (line,) = [line for line in progress._news(status) if f"{run.cell}, seed 1" in line]
    assert line.endswith("FAILED: failed: no memory")
