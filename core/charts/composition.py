"""Figures of compositions: parts against chance, kinds of error, the attribute x object matrix, seen pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from core.charts.palette import QUIET, RIGHT, RULE, SERIES, SYMBOLS, WRONG, bars, blank, rows_axis, text
from core.composition.scores import Errors, Share
from core.composition.seen import SeenGap

SCALE = ((0.0, WRONG), (0.5, "#b9bdc2"), (1.0, RIGHT))
"""Accuracy of a cell: orange wrong, grey half, blue right."""
KINDS = ("correct", "wrong attribute", "wrong object", "both wrong")


def share_figure(shares: Mapping[str, Share]) -> go.Figure:
    """Accuracy of the whole and of its parts with intervals, and a tick at the chance level of each."""
    names = list(shares)
    figure = blank(height=80 + 38 * len(names))
    values = [share.interval for share in shares.values()]
    figure.add_scatter(
        x=[value.value for value in values], y=names, error_x=bars(values, QUIET), mode="markers", name="accuracy",
        marker={"color": RIGHT, "size": 11},
        customdata=[[share.right, share.n] for share in shares.values()],
        hovertemplate="%{y}: %{x:.1%}<br>%{customdata[0]:,} of %{customdata[1]:,} images<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=[share.chance for share in shares.values()], y=names, mode="markers", name="chance",
        marker={"color": QUIET, "size": 13, "symbol": "line-ns-open", "line": {"width": 2}},
        hovertemplate="%{y}: chance %{x:.2%}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(tickformat=".0%", range=[-0.02, 1.03], showgrid=True)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def error_figure(errors: Errors) -> go.Figure:
    """One bar of all images, split by what the best composition gets right."""
    counts = (errors.right, errors.wrong_attribute, errors.wrong_object, errors.both_wrong)
    total = max(1, sum(counts))
    figure = blank(height=130, margin=44)
    colours = (RIGHT, "#f3cfae", "#eab37a", WRONG)
    for name, count, colour in zip(KINDS, counts, colours, strict=True):
        share = count / total
        figure.add_bar(
            x=[share], y=[""], orientation="h", name=name, marker={"color": colour},
            text=[f"{share:.0%}" if share > 0.04 else ""], textposition="inside", insidetextanchor="middle",
            customdata=[count], hovertemplate=f"{name}: %{{customdata:,}} images, %{{x:.1%}}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"})
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    return figure


def confusion_figure(confusion: np.ndarray, attributes: Sequence[str]) -> go.Figure:
    """Predicted attribute (across) for every true one (down), as shares of the row; rows without images stay empty."""
    totals = confusion.sum(1, keepdims=True)
    shares = np.divide(confusion, totals, out=np.full(confusion.shape, np.nan), where=totals > 0)
    labels = [text(word) for word in attributes]
    figure = blank(height=min(900, 140 + 24 * len(labels)), x_title="Predicted attribute", y_title="True attribute")
    figure.add_heatmap(
        z=shares, x=labels, y=labels, zmin=0, zmax=1, colorscale=[[0, "rgba(46,126,216,0.03)"], [1, RIGHT]],
        customdata=np.dstack([confusion, np.broadcast_to(totals, confusion.shape)]), xgap=1, ygap=1,
        colorbar={"tickformat": ".0%", "thickness": 10, "title": None},
        hovertemplate="%{y} predicted as %{x}: %{customdata[0]:,} of %{customdata[1]:,}<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    return figure


def matrix_figure(
    attribute: np.ndarray,
    thing: np.ndarray,
    n: np.ndarray,
    right: np.ndarray,
    seen: np.ndarray,
    *,
    attributes: Sequence[str],
    objects: Sequence[str],
    composition: np.ndarray,
) -> go.Figure:
    """Attribute x object as marks that can be clicked (cells of a heat map cannot): colour is accuracy, size is n.

    Squares were seen in pretraining, diamonds never, circles unknown. A point brings back its composition.

    Args:
        attribute, thing, n, right, seen, composition: one entry a cell drawn; ``thing`` counts columns.
        objects: names of the columns.
    """
    figure = blank(height=150 + 26 * min(len(attributes), 40), drag="pan")
    most = max(1, int(n.max(initial=1)))
    labels = {"seen pair": seen == 1, "never-seen pair": seen == 0, "unknown": np.isnan(seen)}
    room = max(7, min(17, 400 / max(1, len(objects))))
    for symbol, (name, mask) in zip(("square", "diamond", "circle"), labels.items(), strict=True):
        if not mask.any():
            continue
        rates = right[mask] / n[mask]
        figure.add_scatter(
            x=thing[mask].astype(np.int32), y=attribute[mask].astype(np.int32), mode="markers", name=name,
            marker={
                "symbol": symbol, "color": rates, "colorscale": SCALE, "cmin": 0, "cmax": 1,
                "size": room * (0.55 + 0.45 * np.sqrt(n[mask] / most)), "line": {"width": 0}, "opacity": 1,
                "showscale": bool(mask.sum() == max(m.sum() for m in labels.values())),
                "colorbar": {"tickformat": ".0%", "thickness": 10},
            },
            text=[
                f"{text(attributes[a])} {text(objects[o])}" for a, o in zip(attribute[mask], thing[mask], strict=True)
            ],
            customdata=np.stack([composition[mask], right[mask], n[mask]], 1).astype(np.int32),
            hovertemplate="<b>%{text}</b><br>%{customdata[1]} of %{customdata[2]} right<extra></extra>",
        )  # fmt: skip
    few = len(objects) <= 60
    figure.update_xaxes(
        tickmode="array", tickvals=list(range(len(objects))) if few else [],
        ticktext=[text(name) for name in objects] if few else [], tickangle=-60, range=[-1, len(objects)],
    )  # fmt: skip
    rows_axis(figure, attributes)
    return figure


def gap_figure(gaps: Mapping[str, SeenGap]) -> go.Figure:
    """Accuracy on seen and never-seen pairs, for the composition and its parts, with intervals over objects."""
    figure = blank(height=110 + 54 * len(gaps))
    for name, colour, symbol in (("seen", RIGHT, "square"), ("unseen", WRONG, "diamond")):
        values = [getattr(gap, name) for gap in gaps.values()]
        sizes = [gap.n_seen if name == "seen" else gap.n_unseen for gap in gaps.values()]
        figure.add_scatter(
            x=[value.value for value in values], y=list(gaps), error_x=bars(values, QUIET), mode="markers",
            name="seen pairs" if name == "seen" else "never-seen pairs",
            marker={"color": colour, "size": 11, "symbol": symbol}, customdata=sizes,
            hovertemplate="%{y}: %{x:.1%} of %{customdata:,} images<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(tickformat=".0%", range=[-0.02, 1.03], showgrid=True)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def difference_figure(gaps: Mapping[str, SeenGap]) -> go.Figure:
    """Seen less never seen in points: as it is, at equal frequency, and within objects and attributes."""
    figure = blank(height=110 + 62 * len(gaps), x_title="Seen less never seen, points")
    figure.add_vline(x=0, line={"color": RULE, "width": 1})
    kinds = (("raw", "as it is"), ("matched", "at equal frequency"), ("within", "same objects and attributes"))
    for rank, (field, name) in enumerate(kinds):
        values = [getattr(gap, field) for gap in gaps.values()]
        figure.add_scatter(
            x=[100 * value.value for value in values], y=np.arange(len(gaps)) + 0.22 * (rank - 1),
            error_x=bars(values, QUIET, scale=100), mode="markers", name=name,
            marker={"color": SERIES[rank], "size": 10, "symbol": SYMBOLS[rank]},
            hovertemplate=f"{name}: %{{x:+.1f}} points<extra></extra>",
        )  # fmt: skip
    rows_axis(figure, list(gaps))
    figure.update_xaxes(showgrid=True)
    return figure
