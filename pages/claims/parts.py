"""One claim: stated and found side by side, with its recomputation one click away."""

from __future__ import annotations

from typing import Literal

import pandas as pd
import streamlit as st

from core.deck.deck import MOST_TEXT, Slide
from core.errors import TailscopeError
from core.published.claims import CLAIMS, check
from core.published.manifest import CITATION
from core.published.stated import Claim
from core.published.store import Store
from core.types import LeftOut, Progress, Report
from pages.ui import pins
from pages.ui.downloads import downloads
from pages.ui.links import to_page
from pages.ui.text import quiet, section

VERDICTS: dict[str, tuple[str, Literal["blue", "gray", "orange"]]] = {
    "agrees": ("Agrees", "blue"),
    "partly": ("In part", "gray"),
    "differs": ("Differs", "orange"),
}
ELSEWHERE = {
    "log-linear": ("published", {}),
    "zeros": ("published", {}),
    "iqr": ("published", {}),
    "dips": ("published", {}),
    "text-to-image": ("published", {"results": "Text-to-image"}),
    "correlations": ("corpora", {}),
    "misalignment": ("corpora", {}),
    "let-it-wag": ("letitwag", {}),
}
"""Claim -> page and query that show more of it."""


def check_all(store: Store, *, report: Report) -> tuple[list[Claim], list[LeftOut]]:
    """Every claim that the open release can answer, and the others with the reason."""
    checked, left_out = [], []
    for done, id in enumerate(CLAIMS):
        report(Progress(done, len(CLAIMS), id))
        try:
            checked.append(check(id))
        except TailscopeError as error:
            left_out.append(LeftOut(id, str(error)))
    return checked, left_out


def one(claim: Claim) -> None:
    """The statement, what the files give, and, opened, every figure behind it."""
    word, colour = VERDICTS[claim.verdict]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            section(claim.title)
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                st.badge(word, color=colour)
                pins.pin(lambda: _slide(claim), key=f"claim-{claim.id}", label="Pin claim")
        left, right = st.columns(2, gap="large")
        with left:
            quiet("The paper")
            st.text(claim.stated)
        with right:
            quiet("The released files")
            st.text(claim.found)
        shown = st.expander("Recomputation", key=f"recomputed-{claim.id}", on_change="rerun")
        if shown.open:
            with shown:
                _recomputed(claim)


def _slide(claim: Claim) -> Slide:
    """What the paper says beside what the released files say."""
    told = (f"The paper: {claim.stated}", f"The released files: {claim.found}", f"Recomputed: {claim.recipe}")
    verdict = VERDICTS[claim.verdict][0].lower()
    return Slide("comparison", f"{claim.title}: {verdict}", facts=tuple(t[:MOST_TEXT] for t in told), source=CITATION)


def _recomputed(claim: Claim) -> None:
    quiet(claim.recipe)
    if claim.rows:
        frame = pd.DataFrame([{key: _cell(value) for key, value in row.items()} for row in claim.rows])
        numbers = {
            name: st.column_config.NumberColumn(format="localized" if frame[name].dtype.kind == "i" else "%.4g")
            for name in map(str, frame)
            if frame[name].dtype.kind in "if"
        }
        st.dataframe(
            frame, hide_index=True, column_config=numbers, placeholder="–", alt=f"Figures behind: {claim.title}"
        )
        downloads(
            f"claim-{claim.id}", [*map(str, frame)], [[_cell(value) for value in row.values()] for row in claim.rows]
        )
    if claim.id in ELSEWHERE:
        page, query = ELSEWHERE[claim.id]
        to_page(page, "See the plots", **query)


def _cell(value: object) -> object:
    return ", ".join(str(item) for item in value) or "none" if isinstance(value, list | tuple) else value
