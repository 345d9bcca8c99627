"""Everything the release measured of one concept: every family, metric or prompt strategy, model and data set."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import UnknownName
from core.published.store import Store

ABSENT = (
    "Not in the release: the pictures generated for Let It Wag! with their retrieval of real ones (Tab. 8, Figs 28 to "
    "31), and the pictures of the study with 50,000 people (Figs 16, 17). The texts of the prompts are HEIM's and are "
    "not repeated in it either: n tells how many prompts name the concept."
)
"""The two text-to-image studies of arXiv 2404.04125 that cannot be shown, and why there are no texts of prompts."""


@dataclass(frozen=True, slots=True)
class Score:
    """One released figure of a concept.

    Attributes:
        condition: prompt strategy or metric; pretraining: empty for text-to-image models.
        value: as released (percent, recall fraction, or the metric's own unit).
        n: prompts whose mean it is, for text-to-image; None where the release does not tell.
    """

    family: str
    dataset: str
    condition: str
    model: str
    pretraining: str
    value: float
    n: int | None


def scores(store: Store, concept: str, family: str = "") -> list[Score]:
    """All scores of a concept, as the release spells it, in the release's order.

    Args:
        family: only this one.

    Raises:
        UnknownName: the release has no concept of this spelling, or no score of it in the family.
    """
    found = store.rows(
        "SELECT family, dataset, condition, model, pretraining, value, n FROM scores JOIN units USING (unit) "
        "WHERE concept = ? AND (? = '' OR family = ?) ORDER BY family, dataset, condition",
        [concept, family, family],
    )
    if not found:
        raise UnknownName(
            f"The release has no {f'{family} ' if family else ''}score of a concept spelled “{concept}”; it keeps case "
            "and underscores as its data sets do."
        )
    return [
        Score(kind, dataset, condition, model, pretraining, value, n or None)
        for kind, dataset, condition, model, pretraining, value, n in found
    ]
