"""What an endpoint answers, refuses and must not receive, against a stand-in that speaks the real protocol."""

from __future__ import annotations

import json

import pytest

from core.errors import BadInput, DownloadFailed
from core.prompts import generate as generating
from core.prompts.generate import Settings, generate
from tests.fakes import FakeImageSet
from tests.helpers.llm import SECRET
from tests.helpers.llm_settings import settings


@pytest.fixture
def animals() -> FakeImageSet:
    image_set = FakeImageSet(classes=3)
    image_set.keys, image_set.names = ["n1", "n2", "n3"], ["otter", "Eft", "otter"]
    return image_set


def test_a_busy_server_is_asked_again(endpoint, animals, tmp_path):
    endpoint.fail = [429, 503, 500]
    assert generate(settings(endpoint), animals, tmp_path / "o.json", parallel=1).sentences == 18
    endpoint.fail = [503] * 50
    with pytest.raises(DownloadFailed, match=r"503.*kept"):
        generate(settings(endpoint), animals, tmp_path / "p.json", parallel=1)


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_told_without_the_key(endpoint, animals, tmp_path, monkeypatch, status):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    endpoint.fail = [status] * 10
    with pytest.raises(BadInput, match=f"answered {status}") as caught:
        generate(settings(endpoint), animals, tmp_path / "o.json", key=generating.own_key())
    assert SECRET not in str(caught.value)
    assert "***" in str(caught.value)


def test_no_redirect_is_followed(endpoint, animals, tmp_path):
    endpoint.fail = [307] * 4
    with pytest.raises(DownloadFailed, match="answered 307"):
        generate(settings(endpoint), animals, tmp_path / "o.json", parallel=1)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": 3}}]}',
        b"[" * 9999,
        b"x" * 5_000_000,
    ],
)
def test_answers_that_are_no_completion(endpoint, animals, tmp_path, body):
    endpoint.body = body
    with pytest.raises(DownloadFailed):
        generate(settings(endpoint), animals, tmp_path / "o.json", parallel=1)


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x/v1", "http://user:pw@x/v1", "http://x/v1?key=1"])
def test_addresses_that_are_none(animals, tmp_path, url):
    with pytest.raises(BadInput, match="no endpoint"):
        generate(Settings(url, "m"), animals, tmp_path / "o.json")


def test_a_key_does_not_cross_a_network_in_the_clear(animals, tmp_path, monkeypatch):
    monkeypatch.setenv("TAILSCOPE_LLM_KEY", SECRET)
    with pytest.raises(BadInput, match="unencrypted"):
        generate(Settings("http://example.com/v1", "m"), animals, tmp_path / "o.json", key=generating.own_key())


def test_without_being_given_the_key_no_endpoint_receives_it(endpoint, animals, tmp_path, monkeypatch):
    monkeypatch.setenv("TAILSCOPE_LLM_KEY", SECRET)
    generate(settings(endpoint), animals, tmp_path / "o.json")
    assert endpoint.keys == {""}


@pytest.mark.parametrize(
    ("named", "typed", "given"),
    [
        ("https://llm.example/v1", "https://llm.example/v1", True),
        ("https://llm.example/v1/", " https://llm.example/v1", True),
        ("", "https://llm.example/v1", False),
        ("", "", False),
        ("https://llm.example/v1", "https://llm.example/v1/other", False),
        ("https://llm.example/v1", "https://llm.example.evil/v1", False),
        ("https://llm.example/v1", "http://llm.example/v1", False),
        ("https://llm.example/v1", "https://llm.example:444/v1", False),
    ],
)
def test_a_browser_may_send_the_key_only_to_the_endpoint_that_the_owner_named(monkeypatch, named, typed, given):
    monkeypatch.setenv("TAILSCOPE_LLM_KEY", SECRET)
    monkeypatch.setenv("TAILSCOPE_LLM_URL", named)
    assert generating.key_for(typed) == (SECRET if given else "")


