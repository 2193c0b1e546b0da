"""Tokens, passwords and signed addresses go only where they belong, and no message, output or log shows them."""

import pytest
from huggingface_hub import constants

from tests.support.hub_model import FILES, SMALL, T5, TOKEN, download, refused
from tunegrid.common.hub import download as client
from tunegrid.common.hub.errors import scrub

SECRET = "mirror-0123456789abcdef"  # a token that nothing but its being set gives away


def test_the_token_goes_to_the_hub_and_not_to_its_storage(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    commit = hub.add("models", T5, FILES)
    assert download(commit) == FILES
    storage = [request for request in hub.requests if request.storage]
    assert storage
    assert not [request for request in storage if "authorization" in request.headers]
    assert all(r.headers["authorization"] == f"Bearer {TOKEN}" for r in hub.requests if not r.storage)


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
