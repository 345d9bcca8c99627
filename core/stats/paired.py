"""Two answers to the same images: exact tests and intervals for their difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import BadInput
from core.stats import intervals as stats
from core.stats.bootstrap import Resampler, interval, ratio
from core.types import Answer, Interval

_SIGNS = 256  # replicates at once: their signs as float64 stay in a processor's cache


@dataclass(frozen=True)
class Paired:
    """The images that two answers share.

    Attributes:
        rows: int64 [m], index into the image set; labels: int64 [m], true class.
        said_a, said_b: int [m], the class each answer says.
        margin_a, margin_b: float32 [m].
    """

    rows: np.ndarray
    labels: np.ndarray
    said_a: np.ndarray
    said_b: np.ndarray
    margin_a: np.ndarray
    margin_b: np.ndarray

    @property
    def fixed(self) -> np.ndarray:
        """Bool [m]: a is wrong and b is right."""
        return (self.said_a != self.labels) & (self.said_b == self.labels)

    @property
    def broken(self) -> np.ndarray:
        """Bool [m]: a is right and b is wrong."""
        return (self.said_a == self.labels) & (self.said_b != self.labels)


def pair(a: Answer, b: Answer) -> Paired:
    """Line two answers up; images that one of them lacks are left out.

    Raises:
        BadInput: they are not about the same images and classes.
    """
    if a.keys != b.keys or a.n_images != b.n_images or a.lens.image_set != b.lens.image_set:
        raise BadInput(
            f"A paired comparison needs the same images: {a.lens.image_set} and {b.lens.image_set} differ. "
            "Choose one image set for all lenses."
        )
    rows, at_a, at_b = np.intersect1d(a.rows, b.rows, assume_unique=True, return_indices=True)
    if not np.array_equal(a.labels[at_a], b.labels[at_b]):
        raise BadInput(f"The labels of {a.lens.image_set} changed between the two runs; run both again.")
    return Paired(
        rows, a.labels[at_a], a.top[at_a, 0], b.top[at_b, 0], np.asarray(a.margin)[at_a], np.asarray(b.margin)[at_b]
    )


def mcnemar(b01: int, b10: int) -> float:
    """Exact two-sided McNemar p-value: is an image that flips as likely to be fixed (b01) as to be broken (b10)?

    The binomial test of min(b01, b10) among b01 + b10 at one half; 1 when nothing flipped.
    """
    from scipy.special import bdtr

    flips = b01 + b10
    return min(1.0, 2 * float(bdtr(min(b01, b10), flips, 0.5))) if flips else 1.0


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted for several tests by Holm's step-down rule, in the order given."""
    adjusted, running = [0.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        running = max(running, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = running
    return adjusted


def class_difference(paired: Paired, *, seed: int = 0) -> Interval:
    """Mean over classes of (accuracy of b - accuracy of a), with a bootstrap over classes.

    Classes are drawn with replacement and keep all their images, so images of one class, which succeed and fail
    together, are not counted as independent. Classes without a shared image are left out.
    """
    n = np.bincount(paired.labels)
    gained = (paired.said_b == paired.labels).astype(float) - (paired.said_a == paired.labels)
    sums = np.bincount(paired.labels, weights=gained)
    return mean_change(sums[n > 0] / n[n > 0], seed=seed)


def mean_change(changes: np.ndarray, *, clusters: np.ndarray | None = None, seed: int = 0) -> Interval:
    """Mean of changes in accuracy [c] (-1 to 1) with a bootstrap over classes.

    Where all changes are equal every resample is too; the interval is then as wide as Wilson's for their share of the
    classes, on the side or sides on which the mean could lie.

    Args:
        clusters: [c], changes of one cluster (one class under several models or data sets) are drawn together.
    """
    found = stats.mean(np.asarray(changes), clusters=clusters, seed=seed) if np.ptp(changes) else None
    if found is not None:
        return found
    value, n = float(changes[0]), len(changes)
    if n < 2:
        return Interval(value, math.nan, math.nan)
    reach = stats.wilson(abs(value) * n, n)
    if not value:
        return Interval(0.0, -reach.high, reach.high)
    return Interval(value, reach.low, reach.high) if value > 0 else Interval(value, -reach.high, -reach.low)


def difference_of_means(
    values: np.ndarray, a: np.ndarray, b: np.ndarray, *, clusters: np.ndarray, seed: int = 0
) -> Interval:
    """Mean of the values [n] of group ``a`` less that of group ``b`` (bool [n] each) with a bootstrap over clusters.

    Resamples that hold no value of a group are dropped.
    """
    owners = np.unique(clusters, return_inverse=True)[1].reshape(-1)
    sums = Resampler.of(owners, replicates=stats.RESAMPLES, seed=seed).sums(
        np.column_stack((values * a, a, values * b, b)).astype(np.float64)
    )
    drawn = ratio(sums[0], sums[1]) - ratio(sums[2], sums[3])
    return interval(float(values[a].mean() - values[b].mean()), drawn)


def sign_flips(changes: np.ndarray, *, replicates: int = 9_999, seed: int = 0) -> float:
    """Two-sided p of a mean change over classes [c]: how often random signs give one as large (Fisher's randomisation).

    The paired test where only per-class accuracies are known, so that images cannot be compared one by one.
    """
    changes = np.asarray(changes, np.float64)
    changes = changes[changes != 0]
    if not len(changes):
        return 1.0
    rng, observed, reached = np.random.default_rng(seed), abs(changes.sum()) - 1e-9, 0
    for start in range(0, replicates, _SIGNS):
        signs = rng.integers(0, 2, (min(_SIGNS, replicates - start), len(changes)), dtype=np.int8)
        reached += int((np.abs(2 * (signs @ changes) - changes.sum()) >= observed).sum())
    return (1 + reached) / (1 + replicates)
