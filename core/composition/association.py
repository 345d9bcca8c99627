"""Do captions tie attributes to objects, and is a model better on the pairs that they tie?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.composition.counts import PairCounts, nmi, pmi
from core.composition.pairs import Compositions
from core.stats import intervals as stats
from core.stats.format import signed
from core.types import Interval


@dataclass(frozen=True, eq=False)
class Association:
    """How captions associate attributes with objects, and whether accuracy follows.

    Attributes:
        nmi: of the captions; captions: pairs counted, a caption once for every pair that it names.
        pmi, accuracy, n, composition: of every composition with images and a count above zero [k].
        never: images and right ones of compositions never counted; objects: object of every row [k].
        pearson, spearman: of pmi and accuracy, bootstrap over objects.
    """

    nmi: float
    captions: int
    pmi: np.ndarray
    accuracy: np.ndarray
    n: np.ndarray
    composition: np.ndarray
    objects: np.ndarray
    never: tuple[int, int]
    pearson: Interval
    spearman: Interval


def association(counts: PairCounts, found: Compositions, labels: np.ndarray, right: np.ndarray) -> Association:
    """NMI of the captions, and PMI of every pair against its accuracy.

    Args:
        labels, right: composition [m] of every image and whether it was named.
    """
    size = len(found.pairs)
    n, hits = np.bincount(labels, minlength=size), np.bincount(labels, weights=right, minlength=size)
    strength = pmi(counts, found)
    never = np.isneginf(strength)
    kept = np.flatnonzero((n > 0) & np.isfinite(strength))
    x, y, things = strength[kept], hits[kept] / n[kept], found.pairs[kept, 1]
    return Association(
        nmi(counts.counts),
        sum(counts.counts.values()),
        x,
        y,
        n[kept],
        kept,
        things,
        (int(n[never].sum()), int(hits[never].sum())),
        stats.pearson(x, y, clusters=things),
        stats.spearman(x, y, clusters=things),
    )


def headline(found: Association, source: str) -> str:
    """NMI, and the rank correlation of PMI and accuracy, in two sentences."""
    low, value, high = (
        signed(end, 2, plus=True) for end in (found.spearman.low, found.spearman.value, found.spearman.high)
    )
    return (
        f"NMI(attribute; object) is {found.nmi:.3f} over {found.captions:,} mentions of a pair in {source} (0: spread "
        f"as if by chance; 1: each tells the other). PMI of a pair and accuracy have Spearman's correlation {value} "
        f"(95 % CI {low} to {high}; {len(found.n):,} pairs)."
    )
