"""The frequency curve exactly as the authors of "No 'Zero-Shot' Without Exponential Data" computed it.

Kept apart from the honest figures of ``core.stats.intervals`` because each of its choices is the paper's, not
ours: zeros become ones, bins are equally wide in ln count and sit at their upper edge, end bins are cut by hand, and
the correlation is taken over binned means without weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PaperCurve:
    """Binned means by the paper's recipe.

    Attributes:
        edges: counts at which the bins are drawn, their upper edges, float64 [b].
        mean, n: mean value and number of concepts of every bin [b]; an empty bin has mean 0, as the authors had it.
        kept: half-open pair of indices: the bins that are plotted and correlated.
        r, p: Pearson correlation of ln(edge) with the means of the kept bins, and its two-sided p; NaN if undefined.
        slope_per_decade: rise per tenfold count along the least-squares line of the kept bins.
    """

    edges: np.ndarray
    mean: np.ndarray
    n: np.ndarray
    kept: tuple[int, int]
    r: float
    p: float
    slope_per_decade: float


def paper_curve(
    counts: np.ndarray, values: np.ndarray, *, edges: int = 12, drop: tuple[int, int] = (1, 1)
) -> PaperCurve:
    """Bin values by count and correlate the bins.

    Args:
        counts: int [n], pretraining counts, zeros included; values: float [n].
        edges: number of edges (12 for zero-shot, 7 for retrieval and text-to-image).
        drop: bins cut at the low and the high end ((1, 1) for CC-3M, CC-12M, YFCC-15M and LAION-200M, (2, 1) for
            LAION-400M, (0, 4) for SynthCI-30M, (3, 0) for all retrieval and text-to-image curves).
    """
    x, values = np.log(np.maximum(np.asarray(counts, np.float64), 1)), np.asarray(values, np.float64)
    at = np.linspace(x.min(), x.max(), edges)
    index = np.digitize(x, at, right=True)
    n = np.bincount(index, minlength=edges)
    means = np.bincount(index, weights=values, minlength=edges) / np.maximum(n, 1)
    kept = (min(drop[0], edges), max(edges - drop[1], 0))
    r, p, slope = _correlate(at[slice(*kept)], means[slice(*kept)])
    return PaperCurve(np.exp(at), means, n, kept, r, p, slope * math.log(10))


def _correlate(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    from scipy.special import stdtr

    if len(x) < 3:
        return math.nan, math.nan, math.nan
    dx, dy = x - x.mean(), y - y.mean()
    sx, sy, xy = dx @ dx, dy @ dy, dx @ dy
    if sx <= 0 or sy <= 0:
        return math.nan, math.nan, math.nan if sx <= 0 else 0.0
    r = float(np.clip(xy / math.sqrt(sx * sy), -1, 1))
    freedom = len(x) - 2
    t = math.inf if abs(r) == 1 else abs(r) * math.sqrt(freedom / (1 - r * r))
    return r, float(2 * stdtr(freedom, -t)), float(xy / sx)
