"""Figures of one picture's answer."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from core.charts.palette import QUIET, RIGHT, WRONG, blank, text


def top_bars(names: Sequence[str], scores: Sequence[float], *, true: str | None, unit: str = "cosine") -> go.Figure:
    """Horizontal bars of the best classes of one picture, best first; the true class is blue, a wrong winner orange.

    Args:
        scores: cosines, or fractions when ``unit`` is ``probability``.
        true: name of the true class, None when nobody knows it.
    """
    marks = ["✓ " if name == true else "× " if true and rank == 0 else "" for rank, name in enumerate(names)]
    colours = [RIGHT if mark == "✓ " else WRONG if mark else QUIET for mark in marks]
    if true is None:
        colours[:1] = [RIGHT]
    percent = unit == "probability"
    labels = [f"{score:.1%}" if percent else f"{score:.3f}" for score in scores]
    figure = blank(height=44 + 30 * len(names))
    figure.add_bar(
        x=list(scores),
        y=list(range(len(names))),
        orientation="h",
        marker={"color": colours},
        text=labels,
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
    )
    low = min(0.0, *scores)
    top = max(scores) if not percent else max(max(scores), 0.05)
    figure.update_xaxes(title=unit, range=[low, top + 0.22 * (top - low)], nticks=5)
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=[f"{mark}{text(name)}" for mark, name in zip(marks, names, strict=True)],
        autorange="reversed",
        showgrid=False,
    )
    figure.update_layout(bargap=0.35, margin={"t": 4}, dragmode=False, showlegend=False)
    return figure
