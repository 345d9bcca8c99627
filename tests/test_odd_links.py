"""Links with odd values: one sentence or ignored and said, never a traceback, and never a page full of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.evaluation import evaluate
from core.runtime.jobs import Engine
from pages import registry
from pages.ui.text import plain
from tests.helpers.pages import answered, launched, opened, words

pytestmark = pytest.mark.slow

PAGES = Path(__file__).resolve().parents[1] / "pages"
LENS = ("model", "set", "prompts", "frequency")
TEXTS = [file.read_text() for file in PAGES.rglob("*.py")]
OTHERS = sorted(
    {"".join(key) for text in TEXTS for key in re.findall(r'\bkey="([a-z_-]+)"|"([a-z]+(?:-[a-z]+)+)"', text)}
)
ODD: dict[str, str] = {
    "control characters": "\x00\x1b[31m\r\n\u202e<b>",
    "a name of 300 characters": "é" * 300,
    "400 digits": "9" * 400,
    "a number that is none": "nan",
}
PATHS: dict[str, str] = {
    "400,000 characters": "x" * 400_000,
    "a very long name": "local-dir:/" + "a" * 5_000,
    "a very deep name": "local-dir:" + "a/" * 5_000,
    "a long relative name": "./" + "b" * 5_000,
}


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are made at once, on a server that others reach."""
    monkeypatch.setattr(evaluate, "evaluate", answered)
    monkeypatch.setattr("pages.ui.jobs.is_local", lambda: False)


def check(page: str, query: dict[str, str], *, wait: bool = False) -> str:
    app = (opened if wait else launched)(page, **query)
    assert not app.exception, [error.message for error in app.exception]
    told = words(app)
    assert not re.search(r"\w{400}", told)
    assert not any(character in told for character in "\x00\x1b\u202e")
    return told


@pytest.mark.parametrize("page", [info.id for info in registry.PAGES])
def test_no_parameter_of_a_page_breaks_it(page: str) -> None:
    """Every parameter gets one of the odd values, neighbours different ones."""
    own = [f"{page}-{key}" for key in registry.ONCE_SHARED]
    keys = [key for key in sorted({*OTHERS, *own}) if key not in (*LENS, "show")]
    check(page, {key: list(ODD.values())[at % len(ODD)] for at, key in enumerate(keys)})


@pytest.mark.parametrize(
    "odd", ["control characters", "a number that is none", "400,000 characters", "a very long name"]
)
@pytest.mark.parametrize("key", [*LENS, "concept", "image"])
def test_an_odd_value_of_the_setup_is_said(key: str, odd: str) -> None:
    told = check("explore", {key: {**ODD, **PATHS}[odd]}, wait=True)
    assert "The address asks for" in told or "The page stays with" in told or "has no picture" in told


@pytest.mark.parametrize("odd", ["control characters", "400,000 characters", "a very deep name"])
@pytest.mark.parametrize(
    ("page", "key"),
    [("counts", "captions"), ("explore", "q"), ("attacks", "word"), ("shifts", "cell"), ("explore", "selection")],
)
def test_an_odd_text_breaks_no_box(page: str, key: str, odd: str) -> None:
    check(page, {key: {**ODD, **PATHS}[odd]})


def test_words_are_shown_without_what_steers_a_reader() -> None:
    assert plain("a\x1b[31mb\u202ec\nd") == "a�\\[31mb�c d"
    assert plain("x" * 10_000) == "x" * 200 + "…"
    assert plain("x" * 299) == "x" * 299
