"""Figures of failures: the confusion matrix as squares that can be clicked, for one run or as a difference of two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core.analysis.failures import Cells
from core.charts.palette import RIGHT, RULE, WRONG, blank, text

MOST = 6_000
"""Cells drawn, the largest first; the page says when there are more."""


def confusion_figure(cells: Cells, order: np.ndarray, names: Sequence[str], *, difference: bool = False) -> go.Figure:
    """Wrong answers as squares: true class down, class said across, larger and darker for more images.

    Heat-map cells cannot be selected, markers can; a point brings back [true, said, images].

    Args:
        order: int [c], classes in the order of both axes.
        difference: values may be negative; orange is more mistakes, blue fewer.
    """
    figure = blank(height=620, x_title="Class said", y_title="True class")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    true, said, value = cells.true[:MOST], cells.said[:MOST], cells.value[:MOST]
    most = max(1.0, float(np.abs(value).max(initial=1)))
    weight = np.sqrt(np.abs(value) / most)
    # Among hundreds of classes a cell is narrower than a pixel: smaller marks keep groups apart.
    least, span = (4, 9) if len(order) <= 200 else (3, 7)
    figure.add_scatter(
        x=[-0.5, len(order) - 0.5], y=[-0.5, len(order) - 0.5], mode="lines", line={"color": RULE, "width": 1},
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    parts = [("more mistakes" if difference else "mistakes", value > 0, WRONG), ("fewer mistakes", value < 0, RIGHT)]
    for name, mask, colour in parts:
        if not mask.any():
            continue
        figure.add_scatter(
            x=place[said[mask]].astype(np.int32),
            y=place[true[mask]].astype(np.int32),
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
            showlegend=difference,
        )
    few = len(order) <= 40
    labels = {"tickmode": "array", "tickvals": list(range(len(order))), "ticktext": [text(names[i]) for i in order]}
    figure.update_xaxes(**(labels if few else {"showticklabels": False}), range=[-1, len(order)])
    figure.update_yaxes(**(labels if few else {"showticklabels": False}), range=[len(order), -1], showgrid=False)
    figure.update_layout(dragmode="zoom")
    return figure
