"""The same rows without the choices that flatter them: raw concepts, every bin, zeros apart, intervals over concepts.

Conventions, stated in every record: ``raw`` and ``partial_r`` use all rows with zero counts set to one (comparable with
the released figures); ``nonzero`` and ``slope_per_decade`` use only rows that occur in pretraining, because zero has no
place on a log axis. Intervals resample concept names: ImageNet and ImageNet-Sketch do not count as independent.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from core.published.pool import Combination, Rows
from core.published.recipe_paper import labels
from core.stats.bootstrap import (
    UNDEFINED,
    Resampler,
    about_means,
    correlation,
    interval,
    midranks,
    pearson,
    rank_correlation,
    ratio,
    slope,
)
from core.stats.intervals import wilson
from core.text.spelling import fold
from core.types import Interval

BINS_PER_DECADE = 2
MEANING = {
    "raw": "all rows, zero counts set to one",
    "nonzero": "rows with a count of at least one",
    "slope_per_decade": "least squares on log10 count over rows with a count of at least one",
    "partial_r": "all rows, log count and value each less the mean of their data set",
    "zero_vs_nonzero": "chance that a row with a count scores higher than one without (ties half)",
    "bins": "half decades, closed below; count is the geometric mean",
    "interval": "95 % bootstrap over concept names, 500 replicates",
}


def curve(rows: Rows, combination: Combination, datasets: tuple[str, ...]) -> dict[str, Any]:
    """The record of one curve: correlations and slope with intervals, all bins, the zero lane, what was left out."""
    x, y, found = np.log10(np.maximum(rows.counts, 1)), rows.values, rows.counts > 0
    names, clusters = _clusters(rows)
    _, sets = np.unique(rows.datasets.astype(str), return_inverse=True)
    sampler = Resampler.of(clusters)
    ranks = sampler.ranks(y)
    return {
        **labels(combination, "honest", datasets),
        "n_rows": len(y),
        "n_zero": rows.n_zero,
        "n_concepts": len(names),
        "raw": _correlations(sampler, x, y, ranks),
        "nonzero": _correlations(sampler.subset(found), x[found], y[found]),
        "slope_per_decade": plain(slope(sampler.subset(found), x[found], y[found])),
        "partial_r": plain(partial_r(sampler, x, y, sets)),
        "zero_vs_nonzero": _zero_against_rest(sampler, y, found, ranks),
        **_bins(sampler, rows),
        "left_out": [{"item": item.item, "reason": item.reason} for item in rows.left_out],
        "meaning": MEANING,
    }


def slope_per_decade(rows: Rows) -> Interval:
    """The slope of the record alone, without the rest."""
    x, found = np.log10(np.maximum(rows.counts, 1)), rows.counts > 0
    return slope(Resampler.of(_clusters(rows)[1]).subset(found), x[found], rows.values[found])


def _clusters(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Folded concept names, and every row's index among them."""
    names, index = np.unique([fold(concept) for concept in rows.concepts], return_inverse=True)
    return names, index


def plain(value: Interval) -> dict[str, float]:
    """An interval as the records write it."""
    return {"value": value.value, "low": value.low, "high": value.high}


def _correlations(sampler: Resampler, x: np.ndarray, y: np.ndarray, ranks: np.ndarray | None = None) -> dict[str, Any]:
    return {
        "n": len(x),
        "pearson": plain(correlation(sampler, x, y)),
        "spearman": plain(rank_correlation(sampler, x, y, ranks=ranks)),
    }


def partial_r(sampler: Resampler, x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> Interval:
    """Pearson's r after taking each group's own mean from x and y, also within every replicate."""
    n = np.bincount(groups)
    value = pearson(x - (np.bincount(groups, x) / n)[groups], y - (np.bincount(groups, y) / n)[groups])
    member = np.eye(len(n))[groups]
    x, y = x - x.mean(), y - y.mean()
    columns = np.concatenate([member * part[:, None] for part in (np.ones_like(x), x, y, x * x, y * y, x * y)], axis=1)
    xx, yy, xy = (part.sum(axis=0) for part in about_means(*sampler.sums(columns).reshape(6, len(n), -1)))
    return interval(value, ratio(xy, np.sqrt(xx * yy)))


def _zero_against_rest(sampler: Resampler, y: np.ndarray, found: np.ndarray, ranks: np.ndarray) -> dict[str, Any]:
    n_found, n_zero = int(found.sum()), int((~found).sum())
    sizes = {"n_zero": n_zero, "n_nonzero": n_found}
    if not n_found or not n_zero:
        undefined = plain(UNDEFINED)
        return {**sizes, "auc": undefined, "rank_biserial": undefined}
    order = midranks(y) - len(y) / 2
    value = 0.5 + float(order[found].sum()) / (n_found * n_zero)
    weights = sampler.weights()
    weight_found = weights[found]
    ranked = (weight_found * ranks[found]).sum(0, dtype=np.float64)
    total = weight_found.sum(0, dtype=np.float64)
    pairs = total * (weights.sum(0, dtype=np.float64) - total)
    auc = interval(value, 0.5 + ratio(ranked, pairs))
    biserial = Interval(*(2 * part - 1 for part in (auc.value, auc.low, auc.high)))
    return {**sizes, "auc": plain(auc), "rank_biserial": plain(biserial)}


def _bounded(found: Interval, rows: Rows, inside: np.ndarray) -> Interval:
    """The interval of a bin; Wilson's over concepts, on the scores' own scale, where every replicate is equal."""
    top = 100.0 if rows.values.max(initial=0.0) > 1 else 1.0
    if found.low != found.high or rows.values.min(initial=0.0) < 0 or not 0 <= found.value <= top:
        return found
    n = len({fold(concept) for concept in rows.concepts[inside]})
    if n < 2:
        return Interval(found.value, math.nan, math.nan)
    wide = wilson(found.value / top * n, n)
    return Interval(found.value, wide.low * top, wide.high * top)


def _bins(sampler: Resampler, rows: Rows) -> dict[str, Any]:
    """Half-decade bins of the rows that were found, and the lane of those that were not."""
    top = max(1, int(np.ceil(np.log10(rows.counts.max() + 1) * BINS_PER_DECADE)))
    edges = 10.0 ** (np.arange(top + 1) / BINS_PER_DECADE)
    lane = np.where(rows.counts > 0, np.searchsorted(edges, rows.counts, side="right"), 0)
    member = np.eye(top + 2)[lane]
    logs = np.log10(np.maximum(rows.counts, 1))
    n, counts, logs, values = (member.T @ part for part in (np.ones(len(lane)), rows.counts, logs, rows.values))
    drawn = sampler.sums(np.concatenate((member, member * rows.values[:, None]), axis=1))
    means = ratio(drawn[top + 2 :], drawn[: top + 2])
    part: dict[int, dict[str, Any]] = {
        index: {"n": int(n[index]), "mean": value.value, "low": value.low, "high": value.high}
        for index in np.flatnonzero(n).tolist()
        for value in [_bounded(interval(float(values[index] / n[index]), means[index]), rows, lane == index)]
    }
    return {
        "bins": [
            {
                "from": float(edges[index - 1]),
                "to": float(edges[index]),
                "count": float(10 ** (logs[index] / n[index])),
                "mean_count": float(counts[index] / n[index]),
                **mean,
            }
            for index, mean in part.items()
            if index
        ],
        "zero": part.get(0),
    }
