"""Figures of corruptions: a map of conditions, accuracy along severity, and one picture along a sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from core.charts.palette import (
    CHOSEN,
    PART_SYMBOLS,
    PARTS,
    QUIET,
    RIGHT,
    RULE,
    SERIES,
    SYMBOLS,
    WRONG,
    bars,
    blank,
    rows_axis,
    text,
)
from core.types import Interval

_LOST = ((0.0, "#f3e4d5"), (0.5, WRONG), (1.0, "#7a3a05"))
_KEPT = ((0.0, "#dfe9f3"), (0.5, "#4a90d2"), (1.0, "#123f78"))


def condition_map(
    cells: Mapping[tuple[str, int], float],
    *,
    rows: Sequence[tuple[str, str]],
    title: str,
    good: bool,
    ratio: bool = False,
    chosen: tuple[str, int] | None = None,
) -> go.Figure:
    """One square a condition, corruptions down and severities across; squares can be selected.

    Args:
        cells: corruption and severity -> fraction; NaN is left blank. rows: corruption and how it is written.
        title: of the colours; good: whether a large value is good. ratio: values are ratios to a reference.
        chosen: the square to outline. A selected point carries its corruption and severity.
    """
    places = {name: place for place, (name, _) in enumerate(rows)}
    shown = [(name, severity, 100 * value) for (name, severity), value in cells.items() if value == value]
    severities = sorted({severity for _, severity in cells}) or [1]
    figure = blank(height=60 + 27 * len(rows), margin=8)
    top = max([value for *_, value in shown] + [100.0]) if ratio else 100.0
    grid = np.full((len(rows), len(severities)), np.nan)
    for name, severity, value in shown:
        grid[places[name], severities.index(severity)] = value
    figure.add_heatmap(
        z=grid, x=severities, y=list(range(len(rows))), zmin=0, zmax=top, showscale=False, hoverinfo="skip",
        colorscale=[list(stop) for stop in (_KEPT if good else _LOST)], xgap=2, ygap=2,
    )  # fmt: skip
    # A heat map cannot be selected; marks on its cells can.
    figure.add_scatter(
        x=[severity for _, severity, _ in shown],
        y=[places[name] for name, _, _ in shown],
        mode="markers+text",
        text=[f"{value:.0f}" for *_, value in shown],
        textfont={"size": 11, "color": ["#ffffff" if value > 0.42 * top else "#20262d" for *_, value in shown]},
        marker={
            "symbol": "square",
            "size": 24,
            "color": "rgba(0,0,0,0)",
            "line": {"width": [3 if (name, at) == chosen else 0 for name, at, _ in shown], "color": CHOSEN},
        },
        hovertext=[f"{value:.1f}" for *_, value in shown],
        customdata=[[name, severity] for name, severity, _ in shown],
        hovertemplate="%{customdata[0]} %{customdata[1]}: %{hovertext}<extra></extra>",
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
        showlegend=False,
    )
    figure.update_xaxes(
        title=f"Severity; numbers: {title}",
        tickvals=severities,
        range=[severities[0] - 0.52, severities[-1] + 0.52],
        showgrid=False,
    )
    rows_axis(figure, [words for _, words in rows])
    figure.update_layout(clickmode="event+select")
    return figure


def severity_lines(lines: Mapping[str, Mapping[str, Mapping[int, Interval]]]) -> go.Figure:
    """Accuracy against severity with intervals, a line for each model and part.

    Args:
        lines: model in words -> part (``head``, ``tail``) -> severity (0 = clean) -> accuracy, a fraction.
    """
    figure = blank(height=400, x_title="Severity (0 = clean)", y_title="Accuracy", margin=44)
    several = len(lines) > 1
    for number, (model, parts) in enumerate(lines.items()):
        for part, points in parts.items():
            severities = list(points)
            values = [one.value for one in points.values()]
            figure.add_scatter(
                x=[severity + 0.06 * (number - (len(lines) - 1) / 2) for severity in severities],
                y=values,
                error_y=bars(list(points.values())),
                mode="lines+markers",
                line={"color": PARTS[part], "width": 2.2, "dash": "solid" if number == 0 else "dot"},
                marker={"color": PARTS[part], "symbol": PART_SYMBOLS[part], "size": 9},
                name=text(f"{part}, {model}" if several else part),
                hovertemplate="%{y:.1%} at severity %{x:.0f}",
            )
    figure.update_xaxes(tickvals=list(range(6)), showgrid=False)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    return figure


def frame_margins(
    margins: Mapping[str, Sequence[float]], right: Mapping[str, Sequence[bool]], flips: Mapping[str, Sequence[int]]
) -> go.Figure:
    """Margin of each model for the true class along a sequence; blue marks are right, rules stand where it flips.

    Args:
        margins: model in words -> margin of every frame; right: whether the frame is predicted correctly; flips: frames
            whose answer differs from the one they are compared with.
    """
    figure = blank(height=300, x_title="Frame", y_title="Margin of the true class")
    figure.add_hline(y=0, line={"color": RULE, "width": 1})
    for (model, values), line, symbol in zip(margins.items(), SERIES, SYMBOLS, strict=False):
        for place in flips[model]:
            figure.add_vline(x=place - 0.5, line={"color": line, "width": 1, "dash": "dot"}, opacity=0.6)
        figure.add_scatter(
            x=np.arange(len(values)),
            y=list(values),
            mode="lines+markers",
            line={"color": QUIET if len(margins) == 1 else line, "width": 1.2},
            marker={"color": [RIGHT if one else WRONG for one in right[model]], "symbol": symbol, "size": 9},
            name=text(model),
            showlegend=len(margins) > 1,
            hovertemplate="frame %{x}: %{y:+.3f}",
        )
    figure.update_xaxes(showgrid=False)
    return figure
