"""Figures of one picture's answer."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from core.charts.palette import QUIET, RIGHT, RULE, WRONG, blank, text


def top_bars(
    names: Sequence[str], scores: Sequence[float], *, true: str | None, probability: bool = False
) -> go.Figure:
    """The best classes of one picture, best first; the true class is blue, a wrong winner orange, both also marked.

    Args:
        scores: fractions, drawn as bars from zero, or cosines, which lie close together far from zero and are drawn
            as points on an axis around them.
        true: name of the true class, None when nobody knows it.
    """
    marks = ["✓ " if name == true else "× " if true and rank == 0 else "" for rank, name in enumerate(names)]
    colours = [RIGHT if mark == "✓ " else WRONG if mark else QUIET for mark in marks]
    if true is None:
        colours[:1] = [RIGHT]
    places = list(range(len(names)))
    figure = blank(height=52 + 30 * len(names))
    if probability:
        _bars(figure, places, scores, colours)
    else:
        _points(figure, places, scores, colours)
    figure.update_yaxes(
        tickmode="array",
        tickvals=places,
        ticktext=[f"{mark}{text(name)}" for mark, name in zip(marks, names, strict=True)],
        range=[len(names) - 0.4, -0.6],
        showgrid=False,
    )
    figure.update_layout(bargap=0.35, margin={"t": 4}, dragmode=False, showlegend=False)
    return figure


def _bars(figure: go.Figure, places: list[int], scores: Sequence[float], colours: list[str]) -> None:
    figure.add_bar(
        x=list(scores),
        y=places,
        orientation="h",
        marker={"color": colours},
        text=[f"{score:.1%}" for score in scores],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure.update_xaxes(title="probability", range=[0, 1.2 * max(*scores, 0.05)], tickformat=".0%", nticks=5)


def _points(figure: go.Figure, places: list[int], scores: Sequence[float], colours: list[str]) -> None:
    low, high = min(scores), max(scores)
    pad = max(high - low, 0.01)
    for place, score in zip(places, scores, strict=True):
        figure.add_shape(
            type="line",
            x0=low - 0.3 * pad,
            x1=score,
            y0=place,
            y1=place,
            line={"color": RULE, "width": 2},
            layer="below",
        )
    figure.add_scatter(
        x=list(scores),
        y=places,
        mode="markers+text",
        marker={"color": colours, "size": 13},
        text=[f"  {score:.3f}" for score in scores],
        textposition="middle right",
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure.update_xaxes(title="cosine", range=[low - 0.3 * pad, high + 0.5 * pad], nticks=5)
