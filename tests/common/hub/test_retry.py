"""Faults of the network and of the Hub that pass: what is asked again, and that a download goes on where it stopped."""

import io
import logging
import time

import pytest

from tests.support.hub_model import (
    FILES,
    MEGABYTE,
    PIECE,
    SMALL,
    T5,
    WEIGHTS,
    download,
    ranges,
    refused,
    unfinished,
)
from tests.support.hub_server import SIGNATURE, HubServer, connect
from tunegrid.common.hub import download as client


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
