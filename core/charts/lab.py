"""Figures of the prompt lab: differences with their intervals, calibration, and what changes for which class."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from core.analysis.compare import ClassChange, Difference
from core.analysis.prompt_inspection import RANDOM, CountPoint
from core.charts.palette import (
    CHOSEN,
    QUIET,
    RIGHT,
    RULE,
    SERIES,
    SYMBOLS,
    WRONG,
    band,
    bars,
    blank,
    by_count,
    line,
    ring,
    rows_axis,
    short,
    text,
    translucent,
)
from core.stats.calibration import ReliabilityBin


def difference_figure(pairs: Sequence[Difference]) -> go.Figure:
    """Each pair's difference in mean class accuracy with its interval; an open mark is one that may be noise."""
    figure = blank(height=76 + 46 * len(pairs), margin=8)
    clear = [is_clear(pair) for pair in pairs]
    colours = [_direction(pair.delta.value) if sure else QUIET for pair, sure in zip(pairs, clear, strict=True)]
    figure.add_vline(x=0, line={"color": RULE, "width": 1})
    figure.add_scatter(
        x=[100 * pair.delta.value for pair in pairs],
        y=list(range(len(pairs))),
        error_x=bars([pair.delta for pair in pairs], QUIET, scale=100),
        mode="markers",
        marker={
            "color": colours,
            "size": 12,
            "symbol": ["circle" if sure else "circle-open" for sure in clear],
            "line": {"width": 2, "color": colours},
        },
        customdata=[[pair.p_holm, pair.b01, pair.b10] for pair in pairs],
        hovertemplate="%{x:+.1f} points<br>p %{customdata[0]:.2g} after Holm<br>%{customdata[1]:,} images fixed, "
        "%{customdata[2]:,} broken<extra></extra>",
        showlegend=False,
    )
    figure.update_xaxes(title="Difference in mean class accuracy, points", ticksuffix="", showgrid=True, zeroline=False)
    rows_axis(figure, [f"{pair.b} − {pair.a}" for pair in pairs])
    return figure


def _direction(change: float) -> str:
    return RIGHT if change > 0 else WRONG


def is_clear(pair: Difference) -> bool:
    """Whether a difference is more than noise: its interval leaves zero out and the adjusted p is below 0.05."""
    away = pair.delta.low > 0 or pair.delta.high < 0
    return away and pair.p_holm < 0.05


def reliability_figure(lenses: Mapping[str, Sequence[ReliabilityBin]]) -> go.Figure:
    """Accuracy against mean confidence of every lens; on the dotted line they agree."""
    figure = blank(height=360, x_title="Probability of the predicted class", y_title="Accuracy")
    line(figure, [0, 1], [0, 1], dash="dot")
    for (label, bins), colour, symbol in zip(lenses.items(), SERIES, SYMBOLS, strict=False):
        most = max((part.n for part in bins), default=1)
        figure.add_scatter(
            x=[part.confidence for part in bins],
            y=[part.accuracy for part in bins],
            mode="lines+markers",
            line={"color": colour, "width": 1.5},
            marker={"color": colour, "symbol": symbol, "size": [5 + 9 * math.sqrt(part.n / most) for part in bins]},
            customdata=[part.n for part in bins],
            hovertemplate="confidence %{x:.1%}, accuracy %{y:.1%} of %{customdata:,} images",
            name=text(label),
        )
    figure.update_xaxes(tickformat=".0%", range=[0, 1.02], showgrid=True)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    return figure


def change_bars(changes: Sequence[ClassChange], classes: Mapping[str, int], *, chosen: Collection[int]) -> go.Figure:
    """Change in accuracy of every class that changed, largest loss to largest gain, in points.

    Args:
        classes: class key -> class index, which comes back when a bar is selected.
        chosen: class indices to outline.
    """
    moved = [one for one in changes if one.change]
    values = np.array([100 * one.change for one in moved], np.float32)
    x_title = f"{len(moved):,} of {len(changes):,} classes change"
    figure = blank(height=360, x_title=x_title, y_title="Change, points", drag="select", margin=8)
    ringed = [classes[one.key] in set(chosen) for one in moved]
    figure.add_bar(
        x=np.arange(len(moved), dtype=np.int32),
        y=values,
        marker={
            "color": [CHOSEN if ring else _direction(one.change) for one, ring in zip(moved, ringed, strict=True)],
            "line": {"width": 0},
        },
        text=[text(one.name) for one in moved],
        textposition="none",
        customdata=[[classes[one.key], round(100 * one.before), _over(one, ", ")] for one in moved],
        hovertemplate="<b>%{text}</b><br>%{y:+.0f} points from %{customdata[1]} %%{customdata[2]}<extra></extra>",
        showlegend=False,
    )
    figure.update_xaxes(showticklabels=False)
    figure.update_yaxes(zeroline=True, zerolinecolor=RULE, zerolinewidth=1)
    figure.update_layout(bargap=0.1 if len(moved) < 120 else 0)
    return figure


