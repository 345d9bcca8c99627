"""Published curves taken apart: data set by data set, and the paper's correlation under other choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.charts.counts import count_axis, positions
from core.charts.palette import (
    CHOSEN,
    QUIET,
    RIGHT,
    RULE,
    WRONG,
    bars,
    blank,
    cell_words,
    style,
    text,
    translucent,
    whiskers,
)
from core.charts.published import axis, factor, label, means, slope_of, styles
from core.published.names import METHODS, TEXT_TO_IMAGE
from core.published.recipe_paper import SIGNIFICANT
from core.published.scale import SizePoint
from core.published.sentences import unit
from core.published.thresholds import Counted
from core.published.view import Shown, set_name
from core.stats.format import signed

ENOUGH = 10
"""Counted concepts that a data set needs for a slope of its own."""


def panel(dataset: str, parts: Sequence[Shown], among: Sequence[Shown]) -> go.Figure:
    """One data set as a small multiple, in the colours that its curves have among all."""
    figure = blank(height=230, margin=30)
    marks = {one.combination: style for one, style in zip(among, styles(among), strict=True)}
    for rank, one in enumerate(parts):
        colour, symbol = marks[one.combination]
        y = (one.rows.values * factor(one)).astype(np.float32)
        figure.add_scatter(
            x=positions(one.rows.counts), y=y, mode="markers", text=[text(name) for name in one.rows.concepts],
            marker={"color": translucent(colour, 0.35 if len(parts) == 1 else 0.2), "size": 4},
            hovertemplate="%{text}<br>%{x:,.0f} times, %{y:.3~g}<extra></extra>", showlegend=False,
        )  # fmt: skip
        means(figure, one, label(one, among), colour, symbol, (rank + 0.5) / len(parts) - 0.5, size=7)
    axis(figure, among)
    if parts[0].combination.family != TEXT_TO_IMAGE:
        figure.update_yaxes(range=[-4, 104])
    figure.update_xaxes(title=None)
    figure.update_layout(
        title={"text": f"{text(dataset)} · n {len(parts[0].rows.counts):,}", "font": {"size": 14}, "x": 0, "y": 0.98},
        showlegend=False,
    )
    return figure


def sets_figure(by_set: Mapping[str, Sequence[Shown]], among: Sequence[Shown]) -> go.Figure:
    """Slope per decade within every data set, with intervals: what pooling them would blur.

    The axis holds every slope; an interval that a handful of concepts stretches may leave it.
    """
    named = {name: parts for name, parts in by_set.items() if any(_defined(one) for one in parts)}
    order = sorted(named, key=lambda name: np.nanmean([slope_of(one)["value"] for one in named[name]]))
    figure = blank(
        height=110 + 26 * len(order) + 4 * len(among), x_title=f"{_word(among)} per tenfold frequency, 95 % CI"
    )
    for rank, (whole, (colour, symbol)) in enumerate(zip(among, styles(among), strict=True)):
        found = [
            (place, one)
            for place, name in enumerate(order)
            for one in named[name]
            if one.combination == whole.combination and _defined(one)
        ]
        values = [slope_of(one) for _, one in found]
        mean, low, high = ([value[key] * factor(whole) for value in values] for key in ("value", "low", "high"))
        figure.add_scatter(
            x=mean,
            y=[place + 0.5 * ((rank + 0.5) / len(among) - 0.5) for place, _ in found],
            error_x=whiskers(mean, low, high, colour, width=0, thickness=1.5),
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 8},
            customdata=[
                [text(order[place]), one.honest["nonzero"]["n"], one.honest["partial_r"]["value"]]
                for place, one in found
            ],
            hovertemplate="%{customdata[0]}: %{x:+.2~f} (%{customdata[1]:,} counted concepts, "
            "r = %{customdata[2]:.2f})<extra></extra>",
            name=text(label(whole, among)),
            showlegend=len(among) > 1,
        )
    figure.add_vline(x=0, line={"color": RULE, "width": 1})
    reach = _reach([one for parts in named.values() for one in parts if _defined(one)])
    _mark_cut(figure, reach)
    figure.update_xaxes(range=reach)
    figure.update_yaxes(
        tickmode="array", tickvals=list(range(len(order))), ticktext=[text(name) for name in order], showgrid=False,
        range=[-0.7, len(order) - 0.3],
    )  # fmt: skip
    figure.update_xaxes(showgrid=True)
    return figure


def edges_figure(shown: Sequence[Shown], found: Sequence[Mapping[str, Any]]) -> go.Figure:
    """The paper's r over the number of bin edges, ends cut as released; open marks are not significant."""
    figure = blank(height=330, x_title="Number of bin edges", y_title="Pearson's r over bin means")
    for one, part, (colour, symbol) in zip(shown, found, styles(shown), strict=True):
        solid = [item["p"] < SIGNIFICANT for item in part["bins"]]
        figure.add_scatter(
            x=[item["edges"] for item in part["bins"]],
            y=[item["r"] for item in part["bins"]],
            customdata=[item["p"] for item in part["bins"]],
            mode="lines+markers",
            line={"color": colour, "width": 1},
            marker={"color": colour, "size": 7, "symbol": [symbol if full else f"{symbol}-open" for full in solid]},
            name=text(label(one, shown)),
            hovertemplate="%{x} edges: r = %{y:.3f}, p = %{customdata:.2g}<extra></extra>",
        )
    released = found[0]["released"]["edges"]
    figure.add_vline(
        x=released, line={"color": RULE, "dash": "dot"}, annotation_text=f"as released: {released}",
        annotation_position="bottom right",
    )  # fmt: skip
    figure.update_yaxes(range=[min([0, *_finite(found)]) - 0.05, 1.06])
    figure.update_layout(showlegend=len(shown) > 1)
    return figure


