"""What is fetched from the Hub: the files that a model needs, once; full disks; and a fetch that is interrupted."""

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.checkpoints import LARGE, make_checkpoint
from tests.support.hub_model import FILES, MEGABYTE, PIECE, SMALL, T5, WEIGHTS, download, refused, unfinished
from tests.support.processes import heed_signals
from tunegrid.common.hub import download as client

# -- what is fetched --------------------------------------------------------------------------------------------------


def test_a_revision_is_resolved_to_its_commit(hub):
    first = hub.add("models", T5, SMALL)
    second = hub.repositories["models", T5].commit(FILES)
    assert client.resolve("model", T5, None) == client.resolve("model", T5, "main") == second
    assert client.resolve("model", T5, first) == first
    converted = hub.repositories["models", T5].commit(SMALL, "refs/convert/parquet")
    assert client.resolve("model", T5, "refs/convert/parquet") == converted


def test_only_what_the_model_needs_is_fetched(hub):
    others = ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "rust_model.ot", "onnx/model.onnx", "README.md",
              "model.safetensors.index.json", "model-00001-of-00002.safetensors", "pytorch_model.bin.index.json",
              "onnx/config.json", "flax_config.json", "runs/events.txt", "model.fp16.safetensors")  # fmt: skip
    needed = {**SMALL, "merges.txt": b"a b", "model.safetensors": b"weights"}
    commit = hub.add("models", T5, {**needed, **dict.fromkeys(others, b"not needed")})
    assert download(commit) == needed
    assert not [name for name in others if name.rsplit("/")[-1] in hub.sent.keys() - needed.keys()]


def test_weights_in_several_files_come_with_their_index(hub):
    shards = {f"model-0000{i}-of-00002.safetensors": b"part" * i for i in (1, 2)}
    needed = {**SMALL, **shards, "model.safetensors.index.json": b"{}"}
    commit = hub.add("models", T5, {**needed, "pytorch_model-00001-of-00002.bin": b"pickle"})
    assert download(commit) == needed


def test_what_is_there_is_not_fetched_again(hub):
    commit = hub.add("models", T5, FILES)
    first = download(commit)
    hub.forget()
    assert download(commit) == first == FILES
    assert hub.count("resolve") == 0


def test_a_repository_without_safetensors_is_refused_before_anything_is_fetched(hub):
    commit = hub.add("models", T5, {**SMALL, "pytorch_model.bin": b"pickle"})
    message = refused(download, commit)
    assert f"model {T5}" in message
    assert "no safetensors weights" in message
    assert "safe_serialization=True" in message
    assert hub.count("resolve") == 0


# -- the disk ---------------------------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(hub, tmp_path):
    commit = hub.add("models", T5, FILES)
    with small_disk(tmp_path / "cache", 16):
        message = refused(download, commit)
    assert f"no space left for the Hub's files in {tmp_path / 'cache'} (25.2 MB needed, 16.8 MB free)" in message
    assert "HF_HOME" in message
    assert hub.count("/resolve/") == 0


def test_a_disk_that_others_fill_meanwhile_is_said_and_the_next_call_goes_on(hub, tmp_path):
    commit = hub.add("models", T5, FILES)
    other = tmp_path / "cache/other"

    def fill(body: bytes) -> bytes:
        other.write_bytes(bytes(25 * MEGABYTE))
        return body

    with small_disk(tmp_path / "cache", 40):
        hub.spoil("model.safetensors", fill)
        message = refused(download, commit)
        assert "no space left" in message
        assert "MB needed" in message
        assert "next call goes on" in message
        other.unlink()
        hub.forget()
        assert download(commit) == FILES
        assert hub.sent["model.safetensors"] <= len(WEIGHTS) - PIECE


def test_a_limit_on_the_size_of_files_is_like_a_full_disk_and_the_next_call_goes_on(hub, tmp_path):
    commit = hub.add("models", T5, FILES)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15 * MEGABYTE, before[1]))
    try:
        message = refused(download, commit)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f"no space left for the Hub's files in {tmp_path / 'cache'}" in message
    hub.forget()
    assert download(commit) == FILES
    assert hub.sent["model.safetensors"] <= len(WEIGHTS) - PIECE


def test_a_repository_that_was_renamed_is_found(hub):
    commit = hub.add("models", T5, FILES)
    hub.renamed["t5/tiny"] = T5
    assert client.resolve("model", "t5/tiny", None) == commit
    assert download(commit, "t5/tiny") == FILES


# -- interrupted ------------------------------------------------------------------------------------------------------


STUDY = f"""\
study: interrupted
title: A study of one model
description: For tests.
seeds: [1]
grid: {{tasks: [sentiment], models: [t5], methods: [full]}}
tasks:
  sentiment:
    kind: sentiment
    source: {{kind: generated, rows: {{train: 4, validation: 2, test: 2}}}}
    max_source_length: 48
    max_target_length: 8
    generation: {{max_new_tokens: 4}}
models: {{t5: {{family: t5, source: {{kind: hub, id: {T5}}}}}}}
methods: {{full: {{kind: full}}}}
training: {{learning_rate: 1.0e-3, max_steps: 1}}
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_a_fetch_that_is_ended_half_way_goes_on_at_the_next_call(hub, hub_environment, tmp_path, sent):
    model = make_checkpoint(tmp_path / "t5", "t5", LARGE)
    weights = (model / "model.safetensors").read_bytes()
    assert len(weights) > len(WEIGHTS)
    hub.add("models", T5, {file.name: file.read_bytes() for file in model.iterdir()})
    Path("study.yaml").write_text(STUDY)
    command = [sys.executable, "-m", "tunegrid", "fetch-model", "study.yaml", "--model", "t5"]
    environment = hub_environment(hub, HF_HUB_CACHE=str(tmp_path / "cache"), HF_HUB_DOWNLOAD_TIMEOUT="60")
    hub.stall("model.safetensors", after=15 * MEGABYTE, seconds=20)
    options = {"env": environment, "stderr": subprocess.PIPE, "text": True, "preexec_fn": heed_signals}
    with subprocess.Popen(command, **options) as process:
        deadline = time.monotonic() + 30
        while unfinished(tmp_path) < PIECE and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(sent)
        error = process.communicate()[1]
    assert process.returncode == (-signal.SIGKILL if sent == signal.SIGKILL else 1)
    if sent == signal.SIGINT:
        assert f"model {T5}" in error
        assert "interrupted" in error
        assert "Traceback" not in error
    assert not Path("results/interrupted/models/t5").exists()
    hub.forget()
    subprocess.run(command, env=environment, check=True)
    assert hub.sent["model.safetensors"] == len(weights) - PIECE
    assert Path("results/interrupted/models/t5/model.safetensors").read_bytes() == weights
