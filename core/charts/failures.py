"""Figures of failures: the confusion matrix as squares that can be clicked, for one run or as a difference of two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core.analysis.failures import Cells
from core.charts.palette import RIGHT, WRONG, blank, text

MOST = 6_000
"""Cells drawn, the largest first; the page says when there are more."""


def confusion_figure(
    cells: Cells,
    order: np.ndarray,
    names: Sequence[str],
    *,
    correct: np.ndarray | None = None,
    images: np.ndarray | None = None,
    difference: bool = False,
) -> go.Figure:
    """The confusion matrix as squares: true class down, predicted class across, larger and darker for more images.

    Heat-map cells cannot be selected, markers can; a point off the diagonal brings back [true, predicted, images]. As
    many class names stand on the axes as there is room for: more appear as one zooms in.

    Args:
        order: int [c], classes in the order of both axes.
        correct, images: int [c], correct and all images of every class, drawn on the diagonal by their share.
        difference: values may be negative; orange is more mistakes, blue fewer.
    """
    figure = blank(height=680, x_title="Predicted class", y_title="True class", drag="zoom")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    true, said, value = cells.true[:MOST], cells.said[:MOST], cells.value[:MOST]
    most = max(1.0, float(np.abs(value).max(initial=1)))
    weight = np.sqrt(np.abs(value) / most)
    # Among hundreds of classes a cell is narrower than a pixel: smaller marks keep groups apart.
    least, span = (4, 9) if len(order) <= 200 else (3, 7)
    repeated = Counter(names)
    # An axis of categories holds each name once: repeated ones get their number, out of the same room.
    shown = [text(names[i]) if repeated[names[i]] == 1 else f"{text(names[i])} #{i}" for i in order]
    parts = [("more mistakes" if difference else "mistakes", value > 0, WRONG), ("fewer mistakes", value < 0, RIGHT)]
    for name, mask, colour in parts:
        if not mask.any():
            continue
        figure.add_scatter(
            x=[shown[at] for at in place[said[mask]]],
            y=[shown[at] for at in place[true[mask]]],
            mode="markers",
            marker={
                "symbol": "square" if colour == WRONG else "diamond",
                "color": colour,
                "opacity": 0.3 + 0.7 * weight[mask],
                "size": least + span * weight[mask],
                "line": {"width": 0},
            },
            text=[f"{text(names[a])} → {text(names[b])}" for a, b in zip(true[mask], said[mask], strict=True)],
            customdata=np.stack([true[mask], said[mask], value[mask].astype(np.int64)], axis=1).astype(np.int32),
            hovertemplate="<b>%{text}</b><br>%{customdata[2]:+d} images<extra></extra>"
            if difference
            else "<b>%{text}</b><br>%{customdata[2]} images<extra></extra>",
            name=name,
        )
    if correct is not None and images is not None:
        # Over the mistakes: neighbours on the axes are look-alikes, whose marks would cover the diagonal.
        _diagonal(figure, order, shown, correct, images)
    axis = {"type": "category", "categoryorder": "array", "categoryarray": shown, "tickfont": {"size": 11}}
    figure.update_xaxes(**axis, range=[-1, len(order)], tickangle=-60)
    figure.update_yaxes(**axis, range=[len(order), -1], showgrid=False)
    return figure


def _diagonal(
    figure: go.Figure, order: np.ndarray, shown: Sequence[str], correct: np.ndarray, images: np.ndarray
) -> None:
    """Correct answers, one square a class, darker for a larger share."""
    held = images[order] > 0
    share = correct[order][held] / images[order][held]
    on = [label for label, kept in zip(shown, held, strict=True) if kept]
    told = [
        f"<b>{label}</b><br>{n:,} of {of:,} correct"
        for label, n, of in zip(on, correct[order][held], images[order][held], strict=True)
    ]
    figure.add_scatter(
        x=on,
        y=on,
        mode="markers",
        marker={
            "symbol": "square",
            "color": RIGHT,
            "opacity": 0.08 + 0.92 * share,
            "size": 9 if len(order) <= 200 else 5,
            "line": {"width": 0},
        },
        hovertext=told,
        hoverinfo="text",
        name="correct",
    )