def change_scatter(
    changes: Sequence[ClassChange],
    classes: Mapping[str, int],
    counts: Mapping[str, int],
    *,
    a: str,
    b: str,
    chosen: Collection[int],
) -> go.Figure:
    """Accuracy of every class under b against a; colour is how often it was counted, grey where that is unknown.

    Points are spread by less than one image so that classes with equal accuracies stay visible.
    """
    figure = blank(height=440, x_title=f"Accuracy, {text(a)}", y_title=f"Accuracy, {text(b)}", drag="pan")
    line(figure, [0, 1], [0, 1], dash="dot")
    spread = np.random.default_rng(0).uniform(-0.014, 0.014, (2, len(changes)))
    known = np.array([one.key in counts for one in changes])
    for mask, name in ((~known, "count unknown"), (known, "count known")):
        at = np.flatnonzero(mask)
        if not len(at):
            continue
        members = [changes[i] for i in at.tolist()]
        logs = np.log10([max(counts.get(one.key, 1), 1) for one in members])
        figure.add_scatter(
            x=(np.array([one.before for one in members]) + spread[0, at]).astype(np.float32),
            y=(np.array([one.after for one in members]) + spread[1, at]).astype(np.float32),
            mode="markers",
            marker={"color": translucent(QUIET, 0.6), "size": 8}
            if name == "count unknown"
            else by_count(logs, title="count") | {"size": 9, "opacity": 0.85},
            text=[text(one.name) for one in members],
            customdata=[[classes[one.key], counts.get(one.key, -1), _over(one, " of ")] for one in members],
            hovertemplate="<b>%{text}</b><br>%{x:.1%} → %{y:.1%}%{customdata[2]}<extra></extra>",
            name=name,
            showlegend=bool((~known).any()) and bool(known.any()),
        )
    ringed = [(i, one) for i, one in enumerate(changes) if classes[one.key] in set(chosen)]
    ring(
        figure,
        [one.before + spread[0, i] for i, one in ringed],
        [one.after + spread[1, i] for i, one in ringed],
        [one.name for _, one in ringed] if len(ringed) <= 8 else [],
    )
    figure.update_xaxes(tickformat=".0%", range=[-0.04, 1.04], showgrid=True)
    figure.update_yaxes(tickformat=".0%", range=[-0.04, 1.04])
    return figure


def _over(one: ClassChange, before: str) -> str:
    return f"{before}{one.n:,} images" if one.n else ""


def sentence_bars(sentences: Sequence[str], cosines: Sequence[float], *, colour: str = RIGHT) -> go.Figure:
    """Cosine of one picture with every sentence of one class, best first."""
    order = np.argsort(-np.asarray(cosines), kind="stable")
    figure = blank(height=44 + 24 * len(order), margin=4)
    figure.add_bar(
        x=[cosines[i] for i in order],
        y=list(range(len(order))),
        orientation="h",
        marker={"color": colour},
        text=[f"{cosines[i]:.3f}" for i in order],
        textposition="outside",
        cliponaxis=False,
        customdata=[text(sentences[i]) for i in order],
        hovertemplate="%{customdata}<extra></extra>",
    )
    top, low = max(cosines), min(0.0, *cosines)
    figure.update_xaxes(title="cosine", range=[low, top + 0.25 * (top - low)], nticks=4)
    rows_axis(figure, [short(sentences[i], 46) for i in order])
    figure.update_layout(bargap=0.3, showlegend=False)
    return figure


def count_figure(series: Mapping[str, Sequence[CountPoint]]) -> go.Figure:
    """Top-1 accuracy against sentences a class, mean with its standard deviation over draws.

    Args:
        series: label -> points; a series called ``random words`` is drawn as the grey band behind the others.
    """
    figure = blank(height=380, x_title="Sentences a class", y_title="Top-1 accuracy")
    colours = iter(SERIES)
    for label, points in sorted(series.items(), key=lambda item: item[0] != RANDOM):
        x, mean, sd = (np.array([getattr(point, name) for point in points], float) for name in ("n", "mean", "sd"))
        colour = QUIET if label == RANDOM else next(colours)
        band(figure, x, mean - sd, mean + sd, translucent(colour, 0.25))
        figure.add_scatter(
            x=x,
            y=mean,
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": "dot" if label == RANDOM else "solid"},
            marker={"color": colour, "size": 8},
            customdata=100 * sd,
            hovertemplate="%{x} sentences: %{y:.1%} ± %{customdata:.1f} points",
            name=text(label),
        )
    figure.update_xaxes(type="log", tickvals=[1, 2, 3, 5, 10, 20, 30, 50, 80], showgrid=True)
    figure.update_yaxes(tickformat=".0%")
    return figure
