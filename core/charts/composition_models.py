"""Figures of compositions over models, captions and probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from core.charts.palette import PARTS, QUIET, RIGHT, SERIES, SYMBOLS, WRONG, band, bars, blank, line, text
from core.composition.association import Association
from core.composition.compact import THRESHOLDS, SoftRank
from core.composition.few_shot import FewShotPoint
from core.composition.generalisation import Generalisation
from core.composition.probe import ProbePoint
from core.models.names import model_name
from core.stats.intervals import wilson
from core.types import Interval


def generalisation_figure(
    found: Generalisation, *, chosen: str = "", known: str = "", what: str = "composition"
) -> go.Figure:
    """Accuracy of ``what`` against accuracy in distribution, with the line fitted on these models and its band."""
    figure = blank(
        height=430, x_title=f"Top-1 on {text(known)}, objects alone", y_title=f"{what.capitalize()} top-1", drag="pan"
    )
    if found.fit is not None:
        grid = np.linspace(found.fit.low, found.fit.high, 60)
        low, high = found.fit.band(grid)
        band(figure, grid, low, high, "rgba(139,146,154,0.14)")
        line(figure, grid, found.fit.line(grid), dash="dot", name=f"line through these {found.fit.n} models")
    figure.add_scatter(
        x=[one.known.value for one in found.models], y=[one.composed.value for one in found.models],
        error_x=bars([one.known for one in found.models], QUIET),
        error_y=bars([one.composed for one in found.models], QUIET),
        mode="markers+text", text=[text(model_name(one.model)) for one in found.models],
        textposition=_beside([one.known.value for one in found.models]),
        marker={"color": [WRONG if one.model == chosen else RIGHT for one in found.models], "size": 11},
        customdata=[100 * one.value for one in found.residual], name="models", showlegend=False,
        hovertemplate="%{text}<br>known %{x:.1%}, " + what + " %{y:.1%}<br>%{customdata:+.1f} points off the line"
        "<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(tickformat=".0%", showgrid=True)
    figure.update_yaxes(tickformat=".0%")
    return figure


def _beside(x: Sequence[float]) -> list[str]:
    """Where labels stand: alternately above and below in the order of x, on the side with room."""
    rank = np.argsort(np.argsort(x))
    side = ["left" if value > (min(x) + max(x)) / 2 else "right" for value in x]
    return [f"{'top' if at % 2 else 'bottom'} {where}" for at, where in zip(rank, side, strict=True)]


def pmi_figure(found: Association, names: Sequence[str]) -> go.Figure:
    """Accuracy of a pair in bins of equal numbers of pairs over its PMI in the captions, the pairs behind them."""
    figure = blank(height=360, x_title="PMI of the pair in captions, bits", y_title="Composition top-1", drag="pan")
    order = np.argsort(found.pmi, kind="stable")
    figure.add_scatter(
        x=found.pmi.astype(np.float32), y=found.accuracy.astype(np.float32), mode="markers", name="pairs",
        marker={"color": QUIET, "opacity": 0.25, "size": 5}, text=[text(names[c]) for c in found.composition],
        hovertemplate="%{text}<br>PMI %{x:.2f}, %{y:.1%} correct<extra></extra>",
    )  # fmt: skip
    bins = [part for part in np.array_split(order, min(10, max(1, len(order) // 20))) if len(part)]
    means = [_mean(found.accuracy[part], found.n[part]) for part in bins]
    figure.add_scatter(
        x=[float(found.pmi[part].mean()) for part in bins], y=[value.value for value in means],
        error_y=bars(means, QUIET), mode="markers", name="equal numbers of pairs", marker={"color": RIGHT, "size": 10},
        hovertemplate="PMI %{x:.2f}: %{y:.1%}<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(tickformat=".0%", range=[-0.03, 1.03])
    return figure


def _mean(rates: np.ndarray, n: np.ndarray) -> Interval:
    return wilson(round(float((rates * n).sum())), int(n.sum()))


def probe_figure(points: Sequence[ProbePoint], groups: Sequence[str]) -> go.Figure:
    """Accuracy of the probes against images a class; solid is linear, dotted the nearest mean."""
    figure = blank(height=400, x_title="Images a class", y_title="Object accuracy", drag="pan")
    colours = {"all": QUIET, "seen": SERIES[0], "never seen": SERIES[1], "other set": SERIES[2], **PARTS}
    for rank, group in enumerate(groups):
        for method, dash in (("linear", "solid"), ("nearest mean", "dot")):
            drawn = sorted((p for p in points if (p.group, p.method) == (group, method)), key=lambda p: p.k)
            if not drawn:
                continue
            figure.add_scatter(
                x=[p.k for p in drawn], y=[p.accuracy.value for p in drawn],
                error_y=bars([p.accuracy for p in drawn], QUIET), mode="lines+markers", name=f"{group}, {method}",
                line={"color": colours[group], "dash": dash, "width": 1.8},
                marker={"symbol": SYMBOLS[rank % len(SYMBOLS)], "size": 8, "color": colours[group]},
                customdata=[[p.n, p.low_seed, p.high_seed] for p in drawn],
                hovertemplate=f"{group}, {method}, %{{x}} a class: %{{y:.1%}} of %{{customdata[0]:,}} images<br>"
                "seeds %{customdata[1]:.1%} to %{customdata[2]:.1%}<extra></extra>",
            )  # fmt: skip
    shots = sorted({point.k for point in points})
    figure.update_xaxes(type="log", tickmode="array", tickvals=shots, ticktext=[str(k) for k in shots])
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure


def few_shot_figure(points: Mapping[str, Sequence[FewShotPoint]], group: str, what: str) -> go.Figure:
    """Accuracy of every model's heads against images of an object; zero-shot stands at the left.

    Args:
        points: model -> its points; group: test images; what: composition, object or attribute.
    """
    figure = blank(height=400, x_title="Images of an object", y_title=f"{what.capitalize()} accuracy", drag="pan")
    for rank, (model, each) in enumerate(points.items()):
        colour = SERIES[rank % len(SERIES)]
        for head, dash in (("two probes", "solid"), ("mixed", "dot")):
            drawn = sorted((p for p in each if (p.group, p.what) == (group, what) and p.head in ("zero-shot", head)),
                           key=lambda p: p.k)  # fmt: skip
            if not any(one.k for one in drawn):
                continue
            figure.add_scatter(
                x=[p.k or 0.5 for p in drawn], y=[p.accuracy.value for p in drawn],
                error_y=bars([p.accuracy for p in drawn], QUIET), mode="lines+markers",
                name=f"{text(model)}, {head}", line={"color": colour, "dash": dash, "width": 1.8},
                marker={"symbol": SYMBOLS[rank % len(SYMBOLS)], "size": 8, "color": colour},
                customdata=[[p.head, p.n, p.low_seed, p.high_seed] for p in drawn],
                hovertemplate=f"{text(model)}, %{{customdata[0]}}: %{{y:.1%}} of %{{customdata[1]:,}} images<br>"
                "seeds %{customdata[2]:.1%} to %{customdata[3]:.1%}<extra></extra>",
            )  # fmt: skip
    shots = sorted({point.k for each in points.values() for point in each if point.k})
    ticks = [0.5, *shots] if any(not point.k for each in points.values() for point in each) else shots
    labels = [str(round(k) if k >= 1 else 0) for k in ticks]
    figure.update_xaxes(type="log", tickmode="array", tickvals=ticks, ticktext=labels)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure


def soft_rank_figure(ranks: Mapping[str, SoftRank]) -> go.Figure:
    """Soft rank as a share of the dimensions against the threshold, of texts and of images."""
    figure = blank(height=300, x_title="Share of the largest singular value", y_title="Soft rank / dimensions")
    for rank, (what, one) in enumerate(ranks.items()):
        figure.add_scatter(
            x=list(THRESHOLDS), y=list(one.shares), mode="lines+markers", name=text(what),
            line={"color": SERIES[rank], "width": 1.8}, marker={"symbol": SYMBOLS[rank], "size": 8},
            customdata=list(one.values),
            hovertemplate=f"{text(what)}, above %{{x:g}}: %{{customdata:,}} of {one.dimensions:,}<extra></extra>",
        )  # fmt: skip
    ticks = [f"{threshold:g}" for threshold in THRESHOLDS]
    figure.update_xaxes(type="log", tickmode="array", tickvals=list(THRESHOLDS), ticktext=ticks)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.03])
    return figure