def cuts_figure(found: Mapping[str, Any]) -> go.Figure:
    """The paper's r of one curve over how many bins are cut at either end; the released choice is framed."""
    cuts, released = found["cuts"], found["released"]
    size = max(item["low"] for item in cuts) + 1
    values = np.full((size, size), np.nan)
    words = np.full((size, size), "", dtype=object)
    for item in cuts:
        values[item["low"], item["high"]] = item["r"]
        star = "**" if item["p"] < SIGNIFICANT else ""
        words[item["low"], item["high"]] = signed(item["r"], 2) + star if np.isfinite(item["r"]) else "–"
    figure = blank(height=330, x_title="Bins cut at the high end", y_title="Bins cut at the low end")
    figure.add_heatmap(
        z=values, text=words, zmin=-1, zmax=1, xgap=2, ygap=2, showscale=False,
        colorscale=[(0, translucent(WRONG, 0.6)), (0.5, translucent(QUIET, 0.08)), (1, translucent(RIGHT, 0.6))],
        hovertemplate="%{y} low and %{x} high bins cut: r = %{text}<extra></extra>",
    )  # fmt: skip
    cell_words(figure, range(size), range(size), words)
    low, high = released["low"], released["high"]
    figure.add_shape(
        type="rect", x0=high - 0.5, x1=high + 0.5, y0=low - 0.5, y1=low + 0.5, line={"color": CHOSEN, "width": 2.5}
    )
    figure.update_xaxes(dtick=1)
    figure.update_yaxes(dtick=1, autorange="reversed", showgrid=False)
    return figure


def size_figure(found: Sequence[SizePoint]) -> go.Figure:
    """Slope of every model against its size; models of one pretraining set share a colour and a line."""
    figure = blank(height=440, x_title="Parameters (millions, log scale)", y_title="Points per tenfold count, 95 % CI")
    for rank, name in enumerate(dict.fromkeys(one.pretraining for one in found)):
        colour, symbol = style(rank)
        members = sorted(
            (one for one in found if one.pretraining == name and one.parameters), key=lambda one: one.parameters or 0
        )
        figure.add_scatter(
            x=[one.parameters for one in members],
            y=[one.slope.value for one in members],
            mode="lines+markers",
            line={"color": translucent(colour, 0.5), "width": 1.5},
            marker={"color": colour, "symbol": symbol, "size": 10},
            error_y=bars([one.slope for one in members], colour),
            customdata=[[text(one.model), one.slope.low, one.slope.high, one.n] for one in members],
            hovertemplate="<b>%{customdata[0]}</b>, %{x:,.0f} M<br>%{y:.1f} points per tenfold count "
            "(%{customdata[1]:.1f}–%{customdata[2]:.1f}), n %{customdata[3]:,}<extra></extra>",
            name=text(set_name(name)),
        )
    figure.update_xaxes(type="log", tickvals=[50, 75, 100, 150, 200, 300, 400, 600, 1000])
    figure.update_yaxes(rangemode="tozero")
    return figure


THRESHOLD_PANELS = {
    "never counted": "Rows never counted (%)",
    "slope": "Points per tenfold count, 95 % CI",
    "paper's r": "Paper's r (open: p ≥ 0.05)",
}
KINDS = {"image": "image tags", "integrated": "text and image", "text": "text"}


