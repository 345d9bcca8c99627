"""Bootstrap over concepts: rows of one concept (under several data sets) are drawn together.

A replicate is a vector of whole-number weights on concepts. A statistic made of sums then needs one matrix product for
all replicates, and a rank statistic needs weighted mid-ranks: rows drawn twice are ties, as in a real resample. Every
statistic comes with the middle 95 % of its replicates; without spread it is NaN, not a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.types import Interval

UNDEFINED = Interval(float("nan"), float("nan"), float("nan"))
REPLICATES = 500
SEED = 20_240_404


@lru_cache(maxsize=4)
def _draws(clusters: int, replicates: int, seed: int) -> np.ndarray:
    """How often each concept was drawn in each replicate: float32 [clusters, replicates]."""
    picks = np.random.default_rng(seed).integers(0, clusters, (replicates, clusters), dtype=np.int32)
    cells = picks.astype(np.int64) * replicates + np.arange(replicates)[:, None]
    counts = np.bincount(cells.ravel(), minlength=replicates * clusters)
    return counts.reshape(clusters, replicates).astype(np.float32)


@dataclass(frozen=True)
class Resampler:
    """Replicates of one set of n rows; replicates are the last axis, so that gathering rows copies whole lines.

    Attributes:
        clusters: int [n], concept of every row.
        draws: float32 [concepts, b], how often each concept was drawn.
    """

    clusters: np.ndarray
    draws: np.ndarray

    @classmethod
    def of(cls, clusters: np.ndarray, *, replicates: int = REPLICATES, seed: int = SEED) -> Resampler:
        """Draw concepts with replacement; clusters are numbered from 0 without gaps."""
        return cls(clusters, _draws(int(clusters.max(initial=-1)) + 1, replicates, seed))

    def subset(self, rows: np.ndarray) -> Resampler:
        """The same draws, looking at some of the rows."""
        return Resampler(self.clusters[rows], self.draws)

    def weights(self) -> np.ndarray:
        """Weight of every row in every replicate: float32 [n, b]."""
        return self.draws[self.clusters]

    def sums(self, columns: np.ndarray) -> np.ndarray:
        """Weighted column sums of every replicate: [n, k] -> float64 [k, b]."""
        per_cluster = np.zeros((len(self.draws), columns.shape[1]))
        np.add.at(per_cluster, self.clusters, columns)
        return (per_cluster.T.astype(np.float32) @ self.draws).astype(np.float64)

    def ranks(self, values: np.ndarray) -> np.ndarray:
        """Weighted mid-ranks of the rows in every replicate, less their weighted mean: float32 [n, b]."""
        _, groups = np.unique(values, return_inverse=True)
        order = np.argsort(groups, kind="stable")
        starts = np.searchsorted(groups[order], np.arange(groups.max() + 1))
        weights = np.add.reduceat(self.draws[self.clusters[order]], starts, axis=0)
        above = np.cumsum(weights, axis=0)
        return (above - weights / 2 - above[-1] / 2)[groups]


def correlation(sampler: Resampler, x: np.ndarray, y: np.ndarray) -> Interval:
    """Pearson's r of the pairs [n]; undefined below three."""
    if len(x) < 3:
        return UNDEFINED
    xx, yy, xy = moments(sampler, x, y)
    return interval(pearson(x, y), ratio(xy, np.sqrt(xx * yy)))


def rank_correlation(sampler: Resampler, x: np.ndarray, y: np.ndarray, *, ranks: np.ndarray | None = None) -> Interval:
    """Spearman's rho of the pairs [n], ties at mid-rank, every replicate ranked anew; undefined below three pairs.

    Args:
        ranks: ``sampler.ranks(y)`` when the caller has them.
    """
    if len(x) < 3:
        return UNDEFINED
    x_ranks, y_ranks = sampler.ranks(x), sampler.ranks(y) if ranks is None else ranks
    weights = sampler.weights()
    heavy = weights * x_ranks
    xy, xx, yy = (
        (part * other).sum(0, dtype=np.float64)
        for part, other in ((heavy, y_ranks), (heavy, x_ranks), (weights * y_ranks, y_ranks))
    )
    return interval(pearson(midranks(x), midranks(y)), ratio(xy, np.sqrt(xx * yy)))


def slope(sampler: Resampler, x: np.ndarray, y: np.ndarray) -> Interval:
    """Least-squares slope of y on x [n]; undefined below three pairs."""
    if len(x) < 3 or np.ptp(x) == 0:
        return UNDEFINED
    xx, _, xy = moments(sampler, x, y)
    centred = x - x.mean()
    return interval(float(centred @ y / (centred @ centred)), ratio(xy, xx))


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's r of the pairs, NaN without spread."""
    if not np.ptp(x) or not np.ptp(y):
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks with ties at their middle."""
    _, groups, n = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(n) - n / 2)[groups]


def moments(sampler: Resampler, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of squares of x and y and of their products about the means, per replicate [b]."""
    return about_means(*sampler.sums(terms(x - x.mean(), y - y.mean())))


def terms(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What the sums of a line are made of: 1, x, y, x*x, y*y, x*y, float64 [n, 6]."""
    return np.column_stack((np.ones_like(x), x, y, x * x, y * y, x * y))


def about_means(
    n: np.ndarray, sx: np.ndarray, sy: np.ndarray, sxx: np.ndarray, syy: np.ndarray, sxy: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums about the means from plain sums of n rows."""
    size = np.maximum(n, 1)
    return _spread(sxx, sx * sx / size), _spread(syy, sy * sy / size), sxy - sx * sy / size


def _spread(squares: np.ndarray, of_the_mean: np.ndarray) -> np.ndarray:
    # Sums are added in float32: what rounding leaves of a replicate without spread must not be divided by.
    spread = squares - of_the_mean
    return np.where(spread > 1e-5 * squares, spread, 0)


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The quotient, NaN where nothing is below."""
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def interval(value: float, replicates: np.ndarray) -> Interval:
    """The value with the middle 95 % of its replicates; undefined replicates are left out."""
    defined = replicates[np.isfinite(replicates)]
    if not len(defined) or not np.isfinite(value):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.percentile(defined, (2.5, 97.5))
    return Interval(value, float(low), float(high))
