"""Intervals, correlations, trends and the head-torso-tail split.

Every bootstrap here resamples concepts (or clusters of rows) with replacement, keeps each resample's pairs together
and reports the percentile 95 % interval. Counts on a log axis are base 10.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.stats.bootstrap import UNDEFINED, Resampler, correlation, interval, rank_correlation, ratio, slope, terms
from core.types import Interval

Tag = Literal["head", "torso", "tail"]
TAGS: tuple[Tag, ...] = ("head", "torso", "tail")
RESAMPLES = 1000
_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Bin:
    """Concepts between two counts: ``start`` <= count < ``stop``.

    ``count`` is their geometric mean count, ``mean`` their mean value with its interval (NaN for one concept).
    """

    start: float
    stop: float
    count: float
    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Trend:
    """Least-squares line of a value on log10 count: slope per tenfold rise, correlation, and the line with its band.

    ``counts``, ``fitted``, ``low`` and ``high`` are arrays over one grid of counts; empty when there is no line.
    """

    slope: Interval
    pearson: Interval
    counts: np.ndarray
    fitted: np.ndarray
    low: np.ndarray
    high: np.ndarray


NO_TREND = Trend(UNDEFINED, UNDEFINED, *[np.empty(0)] * 4)


@dataclass(frozen=True)
class Groups:
    """Head, torso and tail of the concepts with a known count.

    Attributes:
        tags: concept -> its group; empty when there are none.
        sizes: group -> concepts in it, its smallest and its largest count; a group without concepts is absent.
        never_counted: the tail is exactly the concepts that were counted zero times, and is called so.
        reason: why there are no groups, empty when there are.
    """

    tags: Mapping[str, Tag]
    sizes: Mapping[Tag, tuple[int, int, int]]
    never_counted: bool = False
    reason: str = ""

    @property
    def tail(self) -> str:
        """The tail in words: ``the rarest fifth`` (or more of them, where counts are equal), or the never counted."""
        return "the concepts that were never counted" if self.never_counted else "the rarest fifth"

    def told(self, tag: Tag) -> str:
        """How many concepts a group has and how often they were counted: ``57 concepts, counted 3 to 41 times``."""
        n, low, high = self.sizes[tag]
        times = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        return f"{n:,} concept{'s' * (n != 1)}, counted {times} time{'s' * (high != 1)}"


def groups(counts: Mapping[str, int]) -> Groups:
    """Head, torso and tail of N concepts with known counts; equal counts are never split.

    The tail is every concept counted at most as often as the ceil(0.2 N)-th rarest, the head every one counted at
    least as often as the ceil(0.2 N)-th commonest, the torso the rest. Where zeros reach that far the tail is exactly
    the concepts never counted. Where head and tail would meet there are no groups.
    """
    ranked = sorted(counts.values())
    n = len(ranked)
    if not n:
        return Groups({}, {}, reason="no concept has a known count")
    fifth = -(-n // 5)
    rare, common = ranked[fifth - 1], ranked[n - fifth]
    if rare >= common:
        return Groups({}, {}, reason=_no_groups(n, rare, ranked.count(rare)))
    found: dict[str, Tag] = {
        key: "tail" if count <= rare else "head" if count >= common else "torso" for key, count in counts.items()
    }
    sizes: dict[Tag, tuple[int, int, int]] = {}
    for tag in TAGS:
        if inside := [counts[key] for key, own in found.items() if own == tag]:
            sizes[tag] = (len(inside), min(inside), max(inside))
    return Groups(found, sizes, never_counted=rare == 0)


def _no_groups(n: int, count: int, equal: int) -> str:
    if n == 1:
        return "only one concept has a known count"
    often = "never counted" if not count else f"counted {count:,} time{'s' * (count != 1)}"
    return f"{equal:,} of {n:,} concepts were {often}, so that head and tail would meet"


def tags(counts: Mapping[str, int]) -> dict[str, Tag]:
    """Head, torso or tail of every concept with a known count, by :func:`groups`; empty when there are no groups."""
    return dict(groups(counts).tags)


def wilson(right: float, n: int) -> Interval:
    """Share ``right / n`` with its Wilson 95 % score interval; undefined for n = 0.

    ``right`` may be a fraction, for a mean of n values between 0 and 1: the interval is then a conservative one.
    """
    if not n:
        return UNDEFINED
    share, z2 = right / n, _Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # At 0 and n the bound is the share itself; rounding must not put the share outside its interval.
    return Interval(share, min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def pearson(x: np.ndarray, y: np.ndarray, *, clusters: np.ndarray | None = None, seed: int = 0) -> Interval:
    """Pearson correlation of the pairs [n] with a bootstrap interval; undefined below three pairs or without spread.

    Args:
        clusters: [n], rows of one cluster are resampled together (the same concept in several datasets).
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return correlation(_sampler(len(x), clusters, seed), x, y)


