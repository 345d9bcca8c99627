"""Does the tail break first? How much of their clean accuracy head and tail keep, and whether they differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.stats.intervals import RESAMPLES, UNDEFINED, Tag
from core.types import Interval

FEWEST = 10
"""Right answers, in concepts' worth, from which on a share of them is told: 1 of 117 kept or lost means nothing."""


@dataclass(frozen=True, slots=True)
class TailFirst:
    """Head against tail between two conditions; intervals resample concepts within each part.

    Attributes:
        kept: part -> accuracy under the condition over clean accuracy (1 = nothing lost); undefined where the clean
            accuracies of the part's concepts add up to less than ``FEWEST``.
        kept_gap: kept by the head less kept by the tail, as fractions; positive when the tail breaks first.
        drop: part -> clean accuracy less accuracy under the condition, fractions.
        drop_gap: drop of the tail less drop of the head; positive when the tail loses more of all images.
    """

    kept: Mapping[Tag, Interval]
    kept_gap: Interval
    drop: Mapping[Tag, Interval]
    drop_gap: Interval


def tail_first(
    clean: np.ndarray, after: np.ndarray, keys: Sequence[str], tags: Mapping[str, Tag], *, seed: int = 0
) -> TailFirst | None:
    """Head against tail from the accuracies of every class; None when a part is empty.

    Args:
        clean, after: float [c], accuracy of every class in both conditions on the same images (NaN without images).
        keys: [c], class keys; tags: class key -> part.
    """
    known = np.isfinite(clean) & np.isfinite(after)
    drawn: dict[str, dict[Tag, np.ndarray]] = {"kept": {}, "drop": {}}
    found: dict[str, dict[Tag, float]] = {"kept": {}, "drop": {}}
    ends: tuple[Tag, Tag] = ("head", "tail")
    for number, part in enumerate(ends):
        rows = np.flatnonzero(known & np.array([tags.get(key) == part for key in keys], bool))
        if not len(rows):
            return None
        chosen = np.random.default_rng([seed, number]).integers(0, len(rows), (RESAMPLES, len(rows)))
        before, behind = clean[rows], after[rows]
        found["kept"][part], found["drop"][part] = _share(before.sum(), behind.sum()), float((before - behind).mean())
        drawn["kept"][part] = _share(before[chosen].sum(1), behind[chosen].sum(1))
        if before.sum() < FEWEST:
            found["kept"][part] = math.nan
        drawn["drop"][part] = (before - behind)[chosen].mean(1)
    parts = {
        name: {part: _interval(found[name][part], drawn[name][part]) for part in found[name]}
        for name in ("kept", "drop")
    }
    kept, drop = drawn["kept"], drawn["drop"]
    return TailFirst(
        kept=parts["kept"],
        kept_gap=_interval(found["kept"]["head"] - found["kept"]["tail"], kept["head"] - kept["tail"]),
        drop=parts["drop"],
        drop_gap=_interval(found["drop"]["tail"] - found["drop"]["head"], drop["tail"] - drop["head"]),
    )


def verdict(gap: Interval) -> str:
    """``tail`` or ``head`` for the part that keeps less, ``neither`` when the interval holds zero."""
    return "tail" if gap.low > 0 else "head" if gap.high < 0 else "neither"


def _share(before: Any, after: Any) -> Any:
    """What is kept, of one pair of sums or elementwise; NaN of nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(before > 0, after / np.where(before > 0, before, 1), np.nan)[()]


def _interval(value: float, drawn: np.ndarray) -> Interval:
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn) or math.isnan(value):
        return UNDEFINED
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(float(value), float(low), float(high))
