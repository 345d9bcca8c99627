"""Your own rows of the board: put there, compared with a published model concept by concept, exported and imported."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core.errors import TailscopeError
from core.models.names import model_name
from core.published import board, letitwag
from core.published.board import Entry
from core.published.manifest import CITATION
from core.stats.format import percent, point_span, points, span
from core.strict_json import strict_json
from core.types import Interval, Lens
from pages.ui import answers, lensbar
from pages.ui.downloads import downloads
from pages.ui.jobs import may_change, require_change
from pages.ui.switches import switch
from pages.ui.text import plain, quiet, section, toast, warn

SET = "letitwag"
SPELLINGS = {"shown": SET, "released": f"{SET}#names=released"}


def rows() -> tuple[Entry, ...]:
    """The kept rows; none, with a warning, where their file is damaged."""
    try:
        return board.entries()
    except TailscopeError as error:
        warn(str(error))
        return ()


def own_rows(own: tuple[Entry, ...]) -> None:
    """The section of one's own rows."""
    section("Your rows", "Runs of your models and results published since, beside the 40; kept until you remove them.")
    if own:
        _table(own)
        _compare([one for one in own if one.concepts])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if may_change():
            _add()
            _import()
            _remove(own)
        if own:
            st.download_button(
                "Export", strict_json(board.as_json(own)), "letitwag-board.json", "application/json",
                icon=":material/download:", help="A file that others can import.",
            )  # fmt: skip


def _table(own: tuple[Entry, ...]) -> None:
    frame = pd.DataFrame(
        {
            "Model": [one.name for one in own],
            "Let It Wag!": [percent(one.letitwag) for one in own],
            "95 % CI": ["" if one.low is None else span(Interval(one.letitwag, one.low, one.high or 0)) for one in own],
            "ImageNet": ["" if one.imagenet is None else percent(one.imagenet) for one in own],
            "Images": [one.n for one in own],
            "Source": [one.source for one in own],
        }
    )
    st.dataframe(frame, key="own-rows", hide_index=True, placeholder="–", alt="Your rows of the Let It Wag! board")


def _compare(own: list[Entry]) -> None:
    models = letitwag.models()
    if not own:
        quiet("None of these rows has values by concept, so there is nothing to compare concept by concept.")
        return
    with st.container(horizontal=True):
        mine = st.selectbox("Your row", own, format_func=lambda one: one.name, key="own-row", width=360)
        other = st.selectbox("Published model", models, format_func=lambda one: one.name, key="own-against", width=360)
    found = board.differences(mine, other)
    gain = found.mean
    told = (
        f"{mine.name} is {points(abs(gain.value))} points {'above' if gain.value >= 0 else 'below'} {other.name}."
        if gain.low > 0 or gain.high < 0
        else f"No significant difference between {mine.name} and {other.name}."
    )
    st.markdown(f"**{plain(told)}**")
    quiet(
        f"Mean difference {points(gain.value)} points (95 % CI {point_span(gain)}, bootstrap over "
        f"{len(found.concepts)} concepts). Intervals of your accuracies: Wilson, over your images."
    )
    difference = found.own - found.theirs
    order = np.argsort(difference, kind="stable")
    header = ["concept", "yours", "low", "high", "published", "difference"]
    listed = [
        [letitwag.readable(found.concepts[at]), *(float(one[at]) for one in (found.own, found.low, found.high)),
         float(found.theirs[at]), float(difference[at])]
        for at in order
    ]  # fmt: skip
    column = st.column_config.NumberColumn
    shown = pd.DataFrame(
        {
            "Concept": [row[0] for row in listed],
            "Yours, %": 100 * found.own[order],
            "Published, %": 100 * found.theirs[order],
            "Difference": 100 * difference[order],
        }
    )
    st.dataframe(
        shown, key="own-differences", hide_index=True, height=300,
        column_config={name: column(format="%.1f") for name in shown.columns[1:]},
        alt="Differences by concept, the largest loss first",
    )  # fmt: skip
    downloads("letitwag-differences", header, listed, title=told, source=CITATION)


def _add() -> None:
    with st.popover("Add a run", icon=":material/add:"):
        spelling = switch(
            "Spelling of the names", "own-spelling", list(SPELLINGS), default="shown", linked=False,
            help="shown: with spaces. released: with underscores, as the published runs had them.",
        )  # fmt: skip
        try:
            lensbar.images(SPELLINGS[spelling])
        except TailscopeError as error:
            quiet(f"{error} Or from a terminal: python -m core board add MODEL /path/to/letitwag")
            return
        lenses = [
            lens
            for info in lensbar.known_models()
            if info.available
            for lens in (Lens(info.id, SPELLINGS[spelling], prompts) for prompts in ("ensemble", "simple", "class"))
            if answers.known_answer(lens)
        ]
        if not lenses:
            quiet("No model has answered Let It Wag! here yet: choose it as the image set on Explore, or run")
            st.code("python -m core board add MODEL letitwag", language="bash")
            return
        lens = st.selectbox("Run", lenses, format_func=lambda one: f"{model_name(one.model)} · {one.prompts}")
        st.button("Put it on the board", type="primary", on_click=_put, args=(lens, spelling))


def _put(lens: Lens, spelling: str) -> None:
    try:
        require_change("adding rows")
        answer = answers.known_answer(lens)
        if answer is not None:
            board.add([board.entry(answer, spelling=spelling)])
            toast(f"{model_name(lens.model)} is on the board.")
    except TailscopeError as error:
        toast(str(error))


def _import() -> None:
    with st.popover("Import", icon=":material/upload:"):
        given = st.file_uploader("Board file (JSON)", type=["json"], key="own-import")
        if given is not None and st.button("Import these rows", type="primary"):
            try:
                require_change("importing rows")
                found = board.read(given.getvalue(), given.name)
                board.add(found)
            except TailscopeError as error:
                warn(str(error))
            else:
                toast(f"{len(found)} rows are on the board.")
                st.rerun()


def _remove(own: tuple[Entry, ...]) -> None:
    if not own:
        return
    with st.popover("Remove", icon=":material/delete:"):
        name = st.selectbox("Row", [one.name for one in own], key="own-remove")
        if st.button("Remove it", help="The file of an export can bring it back."):
            try:
                require_change("removing rows")
                board.remove(name)
            except TailscopeError as error:
                warn(str(error))
            else:
                st.rerun()
