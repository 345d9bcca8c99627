"""Concepts by their published accuracies: several under one model, and one under all models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from core.analysis.concepts import Score
from core.charts.counts import LANE, count_axis
from core.charts.palette import QUIET, RIGHT, blank, ring, rows_axis, short, style, text, whiskers
from core.published.view import set_name
from core.types import ClassValue


def accuracies_figure(classes: Sequence[ClassValue], counts: Mapping[str, int]) -> go.Figure:
    """One mark a class in the order given, with its interval where there is one; the class key is its custom data."""
    figure = blank(height=64 + 22 * len(classes), drag="pan")
    values, places = [one.accuracy for one in classes], list(range(len(classes)))
    told = [f"counted {counts[one.key]:,} times" if one.key in counts else "count unknown" for one in classes]
    figure.add_scatter(
        x=values,
        y=places,
        error_x=whiskers(
            values, [one.low for one in classes], [one.high for one in classes], RIGHT, thickness=1.5, width=0
        ),
        mode="markers",
        marker={"color": RIGHT, "size": 8},
        text=[text(one.name) for one in classes],
        customdata=[[one.key, words] for one, words in zip(classes, told, strict=True)],
        hovertemplate="<b>%{text}</b>: %{x:.1%}<br>%{customdata[1]}<extra></extra>",
        showlegend=False,
    )
    rows_axis(figure, [short(one.name, 28) for one in classes])
    figure.update_xaxes(tickformat=".0%", range=[-0.02, 1.02], showgrid=True, side="top")
    return figure


def models_figure(scores: Sequence[Score], *, chosen: str = "") -> go.Figure:
    """Accuracy of each model on one concept against its count in the model's own pretraining set.

    Models whose pretraining set was not counted stand in a lane of their own at the right. The model's id and the
    image set are the custom data of a point.

    Args:
        chosen: id of the model to ring.
    """
    figure = blank(height=400, y_title="Accuracy", drag="pan")
    sets = list(dict.fromkeys(score.pretraining for score in sorted(scores, key=lambda score: score.count is None)))
    counted = [score.count for score in scores if score.count]
    most = max(counted, default=10)
    beyond = 10.0 * max(most, 10)
    for rank, name in enumerate(sets):
        members = [score for score in scores if score.pretraining == name]
        _add(figure, members, [_place(one, beyond) for one in members], rank)
    _legend_once(figure)
    ringed = [score for score in scores if score.model == chosen]
    ring(figure, [_place(one, beyond) for one in ringed], [one.accuracy for one in ringed])
    count_axis(figure, most, zeros=any(score.count == 0 for score in scores), title="Times counted in its training set")
    if any(score.count is None for score in scores):
        axis = figure.layout.xaxis
        figure.update_xaxes(
            tickvals=[*axis.tickvals, beyond], ticktext=[*axis.ticktext, "not counted"],
            range=[axis.range[0], axis.range[1] + 1.2],
        )  # fmt: skip
    figure.update_yaxes(tickformat=".0%", range=[-0.04, 1.04])
    return figure


def sizes_figure(scores: Sequence[Score], *, chosen: str = "", height: int = 400) -> go.Figure:
    """Accuracy of each model on one concept against its size; those whose size is not stated are not drawn.

    Colours, marks and custom data are those of :func:`models_figure`.
    """
    figure = blank(height=height, y_title="Accuracy")
    sets = list(dict.fromkeys(score.pretraining for score in sorted(scores, key=lambda score: score.count is None)))
    for rank, name in enumerate(sets):
        members = [score for score in scores if score.pretraining == name and score.parameters]
        if members:
            _add(figure, members, [one.parameters or 0 for one in members], rank)
    _legend_once(figure)
    ringed = [score for score in scores if score.model == chosen and score.parameters]
    ring(figure, [one.parameters or 0 for one in ringed], [one.accuracy for one in ringed])
    figure.update_xaxes(type="log", title="Parameters, millions", tickvals=[100, 200, 500, 1000, 2000])
    figure.update_yaxes(tickformat=".0%", range=[-0.04, 1.04])
    return figure


def _add(figure: go.Figure, members: Sequence[Score], places: Sequence[float], rank: int) -> None:
    """The models of one pretraining set; those of sets that were not counted share one look and one legend entry."""
    counted = members[0].count is not None
    colour, symbol = style(rank) if counted else (QUIET, "circle")
    figure.add_scatter(
        x=list(places),
        y=[one.accuracy for one in members],
        mode="markers",
        marker={"color": colour, "symbol": symbol, "size": 10, "opacity": 0.85},
        customdata=[[one.model, one.image_set, _told(one)] for one in members],
        hovertemplate="<b>%{customdata[0]}</b> on %{customdata[1]}: %{y:.1%}<br>%{customdata[2]}<extra></extra>",
        name=text(set_name(members[0].pretraining)) if counted else "training set not counted",
    )


def _place(score: Score, beyond: float) -> float:
    return beyond if score.count is None else score.count or LANE


def _legend_once(figure: go.Figure) -> None:
    shown: set[str] = set()
    for trace in figure.data:
        trace.showlegend = trace.name not in shown
        shown.add(trace.name)


def _told(score: Score) -> str:
    return "its training set was not counted" if score.count is None else f"counted {score.count:,} times"
