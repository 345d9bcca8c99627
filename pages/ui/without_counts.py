"""What a page says where the model's own pretraining set was not counted: what is near, never assumed."""

from __future__ import annotations

import streamlit as st

from core.frequency import sources
from core.types import Answer, ClassAnswer
from pages.ui import answers, lensbar
from pages.ui.text import finding, plain, quiet

MOST = 3


def draw(place: str, answer: Answer | ClassAnswer) -> None:
    """The page's name with why there are no counts, and the nearest ones, each a button."""
    if lensbar.switched_off():
        finding(place, "Pretraining counts are switched off.")
        quiet("Choose auto or a source under Frequency in the sidebar.")
        return
    found = lensbar.own_counts(lensbar.lens(), answer)
    finding(place, found.sentence.partition(" Choose it with")[0])
    answers.origin_line(answer)
    if not found.offers:
        quiet("Choose a source of counts under Frequency in the sidebar; the icon models bring their own.")
    with st.container(horizontal=True):
        for offer in found.offers[:MOST]:
            origin = sources.info(offer.source).source.partition(";")[0]
            st.button(
                plain(f"Use {origin} ({offer.matched:,} of {offer.total:,} classes)"),
                key=f"use-{offer.source}",
                on_click=lensbar.choose_counts,
                args=(offer.source,),
            )
