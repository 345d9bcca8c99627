"""Look up one of all published concepts."""

from __future__ import annotations

import streamlit as st

from core.analysis import concepts
from core.analysis.concepts import PublishedConcept
from core.errors import TailscopeError
from core.published.names import HEADLINE_METHOD, LET_IT_WAG
from core.published.view import set_name
from core.stats.format import percent
from pages.overview.links import into
from pages.ui.jobs import recall
from pages.ui.text import quiet, section

MODEL = "ViT-B-16,laion400m_e32"


def concept_lookup() -> None:
    """A box over all names, and what is known of the one that was chosen."""
    section("Look up a concept", "How often was it counted, and which models recognise it?")
    try:
        names = concepts.vocabulary()
    except TailscopeError as error:
        quiet(str(error))
        return
    name = st.selectbox(
        "Concept", names, index=None, key="look-up", label_visibility="collapsed",
        placeholder=f"{len(names):,} concepts, such as vine snake", width=420,
    )  # fmt: skip
    found = recall(concepts.find, name) if name else None
    if found is None:
        return
    quiet(_told(found))
    with st.container(horizontal=True):
        place = found.places[0]
        models = [score.model for score in found.scores if score.image_set == place.image_set]
        prompts = "ensemble" if place.image_set == LET_IT_WAG else "simple"
        lens = {"model": MODEL if MODEL in models else models[0], "set": place.image_set, "prompts": prompts}
        into("explore", f"All on “{found.name}”", concept=place.key.replace("_", " "), **lens)
        into("frequency", "Among other concepts", concept=place.key.replace("_", " "), **lens)


def _told(found: PublishedConcept) -> str:
    counts = [
        f"{one.by_method[HEADLINE_METHOD]:,} in {set_name(one.pretraining)}"
        for one in found.counts
        if HEADLINE_METHOD in one.by_method
    ]
    best, worst = found.scores[0], found.scores[-1]
    counted = f"Counted {', '.join(counts)}. " if counts else ""
    models = len({score.model for score in found.scores})
    return (
        f"{counted}Over {models} models accuracy runs from {percent(worst.accuracy)} ({worst.model}) to "
        f"{percent(best.accuracy)} ({best.model})."
    )
