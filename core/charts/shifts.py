"""Figures of distribution shifts: the board, accuracy against accuracy on logit axes, and head against tail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from core.charts.palette import (
    CHOSEN,
    PART_SYMBOLS,
    PARTS,
    QUIET,
    RIGHT,
    RULE,
    WRONG,
    band,
    blank,
    line,
    rows_axis,
    style,
    text,
    translucent,
    whiskers,
)
from core.robustness.records import Record
from core.robustness.shifts.baselines import FitSet
from core.robustness.shifts.fit import LEAST, MOST, logit
from core.robustness.shifts.measure import CLEAN
from core.stats.format import percent, signed

KINDS = ("accuracy", "drop", "relative", "rho")
_FIELDS = {"drop": "drop", "relative": "tau", "rho": "rho"}
_TICKS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 0.99, 0.997, 0.999)
_INK = "#14283f"


def not_ranked(row: Record) -> bool:
    """Whether this very model's mistakes chose the pictures of the condition."""
    return bool(row.more.get("excluded_from_ranking"))


def figure_of(row: Record, kind: str) -> tuple[float, float, float] | None:
    """Value and interval of one cell of the board as fractions; None where it is not defined."""
    if kind == "accuracy":
        return row.acc1, row.low, row.high
    name = _FIELDS[kind]
    if row.more.get(name) is None:
        return None
    value, low, high = (float(row.more[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return value, low, high


def board_figure(
    rows: Sequence[Record],
    models: Mapping[str, str],
    conditions: Mapping[str, str],
    *,
    kind: str,
    chosen: tuple[str, str] | None = None,
) -> go.Figure:
    """Models down, shifts across; a cell says its figure and half its interval in points.

    Blue is more, orange is less than nothing. A cell whose pictures were chosen by that very model's errors is drawn
    with a dashed cross and has no place in a ranking.

    Args:
        models, conditions: id -> how it is called, in the order shown.
    """
    figure = blank(height=120 + 52 * len(models), margin=64)
    across, down = {id: x for x, id in enumerate(conditions)}, {id: y for y, id in enumerate(models)}
    shown = [row for row in rows if row.condition in across and row.model in down]
    values = [figure_of(row, kind) for row in shown]
    most = max((abs(value[0]) for value in values if value), default=1.0) or 1.0
    for marked in (False, True):
        cells = [(row, value) for row, value in zip(shown, values, strict=True) if not_ranked(row) == marked]
        if not cells:
            continue
        figure.add_scatter(
            x=[across[row.condition] for row, _ in cells],
            y=[down[row.model] for row, _ in cells],
            mode="markers+text",
            marker={
                "symbol": "square-x-open" if marked else "square",
                "size": 46,
                "color": [_shade(value, most, kind) for _, value in cells],
                "line": {
                    "width": [3 if (row.model, row.condition) == chosen else 0.5 for row, _ in cells],
                    "color": [CHOSEN if (row.model, row.condition) == chosen else RULE for row, _ in cells],
                },
                "opacity": 1,
            },
            text=[_cell(value, kind) for _, value in cells],
            textfont={"size": 12, "color": _INK},
            customdata=[
                [row.model, row.condition, _hover(row, value, kind, models, conditions)] for row, value in cells
            ],
            hovertemplate="%{customdata[2]}<extra></extra>",
            selected={"marker": {"opacity": 1}, "textfont": {"color": _INK}},
            unselected={"marker": {"opacity": 1}, "textfont": {"color": _INK}},
            showlegend=False,
        )
    figure.update_xaxes(
        tickmode="array", tickvals=list(across.values()), ticktext=[text(name) for name in conditions.values()],
        side="top", range=[-0.6, len(across) - 0.4], showgrid=False,
    )  # fmt: skip
    rows_axis(figure, list(models.values()))
    return figure


def _shade(value: tuple[float, float, float] | None, most: float, kind: str) -> str:
    if value is None:
        return "#eceef0"
    # A drop is a loss: it is orange where the other figures would be blue.
    good = value[0] >= 0 if kind != "drop" else value[0] < 0
    strength = 0.1 + 0.55 * min(1.0, abs(value[0]) / most)
    base = RIGHT if good else WRONG
    # Opaque tints, so that dark figures read on them whatever the page's ground is.
    mixed = (round(255 + strength * (int(base[i : i + 2], 16) - 255)) for i in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _cell(value: tuple[float, float, float] | None, kind: str) -> str:
    if value is None:
        return "–"
    half = 100 * max(value[2] - value[0], value[0] - value[1])
    return f"{signed(100 * value[0], 0, plus=kind != 'accuracy')}<br>±{half:.1f}"


def _hover(
    row: Record,
    value: tuple[float, float, float] | None,
    kind: str,
    models: Mapping[str, str],
    conditions: Mapping[str, str],
) -> str:
    lines = [f"<b>{text(models[row.model])}</b>, {text(conditions[row.condition])}"]
    if value is None:
        lines.append("not defined here")
    else:
        unit = "%" if kind == "accuracy" else "points"
        lines.append(f"{kind} {100 * value[0]:.1f} {unit} (95 % {100 * value[1]:.1f} to {100 * value[2]:.1f})")
    lines.append(f"{row.n:,} {'anchors' if '_pm' in row.condition else 'images'}, prompts {text(row.prompts)}")
    if row.condition != CLEAN:
        lines.append(f"in distribution {percent(row.more['id_acc1'], 1)} on the same classes")
    if not_ranked(row):
        lines.append("its own mistakes chose these pictures: not ranked")
    return "<br>".join(lines)


def robustness_figure(
    rows: Sequence[Record], chosen: FitSet | None, names: Mapping[str, str], *, x_title: str, y_title: str
) -> go.Figure:
    """Accuracy under shift against accuracy in distribution on logit axes, with the line of ordinary models.

    The band is the 95 % interval of the line, the dashed lines that of one further ordinary model. Each model's
    distance from the line is written beside it. Accuracies are clipped to 0.1–99.9 %.
    """
    figure = blank(height=460, x_title=x_title, y_title=y_title)
    points = [row.more["id_acc1"] for row in rows] + list(chosen.xs if chosen else ())
    heights = [row.acc1 for row in rows] + list(chosen.ys if chosen else ())
    low, high = (float(logit(edge)) for edge in (min(points), max(points)))
    if chosen:
        grid = np.linspace(low - 0.15, high + 0.15, 60)
        shares = 1 / (1 + np.exp(-grid))
        low_edge, high_edge = (logit(edge) for edge in chosen.fit.band(shares))
        one = [logit(edge) for edge in chosen.fit.band(shares, single=True)]
        band(figure, grid, low_edge, high_edge, translucent(QUIET, 0.22), name="95 % CI of the line")
        for edge, name in zip(one, ("95 % of further ordinary models", ""), strict=True):
            line(figure, grid, edge, QUIET, width=1, dash="dash", name=name)
        middle = logit(chosen.fit.line(shares))
        line(figure, grid, middle, QUIET, width=2, name=f"line of {chosen.fit.n} ordinary models")
        figure.add_scatter(
            x=logit(np.array(chosen.xs)), y=logit(np.array(chosen.ys)), mode="markers",
            marker={"color": QUIET, "size": 8, "opacity": 0.75}, name="ordinary models",
            text=[text(name) for name in chosen.models],
            customdata=100 * np.stack([chosen.xs, chosen.ys], axis=1),
            hovertemplate="%{text}<br>%{customdata[0]:.1f} % → %{customdata[1]:.1f} %<extra></extra>",
        )  # fmt: skip
    for place, row in enumerate(rows):
        _model(figure, row, names, *style(place))
    for axis, values in ((figure.update_xaxes, points), (figure.update_yaxes, heights)):
        axis(
            tickmode="array", tickvals=[float(logit(tick)) for tick in _TICKS],
            ticktext=[f"{100 * tick:g} %" for tick in _TICKS], showgrid=True,
            range=[float(logit(min(values))) - 0.3, float(logit(max(values))) + 0.3],
        )  # fmt: skip
    return figure


def _model(figure: go.Figure, row: Record, names: Mapping[str, str], colour: str, symbol: str) -> None:
    x, y = (float(logit(share)) for share in (row.more["id_acc1"], row.acc1))
    rho = row.more.get("rho")
    if rho is not None:
        line(figure, [x, x], [float(logit(row.more["expected"])), y], colour, width=1)
    across, up = (
        whiskers([at], [float(logit(low))], [float(logit(top))], colour)
        for at, low, top in ((x, row.more["id_low"], row.more["id_high"]), (y, row.low, row.high))
    )
    clipped = not (LEAST <= row.acc1 <= MOST and LEAST <= row.more["id_acc1"] <= MOST)
    note = " (clipped)" if clipped else ""
    figure.add_scatter(
        x=[x], y=[y], mode="markers+text",
        marker={"color": colour, "size": 12, "symbol": symbol + ("-open" if not_ranked(row) else "")},
        text=[signed(100 * rho, 1, plus=True) + note if rho is not None else note],
        textposition="top center", textfont={"size": 12}, name=text(names[row.model]),
        customdata=[[100 * row.more["id_acc1"], 100 * row.acc1]],
        hovertemplate="%{customdata[0]:.1f} % → %{customdata[1]:.1f} %<extra>" + text(names[row.model]) + "</extra>",
        error_x=across, error_y=up,
    )  # fmt: skip


def parts_figure(rows: Sequence[Record], conditions: Mapping[str, str]) -> go.Figure:
    """Mean class accuracy of head, torso and tail in every condition, with intervals over classes."""
    shown = [row for row in rows if row.condition in conditions]
    figure = blank(height=110 + 46 * len(shown), x_title="Mean class accuracy")
    place = {id: y for y, id in enumerate(row.condition for row in shown)}
    for part in ("head", "torso", "tail"):
        known = [row for row in shown if row.more.get(part) is not None]
        values, lows, highs = (
            np.array([row.more.get(f"{part}{end}") for row in known], float) for end in ("", "_low", "_high")
        )
        figure.add_scatter(
            x=values,
            y=[place[row.condition] for row in known],
            mode="markers",
            marker={"color": PARTS[part], "symbol": PART_SYMBOLS[part], "size": 11},
            error_x=whiskers(values, lows, highs, PARTS[part]),
            name=part,
            hovertemplate="%{x:.1%}<extra>" + part + "</extra>",
        )
    figure.update_xaxes(tickformat=".0%", range=[-0.02, 1.02], showgrid=True)
    rows_axis(figure, [conditions[id] for id in place])
    return figure
