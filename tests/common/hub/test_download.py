"""Fetching from the Hub when the network, the disk, the Hub or the user gets in the way: one test for each.

The server is a real one on this machine (`hub_server`). For each fault: what the message says, and that the next call
goes on where this one stopped.
"""

import io
import json
import logging
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.support.checkpoints import LARGE, make_checkpoint
from tests.support.hub_server import SIGNATURE, HubServer, connect
from tests.support.processes import heed_signals
from tunegrid.common.errors import TuneGridError
from tunegrid.common.hub import download as client
from tunegrid.common.hub.errors import scrub

MEGABYTE = 1 << 20
PIECE = 10 * MEGABYTE  # huggingface_hub writes to the disk in pieces of this size
WEIGHTS = random.Random(0).randbytes(24 * MEGABYTE)
TOKEN = "hf_" + "Sesam0effne1dich" * 2
SECRET = "mirror-0123456789abcdef"  # a token that nothing but its being set gives away
T5 = "google-t5/t5-tiny"
CONFIG = {"model_type": "t5", "vocab_size": 8, "d_model": 8, "d_kv": 4, "d_ff": 8, "num_heads": 2, "num_layers": 1}
SMALL = {"config.json": json.dumps(CONFIG).encode(), "tokenizer.json": b"{}", "spiece.model": b"pieces"}
FILES = {**SMALL, "model.safetensors": WEIGHTS}


def download(commit: str, id: str = T5) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in client.download_model(id, commit)}


