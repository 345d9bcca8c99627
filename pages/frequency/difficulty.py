"""The control experiment of the embedded world: is it frequency, or are rare icons just hard?"""

from __future__ import annotations

from collections.abc import Sequence

from core.evaluation.shipped import shipped_answer
from core.frequency import sources
from core.frequency.sources import load_source
from core.icons.training import within
from core.types import Lens
from pages.ui.jobs import recall
from pages.ui.text import section


def _finding(lenses: Sequence[Lens], method: str) -> str | None:
    answers = [shipped_answer(lens) for lens in lenses]
    if None in answers:
        return None
    tables = tuple(load_source(lens.frequency, method) for lens in lenses)
    return within.finding(within.within_icon(*answers, tables))


def draw(lens: Lens, method: str) -> None:
    """The finding of the two models that differ only in which icon has which count, when the lens shows one of them."""
    if lens.model not in within.PAIR:
        return
    pair = [Lens(model, lens.image_set, lens.prompts, sources.own(model)) for model in within.PAIR]
    if told := recall(_finding, pair, method):
        section("Frequency or difficulty?", told)
