"""Figures, and what can be taken along: tables as CSV, figures as PNG, SVG or one HTML file that needs no network."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import plotly.graph_objects as go
import streamlit as st

from core.charts import PLOT_CONFIG, standalone_html
from core.deck.slides import plot_slide
from pages.ui import pins

Mark = Literal["points", "box", "lasso"]
CAMERA = PLOT_CONFIG | {"modeBarButtons": [["toImage"]]}
_HERE = Path(__file__).parent
_svg = st.components.v2.component(
    "tailscope_figure_svg",
    html='<button type="button">Figure (SVG)</button>',
    css=(_HERE / "figure_svg.css").read_text(encoding="utf-8"),
    js=(_HERE / "figure_svg.js").read_text(encoding="utf-8"),
)


def plot(
    figure: go.Figure,
    *,
    key: str,
    alt: str,
    toolbar: bool = True,
    on_select: Callable[[], None] | Literal["ignore"] = "ignore",
    select: Mark | Sequence[Mark] = "points",
) -> None:
    """A figure with the sentence that says it to whoever cannot see it.

    Args:
        toolbar: all of Plotly's buttons; else the camera alone, which saving as SVG presses too.
        on_select: called when marks are chosen, in one of the ways of ``select`` (``points``, ``box``, ``lasso``).
    """
    st.plotly_chart(
        figure, key=key, alt=alt, config=PLOT_CONFIG if toolbar else CAMERA, on_select=on_select, selection_mode=select
    )


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV text; None and NaN become empty cells."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(["" if value is None or value != value else value for value in row] for row in rows)
    return text.getvalue()


def downloads(
    name: str,
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    figure: go.Figure | None = None,
    title: str = "",
    source: str = "",
) -> None:
    """A quiet menu that offers the data behind a view as CSV and, for a figure, the figure itself; call it below that.

    Args:
        source: where the numbers come from, in one line; with it the figure can be pinned to the deck as well.
    """
    with st.container(horizontal=True, vertical_alignment="center", width="content"):
        _files(name, header, rows, figure, title or name)
        if figure is not None and source:
            pins.pin(lambda: plot_slide(title or name, figure, source), key=name, label="Pin plot")


def _files(
    name: str, header: Sequence[str], rows: Iterable[Sequence[object]], figure: go.Figure | None, title: str
) -> None:
    with st.popover("Download", type="tertiary", icon=":material/download:", key=f"downloads-{name}"):
        st.download_button(
            "Table (CSV)", lambda: as_csv(header, rows), f"{name}.csv", "text/csv", on_click="ignore", key=f"csv-{name}"
        )
        if figure is not None:
            st.download_button(
                "Figure (HTML, works offline)",
                lambda: standalone_html(figure, title=title),
                f"{name}.html",
                "text/html",
                on_click="ignore",
                key=f"html-{name}",
            )
            st.caption("PNG: the camera in the figure's toolbar.")
    if figure is not None:
        known_by = {"traces": len(figure.data), "x": figure.layout.xaxis.title.text or ""}
        _svg(key=f"svg-{name}", data={"name": name, **known_by}, width="content", height="content")
