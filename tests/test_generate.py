"""Sentences from a language model, against a stand-in endpoint on loopback that speaks the real protocol."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from core.cli.app import app
from core.errors import BadInput, DownloadFailed, Stopped, UnreadableData
from core.prompts import generate as generating
from core.prompts import prompt_set
from core.prompts.generate import QUESTIONS, Settings, estimate, generate, replies_path
from core.prompts.generate.replies import read_reply
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
    assert read_reply(reply).sentence == kept


T = "A large dog with a white chest."


@pytest.mark.parametrize(
    "reply",
    [
        f"<think>\nThe user wants a dog. Let me see.\n</think>\n{T}",
        f"<thinking>It is. A dog.</thinking>{T}",
        f"The user wants a dog. Hm.</think>\n\n{T}",
        f"<|channel|>analysis<|message|>A dog. Hm.<|end|><|start|>assistant<|channel|>final<|message|>{T}<|return|>",
        f"analysisThe user wants a dog. Hm.assistantfinal{T}",
        f"◁think▷A dog. Hm.◁/think▷{T}",
        f"[THINK]A dog. Hm.[/THINK]{T}",
        f"<reasoning>A dog. Hm.</reasoning><answer>{T}</answer>",
        f"<seed:think>A dog. Hm.</seed:think>{T}",
        f"<|START_THINKING|>A dog. Hm.<|END_THINKING|><|START_RESPONSE|>{T}<|END_RESPONSE|>",
        f"Thought: it is a dog. Hm.\nAnswer: {T}",
        f"1. {T}\n2. It barks.",
        f"1) {T}\n2) It barks.",
        f"(1) {T}",
        f"a) {T}\nb) It barks.",
        f"- {T}\n- It barks.",
        f"* {T}\n* It barks.",
        f"• {T}",
        f"**1.** {T}",
        "1. **A large dog** with a white chest.",
        f"Sentence 1: {T}",
        f"Sure! {T}",
        f"Certainly! Here are three sentences about dogs:\n\n1. {T}\n2. It barks.",
        f"Of course, here’s a description:\n\n“{T}”",
        f"Here is a sentence that describes a dog. {T}",
        f"I'd be happy to describe a dog. {T}",
        f'```json\n["{T}", "It barks."]\n```',
        f"```\n{T}\n```",
        f"~~~text\n{T}\n~~~",
        f'Sure, here is the JSON:\n```json\n{{"sentences": ["{T}"]}}\n```',
        f'["{T}", "It ba',
        f"['{T}', 'It barks.']",
        f'[{{"class": "dog", "description": "{T}"}}]',
        f"# Dog\n\n{T}",
        f"**Appearance:**\n{T}",
        f"Description\n\n{T}",
        f"> *{T}*",
        f"---\n**{T}**\n---",
        f"Describe a dog:\n{T}",
        f"What does a dog look like? {T}",
        "A large dog with\na white chest. It barks.",
        f"<p>{T}</p>",
        f"🐕 {T}",
        f"Here you go! {T}",
        f"Q: What does a dog look like? A: {T}",
        f"\\boxed{{{T}}}",
        "A large dog with a white chest\n\nLet me know if you need more!",
        "A large dog with\u2028a white chest.",
        "A large \ud83ddog with a white chest.",
    ],
)  # fmt: skip
def test_what_surrounds_a_sentence_is_removed(reply):
    assert read_reply(reply, question="Describe a dog:").sentence == T


@pytest.mark.parametrize(
    "first",
    [
        "A St. Bernard is a large dog.",
        "Mt. Rainier is high.",
        "Dogs, e.g. hounds, bark.",
        "It is approx. 5 cm long.",
        "The No. 1 dog is large.",
        "The U.S. Army has dogs.",
        "A dog of the U.S.",
        "Dogs, cats, etc. are pets.",
        "A. palmata is a coral.",
        "It weighs 5.5 lbs.",
        "A 4 in. nail is long.",
        "It is also a.k.a. Rover.",
        "A ripe fig.",
        "A dog... is large.",
        "It is large!",
        "一只大狗。",
    ],
)
def test_a_sentence_ends_at_its_end(first):
    assert read_reply(f"{first} It is shown here.").sentence == first


@pytest.mark.parametrize(
    ("reply", "finish", "problem"),
    [
        ("I'm sorry, but I can't help with that.", "stop", "refusal"),
        ("I’m sorry, I cannot describe this.", "stop", "refusal"),
        ("I cannot describe it.", "stop", "refusal"),
        ("As an AI language model, I do not see pictures.", "stop", "refusal"),
        ("Unfortunately, I do not know this dog.", "stop", "refusal"),
        ("Sure! I can't do that.", "stop", "refusal"),
        ("Could you please tell me which dog you mean?", "stop", "refusal"),
        ("A dog.", "content_filter", "refusal"),
        ("<think>never closed. A dog.", "length", "thought only"),
        ("<|channel|>analysis<|message|>A dog. Hm.", "length", "thought only"),
        ("A large dog with a", "length", "token limit"),
        ("A St.", "length", "token limit"),
        ("...", "stop", "empty"),
        ("Sure!", "stop", "no sentence"),
        ("# Dog", "stop", "no sentence"),
        ("| part | colour |\n|---|---|", "stop", "no sentence"),
    ],
)
def test_what_is_no_sentence_is_named(reply, finish, problem):
    read = read_reply(reply, finish=finish)
    assert not read.sentence
    assert problem in read.problem


def test_ordinary_sentences_stay_as_they_are():
    for text in [
        "Sure-footed goats climb well.",
        '"Red" dogs and "blue" cats.',
        'A large "red" dog.',
        "A dog's tail (a St. Bernard's).",
        "Physical features: four legs and fur.",
        "It is 1.5 m long!",
        "Great white sharks are grey.",
    ]:
        assert read_reply(text).sentence == text


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


def test_unusable_replies_are_listed(endpoint, animals, tmp_path):
    endpoint.contents = ["I'm sorry, I cannot.", "<think>hm"] + ["A brown otter."] * 4
    made = generate(settings(endpoint, count=1), animals, tmp_path / "o.json", parallel=1)
    assert sorted(one.reason for one in made.unusable) == ["refusal", "thought only, no reply"]
    assert any("1 reply is unusable (refusal): n1 “I'm sorry, I cannot.”" in note for note in made.notes)
    content = json.loads(made.path.read_text())
    assert {text for listed in content.values() for text in listed} == {"A brown otter."}


@pytest.mark.parametrize(
    ("content", "first"),
    [
        ("A green\u2028frog.", "A green frog."),
        ("A green\u2029frog.", "A green frog."),
        ("A green\u0085frog.", "A green frog."),
        ("A green\x0cfrog.", "A green frog."),
        ("A green\ud83d frog.", "A green frog."),
        ([{"type": "text", "text": "A green "}, {"type": "text", "text": "frog."}], "A green frog."),
        ([{"type": "thinking", "thinking": [{"text": "Hm."}]}, {"type": "text", "text": "A frog."}], "A frog."),
        ({"type": "text", "text": "A green frog."}, "A green frog."),
    ],
)  # fmt: skip
def test_odd_texts_lose_nothing_that_was_paid_for(endpoint, animals, tmp_path, content, first):
    endpoint.contents = [content] * 6
    out = tmp_path / "o.json"
    made = generate(settings(endpoint, count=1), animals, out)
    assert json.loads(out.read_text())["n2"][0] == first
    assert made.sentences == 9
    assert generate(settings(endpoint, count=1), animals, out).sentences == 9
    assert len(endpoint.requests) == 6


def test_replies_that_an_earlier_version_kept_with_odd_line_ends_are_read(endpoint, animals, tmp_path):
    out = tmp_path / "o.json"
    generate(settings(endpoint, count=1), animals, out)
    lines = [json.loads(line) for line in replies_path(out).read_text().splitlines()]
    for line in lines:
        line["texts"] = ["A green\u2028frog\u0085.", None]
        line.pop("finish")
        line["usage"] = {"prompt_tokens": None} if line is lines[0] else None
    text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    replies_path(out).write_text(text + "\n\n", encoding="utf-8", newline="\n")
    assert generate(settings(endpoint, count=1), animals, out).sentences == 9
    assert len(endpoint.requests) == 6


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
