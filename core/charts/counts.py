"""The axis that frequency figures share: counts on a log scale, zeros in a lane of their own at the left."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from core.charts.palette import QUIET, RULE, compact, translucent

LANE = 10**-0.55
"""Where a count of zero is drawn when counts from one on are shown."""
MOST_TITLE = 48
"""Letters of an axis title that a phone has room for; a longer one takes a second line."""
_GOLDEN = 0.6180339887498949


def lane_below(least: float) -> float:
    """Where a count of zero is drawn when ``least`` is the smallest count shown."""
    return LANE * 10 ** math.floor(math.log10(max(least, 1)))


def positions(counts: np.ndarray, *, lane: float = LANE) -> np.ndarray:
    """Counts as x values, float32: zeros spread over the lane, evenly and always in the same way."""
    spread = (np.arange(len(counts)) * _GOLDEN % 1.0 - 0.5) * 0.4
    return np.where(counts > 0, counts, lane * 10**spread).astype(np.float32)


def count_axis(figure: go.Figure, most: float, *, zeros: bool, title: str = "", least: float = 1, **where: int) -> None:
    """A log axis from ``least`` to ``most``, with the lane and its rule where there are zeros.

    Args:
        where: row and column of a subplot.
    """
    first, last = math.floor(math.log10(max(least, 1))), math.ceil(math.log10(max(most, 10)))
    powers = [power for power in range(first, last + 1) if last - first <= 5 or (power - first) % 2 == 0]
    ticks, labels, left = [10.0**power for power in powers], [compact(10.0**power) for power in powers], first - 0.12
    if zeros:
        lane = lane_below(least)
        ticks, labels, left = [lane, *ticks], ["0", *labels], math.log10(lane) - 0.26
        figure.add_vline(x=lane * 10**0.28, line={"color": RULE, "width": 1}, **where)
    figure.update_xaxes(
        type="log",
        title=title if len(title) <= MOST_TITLE else title.replace(", ", ",<br>", 1),
        range=[left, math.log10(max(most, 10)) + 0.15],
        tickmode="array",
        tickvals=ticks,
        ticktext=labels,
        ticks="outside",
        tickcolor=RULE,
        **where,
    )


def density(figure: go.Figure, counts: np.ndarray, values: np.ndarray) -> None:
    """A soft ground that shows where the concepts with a count pile up; nothing below a hundred of them."""
    seen = counts > 0
    x, y = np.log10(np.maximum(counts[seen], 1)), values[seen]
    if len(x) < 100 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    margin = 0.08 * np.ptp(y)
    reach = [[x.min() - 0.2, x.max() + 0.2], [y.min() - margin, y.max() + margin]]
    grid, x_edges, y_edges = np.histogram2d(x, y, bins=(44, 30), range=reach)
    kernel = np.exp(-0.5 * (np.arange(-5, 6) / 2.0) ** 2)
    for axis in (0, 1):
        grid = np.apply_along_axis(np.convolve, axis, grid, kernel / kernel.sum(), "same")
    figure.add_contour(
        x=(10 ** ((x_edges[:-1] + x_edges[1:]) / 2)).astype(np.float32),
        y=((y_edges[:-1] + y_edges[1:]) / 2).astype(np.float32),
        z=np.sqrt(grid.T).astype(np.float32),
        colorscale=[(0, translucent(QUIET, 0)), (0.2, translucent(QUIET, 0.04)), (1, translucent(QUIET, 0.34))],
        ncontours=9,
        line={"width": 0},
        showscale=False,
        hoverinfo="skip",
        showlegend=False,
    )