def refused(call, *arguments) -> str:
    with pytest.raises(TuneGridError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def ranges(hub: HubServer, part: str) -> list[str]:
    """From where on the file was asked for, of each request to the storage."""
    gets = [request for request in hub.requests if request.storage and part in request.path]
    return [request.headers.get("range", "bytes=0-") for request in gets if request.method == "GET"]


def unfinished(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("cache/*/blobs/*.incomplete"))


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


# -- failures that pass -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["/api/", "/resolve/", "model.safetensors"])
@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_overloaded_hub_is_asked_again(hub, part, status):
    commit = hub.add("models", T5, {**SMALL, "model.safetensors": b"weights"})
    hub.fail(status, part, times=2)
    assert download(commit)["model.safetensors"] == b"weights"


def test_a_hub_that_stays_overloaded_is_asked_so_many_times_and_no_more(hub):
    commit = hub.add("models", T5, FILES)
    hub.fail(503, "/api/")
    message = refused(client.resolve, "model", T5, "main")
    assert f"model {T5} (revision main)" in message
    assert "answers HTTP 503" in message
    assert "Try again later" in message
    assert hub.count("/api/") == 3
    hub.faults.clear()
    assert client.resolve("model", T5, "main") == commit


def test_the_pause_that_the_hub_asks_for_is_kept(hub):
    commit = hub.add("models", T5, SMALL)
    hub.fail(429, "/api/", times=1, Retry_After="1")
    start = time.monotonic()
    assert client.resolve("model", T5, None) == commit
    assert time.monotonic() - start >= 1


def test_a_connection_that_is_cut_goes_on_where_it_was(hub):
    commit = hub.add("models", T5, FILES)
    hub.cut("model.safetensors", after=15 * MEGABYTE)
    assert download(commit) == FILES
    assert ranges(hub, "model.safetensors") == ["bytes=0-", f"bytes={PIECE}-"]
    assert hub.sent["model.safetensors"] == 15 * MEGABYTE + len(WEIGHTS) - PIECE


def test_a_connection_that_is_always_cut_is_given_up_and_the_next_call_goes_on(hub, tmp_path):
    commit = hub.add("models", T5, FILES)
    hub.cut("model.safetensors", after=15 * MEGABYTE, times=1)
    hub.cut("model.safetensors", after=1000, times=10**6)
    message = refused(download, commit)
    assert "model.safetensors (10.5 MB of 25.2 MB there)" in message
    assert "ends too early" in message
    assert "next call goes on where this one stopped" in message
    assert len(ranges(hub, "model.safetensors")) == 1 + 3
    assert unfinished(tmp_path) == PIECE
    hub.faults.clear()
    hub.forget()
    assert download(commit) == FILES
    assert hub.sent.keys() == {"model.safetensors", commit}
    assert hub.sent["model.safetensors"] == len(WEIGHTS) - PIECE


def test_tries_that_bring_something_are_not_counted(hub):
    commit = hub.add("models", T5, {**SMALL, "model.safetensors": WEIGHTS * 2})  # 48 MB
    hub.cut("model.safetensors", after=11 * MEGABYTE, times=4)
    assert download(commit)["model.safetensors"] == WEIGHTS * 2
    assert ranges(hub, "model.safetensors") == [f"bytes={i * PIECE}-" for i in range(5)]


@pytest.mark.parametrize("to", [0, 1000, 15 * MEGABYTE])
def test_a_file_that_ends_too_early_is_completed(hub, to):
    commit = hub.add("models", T5, FILES)
    hub.truncate("model.safetensors", to=to)
    assert download(commit) == FILES
    assert ranges(hub, "model.safetensors") == ["bytes=0-", f"bytes={to}-"]


def test_a_file_that_always_ends_too_early_is_given_up_and_the_next_call_goes_on(hub):
    commit = hub.add("models", T5, FILES)
    hub.truncate("model.safetensors", to=MEGABYTE, times=1)
    hub.truncate("model.safetensors", to=0, times=10**6)
    assert "model.safetensors (1.0 MB of 25.2 MB there): the file ends too early" in refused(download, commit)
    hub.faults.clear()
    hub.forget()
    assert download(commit) == FILES
    assert ranges(hub, "model.safetensors") == [f"bytes={MEGABYTE}-"]


def test_other_bytes_than_the_hub_lists_are_thrown_away_and_fetched_again(hub):
    commit = hub.add("models", T5, FILES)
    hub.corrupt("model.safetensors")
    assert download(commit) == FILES


def test_other_bytes_are_never_handed_on(hub):
    commit = hub.add("models", T5, FILES)
    hub.corrupt("model.safetensors", times=10**6)
    assert "another content than the Hub lists" in refused(download, commit)
    hub.faults.clear()
    assert download(commit) == FILES


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_that_was_spoilt_in_the_cache_is_fetched_again(hub, name):
    commit = hub.add("models", T5, FILES)
    path = next(path for path in client.download_model(T5, commit) if path.name == name)
    path.write_bytes(b"\0" * len(FILES[name]))
    assert download(commit) == FILES


def test_a_server_that_says_nothing_more_is_left_and_the_download_goes_on(hub, capfd):
    commit = hub.add("models", T5, FILES)
    hub.xet = False  # the library then asks the storage itself, and logs its address
    hub.stall("model.safetensors", after=15 * MEGABYTE, seconds=5)
    log = io.StringIO()
    (handler,) = logging.getLogger("huggingface_hub").handlers
    before = handler.setStream(log)
    try:
        assert download(commit) == FILES
    finally:
        handler.setStream(before)
    assert ranges(hub, "model.safetensors") == ["bytes=0-", f"bytes={PIECE}-"]
    assert f"{hub.storage_address}/{T5}/resolve/{commit}/model.safetensors?(hidden)" in log.getvalue()
    output = capfd.readouterr()
    assert SIGNATURE not in log.getvalue() + output.out + output.err


def test_without_a_network_the_message_says_where_to_fetch_and_the_next_call_goes_on(hub, monkeypatch):
    commit = hub.add("models", T5, FILES)
    hub.cut("model.safetensors", after=15 * MEGABYTE)
    hub.cut("model.safetensors", after=0, times=10**6)
    refused(download, commit)
    hub.stop()
    for call in (lambda: client.resolve("model", T5, "main"), lambda: download(commit)):
        message = refused(call)
        assert f"{hub.address} cannot be reached" in message
        assert "Connection refused" in message
        assert "login node" in message
        assert "next call goes on" in message
    with HubServer() as again:
        connect(again, monkeypatch)
        assert again.add("models", T5, FILES) == commit
        assert download(commit) == FILES
        assert again.sent["model.safetensors"] == len(WEIGHTS) - PIECE


# -- failures that do not pass by themselves --------------------------------------------------------------------------


def test_a_repository_that_is_not_there_may_be_private(hub):
    message = refused(client.resolve, "model", "nobody/nothing", None)
    assert "model nobody/nothing (revision default): there is no such model" in message
    assert "or it is private" in message
    assert "HF_TOKEN" in message
    assert hub.count() == 1


def test_a_revision_that_is_not_there_is_named(hub):
    hub.add("datasets", "rajpurkar/squad", SMALL)
    message = refused(client.resolve, "data set", "rajpurkar/squad", "v7")
    assert "data set rajpurkar/squad (revision v7): there is no such revision" in message
    assert f"{hub.address}/datasets/rajpurkar/squad" in message
    assert hub.count() == 1


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_model_says_what_to_do(hub, monkeypatch, token, status):
    commit = hub.add("models", T5, FILES)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    hub.fail(status, "/resolve/", X_Error_Code="GatedRepo", X_Error_Message=f"Access to model {T5} is restricted.")
    message = refused(download, commit)
    assert "access is gated" in message
    assert f"accept the terms on {hub.address}/{T5}" in message
    assert "HF_TOKEN" in message
    assert ("not let in" in message) == bool(token)
    assert hub.count("/resolve/") == 1
    hub.faults.clear()
    assert download(commit) == FILES


def test_a_token_that_is_not_valid_is_refused_by_the_hub(hub, monkeypatch):
    commit = hub.add("models", T5, SMALL)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.fail(401, "/api/", X_Error_Message="Invalid credentials in Authorization header")
    message = refused(client.resolve, "model", T5, None)
    assert "refuses the token" in message
    assert "HF_TOKEN" in message
    assert hub.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert hub.count() == 1
    hub.faults.clear()
    assert client.resolve("model", T5, None) == commit


def test_a_repository_that_is_switched_off_says_so(hub):
    commit = hub.add("models", T5, FILES)
    hub.fail(403, "/resolve/", X_Error_Message="Access to this resource is disabled.")
    assert "access is forbidden (" in refused(download, commit)


@pytest.mark.parametrize("id", ["google/t5/base", "t5--base", "../etc"])
def test_an_id_that_cannot_be_one_is_refused_without_a_request(hub, id):
    assert "this is no id of the Hub" in refused(client.resolve, "model", id, None)
    assert hub.count() == 0


def test_a_log_in_page_is_not_the_hub(hub):
    hub.fail(200, "/api/", body=b"<html>Please log in to the network</html>", Content_Type="text/html")
    message = refused(client.resolve, "model", T5, None)
    assert "is not the Hub" in message
    assert "HF_ENDPOINT" in message


def test_offline_mode_is_said_and_kept(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in refused(client.resolve, "model", T5, None)
    assert hub.count() == 0


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


# -- addresses and secrets --------------------------------------------------------------------------------------------


def test_the_token_goes_to_the_hub_and_not_to_its_storage(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    commit = hub.add("models", T5, FILES)
    assert download(commit) == FILES
    storage = [request for request in hub.requests if request.storage]
    assert storage
    assert not [request for request in storage if "authorization" in request.headers]
    assert all(r.headers["authorization"] == f"Bearer {TOKEN}" for r in hub.requests if not r.storage)


def test_a_repository_that_was_renamed_is_found(hub):
    commit = hub.add("models", T5, FILES)
    hub.renamed["t5/tiny"] = T5
    assert client.resolve("model", "t5/tiny", None) == commit
    assert download(commit, "t5/tiny") == FILES


@pytest.mark.parametrize(
    "fault",
    [
        lambda hub: hub.fail(404, "/resolve/", X_Error_Code="RepoNotFound", X_Error_Message=f"no {SECRET} here"),
        lambda hub: hub.fail(403, "/resolve/", body={"error": f"Bearer {SECRET}"}, X_Error_Message=f"not {SECRET}"),
        lambda hub: hub.fail(503, "/resolve/", body={"error": SECRET}),
        lambda hub: hub.fail(302, "/resolve/", Location=f"http://127.0.0.1:9/{SECRET}?token={SECRET}", X_Repo_Commit="a" * 40,
                             X_Linked_Etag="a" * 64, X_Linked_Size="99"),
        lambda hub: hub.fail(200, "/resolve/", method="HEAD", ETag=f'"{SECRET}"'),
        lambda hub: hub.fail(200, "/api/", body={"id": T5, "sha": SECRET, "siblings": []}),
        lambda hub: hub.fail(200, "/api/", body=SECRET.encode()),
        lambda hub: hub.add("models", T5, {**SMALL, f"{SECRET}.json": b"{}", "model.safetensors": b""}) and hub.fail(404, "json"),
        lambda hub: hub.fail(418, "/api/", body={"error": f"{SECRET} {SECRET}"}),
        lambda hub: hub.fail(400, "/api/", body=SECRET.encode(), Content_Type="text/plain"),
    ],
    ids=["header", "body", "overloaded", "redirect", "etag", "commit", "page", "name", "teapot", "text"],
)  # fmt: skip
def test_a_token_that_the_server_sends_back_is_seen_nowhere(hub, monkeypatch, capfd, caplog, fault):
    monkeypatch.setenv("HF_TOKEN", SECRET)
    commit = hub.add("models", T5, FILES)
    fault(hub)
    message = refused(download, commit)
    output = capfd.readouterr()
    assert SECRET not in message + output.out + output.err + caplog.text


def test_other_people_s_tokens_and_signatures_are_hidden_too():
    text = f"GET https://anna:geheim@hub.example/a/b?X-Amz-Signature=abc123&x=1 with {TOKEN}: failed"
    assert scrub(text) == "GET https://(hidden)@hub.example/a/b?(hidden) with (hidden): failed"


def test_a_password_in_the_endpoint_is_not_shown(hub, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", hub.address.replace("://", "://anna:geheim@"))
    hub.stop()
    message = refused(client.resolve, "model", T5, None)
    assert "cannot be reached" in message
    assert "geheim" not in message


@pytest.mark.parametrize("user", ["anna:geheim", "anna:ge%40heim", "geheimestoken"])
def test_a_refusal_that_repeats_the_header_shows_nothing_of_it(monkeypatch, user):
    from base64 import b64encode
    from urllib.parse import unquote

    monkeypatch.setattr(constants, "ENDPOINT", f"https://{user}@hub.example")
    sent = b64encode(unquote(user).encode()).decode()
    text = scrub(
        f"https://{user}@hub.example says 401 to Authorization: Basic {sent} of {unquote(user)}; X-Sent: {sent}"
    )
    assert "heim" not in text
    assert sent not in text
    assert "hub.example says 401" in text


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
