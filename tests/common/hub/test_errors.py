"""What no repetition mends, in one message each: repositories, revisions, access, tokens, and what is not the Hub."""

import pytest
from huggingface_hub import constants

from tests.support.hub_model import FILES, SMALL, T5, TOKEN, download, refused
from tunegrid.common.hub import download as client


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