def spearman(x: np.ndarray, y: np.ndarray, *, clusters: np.ndarray | None = None, seed: int = 0) -> Interval:
    """Spearman rank correlation of the pairs [n], ties at mid-rank, with a bootstrap interval.

    Every resample is ranked anew, exactly: ranks of the full sample are never reused. ``clusters`` as in ``pearson``.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return rank_correlation(_sampler(len(x), clusters, seed), x, y)


def slope_per_decade(
    counts: np.ndarray, values: np.ndarray, *, clusters: np.ndarray | None = None, seed: int = 0
) -> Interval:
    """Rise of the value per tenfold rise of the count: least squares on log10 count, with a bootstrap interval.

    Concepts counted zero times have no place on a log axis and are left out.
    """
    return trend(counts, values, clusters=clusters, seed=seed).slope


def trend(
    counts: np.ndarray, values: np.ndarray, *, points: int = 50, clusters: np.ndarray | None = None, seed: int = 0
) -> Trend:
    """Least-squares line of values [n] on log10 count with a pointwise bootstrap band at ``points`` counts.

    Concepts counted zero times are left out; below three concepts, or without spread of counts, nothing is fitted.
    A line through fractions is given only where it is a fraction itself, and so is its band.
    """
    counts, values = np.asarray(counts, np.float64), np.asarray(values, np.float64)
    seen = counts >= 1
    logs, values = np.log10(counts[seen]), values[seen]
    if len(logs) < 3 or np.ptp(logs) == 0:
        return NO_TREND
    sampler = _sampler(len(logs), None if clusters is None else np.asarray(clusters)[seen], seed)
    centre = logs.mean()
    rise = slope(sampler, logs, values)
    n, x, y, xx, _, xy = sampler.sums(terms(logs - centre, values - values.mean()))
    slopes = ratio(xy - x * y / n, xx - x * x / n)
    along = np.linspace(logs.min(), logs.max(), points) - centre
    levels = (y - slopes * x) / n
    band = np.nanquantile(levels[:, None] + slopes[:, None] * along, (0.025, 0.975), axis=0)
    fitted, band = values.mean() + rise.value * along, values.mean() + band
    inside = np.ones(points, bool)
    if values.min() >= 0 and values.max() <= 1:
        inside, band = (fitted >= 0) & (fitted <= 1), np.clip(band, 0, 1)
    counts = 10 ** (along + centre)
    return Trend(rise, correlation(sampler, logs, values), counts[inside], fitted[inside], *band[:, inside])


def mean(
    values: np.ndarray, *, images: np.ndarray | None = None, clusters: np.ndarray | None = None, seed: int = 0
) -> Interval:
    """Mean over concepts of accuracies [n] with a 95 % interval that never has zero width.

    A two-stage bootstrap (Davison & Hinkley 1997, section 3.8): concepts (or clusters) are drawn with replacement, and
    where their numbers of images are known each drawn concept's images too, by the normal approximation to the sum of
    their binomials. Where all replicates are equal (every concept at 0 % or at 100 %) the interval is Wilson's over
    all images, or over concepts where images are unknown.

    Args:
        values: fractions; without ``images`` any values, whose interval is then over concepts alone.
        images: int [n], images behind every value; 0 = unknown.
        clusters: [n], rows of one cluster are drawn together.
    """
    values = np.asarray(values, np.float64)
    if not len(values):
        return UNDEFINED
    centre = values.mean()
    each = np.zeros(0) if images is None else np.asarray(images)
    known = images is not None and bool(np.all(each > 0))
    pooled = int(np.sum(each)) if known else len(values)
    if len(values) == 1:
        return wilson(centre * pooled, pooled) if known else Interval(float(centre), math.nan, math.nan)
    inner = values * (1 - values) / each if known else np.zeros(len(values))
    sampler = _sampler(len(values), clusters, seed)
    n, drawn, spread = sampler.sums(np.column_stack((np.ones_like(values), values - centre, inner)))
    noise = np.random.default_rng(seed).standard_normal(len(n)) * np.sqrt(np.maximum(spread, 0)) if known else 0
    replicates = centre + (drawn + noise) / n
    # Sums of replicates are float32; rounding must not lead out of the range of what a mean can be.
    limits = (0.0, 1.0) if known else (values.min(), values.max())
    found = interval(float(centre), np.clip(replicates, *limits))
    if found.low == found.high and 0 <= centre <= 1:
        return wilson(centre * pooled, pooled)
    return found


def log_bins(
    counts: np.ndarray, values: np.ndarray, *, per_decade: int = 2, images: np.ndarray | None = None
) -> tuple[Bin, ...]:
    """Mean value in bins of equal width on the log axis, starting at count 1; empty bins and zero counts are left out.

    Each bin's interval resamples its own concepts, and their images where known, as :func:`mean` does.
    """
    counts, values = np.asarray(counts, np.float64), np.asarray(values, np.float64)
    seen = counts >= 1
    # A count at an edge opens its bin; the small shift keeps 1000 there although log10 may round below 3.
    index = np.full(len(counts), -1)
    index[seen] = np.floor(np.log10(counts[seen]) * per_decade + 1e-9)
    bins = []
    for number in np.unique(index[seen]).tolist():
        inside = index == number
        found = mean(values[inside], images=None if images is None else np.asarray(images)[inside])
        edges = (10 ** (number / per_decade), 10 ** ((number + 1) / per_decade))
        centre = float(10 ** np.log10(counts[inside]).mean())
        bins.append(Bin(*edges, centre, found.value, found.low, found.high, int(inside.sum())))
    return tuple(bins)


def _sampler(n: int, clusters: np.ndarray | None, seed: int) -> Resampler:
    owners = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1].reshape(-1)
    return Resampler.of(owners, replicates=RESAMPLES, seed=seed)
