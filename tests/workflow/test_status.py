"""The jobs that `tunegrid status` lists are those that Snakemake runs."""

import re

import yaml

from tests.support.running import MINI, Workflow
from tunegrid.study.load import load_study
from tunegrid.study.status.items import items


def test_the_jobs_of_a_status_are_those_of_the_workflow_with_their_files_and_logs(tmp_path, monkeypatch):
    values = {
        "search": {"factors": [0.33, 1.0]},
        "seeds": [1, 2],
        "grid": {"exclude": [{"model": "bart", "method": "lora"}]},
    }
    (tmp_path / "changes.yaml").write_text(yaml.safe_dump(values))
    workflow = Workflow(tmp_path, MINI, tmp_path / "changes.yaml")
    printed = workflow.snakemake("--dry-run", "-p").stdout
    planned = {}
    for block in re.split(r"^(?:local)?rule ", printed, flags=re.MULTILINE)[1:]:
        rule = block.split(":")[0]
        if rule in ("all", "tables"):
            continue
        fields = dict(re.findall(r"^    (output|log|wildcards): (.*)$", block, flags=re.MULTILINE))
        wildcards = [pair.split("=")[1] for pair in fields.get("wildcards", "").split(", ") if pair]
        comment = f"rule_{rule}" + (f"_wildcards_{'_'.join(wildcards)}" if wildcards else "")
        planned[comment] = (fields["log"], fields["output"].split(", "))
    monkeypatch.chdir(tmp_path)
    study = load_study(*workflow.configs)
    known = {item.comment: item for item in items(study)}
    assert known.keys() == planned.keys()
    for comment, (log, outputs) in planned.items():
        item = known[comment]
        assert str(study.paths.log(item.log)) == log
        assert any(str(item.done) == output or str(item.done.parent) == output for output in outputs)
