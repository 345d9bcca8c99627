"""Intervals, correlations, trends and the head-torso-tail split.

Every bootstrap here resamples concepts (or clusters of rows) with replacement, keeps each resample's pairs together
and reports the percentile 95 % interval. Counts on a log axis are base 10.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.frequency.table import join
from core.stats.bootstrap import UNDEFINED, Resampler, correlation, interval, rank_correlation, ratio, slope, terms
from core.types import FrequencyTable, Interval

Tag = Literal["head", "torso", "tail"]
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


def tags(counts: Mapping[str, int]) -> dict[str, Tag]:
    """Head, torso or tail for every known concept.

    The tail is the floor(0.2 N) rarest of the N concepts given, the head as many of the commonest, the torso the rest;
    equal counts are ordered by key.
    """
    ranked = sorted(counts, key=lambda key: (counts[key], key))
    fifth = len(ranked) // 5
    return {
        key: "tail" if rank < fifth else "head" if rank >= len(ranked) - fifth else "torso"
        for rank, key in enumerate(ranked)
    }


def split(table: FrequencyTable, keys: Sequence[str], names: Sequence[str] = ()) -> dict[str, Tag]:
    """Head, torso or tail for every class of an image set that the table knows."""
    return tags(join(table, keys, names))


def wilson(right: int, n: int) -> Interval:
    """Share ``right / n`` with its Wilson 95 % score interval; undefined for n = 0."""
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
    fitted = values.mean() + rise.value * along
    return Trend(rise, correlation(sampler, logs, values), 10 ** (along + centre), fitted, *values.mean() + band)


def mean(values: np.ndarray, *, clusters: np.ndarray | None = None, seed: int = 0) -> Interval:
    """Mean of values [n] with a bootstrap interval; the interval is undefined for fewer than two values."""
    values = np.asarray(values, np.float64)
    if not len(values):
        return UNDEFINED
    if len(values) == 1:
        return Interval(float(values[0]), math.nan, math.nan)
    centre = values.mean()
    n, drawn = _sampler(len(values), clusters, seed).sums(np.column_stack((np.ones_like(values), values - centre)))
    # Sums of replicates are float32; rounding must not lead out of the range of the values.
    return interval(float(centre), np.clip(centre + drawn / n, values.min(), values.max()))


def log_bins(
    counts: np.ndarray, values: np.ndarray, *, per_decade: int = 2, clusters: np.ndarray | None = None, seed: int = 0
) -> tuple[Bin, ...]:
    """Mean value in bins of equal width on the log axis, starting at count 1; empty bins and zero counts are left out.

    Each bin's interval resamples its own concepts (or clusters).
    """
    counts, values = np.asarray(counts, np.float64), np.asarray(values, np.float64)
    clusters = None if clusters is None else np.asarray(clusters)
    seen = counts >= 1
    # A count at an edge opens its bin; the small shift keeps 1000 there although log10 may round below 3.
    index = np.full(len(counts), -1)
    index[seen] = np.floor(np.log10(counts[seen]) * per_decade + 1e-9)
    bins = []
    for number in np.unique(index[seen]).tolist():
        inside = index == number
        found = mean(values[inside], clusters=None if clusters is None else clusters[inside], seed=seed)
        edges = (10 ** (number / per_decade), 10 ** ((number + 1) / per_decade))
        centre = float(10 ** np.log10(counts[inside]).mean())
        bins.append(Bin(*edges, centre, found.value, found.low, found.high, int(inside.sum())))
    return tuple(bins)


def _sampler(n: int, clusters: np.ndarray | None, seed: int) -> Resampler:
    owners = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1].reshape(-1)
    return Resampler.of(owners, replicates=RESAMPLES, seed=seed)
