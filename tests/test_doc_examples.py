"""Every YAML example of the documents, as written: `tunegrid check` and `tunegrid plan` take it, Snakemake plans it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import ROOT
from tunegrid.study.study import Study
from tunegrid.tasks.probes import PROBES as KINDS_OF_PROBES
from tunegrid.tasks.probes.settings import read_probes

DOCUMENTS = ("README.md", "config/README.md", *sorted(f"docs/{file.name}" for file in ROOT.glob("docs/*.md")))
KEYS = {field.alias or name for name, field in Study.model_fields.items()}
# Keys of a profile of Snakemake, whose examples docs/cluster.md has.
PROFILE = {"default-resources", "set-resources", "executor", "cluster-generic-submit-cmd"}
PROBES = {key for kind in KINDS_OF_PROBES.values() for key in kind.model_fields}  # of a file of probes

# The method and the task that the documents add are the code that they show, under the names that they say.
SCRIPT = """\
import contextlib, io, json, sys
from importlib.util import module_from_spec, spec_from_file_location

def load(name):
    spec = spec_from_file_location(f"{name}_of_the_documentation", f"{name}.py")
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

from tunegrid.tasks.metrics import METRICS
METRICS["word_coverage"] = load("word_coverage").WordCoverage
from tunegrid.tasks import TASKS
TASKS["headlines"] = load("headlines").Headlines
from tunegrid.methods import METHODS
METHODS["normalisation"] = load("normalisation").Normalisation

from tunegrid.cli import main
results = []
for overlay in sys.argv[2:]:
    files = [overlay] if "\\ndescription:" in open(overlay, encoding="utf-8").read() else [sys.argv[1], overlay]
    for command in ("check", "plan"):
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
            code = main([command, *files])
        results.append([overlay, command, code, out.getvalue()])
print(json.dumps(results))
"""


def examples() -> dict[str, str]:
    """The fenced YAML blocks of the documents, by document and line."""
    found = {}
    for name in DOCUMENTS:
        text = (ROOT / name).read_text(encoding="utf-8")
        for match in re.finditer(r"^```ya?ml\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            found[f"{name}:{text[: match.start()].count(chr(10)) + 1}"] = match[1]
    return found


def sets_of_probes() -> list[str]:
    return [text for text in examples().values() if {"kind"} <= yaml.safe_load(text).keys() <= PROBES]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with rows for config/local.yaml and for the task that the documents add, and with their code."""
    rows = {
        "qa": {"question": "who?", "context": "Anna saw Ben", "answers": {"text": ["Anna"]}},
        "translation": {"translation": {"en": "a dog", "de": "ein Hund"}},
        "sentiment": {"text": "a fine film", "label": 1},
        "": {"article": "Anna lives here. She is happy.", "highlights": "Anna lives here."},
    }
    for task, row in rows.items():
        (tmp_path / "data" / task).mkdir(parents=True, exist_ok=True)
        for split in ("train", "validation", "test"):
            (tmp_path / "data" / task / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
    page = (ROOT / "docs/your-own-task.md").read_text(encoding="utf-8")
    (tmp_path / "tickets.csv").write_text(re.search(r"^```csv\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[1])
    (mine,) = [text for text in sets_of_probes() if text.startswith("kind: labels")]
    (tmp_path / "my-probes.yaml").write_text(mine, encoding="utf-8")
    for name in ("adding-a-task", "adding-a-method"):
        text = (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
        for path, code in re.findall(
            r"`src/tunegrid/([\w/]+\.py)`[^\n]*:\n\n```python\n(\"\"\".*?)```", text, re.DOTALL
        ):
            (tmp_path / Path(path).name).write_text(code, encoding="utf-8")
    (tmp_path / "run.py").write_text(SCRIPT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*command: object) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "HF_HUB_OFFLINE": "1"}
    return subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, timeout=300)


def test_every_example_is_a_study_or_an_overlay_that_check_and_plan_take(folder):
    overlays = {}
    for place, text in examples().items():
        keys = yaml.safe_load(text).keys()
        assert keys <= KEYS or keys <= PROFILE or keys <= PROBES, place
        if keys <= KEYS:
            overlays[f"{len(overlays)}.yaml"] = place
            (folder / f"{len(overlays) - 1}.yaml").write_text(text, encoding="utf-8")
    assert len(overlays) >= 6
    done = run(sys.executable, "run.py", ROOT / "config/local.yaml", *overlays)
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads(done.stdout.splitlines()[-1])
    assert len(results) == 2 * len(overlays)
    failed = {f"{overlays[file]} {command}": text for file, command, code, text in results if code != 0}
    assert not failed


def test_every_example_of_probes_is_a_set_of_them(tmp_path):
    for number, text in enumerate(sets_of_probes()):
        (tmp_path / f"{number}.yaml").write_text(text, encoding="utf-8")
        assert read_probes(tmp_path / f"{number}.yaml").title


def test_snakemake_plans_a_family_of_the_studys_own(folder):
    (text,) = [text for text in examples().values() if "\nfamilies:" in f"\n{text}"]
    (folder / "own.yaml").write_text(text, encoding="utf-8")
    config = ROOT / "config/local.yaml"
    done = run(
        "snakemake", "-n", "-p", "--snakefile", ROOT / "Snakefile", "--cores", 1, "--configfile", config, "own.yaml"
    )
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    assert "train_sentiment_t5-v1.1_lora" in done.stdout + done.stderr
    for command in ("status", "summary"):
        done = run(sys.executable, "-m", "tunegrid", command, config, "own.yaml")
        assert "Traceback" not in done.stderr, done.stderr[-1500:]
