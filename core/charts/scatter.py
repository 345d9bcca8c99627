"""Models as points: accuracy on the tail against accuracy overall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from core.charts.palette import QUIET, SERIES, SYMBOLS, bars, blank, line, text
from core.types import Interval


@dataclass(frozen=True, slots=True)
class ModelPoint:
    """One model with its accuracy overall (x) and on the tail (y), fractions with 95 % intervals where known."""

    label: str
    overall: Interval
    tail: Interval
    group: str = ""
    chosen: bool = False


def tail_scatter(points: Sequence[ModelPoint], *, x_title: str, y_title: str) -> go.Figure:
    """Tail accuracy against overall accuracy with the identity line; below it, a model is worse in the tail.

    One trace a group; intervals are drawn where they have width; the chosen model is ringed and named.
    """
    figure = blank(height=440, x_title=x_title, y_title=y_title, drag="pan")
    values = [value for point in points for value in (point.overall.value, point.tail.value)]
    high = min(1.0, max(values, default=1.0) * 1.08 + 0.02)
    line(figure, [0, high], [0, high], dash="dot")
    figure.add_annotation(
        x=0.85 * high, y=0.85 * high, text="tail = overall", showarrow=False, xanchor="right", yanchor="bottom"
    )
    groups = list(dict.fromkeys(point.group for point in points))
    named = _beside(points, high) if len(points) <= 12 else {}
    for rank, group in enumerate(groups):
        members = [point for point in points if point.group == group]
        colour = SERIES[rank % len(SERIES)] if len(groups) <= len(SERIES) else QUIET
        figure.add_scatter(
            x=[point.overall.value for point in members],
            y=[point.tail.value for point in members],
            error_x=bars([point.overall for point in members], width=0),
            error_y=bars([point.tail for point in members], width=0),
            mode="markers+text" if named else "markers",
            text=[text(point.label) for point in members],
            textposition=[named.get(id(point), "bottom right") for point in members],
            marker={
                "color": colour,
                "symbol": SYMBOLS[rank % len(SYMBOLS)],
                "size": [13 if point.chosen else 10 for point in members],
                "line": {"width": [2.5 if point.chosen else 0 for point in members], "color": SERIES[1]},
            },
            name=text(group),
            showlegend=len(groups) > 1,
            hovertemplate="%{text}<br>overall %{x:.1%}<br>tail %{y:.1%}<extra></extra>",
        )
    figure.update_xaxes(tickformat=".0%", range=[-0.03 * high, high], showgrid=True)
    figure.update_yaxes(tickformat=".0%", range=[-0.06 * high, high])
    return figure


_MARK = 0.012
"""Half the width of a mark as a share of the plot's."""
_LINE = 0.055
"""Height of a name as a share of the plot's."""
_LETTER = 0.011
"""Width of a letter as a share of the plot's, on the narrowest wide screen."""


def _beside(points: Sequence[ModelPoint], high: float) -> dict[int, str]:
    """Where each point's name stands so that no two cover one another, by ``id`` of the point: the first free place."""
    at = [(point.overall.value / high, point.tail.value / high) for point in points]
    taken = [(x - _MARK, x + _MARK, y - _MARK, y + _MARK) for x, y in at]
    places = {}
    for point in sorted(points, key=lambda one: -one.overall.value):
        x, y, wide = point.overall.value / high, point.tail.value / high, _LETTER * len(point.label)
        for place in ("bottom right", "bottom left", "top right", "top left", "bottom center", "top center"):
            up, side = place.split()
            left = {"right": x + _MARK, "left": x - _MARK - wide, "center": x - wide / 2}[side]
            low = y + _MARK if up == "top" else y - _MARK - _LINE
            box = (left, left + wide, low, low + _LINE)
            if left >= -0.03 and left + wide <= 1 and not any(_meet(box, other) for other in taken):
                break
        else:
            place = "top right" if x < 0.5 else "top left"  # over a mark rather than outside the frame
        taken.append(box)
        places[id(point)] = place
    return places


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
