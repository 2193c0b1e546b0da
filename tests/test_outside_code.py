"""Code that comes with a checkpoint is never run, and no loader asks on standard input whether to run it."""

import ast
import builtins
import json
import shutil
from pathlib import Path

import pytest

from tests.support import ROOT
from tunegrid.common.errors import TuneGridError
from tunegrid.data.tokens import load_tokenizer
from tunegrid.models.load import load_model

CODE = "import pathlib\npathlib.Path('was-run').touch()\nclass Own: pass\n"


def loaders() -> list[tuple[str, ast.Call]]:
    """Every call of a `from_pretrained`, with its place. PeftModel's, which loads an adapter alone, knows no code."""
    calls = []
    for file in sorted([*ROOT.glob("src/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            loader, _, method = ast.unparse(call.func).rpartition(".")
            if method == "from_pretrained" and loader != "PeftModel":
                calls.append((f"{file.relative_to(ROOT)}:{call.lineno}", call))
    return calls


def test_every_loader_says_that_no_code_of_a_folder_is_run():
    calls = loaders()
    assert {place.split(":")[0] for place, _ in calls} >= {"src/tunegrid/models/load.py", "src/tunegrid/data/tokens.py"}
    for place, call in calls:
        arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert arguments.get("trust_remote_code") == "False", place


@pytest.fixture
def folder(checkpoints, tmp_path, monkeypatch) -> Path:
    """A checkpoint with code beside it; whoever asks whether to run it fails the test."""

    def ask(*_):
        pytest.fail("asked on standard input")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(builtins, "input", ask)
    folder = Path(shutil.copytree(checkpoints / "t5", tmp_path / "t5"))
    (folder / "own.py").write_text(CODE)
    return folder


def change_json(file: Path, **values) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_code_that_a_tokenizer_names_is_not_run(folder):
    own = {"auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]}, "tokenizer_class": "Own"}
    change_json(folder / "tokenizer_config.json", **own)
    change_json(folder / "config.json", model_type="own", auto_map={"AutoConfig": "own.Own"})
    with pytest.raises(TuneGridError, match=r"the tokenizer cannot be loaded: .* contains custom code"):
        load_tokenizer(folder)
    assert not Path("was-run").exists()


def test_code_that_a_model_names_is_not_run(folder):
    change_json(folder / "config.json", model_type="own", auto_map={"AutoConfig": "own.Own"})
    with pytest.raises(TuneGridError, match="auto_map names code of its own"):
        load_model(folder)
    assert not Path("was-run").exists()
