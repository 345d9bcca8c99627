"""Counts by rank: how long the tail of one's own concepts is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.charts.counts import LANE
from core.charts.palette import PART_SYMBOLS, PARTS, RULE, blank, compact, text
from core.stats.intervals import tags


def rank_figure(rows: Sequence[Mapping[str, Any]], *, method: str) -> go.Figure:
    """Concepts by rank of their count on log–log axes, zeros in a lane below; head, torso and tail are marked.

    Args:
        rows: concepts with ``concept`` and one count a method; those whose count is None are not drawn.
    """
    counts = {row["concept"]: row[method] for row in rows if row[method] is not None}
    part = tags(counts)
    ranked = sorted(counts, key=lambda key: (-counts[key], key))
    ranks = {key: rank for rank, key in enumerate(ranked, 1)}
    figure = blank(height=420, x_title="Rank of the concept", y_title="Times counted", drag="pan")
    for name in ("head", "torso", "tail"):
        keys = [key for key in ranked if part.get(key) == name]
        figure.add_scatter(
            x=[ranks[key] for key in keys],
            y=np.maximum([counts[key] for key in keys], LANE) if keys else [],
            mode="markers",
            marker={"color": PARTS[name], "symbol": PART_SYMBOLS[name], "size": 7},
            customdata=[[text(key), counts[key]] for key in keys],
            hovertemplate="%{customdata[0]}: %{customdata[1]:,}, rank %{x:,}<extra></extra>",
            name=name,
        )
    most = max(counts.values(), default=1)
    powers = [10.0**power for power in range(int(np.log10(max(most, 1))) + 1)]
    zeros = 0 in counts.values()
    figure.update_xaxes(type="log", tickmode="array", tickvals=[1, 10, 100, 1000, 10_000, 100_000])
    figure.update_yaxes(
        type="log",
        tickmode="array",
        tickvals=[*([LANE] if zeros else []), *powers],
        ticktext=[*(["0"] if zeros else []), *map(compact, powers)],
    )
    if zeros:
        figure.add_hline(y=LANE * 10**0.28, line={"color": RULE, "width": 1})
    return figure
