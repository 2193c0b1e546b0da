"""The options of the stages' commands: `--task`, `--seed`, `--attempt`, ..."""

from __future__ import annotations

import argparse

from tunegrid.cli.command import Commands
from tunegrid.cli.outputs import output_path
from tunegrid.cli.stage import Stage
from tunegrid.cli.stage_commands import STAGES

_CELL = ("task", "model", "method")
OPTIONS = {
    "sampled": ("pairs",),
    "cell": _CELL,
    "judged": _CELL,
    "shared": _CELL,
    "mixture": ("model", "method"),
}  # of targets with several
HELP = {
    "name": "a baseline of the task",
    "domain": "a name under `evaluate_on` of the task",
    "form": "a form under `compress`",
    "pairs": "preference pairs of the study",
    "reward": "a reward model of the study",
    "factor": "a factor of the study's search",
}


def add_to(commands: Commands) -> None:
    parsers = {stage.command: _add(commands, stage) for stage in STAGES}
    for command in ("evaluate", "evaluate-domains", "evaluate-probes"):
        parsers[command].add_argument("--method", required=True, help="a method of the study, or untuned")
        parsers[command].add_argument("--seed", type=int, help="seed of the run; none for --method untuned")
    parsers["evaluate-wordings"].add_argument("--seed", type=int, help="seed of the run; none: the untuned model")
    parsers["report"].add_argument("--no-pdf", action="store_true", help="LaTeX and HTML only")


def _add(commands: Commands, stage: Stage) -> argparse.ArgumentParser:
    parser = commands.on_study(stage.command, stage, stage.text)
    parser.set_defaults(stage=stage)
    for name in stage.target:
        for option in OPTIONS.get(name, (name,)):
            kind, text = int if option == "seed" else str, HELP.get(option, f"a {option} of the study")
            parser.add_argument(f"--{option}", required=True, type=kind, help=text)
    parser.add_argument("--log", type=output_path, help="write the output to this file instead")
    parser.add_argument("--settings", help="digest of the settings to run with; refuse if the study has others")
    if stage.died:
        parser.add_argument("--attempt", type=int, default=1, help="number of this attempt, from 1; default: 1")
        text = "number of attempts, of which the last one's failure is a result; default: 1"
        parser.add_argument("--attempts", type=int, default=1, help=text)
        parser.add_argument("--mem-mb", type=int, help="memory that the job may take, for messages")
    return parser
