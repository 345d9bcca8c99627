"""A published curve exactly as the release draws it: ``core.stats.paper_curve`` with its edges and hand-cut ends.

The steps are those of the released notebooks (``*_search_results.ipynb``, then the log-linear plots).
"""

from __future__ import annotations

from typing import Any

from core.published.names import RETRIEVAL, TEXT_TO_IMAGE, ZERO_SHOT
from core.published.pool import Combination, Rows
from core.stats.paper_curve import paper_curve

EDGES: dict[str, int] = {ZERO_SHOT: 12, RETRIEVAL: 7, TEXT_TO_IMAGE: 7}
SIGNIFICANT = 0.05
_DROPPED = {"laion400m": (2, 1), "synthci30m": (0, 4)}


def dropped_bins(family: str, pretraining: str) -> tuple[int, int]:
    """Bins that the figures cut at the low and at the high end."""
    return _DROPPED.get(pretraining, (1, 1)) if family == ZERO_SHOT else (3, 0)


def curve(rows: Rows, combination: Combination, datasets: tuple[str, ...]) -> dict[str, Any]:
    """The record of one curve; ``edges`` are counts, ``kept`` a half-open pair of bin numbers."""
    drop = dropped_bins(combination.family, combination.pretraining)
    found = paper_curve(rows.counts, rows.values, edges=EDGES[combination.family], drop=drop)
    return {
        **labels(combination, "paper", datasets),
        "n_rows": len(rows.counts),
        "n_zero": rows.n_zero,
        "edges": found.edges.tolist(),
        "bin_mean": found.mean.tolist(),
        "bin_n": found.n.tolist(),
        "kept": list(found.kept),
        "n_points": found.kept[1] - found.kept[0],
        "r": found.r,
        "p": found.p,
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
