"""From a reply to sentences: what is removed, what is no sentence, and texts with odd characters."""

from __future__ import annotations

import json

import pytest

from core.prompts.generate import generate, replies_path
from core.prompts.generate.replies import read_reply
from tests.fakes import FakeImageSet
from tests.helpers.llm_settings import settings


@pytest.fixture
def animals() -> FakeImageSet:
    image_set = FakeImageSet(classes=3)
    image_set.keys, image_set.names = ["n1", "n2", "n3"], ["otter", "Eft", "otter"]
    return image_set


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
