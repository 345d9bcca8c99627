"""Let It Wag!: models on the tail against ImageNet, one concept under every model, and all of it as a matrix."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from core.charts.counts import LANE, count_axis
from core.charts.palette import CHOSEN, GROUPS, QUIET, RIGHT, SYMBOLS, WRONG, blank, compact, line, text
from core.published.board import Entry
from core.published.letitwag import SPLIT_AT, Concept, Line, Matrix, Model
from core.published.view import set_name

ACCURACY_SCALE = ((0.0, WRONG), (0.5, "rgba(139,146,154,0.14)"), (1.0, RIGHT))
"""Accuracy as colour: orange is wrong, blue is right, what is undecided takes the page's ground."""
KINDS = {"text": ("square", GROUPS[1]), "image": ("circle", GROUPS[0]), "integrated": ("diamond", GROUPS[2])}


def family_styles(models: Sequence[Model]) -> dict[str, tuple[str, str]]:
    """Colour and symbol of every training-data family; hollow marks where the colours have run out."""
    names = list(dict.fromkeys(model.family for model in models))
    return {
        name: (GROUPS[i % len(GROUPS)], SYMBOLS[i % len(SYMBOLS)] + ("-open" if i >= len(GROUPS) else ""))
        for i, name in enumerate(names)
    }


def scatter(
    models: Sequence[Model],
    fits: Mapping[str, Line],
    *,
    chosen: Collection[str] = (),
    own: Sequence[Entry] = (),
    height: int = 520,
) -> go.Figure:
    """Let It Wag! against ImageNet: the paper's two segments in grey, one line through all models, and the identity.

    Args:
        chosen: names of models to ring and label; the one with a note is labelled as suspected.
        own: rows of one's own; those with an ImageNet accuracy are drawn.
    """
    figure = blank(height=height, x_title="ImageNet accuracy (%)", y_title="Let It Wag! accuracy (%)", drag="zoom")
    ends = np.array([min(model.imagenet for model in models) - 2, max(model.imagenet for model in models) + 2])
    line(figure, ends, ends, dash="dot", name="as on ImageNet")
    below = np.array([model.imagenet for model in models if model.imagenet < SPLIT_AT])
    above = np.array([model.imagenet for model in models if model.imagenet > SPLIT_AT])
    for name, x in (("below", below), ("above", above)):
        x = np.array([x.min(), x.max()])
        figure.add_scatter(
            x=x, y=fits[name].slope * x + fits[name].intercept, mode="lines", line={"color": QUIET, "width": 5},
            opacity=0.55, name="the paper's two fits", legendgroup="paper", showlegend=name == "below",
            hoverinfo="skip",
        )  # fmt: skip
    line(figure, ends, fits["all"].slope * ends + fits["all"].intercept, CHOSEN, width=2, name="one line")
    for family, (colour, symbol) in family_styles(models).items():
        members = [model for model in models if model.family == family]
        figure.add_scatter(
            x=[model.imagenet for model in members],
            y=[model.letitwag for model in members],
            mode="markers",
            marker={
                "color": colour,
                "symbol": symbol,
                "size": [_size(model) for model in members],
                "line": {"width": 1.5 if symbol.endswith("open") else 0},
            },
            customdata=[[text(model.name), _parameters(model)] for model in members],
            hovertemplate="<b>%{customdata[0]}</b>, %{customdata[1]}<br>ImageNet %{x:.1f} %, Let It Wag! %{y:.1f} %"
            "<extra></extra>",
            name=text(family),
        )
    placed = [one for one in own if one.imagenet is not None]
    if placed:
        figure.add_scatter(
            x=[100 * (one.imagenet or 0) for one in placed],
            y=[100 * one.letitwag for one in placed],
            mode="markers",
            text=[text(one.name) for one in placed],
            marker={"symbol": "star", "size": 15, "color": CHOSEN, "line": {"width": 1}},
            hovertemplate="<b>%{text}</b><br>ImageNet %{x:.1f} %, Let It Wag! %{y:.1f} %<extra></extra>",
            name="yours",
        )
    named = [model for model in models if model.name in chosen or model.note]
    labels = [
        *((one.imagenet, one.letitwag, f"{one.name}: doubtful" if one.note else one.name) for one in named),
        *((100 * (one.imagenet or 0), 100 * one.letitwag, one.name) for one in placed),
    ]
    _name(figure, labels, float(ends.mean()))
    figure.update_xaxes(range=ends.tolist())
    figure.update_yaxes(range=[-4, 88])
    return figure


def _size(model: Model) -> float:
    return 7 + 5 * np.log10((model.parameters or 100) / 100)


def _parameters(model: Model) -> str:
    return f"{model.parameters:,.0f} M parameters" if model.parameters else "size not stated"


def _name(figure: go.Figure, labels: Sequence[tuple[float, float, str]], middle: float) -> None:
    """Names beside marks (x, y, name), on the side where the figure has more room."""
    for x, y, name in labels:
        left = x > middle
        figure.add_annotation(
            x=x, y=y, ax=-28 if left else 28, ay=-40 if left else 30,
            xanchor="right" if left else "left", arrowcolor=QUIET, arrowwidth=1,
            arrowhead=0, text=text(name), font={"size": 12}, standoff=7,
        )  # fmt: skip


