"""The lock file: what pinning writes, what a locked study refuses, and a pinned study from the Hub to its scores."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hub_layouts import IMDB, SQUAD, WMT, imdb, squad, wmt16
from tests.support.hub_server import HubServer
from tunegrid.common.errors import TuneGridError
from tunegrid.study import lock
from tunegrid.study.load import load_study
from tunegrid.study.stage_settings import data_settings, model_settings

T5, TOKEN = "google-t5/t5-tiny", "hf_" + "Sesam0effne1dich" * 2
STUDY = f"""\
study: hubbed
title: A study of the Hub's data and model
description: For tests.
seeds: [1]
grid: {{tasks: [qa, translation, sentiment], models: [t5], methods: [lora, adapters]}}
tasks:
  qa:
    kind: qa
    source: {{kind: hub, path: {SQUAD}, splits: {{train: train, test: validation}}, validation_share: 0.3}}
    max_source_length: 48
    max_target_length: 8
    generation: {{max_new_tokens: 4}}
  translation:
    kind: translation
    source: {{kind: hub, path: {WMT}, name: de-en, revision: main, splits: {{validation: validation}}}}
    max_source_length: 48
    max_target_length: 8
    generation: {{max_new_tokens: 4}}
  sentiment:
    kind: sentiment
    source: {{kind: hub, path: {IMDB}}}
    max_source_length: 48
    max_target_length: 8
    generation: {{max_new_tokens: 4}}
models:
  t5: {{family: t5, source: {{kind: hub, id: {T5}}}}}
  unused: {{family: t5, source: {{kind: hub, id: nobody/nothing}}}}
methods:
  lora: {{kind: lora, r: 2, alpha: 4}}
  adapters: {{kind: adapters, reduction_factor: 4}}
