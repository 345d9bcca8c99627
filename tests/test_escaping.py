"""Words from files are shown as they are: no page turns them into Markdown, which could load or link something."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.deck.deck import Deck, Slide
from core.errors import UnreadableData
from core.evaluation import evaluate
from core.runtime.jobs import Engine, Job, Question
from core.types import Progress, Report
from pages.ui.text import plain
from tests.helpers.pages import MODEL, answered, launched, opened
from tests.pictures import encoded, write_tree


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are made at once."""
    monkeypatch.setattr(evaluate, "evaluate", answered)


HOSTILE = "![x](http:evil.example) [y](http:evil.example) <img src=x> **b** :red[z] $q$ `c` # _i_ ~~s~~"
ALIVE = re.compile(r"(?<!\\)(!\[|\]\(|<img|\*\*b|:red\[|\$q|`c|_i_|~~s)")
LITERAL = {"html", "iframe", "json", "arrow_data_frame", "plotly_chart", "bidi_component", "code", "text"}
"""Elements whose text is escaped HTML, data, or shown as it is."""
PLAIN_FIELDS = {
    "id",
    "options",
    "default",
    "value",
    "url",
    "placeholder",
    "raw_value",
    "raw_values",
    "query_string",
    "alt",
    "columns",
    "form_id",
}
CHOICES_AS_MARKDOWN = {"button_group", "radio"}


def markdown(app: AppTest) -> Iterator[tuple[str, str]]:
    """Every text of the page that the browser reads as Markdown, with the kind of its element."""
    seen = [app.main, app.sidebar, *([app._tree[2]] if 2 in app._tree.children else [])]
    while seen:
        node = seen.pop()
        seen += list(getattr(node, "children", {}).values())
        proto = getattr(node, "proto", None)
        kind = getattr(node, "type", "")
        if isinstance(proto, Message) and kind not in LITERAL:
            for text in _texts(proto, PLAIN_FIELDS - ({"options"} if kind in CHOICES_AS_MARKDOWN else set())):
                yield kind, text


def _texts(proto: Message, skipped: set[str]) -> Iterator[str]:
    for field, value in proto.ListFields():
        if field.name in skipped:
            continue
        values = value if not isinstance(value, str | bytes | int | float | Message) else [value]
        for one in values:
            if isinstance(one, str):
                yield one
            elif isinstance(one, Message):
                yield from _texts(one, skipped)


def alive(app: AppTest) -> list[tuple[str, str]]:
    return [(kind, text) for kind, text in markdown(app) if ALIVE.search(text)]


def test_what_is_looked_for_would_be_seen() -> None:
    """The search above finds what is not escaped, in every kind of element that reads Markdown."""

    def page(hostile: str) -> None:
        import streamlit as st

        st.markdown(hostile)
        st.caption(hostile)
        st.warning(hostile)
        st.toast(hostile)
        st.button(hostile)
        st.button("b", help=hostile)
        st.selectbox(hostile, ["a"])
        st.pills("p", [hostile])
        st.segmented_control("s", [hostile])
        st.radio("r", [hostile])
        st.checkbox(hostile)
        st.expander(hostile).text("a")
        st.popover(hostile).text("a")
        st.progress(0.5, hostile)
        st.file_uploader(hostile)
        st.tabs([hostile])

    found = alive(AppTest.from_function(page, args=(HOSTILE,)).run())
    assert len(found) >= 15


def test_plain_text_stays_what_it_is() -> None:
    assert not ALIVE.search(plain(HOSTILE))
    assert re.sub(r"\\(.)", r"\1", plain(HOSTILE)) == HOSTILE


@pytest.mark.parametrize("wrong", ["header", "cell", "twice", "model", "name", "whole"])
def test_a_hostile_table_of_baselines_is_shown_as_it_is(wrong: str) -> None:
    table = {
        "header": f"{HOSTILE},a\nx,1\n",
        "cell": f"model,{HOSTILE}\nx,{HOSTILE}\n",
        "twice": f"model,{HOSTILE},{HOSTILE}\nx,1,2\n",
        "model": f"model,a\n{HOSTILE},1\n{HOSTILE},2\n",
        "name": "nothing",
        "whole": f"model,{HOSTILE},b\nx,1,2\n",
    }[wrong]
    name = f"{HOSTILE.replace('/', '')}.csv" if wrong == "name" else "table.csv"

    def page() -> None:
        import streamlit as st

        from core.types import Lens
        from pages.shifts import shared

        found = shared.table(Lens("icon-RN,icons-200k", "photos", "simple"))
        shared.columns(found, [st.session_state["condition"]])

    app = AppTest.from_function(page)
    app.session_state["condition"] = HOSTILE
    app.run().file_uploader(key="baselines").set_value([(name, table.encode(), "text/csv")]).run()
    assert not app.exception
    assert app.warning or app.selectbox
    assert not alive(app)


