"""Figures of what is done about the tail: changes of head, torso and tail, and accuracy along a strength or shots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from core.analysis.group_change import GroupChange
from core.analysis.label_bias import Null
from core.analysis.picture_parts import Parts
from core.analysis.second_labels import PairAccuracy
from core.charts.palette import (
    PART_SYMBOLS,
    PARTS,
    QUIET,
    RIGHT,
    RULE,
    WRONG,
    bars,
    blank,
    rows_axis,
    text,
    translucent,
    whiskers,
)
from core.types import Interval


def change_figure(changes: Sequence[GroupChange], null: Sequence[Null] = ()) -> go.Figure:
    """Change of every group in points with its interval; grey bars: the middle 95 % under priors dealt at random."""
    figure = blank(height=110 + 46 * len(changes))
    figure.add_vline(x=0, line={"color": RULE, "width": 1})
    by_group = {one.group: one for one in null}
    for row, change in enumerate(changes):
        if (drawn := by_group.get(change.group)) is not None:
            low, high = 100 * drawn.low, 100 * drawn.high
            figure.add_scatter(
                x=[low, high, high, low, low], y=[row - 0.28, row - 0.28, row + 0.28, row + 0.28, row - 0.28],
                mode="lines", fill="toself", fillcolor=translucent(QUIET, 0.3),
                line={"color": translucent(QUIET, 0.7), "width": 1}, legendgroup="null", showlegend=not row,
                name="priors dealt at random, middle 95 %", hoverinfo="skip",
            )  # fmt: skip
    values, lows, highs = ([100 * getattr(one.change, end) for one in changes] for end in ("value", "low", "high"))
    figure.add_scatter(
        x=values, y=list(range(len(changes))), error_x=whiskers(values, lows, highs, QUIET, width=5), mode="markers",
        marker={"color": [RIGHT if value > 0 else WRONG for value in values], "size": 12},
        customdata=[[100 * one.before.value, 100 * one.after.value, one.fixed, one.broken] for one in changes],
        hovertemplate="%{x:+.1f} points (%{customdata[0]:.1f} to %{customdata[1]:.1f} %)<br>%{customdata[2]:,} images "
        "fixed, %{customdata[3]:,} broken<extra></extra>",
        name="change, 95 % CI over classes",
    )  # fmt: skip
    figure.update_xaxes(title="Change of mean class accuracy, points", showgrid=True)
    rows_axis(figure, [f"{one.group} ({one.classes:,})" for one in changes])
    return figure


def lines_figure(
    lines: Mapping[str, Sequence[tuple[float, Interval]]], *, x_title: str, log: bool = False
) -> go.Figure:
    """Mean class accuracy of each group along x, with intervals where they are defined."""
    figure = blank(height=330, x_title=x_title)
    for group, points in lines.items():
        colour = PARTS.get(group, QUIET)
        intervals = [one for _, one in points]
        figure.add_scatter(
            x=[x for x, _ in points],
            y=[one.value for one in intervals],
            error_y=bars(intervals, width=3),
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": "dot" if group == "all" else "solid"},
            marker={"color": colour, "size": 8, "symbol": PART_SYMBOLS.get(group, "circle-open")},
            hovertemplate=f"{text(group)}: %{{y:.1%}} at %{{x}}<extra></extra>",
            name=text(group),
        )
    if log:
        ticks = sorted({x for points in lines.values() for x, _ in points})
        figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{x:g}" for x in ticks])
    figure.update_xaxes(showgrid=True)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure


def pair_figure(pairs: Sequence[PairAccuracy], names: Sequence[str]) -> go.Figure:
    """Accuracy on pictures that hold two concepts against their PMI in captions; larger marks hold more pictures."""
    figure = blank(height=330, x_title="PMI of the two concepts in captions (bits)")
    figure.add_scatter(
        x=[one.pmi for one in pairs],
        y=[one.accuracy for one in pairs],
        mode="markers",
        marker={"color": RIGHT, "opacity": 0.6, "size": [6 + 2 * min(one.n, 50) ** 0.5 for one in pairs]},
        text=[f"{text(names[one.a])} with {text(names[one.b])}, {one.n:,} pictures" for one in pairs],
        hovertemplate="%{text}<br>PMI %{x:.1f}, %{y:.1%} correct<extra></extra>",
        showlegend=False,
    )
    figure.update_yaxes(tickformat=".0%", range=[-0.03, 1.03])
    return figure


def parts_figure(found: Parts) -> go.Figure:
    """A map of the parts over the picture as the model sees it: blue speaks for the class, orange against it."""
    height, width = found.seen.shape[:2]
    cells = len(found.map)
    figure = blank(height=320, margin=8)
    figure.add_image(z=found.seen)
    most = float(np.abs(found.map).max()) or 1.0
    figure.add_heatmap(
        z=found.map, x0=width / cells / 2 - 0.5, dx=width / cells, y0=height / cells / 2 - 0.5, dy=height / cells,
        zmin=-most, zmax=most, opacity=0.6, colorscale=[[0, WRONG], [0.5, "rgba(255,255,255,0)"], [1, RIGHT]],
        hovertemplate="%{z:.2f}<extra></extra>", colorbar={"thickness": 8, "len": 0.6},
    )  # fmt: skip
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return figure
