"""The lab's figure of accuracy with the null band: what random words achieve under the same model."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

import plotly.graph_objects as go

from core.analysis.compare import Summary
from core.analysis.random_words_band import Band
from core.charts.palette import QUIET, RIGHT, bars, blank, rows_axis, translucent
from core.stats.intervals import UNDEFINED, wilson


def accuracy_figure(lenses: Mapping[str, Summary], bands: Mapping[str, Band]) -> go.Figure:
    """Top-1 accuracy of every lens with its interval over images; in grey, mean ± sd of random words.

    Args:
        bands: lens id -> the band of the lens's model; lenses without one are drawn without.
    """
    labels = list(lenses)
    figure = blank(height=92 + 46 * len(labels))
    rows = [(bands[label], row) for row, label in enumerate(labels) if label in bands]
    for number, (band, members) in enumerate(groupby(rows, key=lambda item: item[0])):
        listed = [row for _, row in members]
        _band(figure, band, listed[0], listed[-1], first=not number)
    found = [
        wilson(round(one.acc1 * one.n), one.n) if one.acc1 is not None and one.n else UNDEFINED
        for one in lenses.values()
    ]
    figure.add_scatter(
        x=[one.value for one in found],
        y=list(range(len(labels))),
        error_x=bars(found, RIGHT),
        mode="markers",
        marker={"color": RIGHT, "size": 11},
        hovertemplate="%{x:.1%}<extra></extra>",
        name="lens, 95 % CI over images",
    )
    figure.update_xaxes(title="Top-1 accuracy", tickformat=".0%", showgrid=True)
    rows_axis(figure, labels)
    return figure


def _band(figure: go.Figure, band: Band, top: int, bottom: int, *, first: bool) -> None:
    low, high = band.mean - band.sd, band.mean + band.sd
    above, below = top - 0.5, bottom + 0.5
    figure.add_scatter(
        x=[low, high, high, low, low], y=[above, above, below, below, above], mode="lines", fill="toself",
        # A spread of a few hundredths of a point is thinner than a pixel: its edge keeps it visible.
        fillcolor=translucent(QUIET, 0.3), line={"color": translucent(QUIET, 0.7), "width": 2},
        hovertemplate=f"random words: {100 * band.mean:.2f} ± {100 * band.sd:.2f} %<extra></extra>",
        name=f"random words, mean ± sd of {len(band.values)} seeds", legendgroup="null", showlegend=first,
    )  # fmt: skip
