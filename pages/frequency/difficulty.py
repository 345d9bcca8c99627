"""The control experiment of the embedded world: is it frequency, or are rare icons just hard?"""

from __future__ import annotations

import streamlit as st

from core.evaluation.shipped import shipped_answer
from core.frequency.sources import load_source
from core.icons.training import within
from core.types import Lens
from pages.ui.text import section


@st.cache_data(max_entries=8, show_spinner=False)
def _finding(image_set: str, prompts: str, method: str) -> str | None:
    answers = [shipped_answer(Lens(model, image_set, prompts)) for model in within.PAIR]
    if None in answers:
        return None
    tables = tuple(load_source(model.partition(",")[2], method) for model in within.PAIR)
    return within.finding(within.within_icon(*answers, tables))


def draw(lens: Lens, method: str) -> None:
    """The finding of the two models that differ only in which icon has which count, when the lens shows one of them."""
    if lens.model not in within.PAIR:
        return
    if told := _finding(lens.image_set, lens.prompts, method):
        section("Frequency or difficulty?", told)
