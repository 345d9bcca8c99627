"""What a change of prompts does by data set or by model: all concepts, and head against tail."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.analysis.prompt_gains import Gain
from core.charts.palette import PART_SYMBOLS, PARTS, QUIET, RIGHT, RULE, WRONG, bars, blank, text
from core.types import Interval


def gains_figure(gains: Sequence[Gain], *, chosen: str = "") -> go.Figure:
    """Two forests on one list: the mean change with its interval, and that of head and tail.

    An open grey mark is one that may be noise. The id of the data set or model is the custom data of every mark.

    Args:
        gains: in the order in which they are listed, the first at the top.
        chosen: id of the one to print in bold.
    """
    parts = [one for one in gains if one.tail is not None]
    figure = make_subplots(
        rows=1, cols=2 if parts else 1, shared_yaxes=True, horizontal_spacing=0.04,
        subplot_titles=("All concepts, points", "Head and tail, points")[: 2 if parts else 1],
    )  # fmt: skip
    figure.update_layout(blank(height=96 + 24 * len(gains)).layout)
    colours = [(RIGHT if one.change.value > 0 else WRONG) if one.clear else QUIET for one in gains]
    _marks(
        figure, gains, [one.change for one in gains], colours, ["circle" if g.clear else "circle-open" for g in gains]
    )
    if parts:
        for tag in ("head", "tail"):
            inside = [one for one in gains if getattr(one, tag) is not None]
            colour, symbol = PARTS[tag], PART_SYMBOLS[tag]
            _marks(
                figure, inside, [getattr(one, tag) for one in inside], [colour] * len(inside), [symbol] * len(inside),
                places=[gains.index(one) + (0.14 if tag == "tail" else -0.14) for one in inside], col=2, name=tag,
            )  # fmt: skip
    names = [f"<b>{text(one.title)}</b>" if one.of == chosen else text(one.title) for one in gains]
    figure.update_yaxes(
        tickmode="array", tickvals=list(range(len(gains))), ticktext=names, range=[len(gains) - 0.4, -0.6],
        showgrid=False, automargin=True,
    )  # fmt: skip
    figure.update_xaxes(zeroline=True, zerolinecolor=RULE, zerolinewidth=1, showgrid=True)
    figure.update_layout(
        margin={"t": 40, "l": 8, "r": 8, "b": 8},
        legend={"x": 1, "xanchor": "right", "y": -26 / (24 * len(gains)), "yanchor": "top", "orientation": "h"},
    )
    figure.update_annotations(font={"size": 14})
    return figure


def _marks(
    figure: go.Figure,
    gains: Sequence[Gain],
    values: Sequence[Interval],
    colours: Sequence[str],
    symbols: Sequence[str],
    *,
    places: Sequence[float] = (),
    col: int = 1,
    name: str = "",
) -> None:
    figure.add_scatter(
        x=[100 * one.value for one in values],
        y=list(places) or list(range(len(gains))),
        error_x=bars(values, QUIET, width=0, scale=100),
        mode="markers",
        marker={
            "color": list(colours),
            "symbol": list(symbols),
            "size": 10,
            "line": {"width": 2, "color": list(colours)},
        },
        customdata=[[one.of, told(one)] for one in gains],
        hovertemplate="%{x:+.1f} points" + (f", {name}" if name else "") + "<br>%{customdata[1]}<extra></extra>",
        name=name,
        showlegend=bool(name),
        row=1,
        col=col,
    )


def told(one: Gain) -> str:
    """A gain in one line: concepts better and worse, p after Holm."""
    p = "p < 0.001" if one.p_holm < 0.001 else f"p = {one.p_holm:.2g}"
    return f"{text(one.title)}: {one.better:,} of {one.n:,} concepts better, {one.worse:,} worse; {p} after Holm"