def histogram(concepts: Sequence[Concept], column: str) -> go.Figure:
    """How many concepts were counted how often in one column: a bar a half decade, never counted in a bar apart."""
    counts = np.array([one.counts[column] for one in concepts])
    seen = counts[counts > 0]
    edges = np.arange(0, math.ceil(2 * math.log10(seen.max(initial=1))) + 1.5) / 2
    bars, _ = np.histogram(np.log10(seen), edges)
    labels = ["0", *(f"{compact(10**low)}–{compact(10**high)}" for low, high in itertools.pairwise(edges))]
    figure = blank(height=250, x_title="Times counted", y_title="Concepts")
    figure.add_bar(
        x=labels, y=[int((counts == 0).sum()), *bars.tolist()], marker={"color": [QUIET, *[GROUPS[0]] * len(bars)]},
        hovertemplate="counted %{x} times: %{y} concepts<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(type="category")
    return figure


def counts_figure(concept: Concept) -> go.Figure:
    """One concept's counts in every pretraining set by every method; zeros stand in their lane."""
    figure = blank(height=250)
    sets = list(dict.fromkeys(column.partition("/")[0] for column in concept.counts))
    for kind, (symbol, colour) in KINDS.items():
        found = [(name, concept.counts[f"{name}/{kind}"]) for name in sets if f"{name}/{kind}" in concept.counts]
        figure.add_scatter(
            x=[count or LANE for _, count in found],
            y=[set_name(name) for name, _ in found],
            mode="markers",
            marker={"symbol": symbol, "color": colour, "size": 11, "opacity": 0.85},
            customdata=[count for _, count in found],
            hovertemplate=f"%{{y}}, {kind}: %{{customdata:,}}<extra></extra>",
            name=kind,
        )
    count_axis(figure, max(concept.counts.values()), zeros=not all(concept.counts.values()), title="Times counted")
    figure.update_yaxes(autorange="reversed", showgrid=True)
    return figure


def scale_figure(models: Sequence[Model], accuracy: np.ndarray) -> go.Figure:
    """One concept's accuracy against the size of the model; models of one training set are joined.

    Args:
        accuracy: percent, in the order of ``models``; NaN = not measured.
    """
    figure = blank(height=420, x_title="Parameters (millions, log scale)", y_title="Accuracy (%)")
    told = family_styles(models)
    sized = [
        (model, model.parameters, float(value))
        for model, value in zip(models, accuracy, strict=True)
        if model.parameters
    ]
    shown: set[str] = set()
    for name in dict.fromkeys(model.pretraining for model, *_ in sized):
        members = sorted((one for one in sized if one[0].pretraining == name), key=lambda one: one[1])
        family = members[0][0].family
        colour, symbol = told[family]
        figure.add_scatter(
            x=[parameters for _, parameters, _ in members],
            y=[value for *_, value in members],
            mode="lines+markers",
            line={"color": colour, "width": 1},
            marker={"color": colour, "symbol": symbol, "size": 9},
            customdata=[text(model.name) for model, *_ in members],
            hovertemplate="%{customdata}: %{y:.1f} %<extra></extra>",
            name=text(family),
            legendgroup=text(family),
            showlegend=family not in shown,
        )
        shown.add(family)
    figure.update_xaxes(type="log", tickmode="array", tickvals=[100, 200, 500, 1000, 2000])
    figure.update_yaxes(range=[-3, 103])
    return figure


def matrix_figure(
    found: Matrix, rows: Sequence[int], columns: Sequence[int], *, chosen: int | None = None
) -> go.Figure:
    """Every model (rows, in this order) on every concept (columns, in this order), accuracy as colour.

    Args:
        chosen: index of a concept to mark.
    """
    figure = blank(height=640, x_title=f"{len(columns)} concepts", drag="zoom")
    concepts = [found.concepts[index] for index in columns]
    figure.add_heatmap(
        z=found.accuracy[np.ix_(list(rows), list(columns))].astype(np.float32),
        x=list(range(len(columns))),
        y=[text(found.models[index].name) for index in rows],
        customdata=np.tile(np.array([text(item.name) for item in concepts], dtype=object), (len(rows), 1)),
        colorscale=[list(stop) for stop in ACCURACY_SCALE],
        zmin=0,
        zmax=100,
        hovertemplate="<b>%{customdata}</b><br>%{y}: %{z:.0f} %<extra></extra>",
        showscale=False,
    )
    if chosen is not None and chosen in columns:
        at = list(columns).index(chosen)
        figure.add_vline(x=at, line={"color": CHOSEN, "width": 1.5})
        figure.add_annotation(
            x=at, y=1, yref="paper", yanchor="bottom", text=text(found.concepts[chosen].name), showarrow=False
        )
    step = max(1, len(columns) // 24)
    figure.update_xaxes(
        tickmode="array", tickvals=list(range(0, len(columns), step)),
        ticktext=[text(item.name) for item in concepts[::step]], tickangle=-60, tickfont={"size": 10},
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", tickfont={"size": 10}, showgrid=False)
    return figure
