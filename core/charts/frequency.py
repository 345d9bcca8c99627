"""Accuracy against pretraining frequency: every concept, binned means, the fitted line, and a lane for zero counts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.charts.counts import count_axis, density, lane_below, positions
from core.charts.palette import (
    GROUPS,
    PART_SYMBOLS,
    PARTS,
    QUIET,
    SERIES,
    SYMBOLS,
    band,
    blank,
    compact,
    ring,
    text,
    translucent,
    whiskers,
)
from core.stats.fits import NO_SHAPE, Shape
from core.stats.format import points
from core.stats.intervals import Bin, Trend

MANY = 2_000  # Points beyond which the browser draws with WebGL.
NAMED = 8  # Selected concepts that are labelled in the figure.


@dataclass(frozen=True)
class Series:
    """One lens over all concepts of known count.

    Attributes:
        label: what the legend says.
        classes: int [c], class index of every concept (comes back when a point is selected).
        names: [c]; counts: int [c]; accuracy: float [c], fractions; n: int [c], images.
        bins, trend: from ``core.stats.intervals``; shape: from ``core.stats.fits``; all over the same concepts.
    """

    label: str
    classes: np.ndarray
    names: Sequence[str]
    counts: np.ndarray
    accuracy: np.ndarray
    n: np.ndarray
    bins: Sequence[Bin]
    trend: Trend
    shape: Shape = NO_SHAPE


def frequency_figure(
    series: Sequence[Series],
    *,
    groups: Sequence[str] | None = None,
    chosen: Collection[int] = (),
    x_title: str = "Times counted in pretraining",
    measure: str = "accuracy",
) -> go.Figure:
    """Draw one lens with its density, or up to six overlaid; zero counts get a lane of their own at the left.

    Args:
        groups: for a single series, a word per concept (family, or head, torso, tail) told by colour and symbol.
        chosen: class indices to ring; the first few are named.
        measure: what the accuracies are, in a word.
    """
    figure = blank(height=520, x_title=x_title, y_title=f"Zero-shot {measure}", drag="pan")
    lane = lane_below(_least(series))
    alone = len(series) == 1
    if alone and groups is None:
        density(figure, series[0].counts, series[0].accuracy)
    for one, colour in zip(series, SERIES, strict=False):
        _points(figure, one, lane, colour, alone=alone, groups=groups if alone else None)
    for one, colour, symbol in zip(series, SERIES, SYMBOLS, strict=False):
        _trend(figure, one, colour, alone=alone)
        _means(figure, one, colour, symbol, alone=alone)
    if series:
        _ring(figure, series[0], lane, chosen)
    _axes(figure, series, x_title=x_title, alone=alone)
    return figure


def _least(series: Sequence[Series]) -> int:
    """The smallest count above zero."""
    seen = [one.counts[one.counts > 0] for one in series]
    return min((int(counts.min()) for counts in seen if len(counts)), default=1)


def _points(
    figure: go.Figure, one: Series, lane: float, colour: str, *, alone: bool, groups: Sequence[str] | None
) -> None:
    marker: dict[str, Any] = {"color": translucent(colour, 0.42 if alone else 0.16), "size": 7 if alone else 5}
    if groups is not None:
        styles = group_styles(groups)
        marker = {
            "color": [translucent(styles[group][0], 0.75) for group in groups],
            "symbol": [styles[group][1] for group in groups],
            "size": 8,
        }
        _legend(figure, groups, styles)
    trace = go.Scattergl if len(one.counts) > MANY else go.Scatter
    figure.add_trace(
        trace(
            x=positions(one.counts, lane=lane),
            y=one.accuracy.astype(np.float32),
            mode="markers",
            marker=marker,
            text=np.array([text(name) for name in one.names], object),
            customdata=np.stack([one.classes, one.counts, one.n], axis=1).astype(np.int32),
            hovertemplate="<b>%{text}</b><br>counted %{customdata[1]:,} times<br>%{y:.1%} correct"
            f"{' of %{customdata[2]} images' if one.n.all() else ''}<extra></extra>",
            name=text(one.label),
            legendgroup=text(one.label),
            showlegend=False,
        )
    )


def group_styles(groups: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and symbol of every group: the fixed ones of head, torso and tail, else the largest eight."""
    if set(groups) <= set(PARTS):
        return {part: (PARTS[part], PART_SYMBOLS[part]) for part in PARTS}
    largest = [group for group, _ in Counter(group for group in groups if group).most_common(len(GROUPS))]
    styles = dict.fromkeys(groups, (QUIET, "circle"))
    return styles | {group: (GROUPS[i], SYMBOLS[i]) for i, group in enumerate(sorted(largest))}


