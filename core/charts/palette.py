"""One visual language for all figures: colours that read on light and dark ground, marks, and small helpers.

Blue is right and orange is wrong, never red against green; the three parts of the frequency distribution keep one
sequential blue, head darkest. Hues are told apart by people with any common colour-vision deficiency, and symbols
repeat what colour says.
"""

from __future__ import annotations

import html

import plotly.graph_objects as go

RIGHT, WRONG, QUIET = "#2f7ed8", "#e07b1f", "#8b929a"
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


def blank(*, height: int, x_title: str = "", y_title: str = "") -> go.Figure:
    """An empty figure with the margins, axes and legend that all figures share."""
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom", "title": None},
        dragmode="pan",  # under a lasso Streamlit takes no clicks; its button is in the toolbar
        hovermode="closest",
    )
    figure.update_xaxes(title=x_title, zeroline=False, automargin=True, showgrid=False)
    figure.update_yaxes(title=y_title, title_standoff=10, zeroline=False, automargin=True)
    return figure


def standalone_html(figure: go.Figure, *, title: str) -> str:
    """One HTML page with the figure and the whole of Plotly inside; opens anywhere without a network."""
    page = go.Figure(figure)
    page.update_layout(template="plotly_white", title={"text": text(title), "x": 0.01, "y": 0.99}, margin={"t": 90})
    return page.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
