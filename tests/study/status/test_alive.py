"""Which processes work on a study."""

from itertools import chain
from pathlib import Path

import pytest

from tests.support.small_study import BASE
from tunegrid.cli.stage_commands import STAGES
from tunegrid.cli.stage_options import OPTIONS
from tunegrid.study.load import load_study
from tunegrid.study.status.alive import command_of
from tunegrid.study.status.items import items


@pytest.mark.parametrize(("line", "command"), [
    ("/venv/bin/python /venv/bin/tunegrid train a.yaml b.yaml --task qa --model t5 --method lora --seed 3 --settings x",
     ("train", "qa", "t5", "lora", "3")),
    ("python -m tunegrid evaluate a.yaml --method untuned --task qa --model t5", ("evaluate", "qa", "t5", "untuned")),
    ("python -m tunegrid baseline a.yaml --task qa --name copy", ("baseline", "qa", "copy")),
    ("tunegrid compress a.yaml --task qa --model t5 --method lora --seed 3 --form int8", ("compress", "qa", "t5", "lora", "3", "int8")),
    ("tunegrid report a.yaml --no-pdf", ("report",)),
    ("tunegrid status a.yaml", None),
    ("tunegrid train other.yaml --task qa --model t5 --method lora --seed 3", None),
    ("bash -c tunegrid train a.yaml --task qa", None),
    ("vim tunegrid train", None),
    ("tunegrid", None),
])  # fmt: skip
def test_a_command_is_known_by_its_words(line, command):
    assert command_of(line.split(), {Path("a.yaml").resolve(), Path("b.yaml").resolve()}) == command


MORE = """\
tasks: {sentiment: {evaluate_on: {away: {kind: files, paths: {test: away.csv}}}}}
compress: [int8]
forgetting: {text: text.txt}
probes: {names: {task: sentiment, set: sentiment-names}}
preferences: {wrong: {source: {kind: corrupted}}, own: {source: {kind: sampled, from: full}}}
rewards: {judge: {pairs: wrong, training: {learning_rate: 1.0e-3, max_steps: 4}}}
methods:
  all: {kind: instruction, method: {kind: lora, r: 2}}
  ppo: {kind: ppo, sft: full, reward: judge}
  dpo: {kind: dpo, sft: full, pairs: own}
grid: {methods: [full, ppo, dpo, all], exclude: [{task: qa, method: ppo}, {task: qa, method: dpo}]}
"""
SEARCHED = "search: {factors: [1.0, 3.0]}\n"  # no mixture can be searched for


def test_the_command_of_every_job_is_known_while_it_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(BASE)
    Path("b.yaml").write_text(MORE)
    Path("c.yaml").write_text(SEARCHED)
    seen, studies = set(), (load_study("a.yaml", "b.yaml"), load_study("a.yaml", "c.yaml"))
    stages = {stage.command: stage for stage in STAGES}
    for item in chain.from_iterable(map(items, studies)):
        command, *values = item.command
        options = [option for name in stages[command].target for option in OPTIONS.get(name, (name,))]
        options += ["method"] if command in ("evaluate", "evaluate-domains", "evaluate-probes") else []
        options += ["seed"] * (len(values) - len(options))
        words = [word for pair in zip(options, values, strict=True) for word in (f"--{pair[0]}", pair[1])]
        assert command_of(["tunegrid", command, "a.yaml", "b.yaml", *words], {Path("a.yaml").resolve()}) == item.command
        seen.add(command)
    assert set(stages) - seen == {"pretrain", "tables"}  # no model is pretrained; tables are part of the report
