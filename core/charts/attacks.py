"""Figures of attacks: what is left at each ε, how much each image needs, and what transfers to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from core.charts.palette import (
    PART_SYMBOLS,
    PARTS,
    QUIET,
    RIGHT,
    WRONG,
    band,
    bars,
    blank,
    cell_words,
    style,
    text,
    translucent,
    whiskers,
)
from core.robustness.records import Record
from core.stats.format import percent
from core.stats.intervals import wilson
from core.types import Interval


def eps_curves(curves: Mapping[str, Sequence[Record]], *, units: str = "pixel/255") -> go.Figure:
    """Robust accuracy against ε for every series, with intervals; ε = 0 is the unattacked accuracy.

    Args:
        curves: label -> records of one attack at rising ε, all of one model and prompts.
    """
    figure = blank(height=400, x_title=f"ε, in 255ths ({units.partition('/')[0]} units)", y_title="Robust accuracy")
    for number, (label, records) in enumerate(curves.items()):
        first = records[0]
        clean = wilson(round(first.more["clean"] * first.n), first.n)
        y = [clean.value, *(one.acc1 for one in records)]
        low = [clean.low, *(one.low for one in records)]
        high = [clean.high, *(one.high for one in records)]
        supervised = first.prompts == "supervised"
        colour, symbol = style(number)
        figure.add_scatter(
            x=[0.0, *(one.eps for one in records)],
            y=y,
            error_y=whiskers(y, low, high, thickness=1, width=3),
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": "dash" if supervised else "solid"},
            marker={"color": colour, "size": 9, "symbol": symbol},
            customdata=[[round(100 * down), round(100 * up), first.n] for down, up in zip(low, high, strict=True)],
            hovertemplate="ε %{x:g}/255: %{y:.1%} correct (95 % CI %{customdata[0]}–%{customdata[1]}), "
            "%{customdata[2]} images",
            name=text(label),
        )
    figure.update_yaxes(tickformat=".0%", range=[0, None])
    figure.update_xaxes(showgrid=True)
    return figure


def needed_figure(eps: np.ndarray, parts: np.ndarray, *, upto: float) -> go.Figure:
    """Share of clean-right images that an ε up to x breaks, for all and for head and tail, with Wilson bands.

    Args:
        eps: [m], smallest ε in 255ths, NaN for an image that is wrong unattacked, inf for one that was not broken.
        parts: [m], ``head``, ``tail`` or another word; upto: end of the axis.
    """
    figure = blank(height=360, x_title="Smallest ε that breaks the image, in 255ths", y_title="Success rate")
    series = [("all", np.ones(len(eps), bool), QUIET, "circle")]
    series += [(part, parts == part, PARTS[part], PART_SYMBOLS[part]) for part in ("head", "tail")]
    grid = np.linspace(0, upto, 121)
    for name, inside, colour, symbol in series:
        values = np.sort(eps[inside & ~np.isnan(eps)])
        if not len(values):
            continue
        shares = [wilson(int(np.searchsorted(values, at, "right")), len(values)) for at in grid]
        if name != "all":
            low, high = ([getattr(one, end) for one in shares] for end in ("low", "high"))
            band(figure, grid, low, high, translucent(colour, 0.18))
        figure.add_scatter(
            x=grid,
            y=[one.value for one in shares],
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": "dot" if name == "all" else "solid"},
            marker={"color": colour, "symbol": symbol, "size": 8, "maxdisplayed": 8},
            hovertemplate="ε %{x:.2f}/255: %{y:.1%} broken",
            name=f"{name} ({len(values)} correct unattacked)",
        )
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    figure.update_xaxes(showgrid=True)
    return figure


def parts_figure(records: Sequence[Record]) -> go.Figure:
    """Share of head and of tail that was right and is broken, at each ε, with Wilson intervals."""
    figure = blank(height=320, x_title="ε, in 255ths", y_title="Success rate")
    for shift, part in ((-0.06, "head"), (0.06, "tail")):
        known = [one for one in records if one.eps is not None and one.more.get(f"{part}_clean_right")]
        if not known:
            continue
        value, low, high = (
            np.array([one.more[f"{part}_success{end}"] for one in known], float) for end in ("", "_low", "_high")
        )
        figure.add_scatter(
            x=[one.eps + shift for one in known if one.eps is not None],
            y=value,
            error_y=whiskers(value, low, high),
            mode="lines+markers",
            line={"color": PARTS[part], "width": 2},
            marker={"color": PARTS[part], "size": 10, "symbol": PART_SYMBOLS[part]},
            customdata=[one.more[f"{part}_clean_right"] for one in known],
            hovertemplate="%{y:.1%} of %{customdata} images broken",
            name=part,
        )
    figure.update_yaxes(tickformat=".0%", range=[0, 1.05])
    return figure


def transfer_figure(records: Sequence[Record], names: Mapping[str, str]) -> go.Figure:
    """Share of clean-right images broken: crafted on the model across, judged by the model down.

    Args:
        records: of one attack and ε; the surrogate is in ``more``, a record without one is the model itself.
        names: model -> how it is called, in the order of both axes.
    """
    order = {model: place for place, model in enumerate(names)}
    figure = blank(height=120 + 52 * len(names), x_title="Crafted on", y_title="Attacked")
    value = np.full((len(order), len(order)), np.nan)
    said = np.full(value.shape, "", dtype=object)
    hover = said.copy()
    for one in records:
        source = one.more.get("surrogate") or one.model
        if one.model in order and source in order:
            at = order[one.model], order[source]
            n = one.more["clean_right"]
            value[at] = one.more["success"]
            said[at] = f"{percent(one.more['success'])}<br>of {n}"
            low, high = 100 * one.more["success_low"], 100 * one.more["success_high"]
            hover[at] = f"{percent(one.more['success'])} of {n} broken (95 % CI {low:.0f}–{high:.0f})"
    labels = [text(name) for name in names.values()]
    figure.add_heatmap(
        z=value, x=labels, y=labels, zmin=0, zmax=1,
        colorscale=[[0, translucent(WRONG, 0.05)], [1, translucent(WRONG, 0.6)]], customdata=hover,
        hovertemplate="from %{x} to %{y}: %{customdata}<extra></extra>",
        hoverongaps=False, xgap=3, ygap=3, colorbar={"title": "broken", "tickformat": ".0%", "thickness": 10},
    )  # fmt: skip
    cell_words(figure, labels, labels, said)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


WRITTEN = {
    "correct without a word": (RIGHT, "circle"),
    "correct with meaningless letters": (QUIET, "square"),
    "correct with the word": (RIGHT, "circle-open"),
    "predicted as the word": (WRONG, "diamond"),
    "as that word without it": (WRONG, "diamond-open"),
}
"""What is told of pictures with a word of another class: colour and symbol."""


def written_figure(rows: Mapping[str, Mapping[str, Interval]]) -> go.Figure:
    """Shares of pictures with a wrong word on them, a line a model, with intervals.

    Args:
        rows: model -> what is told (``WRITTEN``) -> its share.
    """
    figure = blank(height=130 + 62 * len(rows))
    for rank, (what, (colour, symbol)) in enumerate(WRITTEN.items()):
        told = {at: shares[what] for at, shares in enumerate(rows.values()) if what in shares}
        if not told:
            continue
        names = [text(list(rows)[at]) for at in told]
        figure.add_scatter(
            # Below one another, for several are often zero.
            x=[one.value for one in told.values()], y=[at + 0.14 * (rank - 2) for at in told],
            mode="markers", name=what, error_x=bars(list(told.values()), QUIET),
            marker={"color": colour, "size": 9, "symbol": symbol},
            customdata=[[name, 100 * one.low, 100 * one.high] for name, one in zip(names, told.values(), strict=True)],
            hovertemplate=f"%{{customdata[0]}}<br>{what}: %{{x:.1%}} (95 % CI %{{customdata[1]:.1f}}–"
            "%{customdata[2]:.1f})<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(tickformat=".0%", range=[-0.03, 1.03], showgrid=True)
    ticks = list(range(len(rows)))
    figure.update_yaxes(autorange="reversed", showgrid=False, tickvals=ticks, ticktext=[text(name) for name in rows])
    return figure
