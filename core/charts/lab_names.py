"""The lab's figure of names: arrows from what a class is called to the spelling that captions use most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.analysis.renaming import Arrow
from core.charts.counts import count_axis, lane_below, positions
from core.charts.palette import QUIET, blank, by_count, line, text

LABELLED = 6


def arrow_figure(arrows: Sequence[Arrow], *, before: str, after: str, corpus: str) -> go.Figure:
    """Accuracy against how many captions use the spelling: a ring at the name, an arrowhead at the synonym.

    The head's colour is the frequency of the synonym; a point brings back [class index].

    Args:
        before, after: what the two lenses are called; corpus: whose captions were counted.
    """
    figure = blank(height=460, y_title="Zero-shot accuracy", drag="pan")
    counts = np.array([one.counts for one in arrows], np.int64).reshape(-1, 2)
    seen = counts[counts > 0]
    least = int(seen.min()) if len(seen) else 1
    x = positions(counts.ravel(), lane=lane_below(least)).reshape(-1, 2)
    y = np.array([(one.before, one.after) for one in arrows], np.float32).reshape(-1, 2)
    gaps = np.full((len(arrows), 1), np.nan, np.float32)
    line(figure, np.hstack([x, gaps]).ravel(), np.hstack([y, gaps]).ravel(), QUIET, width=1.5)
    shared = [[one.index, one.name, one.spelling, *one.counts, one.n] for one in arrows]
    figure.add_scatter(
        x=x[:, 0], y=y[:, 0], mode="markers",
        marker={"symbol": "circle-open", "size": 8, "color": QUIET, "line": {"width": 1.5}},
        customdata=[[one[0], text(one[1]), one[3], one[5]] for one in shared],
        hovertemplate="<b>%{customdata[1]}</b><br>in %{customdata[2]:,} captions, %{y:.1%} correct of %{customdata[3]} "
        "images<extra></extra>",
        name=f"name, {text(before)}",
    )  # fmt: skip
    figure.add_scatter(
        x=x[:, 1], y=y[:, 1], mode="markers+text",
        marker=_heads(x, y, counts[:, 1]),
        text=[text(one.spelling) if one in _moved(arrows) else "" for one in arrows],
        textposition="top center",
        customdata=[[one[0], text(one[1]), text(one[2]), one[4], one[5]] for one in shared],
        hovertemplate="<b>%{customdata[1]} → %{customdata[2]}</b><br>in %{customdata[3]:,} captions, %{y:.1%} correct "
        "of %{customdata[4]} images<extra></extra>",
        name=f"synonym, {text(after)}",
    )  # fmt: skip
    most = int(counts.max(initial=1))
    count_axis(figure, most, zeros=bool((counts == 0).any()), title=f"Captions of {corpus} with it", least=least)
    figure.update_yaxes(tickformat=".0%", range=[-0.04, 1.08])
    return figure


def _moved(arrows: Sequence[Arrow]) -> list[Arrow]:
    """The few whose accuracy changes most, which are named in the figure."""
    ranked = sorted(arrows, key=lambda one: -abs(one.after - one.before))
    return [one for one in ranked[:LABELLED] if one.after != one.before]


def _heads(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> dict[str, Any]:
    logs = np.log10(np.maximum(counts, 1))
    # Arrowheads are turned by hand: Plotly's own turn needs one trace a line. Axes are about four decades to one.
    across, up = np.diff(np.log10(np.maximum(x, 1e-9)), axis=1)[:, 0] / 4, np.diff(y, axis=1)[:, 0]
    still = (np.abs(across) < 1e-6) & (np.abs(up) < 1e-6)
    return by_count(logs, title="captions") | {
        "symbol": np.where(still, "circle", "triangle-up").tolist(),
        "angle": np.degrees(np.arctan2(across, up)).astype(np.float32),
        "size": 11,
    }
