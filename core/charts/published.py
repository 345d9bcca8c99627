"""The published curves in both recipes, and how the paper's correlation moves with its choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.charts.counts import LANE, count_axis, density, positions
from core.charts.frequency import group_styles
from core.charts.palette import QUIET, SERIES, SYMBOLS, blank, compact, line, ring, style, text, translucent, whiskers
from core.published.names import METHODS, METRIC_WORDS, RETRIEVAL, TEXT_TO_IMAGE, ZERO_SHOT
from core.published.recipe_paper import SIGNIFICANT
from core.published.sentences import unit
from core.published.view import Shown, model_name, set_name
from core.stats.format import signed

FEW = 4
"""Curves whose single concepts answer to the pointer, and whose correlations fit a legend; more are ground only."""


def label(shown: Shown, among: Sequence[Shown]) -> str:
    """A curve's name: the model, with its pretraining set where others have another."""
    several = len({one.combination.pretraining for one in among}) > 1
    model = model_name(shown.combination.model)
    return f"{model} · {set_name(shown.combination.pretraining)}" if several else model


def styles(shown: Sequence[Shown]) -> list[tuple[str, str]]:
    """Colour and symbol of every curve: by pretraining set and architecture, or both by model within one set."""
    sets = list(dict.fromkeys(one.combination.pretraining for one in shown))
    if len(sets) == 1:
        return [style(rank) for rank in range(len(shown))]
    shapes = sorted({one.combination.model for one in shown})
    return [
        (
            SERIES[sets.index(one.combination.pretraining) % len(SERIES)],
            SYMBOLS[shapes.index(one.combination.model) % len(SYMBOLS)],
        )
        for one in shown
    ]


def score_title(shown: Sequence[Shown]) -> str:
    """What the scores are, with their unit."""
    family, condition = shown[0].combination.family, shown[0].combination.condition
    if family == ZERO_SHOT:
        return "Zero-shot accuracy (%)"
    if family == RETRIEVAL:
        return f"{METRIC_WORDS[condition].capitalize()} (%)"
    words = METRIC_WORDS[condition]
    return words[:1].upper() + words[1:]


def honest_figure(
    shown: Sequence[Shown], *, groups: Sequence[str] | None = None, about: str = "", height: int = 520
) -> go.Figure:
    """Every concept, means of half-decades with their intervals, the line, and the lane of zero counts.

    Args:
        groups: for a single curve, a word per row, told by colour and symbol.
        about: concept whose points are ringed.
    """
    figure = blank(height=height, y_title=score_title(shown), drag="pan")
    alone = len(shown) == 1
    if alone:
        density(figure, shown[0].rows.counts, shown[0].rows.values * factor(shown[0]))
    marks = list(zip(shown, styles(shown), strict=True))
    for one, (colour, _) in marks:
        _concepts(figure, one, colour, len(shown), groups if alone else None)
    for rank, (one, (colour, symbol)) in enumerate(marks):
        if alone:
            _line(figure, one, colour)
        means(figure, one, label(one, shown), colour, symbol, (rank + 0.5) / len(shown) - 0.5)
    if alone:
        _sizes(figure, shown[0])
    if about:
        _ring(figure, shown, about)
    axis(figure, shown)
    return figure


def paper_figure(shown: Sequence[Shown], *, height: int = 520) -> go.Figure:
    """Bin means at the bins' upper edges, joined as in the paper; the bins that were cut by hand are hollow."""
    figure = blank(height=height, y_title=score_title(shown), drag="zoom")
    for one, (colour, symbol) in zip(shown, styles(shown), strict=True):
        record = one.paper
        start, stop = record["kept"]
        edges, means = np.array(record["edges"]), np.array(record["bin_mean"]) * factor(one)
        n = np.array(record["bin_n"])
        kept = np.zeros(len(edges), dtype=bool)
        kept[start:stop] = True
        star = "**" if record["p"] < SIGNIFICANT else ""
        r = signed(record["r"], 2)
        name = f"{text(label(one, shown))}, r = {r}{star}"
        for part, told in ((kept, True), (~kept & (n > 0), False)):
            words = "mean %{y:.4~g} of %{customdata:,} rows"
            figure.add_scatter(
                x=edges[part],
                y=means[part],
                customdata=n[part],
                mode="lines+markers" if told else "markers",
                line={"color": colour, "width": 1.5},
                marker={
                    "color": colour,
                    "size": 9,
                    "symbol": symbol if told else f"{symbol}-open",
                    "opacity": 1 if told else 0.6,
                },
                name=name,
                legendgroup=name,
                showlegend=told,
                hovertemplate=f"upper edge %{{x:,.0f}}: {words}{'' if told else ', cut'}"
                f"<extra>{text(label(one, shown))}</extra>",
            )
    axis(figure, shown, zeros=False)
    figure.update_layout(showlegend=len(shown) <= FEW)
    return figure


def factor(shown: Shown) -> float:
    """What scores are multiplied by to be shown: recall is a fraction in the release."""
    return unit(shown.honest)[1]


def slope_of(shown: Shown) -> dict[str, float]:
    """Slope per decade with its interval, in the units of the release."""
    return shown.honest["slope_per_decade"]