training: {{learning_rate: 1.0e-3, max_steps: 2, batch_size: 4}}
"""
A, B = "a" * 40, "b" * 40


def write_lock(*models: dict, path: str = "study.lock.json", **lists: list) -> None:
    pins = [{"revision": None, "pinned": "2025-06-01T10:00:00+00:00"} | model for model in models]
    datasets = [
        {"id": id, "revision": revision, "commit": A, "pinned": "2025-06-01T10:00:00+00:00"}
        for id, revision in ((SQUAD, None), (WMT, "main"), (IMDB, None))
    ]
    Path(path).write_text(json.dumps({"version": 1, "models": pins, "datasets": datasets, **lists}))


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(STUDY)
    return Path("study.yaml")


def refused(*changes: str) -> str:
    Path("changes.yaml").write_text("\n".join(changes) or "{}")
    with pytest.raises(TuneGridError) as caught:
        load_study("study.yaml", "changes.yaml")
    return str(caught.value)


# -- what a lock file does to a study ---------------------------------------------------------------------------------


def test_the_lock_stands_beside_the_first_configuration():
    assert lock.lock_file("config/paper.yaml") == Path("config/paper.lock.json")


def test_a_locked_study_has_the_commits_in_the_settings_that_rules_are_compared_by(study):
    unlocked = load_study(study)
    assert "commit" not in model_settings(unlocked, "t5")["source"]
    write_lock({"id": T5, "commit": A})
    locked = load_study(study)
    assert model_settings(locked, "t5")["source"] == model_settings(unlocked, "t5")["source"] | {"commit": A}
    assert data_settings(locked, "translation")["source"]["commit"] == A
    write_lock({"id": T5, "commit": B})
    again = load_study(study)
    assert model_settings(again, "t5") != model_settings(locked, "t5")
    assert data_settings(again, "qa") == data_settings(locked, "qa")
    assert model_settings(load_study(study, locked=False), "t5") == model_settings(unlocked, "t5")


def test_a_study_that_takes_nothing_from_the_hub_is_not_touched_by_a_lock(study):
    Path("study.lock.json").write_text('{"version": 1, "models": [], "datasets": []}')
    generated = "source: {kind: generated, rows: {train: 4, validation: 2, test: 2}}"
    text = re.sub(r"source: \{kind: hub, path.*", generated, STUDY)
    Path("study.yaml").write_text(re.sub(r"source: \{kind: hub, id.*?\}", "source: {kind: directory, path: x}", text))
    assert not list(lock.hub_sources(load_study(study)))


def test_an_id_that_the_lock_does_not_have_is_refused_at_its_key(study):
    write_lock({"id": T5, "commit": A})
    message = refused("models: {t5: {source: {id: google-t5/t5-large}}}")
    assert "changes.yaml, line 1: models.t5.source.id: model google-t5/t5-large (revision default) is not in" in message
    assert "tunegrid pin study.yaml" in message


def test_a_revision_that_the_lock_does_not_have_is_refused_at_its_key(study):
    write_lock({"id": T5, "commit": A})
    message = refused("tasks: {qa: {source: {revision: v2}}}")
    assert f"changes.yaml, line 1: tasks.qa.source.revision: data set {SQUAD} (revision v2) is not in" in message
    assert f"it has {SQUAD} (revision default) at commit {A}" in message
    assert "tunegrid pin study.yaml" in message


def test_a_commit_that_contradicts_the_lock_is_refused(study):
    write_lock({"id": T5, "commit": A, "revision": "main"})
    assert f"at commit {A}" in refused(f"models: {{t5: {{source: {{revision: {B}}}}}}}")
    write_lock({"id": T5, "commit": A, "revision": B})
    message = refused(f"models: {{t5: {{source: {{revision: {B}}}}}}}")
    assert f"models.t5.source.revision: {B} is a commit, but study.lock.json holds {T5} to {A}" in message


def test_a_commit_that_is_the_locked_one_is_accepted(study):
    write_lock({"id": T5, "commit": A, "revision": "main"})
    Path("changes.yaml").write_text(f"models: {{t5: {{source: {{revision: {A}}}}}}}")
    assert load_study("study.yaml", "changes.yaml").models["t5"].source.commit == A


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"version": 2}',
        '{"version": 1, "models": [{"id": "a/b", "revision": null, "commit": "main", "pinned": ""}]}',
    ],
)
def test_a_lock_file_that_is_none_is_refused(study, content):
    Path("study.lock.json").write_text(content)
    assert "study.lock.json: not a lock file that can be read" in refused()


def test_check_says_what_is_pinned_and_what_is_not(study):
    from tunegrid.study.describe import describe

    text = describe(load_study(study))
    assert f"Hub model {T5}, not pinned" in text
    assert "`tunegrid pin`" in text
    write_lock({"id": T5, "commit": A})
    text = describe(load_study(study))
    assert f"Hub model {T5}, locked to commit {A}" in text
    assert "not pinned" not in text.lower()


# -- pinning ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(hub, study) -> HubServer:
    fill(hub, {"config.json": b'{"model_type": "t5"}', "model.safetensors": b"weights"})
    return hub


def fill(hub: HubServer, model: dict[str, bytes]) -> None:
    hub.add("datasets", SQUAD, squad())
    hub.add("datasets", WMT, wmt16())
    hub.add("datasets", IMDB, imdb())
    hub.add("models", T5, model)


def pin(*, check: bool = False) -> int:
    return lock.pin(load_study("study.yaml", locked=False), "study.yaml", check)


def test_pinning_writes_each_commit_once_sorted_with_revision_and_date(filled):
    assert pin() == 0
    content = json.loads(Path("study.lock.json").read_text())
    assert content["version"] == 1
    commit = filled.repositories["models", T5].branches["main"]
    (model,) = content["models"]  # not what the grid does not use
    assert model | {"pinned": ""} == {"id": T5, "revision": None, "commit": commit, "pinned": ""}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", model["pinned"])
    assert [(entry["id"], entry["revision"]) for entry in content["datasets"]] == [
        (SQUAD, None),
        (IMDB, None),
        (WMT, "main"),
    ]
    assert load_study("study.yaml").models["t5"].source.commit == commit


def test_pinning_again_changes_the_file_only_where_a_commit_did(filled, capsys):
    pin()
    before = Path("study.lock.json").read_text()
    pin()
    assert Path("study.lock.json").read_text() == before
    old = filled.repositories["models", T5].branches["main"]
    new = filled.repositories["models", T5].commit({})
    pin()
    assert f"model {T5} (revision default): {new} (was {old})" in capsys.readouterr().out
    changed = json.loads(Path("study.lock.json").read_text())
    assert changed["datasets"] == json.loads(before)["datasets"]
    assert changed["models"][0]["commit"] == new


def test_a_check_says_what_has_moved_and_writes_nothing(filled, capsys):
    assert pin(check=True) == 1
    assert "(not pinned)" in capsys.readouterr().out
    assert not Path("study.lock.json").exists()
    pin()
    assert pin(check=True) == 0
    before = Path("study.lock.json").read_text()
    old = filled.repositories["datasets", WMT].branches["main"]
    new = filled.repositories["datasets", WMT].commit({})
    capsys.readouterr()
    assert pin(check=True) == 1
    output = capsys.readouterr().out
    assert f"data set {WMT} (revision main): {new} (was {old})" in output
    assert "1 of 4 not as in study.lock.json" in output
    assert Path("study.lock.json").read_text() == before


def test_what_cannot_be_resolved_leaves_the_lock_file_as_it_is(filled):
    pin()
    before = Path("study.lock.json").read_text()
    del filled.repositories["datasets", IMDB]
    with pytest.raises(TuneGridError, match=f"data set {IMDB} .*no such data set"):
        pin()
    assert Path("study.lock.json").read_text() == before


def test_a_study_without_the_hub_has_nothing_to_pin(tiny_study, capsys):
    assert lock.pin(tiny_study(), "tiny.yaml") == 0
    assert "nothing to pin" in capsys.readouterr().out
    assert not Path("tiny.lock.json").exists()


# -- from the Hub to the scores ---------------------------------------------------------------------------------------

RUN = """\
import json, sys
from tunegrid.cli import main
for arguments in json.loads(sys.argv[1]):
    print("$", *arguments, flush=True)
    code = main(arguments)
    print("exit", code, flush=True)
