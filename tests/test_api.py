"""The examples of docs/API.md run as written, and what the functions refuse."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import tailscope
from core.errors import BadInput, UnknownName
from core.types import Answer, ClassAnswer, FrequencyTable, Lens

PAGE = Path(__file__).resolve().parents[1] / "docs" / "API.md"
BLOCKS = re.findall(r"^```pycon\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_examples_print_what_the_page_shows() -> None:
    flags = doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    examples = doctest.DocTestParser().get_doctest("\n".join(BLOCKS), {}, PAGE.name, str(PAGE), 0)
    assert len(examples.examples) >= 20
    told: list[str] = []
    failed, tried = doctest.DocTestRunner(optionflags=flags).run(examples, out=told.append)
    assert not failed, "".join(told)
    assert tried == len(examples.examples)


def test_the_page_names_every_function() -> None:
    functions = [name for name in tailscope.__all__ if not name.startswith("_")]
    table = PAGE.read_text(encoding="utf-8").partition("| function |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)\(", table, re.MULTILINE)) == set(functions)
    assert all(getattr(tailscope, name).__doc__ for name in functions)


def test_an_opened_set_is_evaluated_here_only() -> None:
    images = tailscope.open_set("icons-tail")
    with pytest.raises(BadInput, match="give its id: 'icons-tail'"):
        tailscope.evaluate("icon-RN,icons-200k", images, origin="published")


@pytest.mark.slow
def test_a_set_opened_with_names_is_asked_under_them(tmp_path: Path) -> None:
    source = tailscope.open_set("icons-tail")
    keys = list(source.keys[:2])
    for index in range(0, 30, 10):
        folder = tmp_path / "photos" / keys[index // 20]
        folder.mkdir(parents=True, exist_ok=True)
        source.image(index).save(folder / f"{index}.png")
    plain = tailscope.evaluate("icon-RN,icons-200k", tmp_path / "photos")
    named = tailscope.evaluate(
        "icon-RN,icons-200k", tailscope.open_set(tmp_path / "photos", names={keys[0]: "a moose"})
    )
    assert isinstance(named, Answer)
    assert plain.names[0] == keys[0]
    assert named.names[0] == "a moose"
    assert named.to_pandas(by="image")["true"].tolist() == [keys[0], keys[0], keys[1]]
    assert named.to_pandas()["n"].tolist() == [2, 1]


@pytest.mark.slow
def test_counts_that_are_not_known_are_refused() -> None:
    answer = ClassAnswer(Lens("ViT-B-32,openai", "x"), ("a",), ("a",), (), None, "imported", "", "", "")
    with pytest.raises(BadInput, match="was not counted"):
        tailscope.curve(answer)
    with pytest.raises(UnknownName, match="did you mean icons-200k"):
        tailscope.load_counts("icons-20k")


def test_unknown_numbers_are_missing_in_tables() -> None:
    table = FrequencyTable("mine", "counted", "text", {"b": 0, "a": 7}, {"a": "an a"}, {"b": ("digits", "hyphen")})
    assert table.to_pandas().to_numpy().tolist() == [["a", 7, "an a", ""], ["b", 0, "b", "digits, hyphen"]]
    assert repr(table) == "<FrequencyTable mine (text): 2 concepts, counted 0 to 7 times>"
    assert repr(FrequencyTable("mine", "counted", "text", {})) == "<FrequencyTable mine (text): 0 concepts>"
