"""What a change of predictions does to head, torso and tail: accuracy before and after on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.stats import intervals as stats
from core.stats.format import point_span, points
from core.stats.intervals import TAGS
from core.stats.paired import mean_change
from core.types import Interval

GROUPS = ("all", *TAGS)


@dataclass(frozen=True, slots=True)
class GroupChange:
    """One group of classes before and after.

    Attributes:
        group: ``all``, ``head``, ``torso`` or ``tail``; classes: with images in it; n: its images.
        before, after: mean accuracy of its classes (fractions), interval over classes and their images.
        change: mean over classes of after - before, bootstrap over classes.
        fixed, broken: images that are only correct after, and only correct before (over seeds: their mean).
    """

    group: str
    classes: int
    n: int
    before: Interval
    after: Interval
    change: Interval
    fixed: int
    broken: int


def tally(labels: np.ndarray, before: np.ndarray, after: np.ndarray, classes: int) -> np.ndarray:
    """Images of every class, those correct before, correct after, fixed and broken, float64 [5, c].

    Args:
        labels, before, after: int [m], true class and the class predicted before and after.
    """
    was, now = before == labels, after == labels
    return np.stack([
        np.bincount(labels, weights, classes).astype(np.float64)
        for weights in (None, was, now, now & ~was, was & ~now)
    ])  # fmt: skip


def group_changes(tallies: np.ndarray, parts: Sequence[str]) -> tuple[GroupChange, ...]:
    """Compare two predictions in every group that has images.

    Args:
        tallies: [5, c] of ``tally``, or its mean over seeds.
        parts: [c], head, torso or tail of every class, or empty where unknown.
    """
    n, was, now, fixed, broken = tallies
    found = []
    for group in GROUPS:
        inside = members(parts, group) & (n > 0)
        if not inside.any():
            continue
        images = np.maximum(1, n[inside].round().astype(np.int64))
        rates = [hits[inside] / n[inside] for hits in (was, now)]
        before, after = (stats.mean(each, images=images) for each in rates)
        found.append(
            GroupChange(
                group=group,
                classes=int(inside.sum()),
                n=round(float(n[inside].sum())),
                before=before,
                after=after,
                change=mean_change(rates[1] - rates[0]),
                fixed=round(float(fixed[inside].sum())),
                broken=round(float(broken[inside].sum())),
            )
        )
    return tuple(found)


def members(parts: Sequence[str], group: str) -> np.ndarray:
    """Bool [c]: the classes of a group."""
    return np.array([group in ("all", part) for part in parts], bool)


def in_words(change: GroupChange) -> str:
    """``tail +3.1 points (95 % CI 1.2–5.0)``."""
    sign = "+" if change.change.value > 0 else ""
    return f"{change.group} {sign}{points(change.change.value)} points (95 % CI {point_span(change.change)})"


def as_json(change: GroupChange) -> dict[str, Any]:
    """A change as a JSON object."""
    figures = {name: getattr(change, name) for name in ("before", "after", "change")}
    return {
        "group": change.group,
        "classes": change.classes,
        "n": change.n,
        **{name: {"value": one.value, "low": one.low, "high": one.high} for name, one in figures.items()},
        "fixed": change.fixed,
        "broken": change.broken,
    }
