"""The first screen's figures: accuracy against frequency for all published models, one of them in full."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from core.analysis.overview import Means, ModelCurve
from core.charts.counts import LANE, count_axis
from core.charts.palette import QUIET, RIGHT, bars, blank, compact, text, translucent

FAINT = 0.34
ENOUGH = 10
"""Means of fewer concepts are not drawn."""


def curves_figure(curves: Sequence[ModelCurve], chosen: str) -> go.Figure:
    """Mean accuracy of the concepts in half decades of their count; concepts never counted stand in the lane of zero.

    Means of fewer than ``ENOUGH`` concepts are not drawn. Every mark has its model's id as custom data.

    Args:
        chosen: id of the model drawn in full, with the intervals of its means.
    """
    figure = blank(height=380, y_title="Zero-shot accuracy", margin=12)
    for one in sorted(curves, key=lambda one: one.model == chosen):
        _add(figure, one, full=one.model == chosen)
    most = max((means.count for one in curves for means in one.bins if means.n >= ENOUGH), default=10)
    zeros = any(one.never for one in curves)
    count_axis(figure, most, zeros=zeros, title="Times counted in the pretraining set")
    figure.update_yaxes(tickformat=".0%", range=[-0.02, 1.0], tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.update_layout(showlegend=False)
    return figure


def _add(figure: go.Figure, one: ModelCurve, *, full: bool) -> None:
    colour = RIGHT if full else translucent(QUIET, FAINT)
    lane = [(LANE, one.never)] if one.never else []
    bins = [(means.count, means) for means in one.bins if means.n >= ENOUGH]
    for means, mode in ((lane, "markers"), (bins, "lines+markers")):
        values = [part.accuracy for _, part in means]
        figure.add_scatter(
            x=[count for count, _ in means],
            y=[value.value for value in values],
            error_y=bars(values, colour) if full else None,
            mode=mode,
            line={"color": colour, "width": 2.5 if full else 1.5},
            marker={"color": colour, "size": 9 if full else 6},
            customdata=[[one.model, _counted(part), part.n] for _, part in means],
            hovertemplate=f"<b>{text(one.model)}</b><br>%{{customdata[2]:,}} concepts %{{customdata[1]}}: "
            "%{y:.1%}<extra></extra>",
        )
    if full and one.bins:
        figure.add_annotation(
            x=0.99, y=0.02, xref="paper", yref="paper", xanchor="right", yanchor="bottom", showarrow=False,
            text=f"{text(one.model)}, counted in {text(one.trained_on.partition(',')[0])}",
            font={"color": RIGHT, "size": 13},
        )  # fmt: skip


def _counted(part: Means) -> str:
    return f"counted {compact(part.start)}–{compact(part.stop)} times" if part.stop else "never counted"
