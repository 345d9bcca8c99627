"""What a page says where the model's own pretraining set was not counted: what is near, never assumed."""

from __future__ import annotations

import streamlit as st

from core.frequency import labels
from core.frequency.choice import trained_on
from core.models.names import model_name
from core.types import Answer, ClassAnswer
from pages.ui import answers, lensbar
from pages.ui.text import finding, plain, quiet

MOST = 3


def explain_missing_counts(place: str, answer: Answer | ClassAnswer) -> None:
    """The page's name with why there are no counts, and the nearest ones, each a button."""
    if lensbar.switched_off():
        finding(place, "Pretraining counts are switched off.")
        quiet("Choose auto or a source under Frequency in the sidebar.")
        return
    found = lensbar.own_counts(lensbar.lens(), answer)
    never = f"The pretraining data of {model_name(answer.lens.model)} was never counted."
    finding(place, found.sentence if trained_on(answer.lens.model) else never)
    answers.origin_line(answer)
    if not found.offers:
        quiet("No known counts name these concepts; import some, or choose a source under Frequency in the sidebar.")
        return
    why = f" ({found.offers[0].reason})" if found.offers[0].reason else ""
    quiet(
        f"Nearest: {labels.label(found.offers[0].source)}{why}. Counts of another set tell how rare a concept "
        "is there, not how often this model saw it."
    )
    with st.container(horizontal=True):
        for offer in found.offers[:MOST]:
            matched = f"{offer.matched:,} of {offer.total:,} classes" if offer.total else "counts"
            st.button(
                plain(f"Use {labels.label(offer.source)}: {matched}"),
                key=f"use-{offer.source}",
                on_click=lensbar.choose_counts,
                args=(offer.source,),
            )
