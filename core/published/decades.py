"""Mean accuracy per decade of frequency, in the recipe that reproduces the paper's Table 6.

Found by search over prompt strategies, methods, data sets and edge rules: 80-template ensemble, integrated counts, the
18 data sets pooled. The table's zero column holds concepts counted zero times *and* once, because zeros were set to one
before the logarithm; the next column starts at two.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from core.published import catalogue
from core.published.names import HEADLINE_METHOD, ZERO_SHOT, default_sets
from core.published.pool import Combination, pool
from core.published.store import Store

PROMPTS = "ensemble"
EDGES_RULE = (
    "zero counts are set to one; the zero column holds counts 0 and 1, the next ones 2–9, 10–99, 100–1,000 and "
    "1,001–9,999 (decades closed below, of the natural logarithm divided by ln 10, which for exactly 1,000 falls just "
    "short of 3)"
)
EDGES = (0, 1, 10, 100, 1_000, 10_000)


def decades(store: Store, pretraining: str, model: str) -> dict[str, Any]:
    """Means per decade: ``recipe`` in words and ``decades``, first the zero column as the paper had it."""
    datasets = default_sets(ZERO_SHOT, HEADLINE_METHOD)
    combination = Combination(ZERO_SHOT, pretraining, HEADLINE_METHOD, PROMPTS, model)
    catalogue.require(store, combination, datasets)
    rows = pool(store, combination, datasets, "paper")
    column = column_of(rows.counts)
    means = [rows.values[column == index] for index in range(len(EDGES) - 1)]
    return {
        "pretraining": pretraining,
        "model": model,
        "recipe": {"prompts": PROMPTS, "method": HEADLINE_METHOD, "datasets": list(datasets), "edges_rule": EDGES_RULE},
        "decades": [
            {"from": low, "to": high, "n": len(part), "mean": float(part.mean()) if len(part) else None}
            for low, high, part in zip(EDGES, EDGES[1:], means, strict=False)
        ],
        "zero_column": {"n_zero": rows.n_zero, "n_one": int((rows.counts == 1).sum())},
    }


def column_of(counts: np.ndarray) -> np.ndarray:
    """Table column of every count: 0 for counts 0 and 1, then one per decade; larger ones go beyond the last."""
    x = np.log(np.maximum(counts, 1)) / math.log(10)
    return np.where(x <= 0, 0, np.floor(x).astype(np.int64) + 1)