def _concepts(figure: go.Figure, one: Shown, colour: str, of: int, groups: Sequence[str] | None) -> None:
    opacity = {1: 0.36, 2: 0.2, 3: 0.16}.get(of, 0.08)
    faint = np.where(one.rows.counts > 0, opacity, opacity / 2.5).astype(np.float32)
    marker: dict[str, Any] = {"color": colour, "opacity": faint, "size": 5 if of <= 3 else 4}
    if groups is not None:
        told = group_styles(groups)
        marker = {
            "color": [translucent(told[group][0], 0.25 if told[group][0] == QUIET else 0.8) for group in groups],
            "symbol": [told[group][1] for group in groups],
            "size": 6,
        }
        for group in sorted({group for group in groups if told[group][0] != QUIET}):
            figure.add_scatter(
                x=[None], y=[None], mode="markers", name=text(group),
                marker={"color": told[group][0], "symbol": told[group][1], "size": 9},
            )  # fmt: skip
    told_apart = of <= FEW
    rows = one.rows
    figure.add_scattergl(
        x=positions(rows.counts),
        y=(rows.values * factor(one)).astype(np.float32),
        mode="markers",
        marker=marker,
        text=[f"<b>{text(c)}</b> ({text(d)})" for c, d in zip(rows.concepts, rows.datasets, strict=True)]
        if told_apart
        else None,
        customdata=np.stack([rows.units, rows.counts], axis=1).astype(np.int32) if told_apart else None,
        hovertemplate="%{text}<br>counted %{customdata[1]:,} times<br>%{y:.3~g}<extra></extra>" if told_apart else None,
        hoverinfo=None if told_apart else "skip",
        showlegend=False,
    )


def _line(figure: go.Figure, one: Shown, colour: str) -> None:
    seen = one.rows.counts > 0
    slope = slope_of(one)["value"] * factor(one)
    if not np.isfinite(slope):
        return
    x, y = np.log10(one.rows.counts[seen]), one.rows.values[seen] * factor(one)
    ends = np.array([x.min(), x.max()])
    word, _, digits = unit(one.honest)
    if one.combination.family != TEXT_TO_IMAGE and slope:  # a line through accuracies stays within 0–100 %
        within = np.sort(x.mean() + (np.array([0.0, 100.0]) - y.mean()) / slope)
        ends = np.clip(ends, *within)
    name = f"fit: {signed(slope, digits, plus=True)} {word} per tenfold"
    line(figure, 10**ends, y.mean() + slope * (ends - x.mean()), colour, width=2, name=name)


def means(figure: go.Figure, one: Shown, name: str, colour: str, symbol: str, offset: float, *, size: int = 10) -> None:
    """Half-decade means joined by a line, and the mean of the zero counts in their lane, apart from it."""
    times, zero = factor(one), one.honest["zero"]
    lane = [{**zero, "count": LANE * 10 ** (0.3 * offset), "from": 0, "to": 0}] if zero else []
    for bins, mode in ((one.honest["bins"], "lines+markers"), (lane, "markers")):
        mean, low, high = ([item[key] * times for item in bins] for key in ("mean", "low", "high"))
        told = [
            f"{compact(item['from'])} to {compact(item['to'])} times" if item["to"] else "never counted"
            for item in bins
        ]
        figure.add_scatter(
            x=[item["count"] for item in bins],
            y=mean,
            error_y=whiskers(mean, low, high, colour),
            mode=mode,
            line={"color": colour, "width": 1.5},
            marker={"color": colour, "size": size, "symbol": symbol},
            customdata=[[words, item["n"], a, b] for words, item, a, b in zip(told, bins, low, high, strict=True)],
            hovertemplate="%{customdata[0]}: mean %{y:.4~g} (95 % CI %{customdata[2]:.4~g} to %{customdata[3]:.4~g}), "
            f"n %{{customdata[1]:,}}<extra>{text(name)}</extra>",
            name=text(name),
            legendgroup=text(name),
            showlegend=mode != "markers",
        )


def _sizes(figure: go.Figure, one: Shown) -> None:
    bins = [(item["count"], item["n"]) for item in one.honest["bins"]]
    if zero := one.honest["zero"]:
        bins.insert(0, (LANE, zero["n"]))
    figure.add_scatter(
        x=[count for count, _ in bins], y=[1.0] * len(bins), yaxis="y2", mode="text", cliponaxis=False,
        text=[compact(n) for _, n in bins], textfont={"size": 11}, textposition="bottom center",
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    figure.update_layout(yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True})


def _ring(figure: go.Figure, shown: Sequence[Shown], about: str) -> None:
    for rank, one in enumerate(shown):
        at = np.flatnonzero(one.rows.concepts == about)
        names = [about if rank == i == 0 else "" for i in range(len(at))]
        ring(figure, positions(one.rows.counts)[at], one.rows.values[at] * factor(one), names)


def axis(figure: go.Figure, shown: Sequence[Shown], *, zeros: bool = True) -> None:
    """The shared count axis under these curves."""
    most = max(float(one.rows.counts.max()) for one in shown)
    sets = {one.combination.pretraining for one in shown}
    where = set_name(shown[0].combination.pretraining) if len(sets) == 1 else "pretraining"
    title = f"Times counted in {where}, {METHODS[shown[0].combination.method]}" if zeros else "Upper edge of the bin"
    count_axis(figure, most, zeros=zeros and any(one.rows.n_zero for one in shown), title=title)
    if zeros and shown[0].combination.family != TEXT_TO_IMAGE:
        figure.update_yaxes(rangemode="tozero")
