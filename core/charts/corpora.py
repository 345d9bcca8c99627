"""Pretraining sets compared: long tails, rank correlations, misaligned pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.charts.palette import SERIES, SYMBOLS, blank, compact, line
from core.published.corpora import EXTRACTED_SIZE, FIXED_SIZE, LongTail
from core.published.view import set_name

MOST = 700
"""Points a line is drawn with: ranks equally spaced on the log axis."""


def tails_figure(tails: Sequence[LongTail]) -> go.Figure:
    """Counts by rank on log–log axes; zeros have no place there and are stated in the legend with the Gini."""
    figure = blank(height=480, x_title="Rank of the concept", y_title="Times counted", drag="zoom")
    for rank, tail in enumerate(tails):
        at = np.unique(np.geomspace(1, len(tail.counts), MOST).astype(int))
        figure.add_scatter(
            x=at,
            y=tail.counts[at - 1].astype(np.float32),
            mode="lines",
            line={"color": SERIES[rank % len(SERIES)], "width": 2.5},
            name=f"{set_name(tail.pretraining)}: {tail.zeros:,} of {tail.rows:,} zero, Gini {tail.gini:.2f}",
            hovertemplate=f"{set_name(tail.pretraining)}, rank %{{x:,}}: %{{y:,.0f}}<extra></extra>",
        )
    most = max(float(tail.counts[0]) for tail in tails)
    powers = [10.0**power for power in range(int(np.log10(most)) + 1)]
    figure.update_xaxes(type="log", tickmode="array", tickvals=[1, 10, 100, 1000], ticktext=["1", "10", "100", "1k"])
    figure.update_yaxes(type="log", tickmode="array", tickvals=powers, ticktext=[compact(power) for power in powers])
    return figure


def pairs_figure(pairs: Sequence[Mapping[str, Any]], stated: Mapping[tuple[str, str], float]) -> go.Figure:
    """Spearman's rho of every pair: by name, by position as the notebook had it, and as the paper prints it.

    Args:
        stated: pair -> the paper's figure (of no single search method).
    """
    figure = blank(height=90 + 44 * len(pairs), x_title="Spearman's correlation of concept counts")
    names = [f"{set_name(pair['a'])} – {set_name(pair['b'])}" for pair in pairs]
    for name, pair in zip(names, pairs, strict=True):
        line(figure, [pair["by_position"], pair["by_name"]], [name, name], width=1)
    columns = (
        ("by name", [pair["by_name"] for pair in pairs], [pair["n"] for pair in pairs], SYMBOLS[0]),
        (
            "by position, as released",
            [p["by_position"] for p in pairs],
            [p["n_position"] for p in pairs],
            "diamond-open",
        ),
        ("stated in Table 4", [stated.get((p["a"], p["b"]), np.nan) for p in pairs], [0] * len(pairs), "x-thin"),
    )
    for rank, (label, values, n, symbol) in enumerate(columns):
        hover = f"%{{y}}, {label}: %{{x:.3f}}" + (" (n %{customdata:,})" if n[0] else "")
        _marks(figure, values, names, rank, symbol, label, hover, customdata=n)
    figure.update_xaxes(range=[min(0.4, *(pair["by_position"] for pair in pairs)) - 0.02, 1.02], showgrid=True)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def misalignment_figure(rows: Sequence[Mapping[str, Any]], checked: Mapping[str, float]) -> go.Figure:
    """Misaligned pairs in percent, over both denominators, beside the paper's check by hand.

    Args:
        checked: pretraining set -> percent of 200 pairs that a person found misaligned.
    """
    figure = blank(height=100 + 44 * len(rows), x_title="Pairs whose caption and image share no concept (%)")
    names = [set_name(row["pretraining"]) for row in rows]
    columns = (
        ("of the fixed size (Table 3)", [100 * row[FIXED_SIZE]["rate"] for row in rows], SYMBOLS[0]),
        ("of the samples read", [100 * row[EXTRACTED_SIZE]["rate"] for row in rows], "diamond"),
        ("200 pairs by hand (Table 7)", [checked.get(row["pretraining"], np.nan) for row in rows], "square-open"),
    )
    for rank, (label, values, symbol) in enumerate(columns):
        _marks(figure, values, names, rank, symbol, label, f"%{{y}}, {label}: %{{x:.2f}} %")
    figure.update_xaxes(rangemode="tozero", showgrid=True)
    figure.update_yaxes(showgrid=True)
    return figure


def _marks(
    figure: go.Figure, x: Any, y: Sequence[str], rank: int, symbol: str, name: str, hover: str, **more: Any
) -> None:
    marker = {"color": SERIES[rank], "symbol": symbol, "size": 11, "line": {"width": 2, "color": SERIES[rank]}}
    figure.add_scatter(
        x=x, y=y, mode="markers", marker=marker, hovertemplate=f"{hover}<extra></extra>", name=name, **more
    )
