"""A curve exactly as the release draws it: bins on the log axis, their means at the upper edge, ends cut by hand.

The steps are those of the released notebooks (zero_shot_/retrieval_/t2i_*_search_results.ipynb): zero counts become
one, edges are equally spaced in the natural logarithm, bins are right-closed, Pearson's r is taken over the means of
the bins that are kept, with the bin's upper edge as its position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betainc

from core.published.names import RETRIEVAL, TEXT_TO_IMAGE, ZERO_SHOT
from core.published.pool import Combination, Rows

EDGES = {ZERO_SHOT: 12, RETRIEVAL: 7, TEXT_TO_IMAGE: 7}
SIGNIFICANT = 0.05
_KEPT = {"laion400m": (2, 11), "synthci30m": (0, 8)}


def kept_bins(family: str, pretraining: str) -> tuple[int, int]:
    """Half-open range of the bins that the figures show."""
    return _KEPT.get(pretraining, (1, 11)) if family == ZERO_SHOT else (3, 7)


@dataclass(frozen=True)
class Bins:
    """Means along equally spaced log edges.

    Attributes:
        edges: float64 [b], natural logarithm of the counts; means: float64 [b], 0 for an empty bin; n: int [b].
    """

    edges: np.ndarray
    means: np.ndarray
    n: np.ndarray


def binned(counts: np.ndarray, values: np.ndarray, number: int) -> Bins:
    """Bin 0 holds counts equal to the smallest one, bin k those above edge k−1 up to edge k."""
    x = np.log(np.maximum(counts, 1))
    edges = np.linspace(x.min(), x.max(), number)
    bins = np.digitize(x, edges, right=True)
    n = np.bincount(bins, minlength=number)
    sums = np.bincount(bins, weights=values, minlength=number)
    return Bins(edges, np.divide(sums, n, out=np.zeros(number), where=n > 0), n)


def pearson(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Pearson's r and its two-sided p (t distribution, len − 2 degrees of freedom); NaN where undefined."""
    if len(x) < 2:
        return float("nan"), float("nan")
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    if scale == 0:
        return float("nan"), float("nan")
    r = float(np.clip(x @ y / scale, -1, 1))
    half = len(x) / 2 - 1
    return r, 1.0 if half == 0 else float(2 * betainc(half, half, (1 - abs(r)) / 2))


def curve(rows: Rows, combination: Combination, datasets: tuple[str, ...]) -> dict[str, Any]:
    """The record of one curve; ``edges`` are counts, ``kept`` a half-open pair of bin numbers."""
    bins = binned(rows.counts, rows.values, EDGES[combination.family])
    start, stop = kept_bins(combination.family, combination.pretraining)
    r, p = pearson(bins.edges[start:stop], bins.means[start:stop])
    return {
        **labels(combination, "paper", datasets),
        "n_rows": len(rows.counts),
        "n_zero": rows.n_zero,
        "edges": np.exp(bins.edges).tolist(),
        "bin_mean": bins.means.tolist(),
        "bin_n": bins.n.tolist(),
        "kept": [start, stop],
        "n_points": stop - start,
        "r": r,
        "p": p,
    }


def labels(combination: Combination, recipe: str, datasets: tuple[str, ...]) -> dict[str, Any]:
    """What every record of either recipe starts with."""
    return {
        "family": combination.family,
        "pretraining": combination.pretraining,
        "method": combination.method,
        "prompts" if combination.family == ZERO_SHOT else "metric": combination.condition,
        "model": combination.model,
        "recipe": recipe,
        "datasets": list(datasets),
    }