@pytest.fixture
def hostile_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image set whose folder, classes and broken file are named by an enemy."""
    folder = tmp_path / "![x](http:evil.example) :red[z]"
    for name in (HOSTILE, "[y](http:evil.example) $q$"):
        (folder / name).mkdir(parents=True)
        for index in range(4):
            Image.new("RGB", (16, 16), (index * 9, 0, 0)).save(folder / name / f"{index}.png")
    (folder / HOSTILE / f"{HOSTILE}.png").write_bytes(b"broken")
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path))
    return folder


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("explore", {}),
        ("explore", {"concept": HOSTILE}),
        ("frequency", {}),
        ("tail", {}),
        ("failures", {}),
        ("lab", {}),
        ("inspector", {}),
        ("sentences", {}),
        ("data", {"show": "image sets"}),
        ("data", {"show": "cache"}),
        ("data", {"show": "jobs"}),
    ],
)
def test_hostile_names_are_shown_as_they_are(hostile_set: Path, page: str, query: dict[str, str]) -> None:
    app = opened(page, model=MODEL, set=str(hostile_set), **query)
    assert not app.exception
    assert not alive(app)
    assert not alive(app.run())


class HostileProgress:
    """Work that reports a hostile message until it is stopped."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.digest = f"hostile {id(self)}"

    def __call__(self, *, report: Report) -> None:
        while True:
            report(Progress(1, 2, HOSTILE))
            self.started.set()
            time.sleep(0.01)


@pytest.mark.parametrize("page", ["corruptions", "shifts", "attacks", "composition", "counts", "explore", "failures"])
def test_hostile_progress_is_shown_as_it_is(hostile_set: Path, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    real = Engine.submit

    def submit(self: Engine, asked: Question[Any], **options: Any) -> Job[Any]:
        if asked.label.startswith("Reading"):
            return real(self, asked, **options)
        endless = HostileProgress()
        job = real(self, Question(endless, label=f"{asked.label} {HOSTILE}"), **options)
        if not self.jobs()[1:]:
            endless.started.wait(10)
        return job

    monkeypatch.setattr(Engine, "submit", submit)
    app = launched(page, model=MODEL, set=str(hostile_set), captions=HOSTILE, shifts=str(hostile_set))
    app.run()
    assert not app.exception
    assert not alive(app)


@pytest.mark.parametrize(
    "query",
    [
        {"model": HOSTILE},
        {"model": f"local-dir:{HOSTILE}"},
        {"model": f"hf-hub:a/{HOSTILE}"},
        {"set": HOSTILE},
        {"prompts": HOSTILE},
        {"prompts": f"a photo of {HOSTILE} {{c}}"},
        {"prompts": f"dclip:/{HOSTILE}"},
        {"frequency": HOSTILE},
        {"concept": HOSTILE},
        {"selection": HOSTILE},
        {"other": HOSTILE},
    ],
    ids=lambda query: next(iter(query)),
)
def test_hostile_links_are_shown_as_they_are(query: dict[str, str]) -> None:
    app = opened("frequency", **query)
    assert not app.exception
    assert not alive(app)


@pytest.mark.slow
def test_a_hostile_prompt_file_is_shown_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path))
    (tmp_path / f"{HOSTILE.replace('/', '')}.json").write_text(json.dumps({"dog": [HOSTILE], HOSTILE: [HOSTILE]}))
    (file,) = tmp_path.glob("*.json")
    pictures = {f"{name}/{n}.png": encoded((n, 0, 0)) for name in ("dog", "cat") for n in (1, 2)}
    images = write_tree(tmp_path / "set", pictures)
    for page in ("inspector", "lab", "frequency"):
        app = opened(page, model=MODEL, set=str(images), prompts=str(file))
        assert not app.exception
        assert not alive(app)


def test_hostile_slides_and_messages_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    slides = tuple(Slide("image", f"{HOSTILE}{number}", facts=(HOSTILE,)) for number in range(2))
    app = opened("deck")
    app.session_state["_deck"] = Deck(HOSTILE, slides)
    app.session_state["_deck_problem"] = HOSTILE
    assert not alive(app.run())

    def refused(*_: object) -> None:
        raise UnreadableData(HOSTILE)

    monkeypatch.setattr("pages.ui.lensbar.validated", refused)
    app = opened("frequency")
    assert app.warning
    assert not alive(app)
