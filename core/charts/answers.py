"""Figures of one picture's answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from core.charts.palette import QUIET, RIGHT, RULE, WRONG, blank, rows_axis
from core.stats.format import signed

START = 0.05
"""The axis of cosines starts at a multiple of this."""


def top_bars(
    names: Sequence[str],
    scores: Sequence[float],
    *,
    true: str | None,
    probability: bool = False,
    ranks: Sequence[int | None] = (),
    chances: Sequence[float | None] = (),
) -> go.Figure:
    """The best classes of one picture, best first; the true class is blue, a wrong winner orange, both also marked.

    Args:
        scores: fractions, drawn as bars from zero, or cosines, which lie close together far from zero and are drawn
            as points on an axis that says where it starts.
        true: name of the true class, None when nobody knows it.
        ranks: written before the names; None stands for a rank behind all others.
        chances: probabilities, written behind cosines where they are known.
    """
    marks = ["✓ " if name == true else "× " if true and place == 0 else "" for place, name in enumerate(names)]
    colours = [RIGHT if mark == "✓ " else WRONG if mark else QUIET for mark in marks]
    if true is None:
        colours[:1] = [RIGHT]
    places = list(range(len(names)))
    figure = blank(height=52 + 30 * len(names), margin=4)
    if probability:
        _bars(figure, places, scores, colours)
    else:
        _points(figure, places, scores, colours, chances)
    behind = max((rank for rank in ranks if rank is not None), default=0)
    numbers = [f"{rank}. " if rank is not None else f"> {behind}. " for rank in ranks] or [""] * len(names)
    rows_axis(figure, ["".join(parts) for parts in zip(marks, numbers, names, strict=True)])
    figure.update_layout(bargap=0.35, showlegend=False)
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


def _points(
    figure: go.Figure, places: list[int], scores: Sequence[float], colours: list[str], chances: Sequence[float | None]
) -> None:
    high = max(scores)
    start = START * math.floor(min(scores) / START - 0.2)
    for place, score in zip(places, scores, strict=True):
        figure.add_shape(
            type="line", x0=start, x1=score, y0=place, y1=place, line={"color": RULE, "width": 2}, layer="below"
        )
    told = [f"  {score:.3f}" for score in scores]
    for place, chance in enumerate(chances):
        told[place] += "" if chance is None else f" · {chance:.1%}"
    figure.add_scatter(
        x=list(scores),
        y=places,
        mode="markers+text",
        marker={"color": colours, "size": 13},
        text=told,
        textposition="middle right",
        cliponaxis=False,
        hoverinfo="skip",
    )
    title = f"cosine, axis from {signed(start, 2)}" + (" · probability" if chances else "")
    figure.update_xaxes(title=title, range=[start, high + 0.5 * (high - start)], nticks=5)
