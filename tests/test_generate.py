"""Sentences from a language model: runs that are stopped, shared and taken up again, against a stand-in endpoint."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from core.cli.app import app
from core.errors import BadInput, DownloadFailed, Stopped, UnreadableData
from core.prompts import generate as generating
from core.prompts import prompt_set
from core.prompts.generate import Settings, estimate, generate, replies_path
from core.types import Progress
from tests.fakes import FakeImageSet
from tests.helpers.llm import SECRET
from tests.helpers.llm_settings import settings


@pytest.fixture
def animals() -> FakeImageSet:
    image_set = FakeImageSet(classes=3)
    image_set.keys, image_set.names = ["n1", "n2", "n3"], ["otter", "Eft", "otter"]
    return image_set


def test_every_class_is_asked_every_question(endpoint, animals, tmp_path, monkeypatch):
    monkeypatch.setenv("TAILSCOPE_LLM_KEY", SECRET)
    seen: list[Progress] = []
    asked = settings(endpoint, seed=7, temperature=0.5)
    made = generate(asked, animals, tmp_path / "o.json", key=generating.own_key(), report=seen.append)
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


def test_runs_of_one_file_at_once_ask_each_question_once(endpoint, animals, tmp_path):
    given, out = settings(endpoint), tmp_path / "o.json"
    alone = generate(given, animals, tmp_path / "alone.json")
    asked = len(endpoint.requests)
    start, made = threading.Barrier(5), []

    def run() -> None:
        start.wait()
        made.append(generate(given, animals, out))

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(endpoint.requests) == 2 * asked
    assert {one.sentences for one in made} == {alone.sentences}


def test_waiting_for_another_run_can_be_stopped(endpoint, animals, tmp_path):
    out = tmp_path / "o.json"

    def stop(progress: Progress) -> None:
        raise Stopped(progress.message)

    with FileLock(replies_path(out).with_suffix(".lock")), pytest.raises(Stopped, match="Another process"):
        generate(settings(endpoint), animals, out, report=stop)
    assert endpoint.requests == []


def test_damaged_replies_are_named(endpoint, animals, tmp_path):
    replies_path(tmp_path / "o.json").write_text('{"texts": 3}\n{}\n')
    with pytest.raises(UnreadableData, match="line 1"):
        generate(settings(endpoint), animals, tmp_path / "o.json")


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


@pytest.mark.parametrize("content", [None, "", " \n", "...", []])
def test_empty_replies_are_requested_again_but_not_for_ever(endpoint, animals, tmp_path, content):
    endpoint.contents = [content] * 2
    made = generate(settings(endpoint, count=1), animals, tmp_path / "o.json", parallel=1)
    assert len(endpoint.requests) == 6 + 2
    assert (made.sentences, made.unusable) == (9, ())
    endpoint.contents = [content] * 1000
    with pytest.raises(DownloadFailed, match=r"no usable sentence.*empty.*limit of tokens"):
        generate(settings(endpoint, count=1, seed=5), animals, tmp_path / "p.json", parallel=1)
    assert len(endpoint.requests) == 8 + 6 * 3
    assert not (tmp_path / "p.json").exists()
    # They do not count as answered: a later run asks again.
    endpoint.contents = []
    assert generate(settings(endpoint, count=1, seed=5), animals, tmp_path / "p.json").sentences == 9


def test_replies_on_their_way_are_kept_when_a_run_ends(endpoint, animals, tmp_path):
    out, endpoint.together = tmp_path / "o.json", 3

    def stop_at_once(progress: Progress) -> None:
        if progress.done:
            raise Stopped("enough")

    with pytest.raises(Stopped):
        generate(settings(endpoint, count=1), animals, out, report=stop_at_once, parallel=3)
    kept = replies_path(out).read_text().count("\n")
    assert kept == len(endpoint.requests) >= 3


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