def _legend(figure: go.Figure, groups: Sequence[str], styles: dict[str, tuple[str, str]]) -> None:
    counts = Counter(groups)
    told = [group for group in styles if counts[group] and styles[group][0] != QUIET]
    rest = [group for group in styles if counts[group] and styles[group][0] == QUIET]
    entries = [(group, *styles[group]) for group in (told if set(told) <= set(PARTS) else sorted(told))]
    if rest:
        entries.append((f"{len(rest)} other groups" if len(rest) > 1 else rest[0] or "no group", QUIET, "circle"))
    for label, colour, symbol in entries:
        figure.add_scatter(
            x=[None], y=[None], mode="markers", marker={"color": colour, "symbol": symbol, "size": 9}, name=text(label)
        )


def _trend(figure: go.Figure, one: Series, colour: str, *, alone: bool) -> None:
    if not len(one.trend.counts):
        return
    # A straight line leaves the range of accuracies at the frequent end; what lies outside is not drawn.
    inside = (one.trend.fitted >= 0) & (one.trend.fitted <= 1)
    counts = one.trend.counts[inside]
    if alone:
        low, high = (np.clip(end[inside], 0, 1) for end in (one.trend.low, one.trend.high))
        band(figure, counts, low, high, translucent(colour, 0.16))
    if one.shape.bends and alone:
        bent = np.geomspace(one.trend.counts.min(), one.trend.counts.max(), 200)
        figure.add_scatter(
            x=bent, y=one.shape.fitted(bent), mode="lines", line={"color": colour, "width": 3}, hoverinfo="skip",
            name=f"with a break at {one.shape.at.value:,.0f}",
        )  # fmt: skip
    figure.add_scatter(
        x=counts,
        y=one.trend.fitted[inside],
        mode="lines",
        line={"color": colour, "width": 2, "dash": "solid" if alone and not one.shape.bends else "dot"},
        name=f"one line: {_slope(one)}"
        if alone and one.shape.bends
        else f"fit: {_slope(one)}"
        if alone
        else text(one.label),
        legendgroup=text(one.label),
        showlegend=alone,
        hoverinfo="skip",
    )


def _slope(one: Series) -> str:
    slope = one.trend.slope.value
    return "no trend" if math.isnan(slope) else f"{points(slope, plus=True)} points per tenfold"


def _means(figure: go.Figure, one: Series, colour: str, symbol: str, *, alone: bool) -> None:
    bins = one.bins
    mean = [b.mean for b in bins]
    figure.add_scatter(
        x=[b.count for b in bins],
        y=mean,
        error_y=whiskers(mean, [b.low for b in bins], [b.high for b in bins], colour),
        mode="markers" if alone else "lines+markers",
        line={"color": colour, "width": 1.5},
        marker={"color": colour, "size": 11 if alone else 9, "symbol": symbol},
        customdata=[[compact(b.start), compact(b.stop), b.n] for b in bins],
        hovertemplate="mean of %{customdata[2]} concepts counted %{customdata[0]}–%{customdata[1]} times: %{y:.1%}"
        f"<extra>{'' if alone else text(one.label)}</extra>",
        name="mean of a half-decade, 95 % CI" if alone else f"{text(one.label)} ({_slope(one)})",
        legendgroup=text(one.label),
    )
    if alone and bins:
        figure.add_scatter(
            x=[b.count for b in bins],
            y=[1.06] * len(bins),
            mode="text",
            text=[f"n {b.n}" if rank == 0 else str(b.n) for rank, b in enumerate(bins)],
            textfont={"size": 11},
            hoverinfo="skip",
            showlegend=False,
        )


def _ring(figure: go.Figure, one: Series, lane: float, chosen: Collection[int]) -> None:
    at = np.flatnonzero(np.isin(one.classes, list(chosen)))
    if len(at):
        x = positions(one.counts, lane=lane)[at]
        names = [one.names[i] for i in at.tolist()] if len(at) <= NAMED else []
        ring(figure, x, one.accuracy[at], names, place=_inwards(x, lane, one.counts.max()))


def _inwards(x: np.ndarray, first: float, last: float) -> list[str]:
    """Where a name goes beside its point, so that the ends of the axis do not cut it off."""
    along = np.log10(x / first) / max(np.log10(last / first), 1e-9)
    return ["top right" if at < 0.15 else "top left" if at > 0.85 else "top center" for at in along]


def _axes(figure: go.Figure, series: Sequence[Series], *, x_title: str, alone: bool) -> None:
    most = max((int(one.counts.max()) for one in series if len(one.counts)), default=1)
    zeros = any((one.counts == 0).any() for one in series)
    count_axis(figure, most, zeros=zeros, title=x_title, least=_least(series))
    figure.update_yaxes(tickformat=".0%", range=[-0.04, 1.1 if alone else 1.04], tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.update_layout(margin={"l": 72, "r": 8, "t": 58, "b": 70})  # enough for labels and legend: Plotly draws once
