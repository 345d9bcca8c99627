"""Sentences of every strategy, and what happens to those that cannot be used."""

from __future__ import annotations

import json

import pytest

from core import prompts
from core.errors import BadInput, UnknownName, UnreadableData
from core.prompts import registry
from core.types import PromptSet
from tests.fakes import FakeImageSet


@pytest.fixture
def frogs() -> FakeImageSet:
    image_set = FakeImageSet(classes=2)
    image_set.keys, image_set.names = ["tree_frog", "n0042"], ["tree frog", "tailed {frog}"]
    return image_set


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("class", "tree frog"),
        ("simple", "a photo of a tree frog."),
        ("dataset", "a tree frog"),
        ("an icon of {c}", "an icon of tree frog"),
        ("{class}, icon", "tree frog, icon"),
        ("{}", "tree frog"),
        ("{c} beside {c}", "tree frog beside tree frog"),
    ],
)
def test_one_sentence_a_class(frogs, strategy, expected):
    made = prompts.prompt_set(strategy, frogs)
    assert made.sentences[0] == (expected,)
    assert made.sentences[1] == (expected.replace("tree frog", "tailed {frog}"),)
    assert (made.strategy, made.aggregation, made.notes) == (strategy, "embedding", ())


def test_ensemble_is_open_clips_eighty(frogs):
    open_clip = pytest.importorskip("open_clip")
    made = prompts.prompt_set("ensemble", frogs)
    assert made.sentences[0] == tuple(template("tree frog") for template in open_clip.OPENAI_IMAGENET_TEMPLATES)
    assert len(set(made.sentences[1])) == 80


def test_several_typed_templates_make_an_ensemble(frogs):
    made = prompts.prompt_set("a {c}\n\n  the {} \n", frogs)
    assert made.sentences[0] == ("a tree frog", "the tree frog")


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("a photo of a frog", "has no slot"),
        ("a {c} or {}", "mixes the slots {c} and {}"),
        ("a {name}", "unknown slot {name}"),
        ("a {c}\nno slot here", "'no slot here' has no slot"),
        ("{c}" + "x" * 3000, "characters"),
        ("{c}\n" * 2000, "too many"),
    ],
)
def test_templates_that_cannot_be_used(frogs, template, reason):
    with pytest.raises(BadInput, match=reason.replace("{", r"\{").replace("}", r"\}")):
        prompts.prompt_set(template, frogs)


@pytest.mark.parametrize(("typed", "meant"), [("simpel", "simple"), ("Ensemble", "ensemble"), ("classs", "class")])
def test_misspelt_strategies_get_suggestions(frogs, typed, meant):
    with pytest.raises(UnknownName, match=f"did you mean {meant}"):
        prompts.prompt_set(typed, frogs)


@pytest.mark.parametrize("typed", ["", "/no/such/file.json", "my prompts.json", "x" * 5000, "a\0b"])
def test_neither_id_nor_template_nor_file(frogs, typed):
    with pytest.raises(UnknownName):
        prompts.prompt_set(typed, frogs)


def test_a_set_without_templates_says_so(frogs):
    frogs.templates = ()
    with pytest.raises(BadInput, match="no templates of its own"):
        prompts.prompt_set("dataset", frogs)


def test_prompt_file_by_key_or_name(frogs, tmp_path):
    path = tmp_path / "cupl.json"
    path.write_text(
        json.dumps({"tree_frog": ["A frog\nin a tree.", "Green."], "tailed {frog}": ["Wet."], "newt": ["x"]})
    )
    made = prompts.prompt_set(str(path), frogs)
    assert made.sentences == (("A frog in a tree.", "Green."), ("Wet.",))
    assert made.notes == ("1 class of the file is not in this set: newt.",)
    assert prompts.prompt_file(str(path)) == path
    assert prompts.prompt_file("simple") is None


def test_classes_without_sentences_are_reported(frogs, tmp_path):
    path = tmp_path / "part.json"
    path.write_text(json.dumps({"tree frog": ["Green."], "n0042": []}))
    made = prompts.prompt_set(str(path), frogs)
    assert made.sentences[1] == ("tailed {frog}",)
    assert "1 class has no sentences and uses its bare name: tailed {frog}." in made.notes
    path.write_text(json.dumps({"Toad": ["Green."]}))
    with pytest.raises(BadInput, match="None of the 1 class in"):
        prompts.prompt_set(str(path), frogs)


def test_text_file_holds_templates(frogs, tmp_path):
    path = tmp_path / "templates.txt"
    path.write_text("\ufeffa photo of {c}.\na drawing of {c}.\n", encoding="utf-8")
    assert prompts.prompt_set(str(path), frogs).sentences[0] == ("a photo of tree frog.", "a drawing of tree frog.")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "it is not JSON"),
        (b"[1]", "one object"),
        (b'{"a": 0}', "'a' must have a list"),
        (b'{"a": [1]}', "'a' must have a list"),
        (b'{"a": ["x", {"y": 1}]}', "'a' must have a list"),
        (b'{"a": ["x"], "a": ["y"]}', "names a class twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "it is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xfe{}", "UTF-8"),
    ],
)
def test_hostile_prompt_files(frogs, tmp_path, content, reason):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableData, match=reason):
        prompts.prompt_set(str(path), frogs)


def test_a_strategy_can_be_added(frogs, monkeypatch):
    monkeypatch.setattr(registry, "_STRATEGIES", dict(registry._STRATEGIES))
    own = prompts.Strategy("shout", "Shout", "Louder.", lambda s: PromptSet("shout", (("FROG",),) * 2))
    prompts.register(own)
    assert prompts.prompt_set("shout", frogs).sentences == (("FROG",), ("FROG",))
    assert prompts.strategies()[-1] is own


def test_quotes_around_a_whole_template_are_not_part_of_it() -> None:
    assert prompts.parse_templates("\"a photo of a {}.\"\n'a {}'").lines == ("a photo of a {}.", "a {}")
    assert prompts.parse_templates("a '{}'").lines == ("a '{}'",)
