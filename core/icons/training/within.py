"""Frequency or difficulty? Two corpora give the same icons other counts; the difference of an icon to itself tells.

A hard icon is hard in both models. What changes within an icon when only its count changes cannot be its difficulty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.stats import intervals as stats
from core.types import Answer, FrequencyTable, Interval

PAIR = ("icon-RN,icons-50k", "icon-RN,icons-50k-permuted")
"""The two models that differ in nothing but which icon has which count."""


@dataclass(frozen=True)
class WithinIcon:
    """The effect of frequency with every icon as its own control.

    Attributes:
        keys: concepts counted at least once in both corpora [n].
        decades: log10 of second over first count [n]; change: second minus first accuracy, a fraction [n].
        effect: accuracy per tenfold count, least squares of ``change`` on ``decades``, with a bootstrap interval.
        between: slope per decade over icons in the first and in the second corpus, for comparison.
    """

    keys: tuple[str, ...]
    decades: np.ndarray
    change: np.ndarray
    effect: Interval
    between: tuple[Interval, Interval]


def within_icon(first: Answer, second: Answer, counts: tuple[FrequencyTable, FrequencyTable]) -> WithinIcon:
    """Compare two answers on the same classes, each with the counts of its own pretraining corpus."""
    accuracy = [{score.key: score.accuracy for score in answer.classes if score.n} for answer in (first, second)]
    shared = [
        key for key in first.keys if all(key in a and t.counts.get(key) for a, t in zip(accuracy, counts, strict=True))
    ]
    seen = np.array([[table.counts[key] for key in shared] for table in counts], np.float64)  # [2, n]
    right = np.array([[scores[key] for key in shared] for scores in accuracy])  # [2, n]
    decades, change = np.log10(seen[1] / seen[0]), right[1] - right[0]
    return WithinIcon(
        tuple(shared),
        decades,
        change,
        stats.slope_per_decade(10 ** (decades - decades.min()), change),
        (stats.slope_per_decade(seen[0], right[0]), stats.slope_per_decade(seen[1], right[1])),
    )


def finding(within: WithinIcon) -> str:
    """The comparison in one sentence."""
    effect, (a, b) = within.effect, within.between
    return (
        f"With every icon as its own control, a tenfold count adds {100 * effect.value:.1f} points "
        f"(95 % CI {100 * effect.low:.1f}–{100 * effect.high:.1f}; n = {len(within.keys)}); between icons it adds "
        f"{100 * a.value:.1f} and {100 * b.value:.1f}. The trend is "
        + ("frequency, not the difficulty of the rare icons." if effect.low > 0 else "not told apart from difficulty.")
    )
