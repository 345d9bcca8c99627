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
    first, second = lenses
    answers = shipped_answer(first), shipped_answer(second)
    if answers[0] is None or answers[1] is None:
        return None
    tables = load_source(first.frequency, method), load_source(second.frequency, method)
    return within.finding(within.within_icon(answers[0], answers[1], tables))


def difficulty_section(lens: Lens, method: str) -> None:
    """The finding of the two models that differ only in which icon has which count, when the lens shows one of them."""
    if lens.model not in within.PAIR:
        return
    pair = [Lens(model, lens.image_set, lens.prompts, sources.own(model)) for model in within.PAIR]
    if told := recall(_finding, pair, method):
        section("Frequency or difficulty?", told)
