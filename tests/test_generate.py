"""Sentences from a language model, against a stand-in endpoint on loopback that speaks the real protocol."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.cli.app import app
from core.errors import BadInput, DownloadFailed, Stopped, UnreadableData
from core.prompts import generate as generating
from core.prompts import prompt_set
from core.prompts.generate import QUESTIONS, Settings, estimate, generate, replies_path
from core.prompts.generate.run import sentence
from core.types import Progress
from tests.fakes import FakeImageSet
from tests.helpers.llm import SECRET, StandIn


@pytest.fixture
def animals() -> FakeImageSet:
    image_set = FakeImageSet(classes=3)
    image_set.keys, image_set.names = ["n1", "n2", "n3"], ["otter", "Eft", "otter"]
    return image_set


def settings(endpoint: StandIn, **changes: Any) -> Settings:
    return replace(Settings(endpoint.url, "small", QUESTIONS["base"], count=2), **changes)


def test_every_class_is_asked_every_question(endpoint, animals, tmp_path, monkeypatch):
    monkeypatch.setenv("TAILSCOPE_LLM_KEY", SECRET)
    seen: list[Progress] = []
    made = generate(settings(endpoint, seed=7, temperature=0.5), animals, tmp_path / "o.json", report=seen.append)
    # Two classes share a name: their questions are asked once.
    assert len(endpoint.requests) == 6
    assert {r["messages"][-1]["content"] for r in endpoint.requests} == {
        "Describe what an otter looks like:",
        "Describe an otter:",
        "What are the identifying characteristics of an otter?",
        "Describe what an Eft looks like:",
        "Describe an Eft:",
        "What are the identifying characteristics of an Eft?",
    }
    one = endpoint.requests[0]
    assert (one["model"], one["n"], one["temperature"], one["max_tokens"], one["seed"]) == ("small", 2, 0.5, 50, 7)
    assert endpoint.keys == {f"Bearer {SECRET}"}
    content = json.loads(made.path.read_text())
    assert {key: len(listed) for key, listed in content.items()} == {"n1": 6, "n2": 6, "n3": 6}
    assert content["n1"] == content["n3"]
    assert all(text.startswith("Reply") and text.endswith("with more.") for text in content["n1"])
    assert (made.sentences, made.models, made.tokens_in, made.tokens_out) == (18, ("stand-in-1b",), 60, 60)
    assert prompt_set(str(made.path), animals).sentences[1] == tuple(content["n2"])
    raw = [json.loads(line) for line in made.replies.read_text().splitlines()]
    assert raw[0]["model"] == "stand-in-1b"
    assert raw[0]["texts"][0].startswith('"Reply')
    assert seen[-1].done == seen[-1].total
    for file in tmp_path.iterdir():
        assert SECRET not in file.read_text()


def test_servers_that_give_one_choice_are_asked_again(endpoint, animals, tmp_path):
    endpoint.most = 1
    made = generate(settings(endpoint, seed=3), animals, tmp_path / "o.json")
    assert len(endpoint.requests) == 12
    assert sorted(r["seed"] for r in endpoint.requests) == [3] * 6 + [4] * 6
    assert made.sentences == 18
    assert endpoint.keys == {""}


def test_a_stopped_run_goes_on(endpoint, animals, tmp_path):
    out = tmp_path / "o.json"

    def stop_after_three(progress: Progress) -> None:
        if progress.done >= 6:
            raise Stopped("enough")

    with pytest.raises(Stopped):
        generate(settings(endpoint), animals, out, report=stop_after_three, parallel=1)
    assert not out.exists()
    asked = len(endpoint.requests)
    # The kill hit in the middle of a line.
    with replies_path(out).open("a") as file:
        file.write('{"class": "n1", "que')
    have = generating.answered(out, settings(endpoint))
    assert sum(map(len, have.values())) == 6
    left = estimate(settings(endpoint), animals.names, answered={q: len(t) for q, t in have.items()})
    assert (left.requests, left.done) == (3, 3)
    made = generate(settings(endpoint), animals, out)
    assert len(endpoint.requests) == asked + 3
    assert made.sentences == 18
    generate(settings(endpoint), animals, out)
    assert len(endpoint.requests) == asked + 3
    # Other settings are another run.
    generate(settings(endpoint, temperature=0.1), animals, out)
    assert len(endpoint.requests) == asked + 9


def test_damaged_replies_are_named(endpoint, animals, tmp_path):
    replies_path(tmp_path / "o.json").write_text('{"texts": 3}\n{}\n')
    with pytest.raises(UnreadableData, match="line 1"):
        generate(settings(endpoint), animals, tmp_path / "o.json")


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
        generate(settings(endpoint), animals, tmp_path / "o.json")
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
        generate(Settings("http://example.com/v1", "m"), animals, tmp_path / "o.json")


def test_an_unreachable_endpoint(animals, tmp_path, monkeypatch):
    monkeypatch.setattr("core.prompts.generate.endpoint._LONGEST_WAIT", 0.0)
    with pytest.raises(DownloadFailed, match="cannot be reached"):
        generate(Settings("http://127.0.0.1:9/v1", "m"), animals, tmp_path / "o.json")


@pytest.mark.parametrize(
    "bad", [{"model": " "}, {"count": 0}, {"temperature": 3}, {"questions": ("what?",)}, {"questions": ()}]
)
def test_settings_that_make_no_sense(bad):
    with pytest.raises(BadInput):
        replace(Settings("http://localhost/v1", "m"), **bad)


def test_the_estimate_by_hand():
    asked = Settings("http://localhost/v1", "m", ("Describe {a} {name}:",), count=4, max_tokens=50, instruction="One.")
    # "Describe a newt:" and "Describe an otter:" with "One.": 20 and 22 characters, 4 a token, and 8 for the format.
    found = estimate(asked, ["newt", "otter"], price_in=1.0, price_out=10.0)
    assert (found.requests, found.tokens_in, found.tokens_out) == (2, 5 + 8 + 6 + 8, 200)
    assert found.cost == pytest.approx((27 * 1 + 200 * 10) / 1e6)
    assert found.most == pytest.approx((27 * 1 + 400 * 10) / 1e6)
    assert "about 0.00, at most 0.00" in found.sentence
    assert estimate(asked, ["newt"]).cost is None


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        ("An otter swims", "An otter swims."),
        ('"An otter swims. It dives."', "An otter swims."),
        ("- An otter\n\nis 1.5 m long! Yes", "An otter is 1.5 m long!"),
        ("...", ""),
        ("", ""),
    ],
)
def test_the_first_sentence_is_kept(reply, kept):
    assert sentence(reply) == kept


def test_the_command_asks_before_it_spends(endpoint, animals, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("core.datasets.open_set", lambda _: animals)
    base = [
        "prompts",
        "generate",
        "animals",
        "--base-url",
        endpoint.url,
        "--model",
        "small",
        "--out",
        str(tmp_path / "o.json"),
    ]
    refused = CliRunner().invoke(app, base, input="n\n")
    assert refused.exit_code == 1
    assert "requests, about" in refused.output
    assert not endpoint.requests
    done = CliRunner().invoke(app, [*base, "--questions", "base", "--count", "1", "--yes"])
    assert "9 sentences for 3 classes by stand-in-1b" in done.output
    exported = CliRunner().invoke(app, ["prompts", "export", "animals", "--prompts", str(tmp_path / "o.json")])
    assert json.loads(exported.stdout) == json.loads((tmp_path / "o.json").read_text())
    assert "waffle" in CliRunner().invoke(app, ["prompts", "list"]).output
