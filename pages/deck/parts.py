"""The parts of the deck page: one slide to edit, presenting, saving and opening."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from core.deck.deck import MOST_TEXT, Deck, Kind, Slide, from_json, to_json
from core.deck.page import page
from core.errors import TailscopeError
from pages.ui.pins import deck, edit
from pages.ui.text import plain, quiet, warn

_HERE = Path(__file__).parent
_stage = st.components.v2.component(
    "tailscope_stage",
    html='<div class="stage"><button type="button">Full screen</button></div>',
    css=(_HERE / "stage.css").read_text(encoding="utf-8"),
    js=(_HERE / "stage.js").read_text(encoding="utf-8"),
)
WORDS: dict[Kind, str] = {"image": "picture", "concept": "concept", "plot": "plot", "comparison": "comparison"}


def slide(number: int, shown: Slide, total: int) -> None:
    """One slide with its place, its caption and its buttons."""
    left, right = st.columns([1, 4], gap="medium")
    with left:
        _preview(shown)
    with right:
        st.markdown(f"**{number + 1}. {plain(shown.title)}**")
        quiet(" · ".join(filter(None, [WORDS[shown.kind], *shown.facts[:1]])))
        st.text_area(
            "Caption",
            shown.caption,
            key=f"caption-{_mark(shown)}",
            placeholder="Say what to see here",
            height=68,
            max_chars=MOST_TEXT,
            label_visibility="collapsed",
            on_change=lambda: _edit(lambda deck: deck.caption(number, st.session_state[f"caption-{_mark(shown)}"])),
        )
        with st.container(horizontal=True, gap="small"):
            st.button("Up", key=f"up-{number}", disabled=number == 0, on_click=_move, args=(number, number - 1))
            st.button(
                "Down", key=f"down-{number}", disabled=number == total - 1, on_click=_move, args=(number, number + 1)
            )
            st.button("Remove", key=f"remove-{number}", on_click=lambda: _edit(lambda deck: deck.remove(number)))


def _edit(change: Callable[[Deck], Deck]) -> None:
    edit(change)


def _mark(shown: Slide) -> int:
    """What a slide is apart from its caption, so that its box follows it when it moves."""
    return hash((shown.kind, shown.title, shown.facts, shown.source, shown.rows, shown.figure))


def _move(number: int, to: int) -> None:
    edit(lambda deck: deck.move(number, to))


def _preview(shown: Slide) -> None:
    if shown.pictures:
        small = shown.pictures[0]
        source = base64.b64encode(small.data).decode()
        style = "width:100%;max-width:9rem;border-radius:6px;display:block"
        label = html.escape(small.label, quote=True)
        st.html(f'<img src="data:image/webp;base64,{source}" alt="{label}" style="{style}">')
    else:
        quiet("a table" if shown.rows else "a figure")


def present(shown: Deck) -> None:
    """The deck as it will be exported, here, with its keyboard and full screen."""
    _stage(key="stage", data={"page": page(shown, presenting=True)})
    quiet("→ and ← move, Home and End jump, F switches full screen, Esc shows all slides. Click the slide first.")


def files(shown: Deck) -> None:
    """Exporting, saving and opening."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.download_button(
            "Export HTML", lambda: page(shown), "deck.html", "text/html", on_click="ignore",
            disabled=not shown.slides, help="One file with everything inside; opens without a network.",
        )  # fmt: skip
        st.download_button(
            "Save project", lambda: to_json(shown), "deck.tailscope.json", "application/json", on_click="ignore",
            disabled=not shown.slides, help="A file that this page opens again.",
        )  # fmt: skip
        with st.popover("Open project"):
            st.file_uploader(
                "Project file", type=["json"], key="open-deck", on_change=_open, label_visibility="collapsed",
            )  # fmt: skip
        with st.popover("New deck", disabled=not shown.slides):
            quiet(f"Remove all {len(shown.slides)} slides? A saved project stays.")
            st.button("Remove all slides", key="deck-empty", on_click=_empty)
    if problem := st.session_state.pop("_deck_problem", ""):
        warn(problem)


def _empty() -> None:
    edit(lambda _: Deck())
    st.session_state["deck-title"] = Deck().title


def _open() -> None:
    upload = st.session_state["open-deck"]
    if upload is None:
        return
    try:
        opened = from_json(upload.getvalue())
        edit(lambda _: opened)
    except TailscopeError as error:
        st.session_state["_deck_problem"] = str(error)
        return
    st.session_state["deck-title"] = deck().title
