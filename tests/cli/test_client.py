"""A job that hands its command line over: what it imports, and what it supervises."""

import os
import subprocess
import sys

import pytest
import yaml

from tests.support import ROOT
from tests.support.processes import wait_for
from tunegrid.cli import client, dispatch
from tunegrid.cli.stage_commands import STAGES
from tunegrid.cli.supervised import TITLES
from tunegrid.runtime import warm
from tunegrid.runtime.provenance import digest
from tunegrid.runtime.supervisor import UNAVAILABLE
from tunegrid.study.load import load_study
from tunegrid.study.stage_settings import evaluation_settings


@pytest.mark.slow
def test_the_warm_process_says_what_is_wrong_with_a_command(tiny, tmp_path):
    socket = tmp_path / "socket"
    command = [sys.executable, "-m", "tunegrid"]
    server = subprocess.Popen([*command, "warm", str(tiny), "--socket", str(socket)])

    def run(*arguments):
        environment = os.environ | {warm.VARIABLE: str(socket)}
        return subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True)

    try:
        wait_for(socket.exists)
        helped = run("evaluate", "--help")
        assert (helped.returncode, helped.stdout.split()[:3]) == (0, ["usage:", "tunegrid", "evaluate"])
        target = ("--task", "qa", "--model", "t5", "--method", "lora", "--seed", "1")
        for wrong in (run("evaluate", str(tiny), "--taks", "qa"), run("train", str(tiny), *target, "--sede", "1")):
            assert (wrong.returncode, "usage: tunegrid" in wrong.stderr, "Traceback" in wrong.stderr) == (
                1,
                True,
                False,
            )
        done = run("baseline", str(tiny), "--task", "qa", "--name", "random-candidate")
        assert (done.returncode, done.stderr) == (0, "")
        target = ("--task", "qa", "--name", "random-candidate")
        given = digest(evaluation_settings(load_study(tiny), "qa"))
        assert run("baseline", str(tiny), *target, "--settings", given).returncode == 0
        values = yaml.safe_load(tiny.read_text())
        values["tasks"]["qa"]["evaluation_batch_size"] = 3
        tiny.write_text(yaml.safe_dump(values))
        refused = run("baseline", str(tiny), *target, "--settings", given)
        assert (refused.returncode, "have changed since the workflow started" in refused.stderr) == (1, True)
    finally:
        server.kill()
        server.wait()


def test_a_command_does_itself_what_the_warm_process_cannot(monkeypatch):
    monkeypatch.setenv(warm.VARIABLE, "socket")
    asked = []
    for code, expected in ((UNAVAILABLE, None), (0, 0), (1, 1), (None, None)):
        monkeypatch.setattr(warm, "ask", lambda arguments, code=code: (asked.append(arguments), code)[1])
        assert client.hand_over(["fetch-model", "study.yaml", "--model", "t5"]) == expected
    assert asked == [["fetch-model", "study.yaml", "--model", "t5"]] * 4


def test_only_a_model_of_the_hub_needs_the_network(tmp_path):
    hub, packaged = {"kind": "hub", "id": "google-t5/t5-base"}, {"kind": "packaged", "name": "t5"}
    values = yaml.safe_load((ROOT / "config/mini.yaml").read_text())
    for source, needed in ((hub, True), (packaged, False)):
        values["models"]["t5"]["source"] = source
        file = tmp_path / f"{source['kind']}.yaml"
        file.write_text(yaml.safe_dump(values))
        assert dispatch._needs_network(dispatch.parse(["fetch-model", str(file), "--model", "t5"])) == needed
        assert not dispatch._needs_network(dispatch.parse(["tables", str(file)]))
    assert not dispatch._needs_network(dispatch.parse(["fetch-model", "missing.yaml", "--model", "t5"]))


def test_it_knows_the_commands_of_the_stages_that_compute():
    assert {stage.command for stage in STAGES if stage.computes_on} == client.COMPUTING
    assert {stage.command for stage in STAGES} > client.WITHOUT_MODEL
    assert {stage.command for stage in STAGES if stage.died} == TITLES.keys()


@pytest.mark.parametrize(
    ("command", "target", "title"),
    [
        ("train", "--task qa --model t5 --method lora --seed 3", "qa_t5_lora, seed 3"),
        ("train-mixture", "--model t5 --method lora --seed 3", "mixture_t5_lora, seed 3"),
        ("train-reward", "--task qa --model t5 --reward j", "qa, t5, reward model j"),
        ("sample-pairs", "--task qa --model t5 --pairs ours", "qa, t5, pairs ours"),
        ("search-trial", "--task qa --model t5 --method lora --factor 0.33", "qa_t5_lora, search x 0.33"),
        ("baseline", "--task qa --name copy", "qa, baseline copy"),
    ],
)
def test_a_supervised_command_has_one_title_with_and_without_a_warm_process(command, target, title):
    arguments = [command, "study.yaml", *target.split()]
    for options in (client._options(arguments), dispatch.parse(arguments)):
        assert TITLES[command].format(**vars(options)) == title


def test_it_imports_the_process_room_alone_and_no_library():
    code = "import sys, tunegrid.cli; print(*sorted(sys.modules))"
    # -S: without what other packages have Python import at its start, so without the path of an editable install too
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    names = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout.split()
    assert {name.split(".")[0] for name in names} - sys.stdlib_module_names == {"__main__", "tunegrid"}
    slow_to_import = {"argparse", "dataclasses", "inspect", "json", "typing"}  # argparse: for supervised commands alone
    assert slow_to_import & {*names} <= {"argparse"}
    assert {name.split(".")[1] for name in names if name.startswith("tunegrid.")} <= {"cli", "runtime", "common"}


@pytest.mark.parametrize("command", ["train", "evaluate", "check"])
def test_without_a_warm_process_a_command_does_its_work_itself(monkeypatch, tmp_path, command):
    arguments = [command, "study.yaml", "--task", "qa", "--model", "t5", "--method", "lora", "--seed", "1"]
    monkeypatch.setattr(os, "environ", os.environ.copy())
    os.environ.pop(warm.VARIABLE, None)
    assert client.hand_over(arguments) is None
    os.environ[warm.VARIABLE] = str(tmp_path / "nobody")
    assert client.hand_over(arguments) is None
    assert client.hand_over(["train", "study.yaml", "--attempt", "x"]) is None
