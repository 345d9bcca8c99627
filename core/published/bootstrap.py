"""Bootstrap over concepts: rows of one concept (under several data sets) are drawn together.

A replicate is a vector of whole-number weights on concepts. A statistic made of sums then needs one matrix product for
all replicates, and a rank statistic needs weighted mid-ranks: rows drawn twice are ties, as in a real resample.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.types import Interval

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
        return cls(clusters, _draws(int(clusters.max()) + 1, replicates, seed))

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


def interval(value: float, replicates: np.ndarray) -> Interval:
    """The value with the middle 95 % of its replicates; undefined replicates are left out."""
    defined = replicates[np.isfinite(replicates)]
    if not len(defined) or not np.isfinite(value):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.percentile(defined, (2.5, 97.5))
    return Interval(value, float(low), float(high))
