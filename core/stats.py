"""Intervals, correlations, trends and the head-torso-tail split.

Every bootstrap here resamples concepts (or clusters of rows) with replacement, keeps each resample's pairs together
and reports the percentile 95 % interval. Counts on a log axis are base 10.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.frequency.table import join
from core.types import FrequencyTable, Interval

Tag = Literal["head", "torso", "tail"]
UNDEFINED = Interval(math.nan, math.nan, math.nan)
RESAMPLES = 1000
_Z95 = 1.959963984540054
_CHUNK = 1 << 17  # Weights held at once (1 MB), so that the passes over a chunk stay in the cache.


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
    x, y = _centred(x), _centred(y)
    if len(x) < 3:
        return UNDEFINED
    sums = _moments(x, y, clusters, seed)
    return _interval(_correlation(_sums(x, y)), _correlation(sums))


def spearman(x: np.ndarray, y: np.ndarray, *, clusters: np.ndarray | None = None, seed: int = 0) -> Interval:
    """Spearman rank correlation of the pairs [n], ties at mid-rank, with a bootstrap interval.

    Every resample is ranked anew, exactly: ranks of the full sample are never reused. ``clusters`` as in ``pearson``.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(x) < 3:
        return UNDEFINED
    rankings = [np.unique(values, return_inverse=True)[1] for values in (x, y)]
    drawn = [_rank_correlation(weights, *rankings) for weights in _resamples(len(x), clusters, seed)]
    return _interval(_rank_correlation(np.ones((1, len(x))), *rankings), np.concatenate(drawn))


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
    clusters = None if clusters is None else np.asarray(clusters)[seen]
    x, y = _centred(logs), _centred(values)
    whole, drawn = _sums(x, y), _moments(x, y, clusters, seed)
    slope, _ = _line(whole)
    slopes, levels = _line(drawn)
    grid = np.linspace(logs.min(), logs.max(), points)
    along = grid - logs.mean()
    band = np.nanquantile(levels[:, None] + slopes[:, None] * along, (0.025, 0.975), axis=0)
    correlation = _interval(_correlation(whole), _correlation(drawn))
    return Trend(_interval(slope, slopes), correlation, 10**grid, values.mean() + slope * along, *values.mean() + band)


def mean(values: np.ndarray, *, clusters: np.ndarray | None = None, seed: int = 0) -> Interval:
    """Mean of values [n] with a bootstrap interval; the interval is undefined for fewer than two values."""
    values = np.asarray(values, np.float64)
    if not len(values):
        return UNDEFINED
    if len(values) == 1:
        return Interval(float(values[0]), math.nan, math.nan)
    sums = _moments(values, values, clusters, seed)
    return _interval(values.mean(), sums[:, 1] / sums[:, 0])


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


def _centred(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    return values - values.mean() if len(values) else values


def _resamples(n: int, clusters: np.ndarray | None, seed: int) -> Iterator[np.ndarray]:
    """How often each row was drawn, int64 [r, n] in chunks that add up to RESAMPLES rows."""
    owners = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1].reshape(-1)
    groups = int(owners.max()) + 1
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // n)
    for start in range(0, RESAMPLES, chunk):
        rows = min(chunk, RESAMPLES - start)
        drawn = rng.integers(0, groups, (rows, groups)) + np.arange(rows)[:, None] * groups
        weights = np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups)
        yield weights if clusters is None else weights[:, owners]


def _sums(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y])


def _moments(x: np.ndarray, y: np.ndarray, clusters: np.ndarray | None, seed: int) -> np.ndarray:
    """``_sums`` of every resample, float64 [RESAMPLES, 6]: sums over weights instead of a thousand fits."""
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y])
    # Not a matrix product: BLAS threads one with so few columns, and waits for them badly beside a busy worker.
    drawn = [np.einsum("rn,kn->rk", weights, terms) for weights in _resamples(len(x), clusters, seed)]
    return np.concatenate(drawn)


def _spreads(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    spread_x, spread_y = xx - x * x / n, yy - y * y / n
    # A resample of one value has no spread; what rounding leaves of it must not be divided by.
    return (
        np.where(spread_x > 1e-12 * xx, spread_x, np.nan),
        np.where(spread_y > 1e-12 * yy, spread_y, np.nan),
        xy - x * y / n,
    )


def _correlation(sums: np.ndarray) -> np.ndarray:
    spread_x, spread_y, together = _spreads(sums)
    return together / np.sqrt(spread_x * spread_y)


def _line(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and value at x = 0."""
    spread_x, _, together = _spreads(sums)
    slope = together / spread_x
    return slope, (sums[..., 2] - slope * sums[..., 1]) / sums[..., 0]


def _rank_correlation(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman correlation of every resample [r], given how often rows were drawn and the rows' dense ranks."""
    weights = weights.astype(np.float32)
    n = weights.sum(1, keepdims=True)
    ranks = []
    for dense in (x, y):
        order = np.argsort(dense, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(dense[order]) > 0])
        tied = np.add.reduceat(weights[:, order], starts, axis=1)
        # Mid-rank of a group, less the mean of all ranks, so that the sums below need no centring.
        ranks.append((np.cumsum(tied, axis=1) - (tied + n) / 2)[:, dense])
    spread_x, spread_y, together = (
        np.einsum("rn,rn,rn->r", weights, a, b, dtype=np.float64)
        for a, b in ((ranks[0], ranks[0]), (ranks[1], ranks[1]), (ranks[0], ranks[1]))
    )
    product = np.sqrt(spread_x * spread_y)
    return together / np.where(product > 0, product, np.nan)


def _interval(value: np.ndarray | float, drawn: np.ndarray) -> Interval:
    """A value with the central 95 % of its resamples; resamples in which it is undefined are left out."""
    drawn = drawn[np.isfinite(drawn)]
    value = float(np.squeeze(value))
    if not len(drawn) or math.isnan(value):
        return Interval(value, math.nan, math.nan)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(value, float(low), float(high))