def threshold_figure(found: Sequence[Counted], panel: str) -> go.Figure:
    """One figure of one model against the RAM++ threshold; counts of captions alone are level lines.

    Args:
        panel: a key of ``THRESHOLD_PANELS``.
    """
    figure = blank(height=300, x_title="RAM++ threshold", y_title=THRESHOLD_PANELS[panel])
    for rank, (kind, name) in enumerate(KINDS.items()):
        colour, symbol = style(rank)
        own = sorted((one for one in found if one.kind == kind), key=lambda one: one.threshold or 0)
        if kind == "text":
            for one, dash in zip(own, ("dash", "dot"), strict=False):
                figure.add_hline(
                    y=_of_panel(one, panel), line={"color": colour, "dash": dash, "width": 1.5},
                    annotation_text=METHODS[one.method], annotation_font_size=11,
                )  # fmt: skip
            continue
        figure.add_scatter(
            x=[one.threshold for one in own],
            y=[_of_panel(one, panel) for one in own],
            error_y=bars([one.slope for one in own], colour) if panel == "slope" else None,
            mode="lines+markers",
            line={"color": colour, "width": 1.5},
            marker={
                "color": colour,
                "size": 9,
                "symbol": [
                    f"{symbol}-open" if panel == "paper's r" and one.p >= SIGNIFICANT else symbol for one in own
                ],
            },
            customdata=[[one.n, one.zeros] for one in own],
            hovertemplate="RAM++ %{x}: %{y:.2f} (%{customdata[0]:,} rows, %{customdata[1]:,} never counted)"
            "<extra></extra>",
            name=name,
        )
    figure.update_xaxes(dtick=0.05)
    return figure


def _of_panel(one: Counted, panel: str) -> float:
    return 100 * one.zeros / one.n if panel == "never counted" else one.slope.value if panel == "slope" else one.r


def counting_figure(found: Sequence[Counted]) -> go.Figure:
    """Mean accuracy by half decades of the count under every way of counting, for one model."""
    figure = blank(height=420, y_title="Zero-shot accuracy (%)")
    for rank, one in enumerate(found):
        colour, symbol = style(rank)
        figure.add_scatter(
            x=[part["count"] for part in one.bins],
            y=[part["mean"] for part in one.bins],
            mode="lines+markers",
            line={"color": colour, "width": 1.5},
            marker={"color": colour, "symbol": symbol, "size": 8},
            customdata=[[part["n"], part["low"], part["high"]] for part in one.bins],
            hovertemplate="%{x:,.0f} times: %{y:.1f} % (%{customdata[1]:.1f}–%{customdata[2]:.1f}), "
            "%{customdata[0]:,} rows"
            "<extra>" + METHODS[one.method] + "</extra>",
            name=METHODS[one.method],
        )
    most = max((part["count"] for one in found for part in one.bins), default=10)
    title = f"Times counted in {set_name(found[0].pretraining)}" if found else ""
    count_axis(figure, most, zeros=False, title=title)
    figure.update_yaxes(rangemode="tozero")
    return figure


def _word(shown: Sequence[Shown]) -> str:
    return unit(shown[0].honest)[0].capitalize()


def _defined(shown: Shown) -> bool:
    return bool(np.isfinite(slope_of(shown)["low"]) and shown.honest["nonzero"]["n"] >= ENOUGH)


def _finite(found: Sequence[Mapping[str, Any]]) -> list[float]:
    return [item["r"] for part in found for item in part["bins"] if np.isfinite(item["r"])]


def _mark_cut(figure: go.Figure, reach: Sequence[float]) -> None:
    """Arrow heads at the frame where an interval goes on beyond it."""
    width = reach[1] - reach[0]
    for trace in list(figure.data):
        mean, reaches = np.asarray(trace.x), trace.error_x
        ends = mean - np.asarray(reaches.arrayminus), mean + np.asarray(reaches.array)
        for symbol, edge, beyond in (
            ("triangle-left", reach[0] + 0.004 * width, ends[0] < reach[0]),
            ("triangle-right", reach[1] - 0.004 * width, ends[1] > reach[1]),
        ):
            cut = np.flatnonzero(beyond)
            figure.add_scatter(
                x=[edge] * len(cut), y=[trace.y[at] for at in cut], mode="markers", showlegend=False,
                hovertemplate="the interval goes on beyond the frame<extra></extra>",
                marker={"symbol": symbol, "color": trace.marker.color, "size": 9},
            )  # fmt: skip


def _reach(shown: Sequence[Shown]) -> list[float]:
    values, ends = (
        np.array([_slope[key] * factor(one) for one in shown for _slope in [slope_of(one)] for key in keys])
        for keys in (("value",), ("low", "high"))
    )
    low, high = np.quantile(ends, (0.06, 0.94))
    low, high = min(low, values.min(), 0), max(high, values.max(), 0)
    return [low - 0.06 * (high - low), high + 0.06 * (high - low)]
