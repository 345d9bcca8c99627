"""The parts of the deck page: one slide to edit, presenting, saving and opening."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from core.deck.deck import MOST_TEXT, Deck, Kind, Slide, from_json, to_json
from core.deck.page import page
from core.errors import TailscopeError
from pages.ui.pins import deck, edit
from pages.ui.switches import switch
from pages.ui.text import quiet, warn

_HERE = Path(__file__).parent
_stage = st.components.v2.component(
    "tailscope_stage",
    html='<div class="stage"></div>',
    css=(_HERE / "stage.css").read_text(encoding="utf-8"),
    js=(_HERE / "stage.js").read_text(encoding="utf-8"),
)
WORDS: dict[Kind, str] = {"image": "picture", "concept": "concept", "plot": "plot", "comparison": "comparison"}
PREVIEWED = 6
"""Pictures of a preview, and rows of its table."""


def inventory(shown: Deck) -> str:
    """How many slides of which kind."""
    kinds = [slide.kind for slide in shown.slides]
    told = [f"{n} {word}{'s' * (n != 1)}" for kind, word in WORDS.items() if (n := kinds.count(kind))]
    return f"{len(kinds)} slide{'s' * (len(kinds) != 1)}: {', '.join(told)}."


def chosen() -> str:
    """Whether the deck is edited or presented."""
    return switch("Show", "deck-show", ["edit", "present"], bare=True, linked=False)


def slide(number: int, shown: Slide, total: int) -> None:
    """One slide to edit: its preview and place, its title and caption, and the notes beside them."""
    mark = _mark(shown)

    def write(name: str) -> None:
        text = st.session_state[f"{name}-{mark}"]
        edit(lambda deck: deck.write(number, **{name: text}))

    left, middle, right = st.columns([2, 3, 2], gap="medium")
    with left:
        _preview(shown, mark)
    with middle:
        st.text_input(
            f"Title of slide {number + 1}", shown.title, key=f"title-{mark}", max_chars=MOST_TEXT,
            on_change=write, args=("title",),
        )  # fmt: skip
        quiet(" · ".join(filter(None, [WORDS[shown.kind], *shown.facts[:1], shown.origin])))
        st.text_area(
            "Caption", shown.caption, key=f"caption-{mark}", placeholder="Say what to see here", height=68,
            max_chars=MOST_TEXT, on_change=write, args=("caption",),
        )  # fmt: skip
        with st.container(horizontal=True, gap="small"):
            st.button("Up", key=f"up-{number}", disabled=number == 0, on_click=_move, args=(number, number - 1))
            st.button(
                "Down", key=f"down-{number}", disabled=number == total - 1, on_click=_move, args=(number, number + 1)
            )
            st.button("Remove", key=f"remove-{number}", on_click=lambda: _edit(lambda deck: deck.remove(number)))
    with right:
        st.text_area(
            "Speaker's notes", shown.notes, key=f"notes-{mark}", placeholder="For you: shown with S while presenting",
            height=190, max_chars=MOST_TEXT, on_change=write, args=("notes",),
        )  # fmt: skip


def _edit(change: Callable[[Deck], Deck]) -> None:
    edit(change)


def _mark(shown: Slide) -> int:
    """What a slide is apart from the words that are edited, so that its boxes follow it when it moves."""
    return hash((shown.kind, shown.title, shown.facts, shown.source, shown.rows, shown.figure))


def _move(number: int, to: int) -> None:
    edit(lambda deck: deck.move(number, to))


def _preview(shown: Slide, mark: int) -> None:
    """The slide in small: its first pictures, its plot, or the first rows of its table."""
    if shown.pictures:
        sources = [(base64.b64encode(one.data).decode(), html.escape(one.label, quote=True)) for one in shown.pictures]
        style = "width:100%;aspect-ratio:1;object-fit:cover;border-radius:4px;display:block"
        tiles = "".join(
            f'<img src="data:image/webp;base64,{source}" alt="{label}" style="{style}">'
            for source, label in sources[:PREVIEWED]
        )
        columns = min(3, len(sources))
        st.html(f'<div style="display:grid;gap:4px;grid-template-columns:repeat({columns},1fr)">{tiles}</div>')
    elif shown.figure:
        figure = go.Figure(json.loads(shown.figure))
        figure.update_layout(height=190, margin={"l": 0, "r": 0, "t": 18, "b": 0}, showlegend=False)
        figure.update_annotations(font={"size": 9})
        figure.update_xaxes(tickfont={"size": 8}, title={"font": {"size": 9}})
        figure.update_yaxes(tickfont={"size": 8}, title={"font": {"size": 9}})
        st.plotly_chart(figure, key=f"preview-{mark}", config={"staticPlot": True}, alt=f"Plot of {shown.title}")
    elif shown.rows:
        rows = [f"<tr>{_cells(row, 'td')}</tr>" for row in shown.rows[:PREVIEWED]]
        more = len(shown.rows) - len(rows)
        st.html(
            f'<table style="font-size:.74rem;width:100%"><tr>{_cells(shown.header, "th")}</tr>{"".join(rows)}</table>'
            + (f'<p style="font-size:.74rem;opacity:.7;margin:0">… and {more:,} more rows</p>' if more else "")
        )


def _cells(row: Sequence[str], tag: str) -> str:
    style = "text-align:left;padding:1px 6px 1px 0;font-weight:400;border:0"
    cells = [html.escape(cell if len(cell) <= 32 else f"{cell[:31]}…") for cell in row[:4]]
    return "".join(f'<{tag} style="{style}">{cell}</{tag}>' for cell in cells)


def present(shown: Deck) -> None:
    """The deck as it will be exported, here, with its keyboard and full screen."""
    _stage(key="stage", data={"page": page(shown, presenting=True)})
    quiet(
        "→ and ← move, Home and End jump, S shows the notes, Esc shows all slides; F fills the screen once a slide was "
        "clicked."
    )


def files(shown: Deck, *, own: bool) -> None:
    """Exporting, saving, opening and clearing.

    Args:
        own: it is the person's deck and not the example that stands in for it.
    """
    st.download_button(
        "Export HTML", lambda: page(shown), "deck.html", "text/html", on_click="ignore",
        help="One file with everything inside; opens without a network.",
    )  # fmt: skip
    st.download_button(
        "Save project", lambda: to_json(shown), "deck.tailscope.json", "application/json", on_click="ignore",
        help="A file that this page opens again.",
    )  # fmt: skip
    with st.popover("Open project"):
        st.file_uploader("Project file", type=["json"], key="open-deck", on_change=_open, label_visibility="collapsed")
    if own:
        with st.popover("Clear"):
            quiet(f"Remove all {len(shown.slides)} slides? A saved project stays.")
            st.button("Remove all slides", key="deck-empty", on_click=_empty)
    if problem := st.session_state.pop("_deck_problem", ""):
        warn(problem)


def take(opened: Deck) -> None:
    """Make this deck the person's own; call it from a widget callback."""
    edit(lambda _: opened)
    st.session_state["deck-title"] = deck().title


def _empty() -> None:
    edit(lambda _: Deck())
    st.session_state["deck-title"] = Deck().title


def _open() -> None:
    upload = st.session_state["open-deck"]
    if upload is None:
        return
    try:
        take(from_json(upload.getvalue()))
    except TailscopeError as error:
        st.session_state["_deck_problem"] = str(error)