"""


def run(environment: dict[str, str], *commands: str) -> str:
    """Runs commands in one process, for the sake of its imports; returns its output, and each exit code in it."""
    arguments = json.dumps([[*command.split()] for command in commands])
    done = subprocess.run([sys.executable, "-c", RUN, arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_pinned_study_is_fetched_moved_on_the_hub_and_computed_offline(study, checkpoints, hub_environment, tmp_path):
    with HubServer() as hub:
        model = {file.name: file.read_bytes() for file in (checkpoints / "t5").iterdir()}
        fill(hub, {**model, "pytorch_model.bin": b"pickle"})
        online = hub_environment(hub, HF_HOME=str(tmp_path / "home"), HF_TOKEN=TOKEN)
        fetch = [f"fetch-data study.yaml --task {task}" for task in ("qa", "translation", "sentiment")]
        output = run(online, "pin study.yaml", "pin study.yaml --check", "fetch-model study.yaml --model t5", *fetch)
        assert output.count("exit 0") == 6, output
        assert hub.count("pytorch_model.bin") == 0
        assert all(
            request.headers["authorization"] == f"Bearer {TOKEN}" for request in hub.requests if not request.storage
        )
        pinned = {id: repository.branches["main"] for (_, id), repository in hub.repositories.items()}
        root = Path("results/hubbed")
        cards = {path.parent.name: json.loads(path.read_text()) for path in root.glob("*/*/card.json")}
        for name, id, revision in (
            ("qa", SQUAD, None),
            ("translation", WMT, "main"),
            ("sentiment", IMDB, None),
            ("t5", T5, None),
        ):
            card = cards[name]
            assert (card["id"], card["revision"], card["commit"]) == (id, revision, pinned[id])
        assert cards["translation"]["rows"] == {"train": 36, "validation": 12, "test": 12}
        assert {file.name for file in (tmp_path / "home").iterdir()} >= {"hub"}

        # The branches move: the locked study still gets the commits of its lock, and says so when asked.
        for (_, id), repository in hub.repositories.items():
            repository.commit({} if id != T5 else {"config.json": b"{}"})
        fingerprints = {name: card["fingerprint"] for name, card in cards.items()}
        output = run(online, "fetch-model study.yaml --model t5", *fetch, "pin study.yaml --check")
        assert (output.count("exit 0"), output.count("exit 1")) == (4, 1), output
        assert "4 of 4 not as in study.lock.json" in output
        cards = {path.parent.name: json.loads(path.read_text()) for path in root.glob("*/*/card.json")}
        assert {name: card["fingerprint"] for name, card in cards.items()} == fingerprints

        # From here on there is no need of a network, and none is used, though nothing forbids it to these commands.
        hub.forget()
        cell = "study.yaml --task qa --model t5"
        commands = [f"tokenise {cell}"]
        for method in ("lora", "adapters"):
            commands += [f"{stage} {cell} --method {method} --seed 1" for stage in ("train", "evaluate")]
        commands += [f"evaluate {cell} --method untuned", "report study.yaml --no-pdf"]
        computed = run(online, *commands)
        assert computed.count("exit 0") == len(commands) == 7, computed
        assert hub.requests == []

    records = [*root.glob("runs/qa/t5/*/*/*.json"), *root.glob("untuned/qa/t5/metrics.json")]
    assert len(records) == 5
    for path in records:
        provenance = json.loads(path.read_text())["provenance"]
        assert (provenance["data_revision"], provenance["model_revision"]) == (pinned[SQUAD], pinned[T5])
    assert f"commit {pinned[T5][:12]}" in (root / "report/report.html").read_text()
    written = [path for path in tmp_path.rglob("*") if path.is_file() and "/hub/" not in str(path)]
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in output + computed