def test_an_unreachable_endpoint(animals, tmp_path, monkeypatch):
    monkeypatch.setattr("core.prompts.generate.endpoint._LONGEST_WAIT", 0.0)
    with pytest.raises(DownloadFailed, match="cannot be reached"):
        generate(Settings("http://127.0.0.1:9/v1", "m"), animals, tmp_path / "o.json")


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        ("max_tokens", {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. "
                        "Use 'max_completion_tokens' instead.", "param": "max_tokens"}),
        ("temperature", {"message": "Unsupported value: 'temperature' does not support 0.99 with this model. "
                         "Only the default (1) value is supported.", "param": "temperature"}),
        ("n", {"message": "'n' : number must be at most 1"}),
        ("n", {"message": "Invalid n value (currently only n = 1 is supported)"}),
        ("n", {"code": 400, "message": "Multiple candidates is not enabled for this model"}),
        ("seed", {"code": 400, "message": 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'}),
        ("seed", [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]),
        ("system", {"message": "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
                    "param": "messages[0].role"}),
        ("system", {"message": "Developer instruction is not enabled for models/gemma-3"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrapped", ["error", "list", "detail", "success"])
def test_a_refused_setting_is_left_out(endpoint, animals, tmp_path, refused, message, wrapped):
    if wrapped == "list":
        endpoint.refused = (refused, 400, [{"error": message}])
    elif wrapped == "success":
        coded = {"code": 400, **message} if isinstance(message, dict) else {"code": 400, "message": message}
        endpoint.refused = (refused, 200, {"error": coded})
    else:
        endpoint.refused = (refused, 422 if wrapped == "detail" else 400, {wrapped: message})
    made = generate(settings(endpoint, seed=3), animals, tmp_path / "o.json")
    assert made.sentences == 18
    sent = endpoint.requests[-1]
    if refused == "system":
        assert [m["role"] for m in sent["messages"]] == ["user"]
        assert sent["messages"][0]["content"].startswith("Answer in one sentence. ")
    else:
        assert refused not in sent
    assert ("max_completion_tokens" in sent) == (refused == "max_tokens")
    assert len(made.adapted) == 1
    assert made.notes[0].endswith(".")


def test_a_refusal_of_nothing_that_can_be_left_out_ends_the_run(endpoint, animals, tmp_path):
    endpoint.refused = ("model", 400, {"error": {"message": "the model `small` does not exist", "param": "model"}})
    with pytest.raises(BadInput, match="does not exist"):
        generate(settings(endpoint), animals, tmp_path / "o.json", parallel=1)
    endpoint.refused = ("messages", 400, {"error": {"message": "max_tokens is unknown, use max_completion_tokens"}})
    with pytest.raises(BadInput, match="also without max_tokens, max_completion_tokens"):
        generate(settings(endpoint), animals, tmp_path / "o.json", parallel=1)


@pytest.mark.parametrize(
    "usage",
    [None, {"prompt_tokens": None}, {"prompt_tokens": "many"}, {"prompt_tokens": 1e400}, [], {"completion_tokens": -3}],
)
def test_odd_usage_is_no_reason_to_stop(endpoint, animals, tmp_path, usage):
    endpoint.usage = usage
    made = generate(settings(endpoint), animals, tmp_path / "o.json")
    assert (made.sentences, made.tokens_in, made.tokens_out) == (18, 0, 0)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": {"message": "your quota is used up"}}, "your quota is used up"),
        ({"error": "your quota is used up"}, "your quota is used up"),
        ([{"error": {"message": "your quota is used up"}}], "your quota is used up"),
        ({"detail": "your quota is used up"}, "your quota is used up"),
        ({"choices": [{"error": {"message": "upstream failed"}, "finish_reason": "error"}]}, "upstream failed"),
    ],
)
def test_an_error_that_comes_as_a_success_is_told(endpoint, animals, tmp_path, body, told):
    endpoint.body = json.dumps(body).encode()
    with pytest.raises(DownloadFailed, match=rf"{told}.*kept"):
        generate(settings(endpoint), animals, tmp_path / "o.json", parallel=1)
