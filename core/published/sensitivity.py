"""How the paper's r moves with choices that the recipe makes for the reader: number of bins, and which ends are cut."""

from __future__ import annotations

from typing import Any

from core.published.pool import Combination, Rows
from core.published.recipe_paper import EDGES, dropped_bins
from core.stats.paper_curve import paper_curve

BIN_NUMBERS = tuple(range(5, 41))
TRIMS = tuple(range(5))


def sensitivity(rows: Rows, combination: Combination) -> dict[str, Any]:
    """r over other numbers of bins (ends cut as released) and over other cuts (number of bins as released).

    Returns:
        ``bins``: [{"edges", "r", "p"}], ``cuts``: [{"low", "high", "n_points", "r", "p"}], and ``released`` with the
        choice of the figures.
    """
    edges, drop = EDGES[combination.family], dropped_bins(combination.family, combination.pretraining)
    by_bins = []
    for number in BIN_NUMBERS:
        found = paper_curve(rows.counts, rows.values, edges=number, drop=drop)
        by_bins.append({"edges": number, "r": found.r, "p": found.p})
    by_cut = []
    for low in TRIMS:
        for high in TRIMS:
            found = paper_curve(rows.counts, rows.values, edges=edges, drop=(low, high))
            points = max(0, found.kept[1] - found.kept[0])
            by_cut.append({"low": low, "high": high, "n_points": points, "r": found.r, "p": found.p})
    return {"released": {"edges": edges, "low": drop[0], "high": drop[1]}, "bins": by_bins, "cuts": by_cut}
