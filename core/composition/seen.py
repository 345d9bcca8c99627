"""Are pairs that pretraining never showed harder than seen ones, at equal frequency of their attribute and object?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.stats.bootstrap import UNDEFINED, Resampler, interval
from core.stats.format import points
from core.stats.intervals import RESAMPLES
from core.types import Interval

OBJECT_BINS, ATTRIBUTE_BINS = 10, 4


@dataclass(frozen=True)
class SeenGap:
    """Accuracy of seen less never-seen pairs; every interval is a bootstrap over objects with all their images.

    Attributes:
        seen, unseen: accuracy of each as it is; raw: their difference.
        matched: difference at equal object and attribute frequency (see ``seen_gap``); strata: strata used;
            unmatched: never-seen images in strata without a seen one, left out of ``matched``.
        within: difference of the same objects and the same attributes (two-way fixed effects).
        n_seen, n_unseen: images.
    """

    seen: Interval
    unseen: Interval
    raw: Interval
    matched: Interval
    within: Interval
    n_seen: int
    n_unseen: int
    strata: int
    unmatched: int


def seen_gap(
    right: np.ndarray,
    seen: np.ndarray,
    attributes: np.ndarray,
    objects: np.ndarray,
    *,
    attribute_counts: np.ndarray,
    object_counts: np.ndarray,
    seed: int = 0,
) -> SeenGap:
    """Compare seen with never-seen pairs.

    ``matched`` stratifies by frequency: objects in up to 10 and attributes in up to 4 groups of equal size by count;
    sum over strata of w_s (acc_seen,s - acc_unseen,s) with w_s the share of the never-seen images in stratum s
    (standardised to the never-seen pairs), over strata that hold both.

    ``within`` is the coefficient of "seen" in least squares of right on seen, one effect an object and one an
    attribute: nothing but the pair itself differs. NaN where no object and attribute has both kinds.

    Args:
        right, seen: bool [m]; attributes, objects: int [m], of every image.
        attribute_counts, object_counts: pretraining counts [a], [o].
    """
    seen, right = np.asarray(seen, bool), np.asarray(right, float)
    names, place = np.unique(objects, return_inverse=True)
    n_seen, n_unseen = int(seen.sum()), int((~seen).sum())
    if not (n_seen and n_unseen):
        one = Interval(float(right.mean()), float("nan"), float("nan")) if len(right) else UNDEFINED
        sides = (one, UNDEFINED) if n_seen else (UNDEFINED, one)
        return SeenGap(*sides, UNDEFINED, UNDEFINED, UNDEFINED, n_seen, n_unseen, 0, n_unseen)
    draws = Resampler.of(np.arange(len(names)), replicates=RESAMPLES, seed=seed).draws
    weights = np.vstack([np.ones(len(names)), draws.T])  # [1 + r, objects], the first is the sample itself
    by_object, by_attribute = _bins(object_counts, OBJECT_BINS)[names], _bins(attribute_counts, ATTRIBUTE_BINS)
    table = _stratum_sums(right, seen, place, by_attribute[attributes], len(names))
    strata = np.stack([weights @ (table * (by_object == b)[:, None]) for b in np.unique(by_object)], 1)
    strata = strata.reshape(len(weights), -1, 4)  # [r, strata, (right seen, seen, right unseen, unseen)]
    whole = strata.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share_seen, share_unseen = whole[:, 0] / whole[:, 1], whole[:, 2] / whole[:, 3]
        gaps = strata[..., 0] / strata[..., 1] - strata[..., 2] / strata[..., 3]
        both = (strata[..., 1] > 0) & (strata[..., 3] > 0)
        weight = np.where(both, strata[..., 3], 0)
        matched = (np.where(both, gaps, 0) * weight).sum(1) / weight.sum(1)
    return SeenGap(
        _interval(share_seen),
        _interval(share_unseen),
        _interval(share_seen - share_unseen),
        _interval(matched),
        _interval(_within(right, seen, place, attributes, weights)),
        n_seen,
        n_unseen,
        int(both[0].sum()),
        int(strata[0, ~both[0], 3].sum()),
    )


def _bins(counts: np.ndarray, groups: int) -> np.ndarray:
    """Group of every count, by rank into groups of equal size; equal counts stay together, at their lowest rank."""
    counts = np.nan_to_num(np.asarray(counts, float))
    ranks = np.searchsorted(np.sort(counts), counts)
    return ranks * min(groups, len(counts)) // len(counts)


def _stratum_sums(
    right: np.ndarray, seen: np.ndarray, place: np.ndarray, group: np.ndarray, objects: int
) -> np.ndarray:
    """Per object [o, groups * 4]: right seen, seen, right unseen, unseen in every group of attributes."""
    groups = int(group.max()) + 1
    sums = np.zeros((objects, groups, 4))
    for kind, mask in enumerate((seen, ~seen)):
        np.add.at(sums[..., 2 * kind], (place[mask], group[mask]), right[mask])
        np.add.at(sums[..., 2 * kind + 1], (place[mask], group[mask]), 1)
    return sums.reshape(objects, -1)


def _within(
    right: np.ndarray, seen: np.ndarray, place: np.ndarray, attributes: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Coefficient of seen under every weighting of objects [r] (Frisch-Waugh-Lovell: objects by demeaning)."""
    n = np.bincount(place).astype(float)
    used, attribute = np.unique(attributes, return_inverse=True)
    x = np.zeros((len(right), 1 + len(used)))
    x[:, 0] = seen
    x[np.arange(len(right)), 1 + attribute] = 1

    def demeaned(columns: np.ndarray) -> np.ndarray:
        sums = np.zeros((len(n), columns.shape[1]))
        np.add.at(sums, place, columns)
        return columns - (sums / n[:, None])[place]

    x, y = demeaned(x), demeaned(right[:, None])
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(n)))
    x, y = x[order], y[order]
    columns = x.shape[1]
    flat = np.empty((len(n), columns * (columns + 1)))  # X'X and X'y of every object
    for at, (low, high) in enumerate(zip(starts, [*starts[1:], len(x)], strict=True)):
        mine = x[low:high]
        flat[at] = np.concatenate([(mine.T @ mine).ravel(), (mine.T @ y[low:high]).ravel()])
    coefficients = np.full(len(weights), np.nan)
    for at, sums in enumerate(weights @ flat):
        normal, moment = sums[: columns * columns].reshape(columns, columns), sums[columns * columns :]
        rest = np.linalg.pinv(normal[1:, 1:], rcond=1e-9, hermitian=True)
        spread = normal[0, 0] - normal[0, 1:] @ rest @ normal[1:, 0]
        if spread > 1e-9 * max(1.0, normal[0, 0]):
            coefficients[at] = (moment[0] - normal[0, 1:] @ rest @ moment[1:]) / spread
    return coefficients


def _interval(values: np.ndarray) -> Interval:
    """The first value with the middle 95 % of the others."""
    return interval(float(values[0]), values[1:])


def headline(gap: SeenGap, *, counted_in: str = "") -> str:
    """The matched comparison in one sentence.

    Args:
        counted_in: what the pairs were counted in when that is not the model's own pretraining data.
    """
    if not np.isfinite(gap.matched.value):
        where = counted_in or "pretraining"
        return f"Which pairs occur in {where} is unknown here, or all or none of them do."
    value, low, high = gap.matched.value, gap.matched.low, gap.matched.high
    never = f"pairs never counted in {counted_in}" if counted_in else "pairs it never saw"
    verdict = (
        f"the model does worse on {never}"
        if low > 0
        else f"the model does better on {never}"
        if high < 0
        else "that may be chance"
    )
    some, others = ("counted", "never-counted") if counted_in else ("seen", "never-seen")
    return (
        f"At equal frequency of object and attribute, {some} pairs are correct {points(abs(value))} points "
        f"{'more' if value >= 0 else 'less'} often than {others} ones (95 % CI {points(low, plus=True)} to "
        f"{points(high, plus=True)}; {gap.n_seen:,} and {gap.n_unseen:,} images): {verdict}."
    )
