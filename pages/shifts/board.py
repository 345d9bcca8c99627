"""The board of models and shifts, and effective robustness of one shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core.charts.shifts import KINDS, board_figure, figure_of, robustness_figure
from core.robustness.records import Record
from core.robustness.shifts.baselines import FitSet
from core.robustness.shifts.findings import condition_name, of_cell
from core.robustness.shifts.measure import CLEAN
from core.supervised.names import known_as
from core.types import Lens
from pages.ui import address, points, tables
from pages.ui.downloads import downloads, plot
from pages.ui.switches import switch
from pages.ui.text import finding_of, quiet, section

HELP = (
    "accuracy: top-1 under the shift. drop: accuracy in distribution on the same classes minus that. relative "
    "robustness: points above the first model on the same pictures. effective robustness: points above what the line "
    "of ordinary models expects of a model this accurate in distribution."
)
NAMES = dict(zip(KINDS, ("accuracy", "drop", "relative robustness", "effective robustness"), strict=True))


def board(rows: Sequence[Record], lens: Lens, models: Mapping[str, str], conditions: Mapping[str, str]) -> None:
    """The board itself; a click writes model and shift into the boxes below it."""
    address.by_id("shift-figure", KINDS)
    kind = switch("Show", "shift-figure", KINDS, show=NAMES.__getitem__, help=HELP)
    chosen = (
        st.session_state.get("shift-model") or next(iter(models)),
        st.session_state.get("shift") or next(iter(conditions)),
    )
    shown = {**({CLEAN: "in distribution"} if kind == "accuracy" else {}), **conditions}
    figure = board_figure(rows, models, shown, kind=kind, chosen=chosen)
    told = f"{NAMES[kind].capitalize()} of {len(models)} models under {len(conditions)} conditions"
    plot(figure, key="shift-board", alt=told, on_select=_clicked)
    listed_rows = [row for row in rows if row.model in models and row.condition in shown]
    tables.plotted(
        {
            "Model": [known_as(row.model) for row in listed_rows],
            "Shift": [shown[row.condition] for row in listed_rows],
            "Accuracy": [row.acc1 for row in listed_rows],
            "Drop": [row.more.get("drop") for row in listed_rows],
        },
        lambda row: _look(listed_rows[row].model, listed_rows[row].condition), key="board-table", of="cells",
        shares=("Accuracy", "Drop"),
    )  # fmt: skip
    if any(row.more.get("excluded_from_ranking") for row in rows):
        quiet("A crossed cell: this model's own mistakes chose the pictures, so it has no place in a ranking on them.")
    if kind == "rho" and not any(figure_of(row, "rho") for row in rows):
        quiet("Effective robustness needs a table of ordinary models: upload one under Baselines.")
    header, listed = table_rows(rows)
    source = f"{lens.image_set} · prompts {lens.prompts} · {len(models)} models"
    downloads("shifts", header, listed, figure=figure, title=told, source=source)


def _clicked() -> None:
    for model, condition, _ in points.clicked("shift-board", length=3)[:1]:
        _look(model, condition)


def _look(model: str, condition: str) -> None:
    st.session_state["shift-model"] = model
    if condition != CLEAN:
        st.session_state["shift"] = condition


def table_rows(rows: Sequence[Record]) -> tuple[list[str], list[list[object]]]:
    """Header and rows of the board for download; fractions."""
    more = [
        "id_acc1", "id_n", "drop", "drop_low", "drop_high", "tau", "tau_low", "tau_high", "rho", "rho_low", "rho_high",
        "expected", "excluded_from_ranking", "extrapolated", "clipped",
    ]  # fmt: skip
    header = ["model", "condition", "prompts", "acc1", "low", "high", "n", *more]
    return header, [
        [row.model, row.condition, row.prompts, row.acc1, row.low, row.high, row.n, *(row.more.get(m) for m in more)]
        for row in rows
    ]


def robustness(rows: Sequence[Record], condition: str, model: str, chosen: FitSet | None, why: str) -> None:
    """Accuracy under one shift against accuracy in distribution, with the line of ordinary models."""
    shown = [row for row in rows if row.condition == condition]
    own = next((row for row in shown if row.model == model), None)
    section("Effective robustness", "Accuracy under shift against accuracy in distribution, both as logits.")
    if own is None:
        quiet("This cell has not been measured.")
        return
    finding_of(of_cell(own))
    names = {row.model: known_as(row.model) for row in shown}
    figure = robustness_figure(
        shown, chosen, names, x_title="In distribution, same classes", y_title=f"Under {condition_name(condition)}"
    )
    plot(figure, key="shift-scatter", alt=of_cell(own))
    if chosen is None:
        quiet(f"No line is drawn: {why}.")
    else:
        fit = chosen.fit
        sign = "−" if fit.intercept < 0 else "+"
        clipped = f", of which {fit.clipped} are clipped" if fit.clipped else ""
        quiet(
            f"Line: {chosen.note}{clipped}. logit(y) = {fit.slope:.3f} logit(x) {sign} {abs(fit.intercept):.3f}, "
            f"R² {fit.r2:.3f}, residual {fit.error:.3f} logits; columns {chosen.x} and {chosen.y}. Accuracies are "
            "clipped to 0.1–99.9 %; the number beside a mark is effective robustness in points; an open "
            "mark is not ranked."
        )
    header, listed = table_rows(shown)
    downloads(
        "effective-robustness",
        header,
        listed,
        figure=figure,
        title=of_cell(own),
        source=f"{own.set} · prompts {own.prompts} · {own.reference}",
    )
