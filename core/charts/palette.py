"""One visual language for all figures: colours that read on light and dark ground, marks, and small helpers.

Blue is right and orange is wrong, never red against green; the three parts of the frequency distribution keep one
sequential blue, head darkest. Hues are told apart by people with any common colour-vision deficiency, and symbols
repeat what colour says.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.types import Interval

RIGHT, WRONG, QUIET, CHOSEN = "#2f7ed8", "#e07b1f", "#8b929a", "#d1517d"
SERIES = ("#2f7ed8", "#e07b1f", "#169b7f", "#a95fb8", "#9a8412", "#d1517d")
GROUPS = (*SERIES, "#4b8ea8", "#b07d4f")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "pentagon", "star", "hexagon")
PARTS = {"head": "#174f94", "torso": "#4a90d2", "tail": "#93c1ea"}
PART_SYMBOLS = {"head": "square", "torso": "circle", "tail": "diamond"}
FREQUENCY_SCALE = ((0.0, "#a3c8e5"), (0.5, "#468cc4"), (1.0, "#124a86"))
RULE = "rgba(139,146,154,0.45)"

PLOT_CONFIG = {
    "displaylogo": False,
    "scrollZoom": False,
    "modeBarButtonsToRemove": ["zoomIn2d", "zoomOut2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "png", "scale": 2, "filename": "tailscope"},
}


def text(value: object) -> str:
    """Data as text in a figure: Plotly reads labels as a small HTML, so names are escaped."""
    return html.escape(str(value), quote=False)


def short(words: str, most: int) -> str:
    """The words, cut to so many characters."""
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"


def compact(count: float) -> str:
    """A count in few characters: 7, 940, 1.2k, 34k, 2.1M."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            scaled = count / size
            return f"{scaled:.0f}{unit}" if scaled >= 10 else f"{scaled:.1f}".removesuffix(".0") + unit
    return f"{count:.0f}"


def translucent(colour: str, alpha: float) -> str:
    """A hex colour as rgba."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def cell_words(
    figure: go.Figure, x: Sequence[object], y: Sequence[object], words: Sequence[Sequence[str]] | np.ndarray
) -> None:
    """Words on the cells of a heat map, in the ink of the page: Plotly's own are grey on dark ground.

    Args:
        x, y: where columns and rows stand; words: [y, x]. The colours below are at most half opaque, to be read on.
    """
    figure.add_scatter(
        x=list(x) * len(y), y=[row for row in y for _ in x], text=[word for row in words for word in row],
        mode="text", hoverinfo="skip", showlegend=False,
    )  # fmt: skip


def style(rank: int) -> tuple[str, str]:
    """Colour and symbol of the series of this rank."""
    return GROUPS[rank % len(GROUPS)], SYMBOLS[rank % len(SYMBOLS)]


def blank(
    *, height: int, x_title: str = "", y_title: str = "", drag: str | bool = False, margin: int = 36
) -> go.Figure:
    """An empty figure with the margins, axes and legend that all figures share.

    Args:
        drag: what dragging does; margin: pixels above the plot.
    """
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": margin, "b": 8},
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom", "title": None},
        dragmode=drag,  # never a lasso, under which Streamlit takes no clicks; its button is in the toolbar
        hovermode="closest",
    )
    figure.update_xaxes(title=x_title, zeroline=False, automargin=True, showgrid=False)
    figure.update_yaxes(title=y_title, title_standoff=10, zeroline=False, automargin=True)
    return figure


def rows_axis(figure: go.Figure, labels: Sequence[str]) -> None:
    """One row a label, the first at the top."""
    figure.update_yaxes(
        tickmode="array", tickvals=list(range(len(labels))), ticktext=[text(label) for label in labels],
        range=[len(labels) - 0.4, -0.6], showgrid=False,
    )  # fmt: skip


def whiskers(
    values: Any, lows: Any, highs: Any, colour: str | None = None, *, thickness: float = 2, width: int = 4
) -> dict[str, Any]:
    """Error bars from values and the bounds of their intervals, in their trace's colour; undefined ends have none."""
    value, low, high = (np.asarray(part, np.float64) for part in (values, lows, highs))
    return {
        "type": "data", "symmetric": False, "thickness": thickness, "width": width, "color": colour,
        "array": np.nan_to_num(high - value).tolist(),
        "arrayminus": np.nan_to_num(value - low).tolist(),
    }  # fmt: skip


def bars(
    intervals: Sequence[Interval], colour: str | None = None, *, width: int = 4, scale: float = 1
) -> dict[str, Any]:
    """``whiskers`` of intervals, in units of which ``scale`` make one."""
    value, low, high = ([scale * getattr(one, end) for one in intervals] for end in ("value", "low", "high"))
    return whiskers(value, low, high, colour, thickness=1.5, width=width)


def band(figure: go.Figure, x: Any, low: Any, high: Any, colour: str, *, name: str = "") -> None:
    """A filled band between two lines, in the legend if it has a name."""
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]), y=np.concatenate([low, high[::-1]]), fill="toself", fillcolor=colour,
        line={"width": 0}, hoverinfo="skip", name=name, showlegend=bool(name),
    )  # fmt: skip


def line(figure: go.Figure, x: Any, y: Any, colour: str = RULE, *, name: str = "", **how: Any) -> None:
    """A line that says nothing under the pointer, in the legend if it has a name; ``how``: width, dash."""
    figure.add_scatter(
        x=x, y=y, mode="lines", line={"color": colour, **how}, hoverinfo="skip", name=name, showlegend=bool(name)
    )


def ring(
    figure: go.Figure, x: Any, y: Any, names: Sequence[str] = (), *, place: str | list[str] = "top center"
) -> None:
    """Rings around the chosen points, if any, with their names beside them if they are given."""
    if not len(x):
        return
    figure.add_scatter(
        x=x, y=y, mode="markers+text" if names else "markers", text=[text(name) for name in names] or None,
        textposition=place, textfont={"size": 13}, hoverinfo="skip", name="selected", showlegend=False,
        marker={"symbol": "circle-open", "size": 15, "color": CHOSEN, "line": {"width": 2.5}},
    )  # fmt: skip


def by_count(logs: np.ndarray, *, title: str) -> dict[str, Any]:
    """How markers are coloured by the logarithm of a count, with the bar that explains it."""
    first, last = (int(np.floor(logs.min())), int(np.ceil(logs.max()))) if len(logs) else (0, 1)
    ticks = list(range(first, max(last, first + 1) + 1))
    return {
        "color": logs.astype(np.float32), "colorscale": [list(stop) for stop in FREQUENCY_SCALE],
        "cmin": ticks[0], "cmax": ticks[-1],
        "colorbar": {
            "title": {"text": title, "side": "top"}, "tickvals": ticks,
            "ticktext": [compact(10**tick) for tick in ticks], "thickness": 8, "len": 0.6, "outlinewidth": 0,
        },
    }  # fmt: skip


def standalone_html(figure: go.Figure, *, title: str) -> str:
    """One HTML page with the figure and the whole of Plotly inside; opens anywhere without a network."""
    page = go.Figure(figure)
    page.update_layout(template="plotly_white", title={"text": text(title), "x": 0.01, "y": 0.99}, margin={"t": 90})
    return page.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
