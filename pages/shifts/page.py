"""Shifts: models on image sets of the same classes from elsewhere, beside ordinary models; and overlap."""

from __future__ import annotations

import streamlit as st

from core.charts.shifts import parts_figure
from core.robustness.shifts.findings import condition_name, evidence, headline, of_parts
from core.robustness.shifts.measure import CLEAN
from core.robustness.shifts.records import fit_sets, records
from core.supervised.names import known_as
from core.types import ORIGINS
from pages.shifts import board, cell, curation, overlap, shared
from pages.ui import answers, lensbar
from pages.ui.docs import documented
from pages.ui.downloads import downloads, plot
from pages.ui.switches import switch
from pages.ui.text import finding, finding_of, quiet

VIEWS = ("board", "head and tail", "frames", "overlap", "curation")

lens, image_set = lensbar.lens(), lensbar.images()
opening = st.container()
view = switch(
    "View", "shifts-view", VIEWS,
    help="board: every model on every shift, and effective robustness. head and tail: who loses more. frames: answers "
    "that flip between neighbouring frames. overlap: images that a training set holds too. curation: "
    "near-duplicates and outliers within the image set.",
)  # fmt: skip
if view in ("overlap", "curation"):
    told = overlap.overlap_view(lens, image_set) if view == "overlap" else curation.curation(lens, image_set)
    with opening:
        finding("Shifts", told)
    st.stop()

asked, shifts = shared.choose(lens)
found, offered, shipped = shared.measured(lens, asked, shifts)
with st.container(horizontal=True):
    table = shared.table(lens)
    conditions = list(dict.fromkeys(one.condition for one in found if one.condition != CLEAN))
    columns = shared.columns(table, conditions)
fits, without = fit_sets(found, table, columns=columns)
rows = records(
    found, lens.image_set, fits=fits, table=table.name if table else None, against=asked[0] if asked else None
)
models = {model: known_as(model) for model in asked if any(row.model == model for row in rows)}
named = {condition: condition_name(condition) for condition in conditions}
with opening:
    if not models or not named:
        finding("Shifts", "Choose models and shifts: image sets of the same classes, collected in another way.")
        quiet("Class folders, webdatasets and tables all do; built-in shifts come with the icons.")
    else:
        mine = lens.model if lens.model in models else next(iter(models))
        finding("Shifts", headline(rows, mine), evidence(rows, mine))
        source = ORIGINS["shipped" if shipped else "live"]
        quiet(f"{len(models)} models · {len(named)} conditions · {lens.image_set} · prompts {lens.prompts} · {source}")
        answers.prompt_notes(rows)
        documented("SHIFTS", "How shifts are measured")
if not models or not named:
    st.stop()

if view == "board":
    board.board(rows, lens, models, named)
first = sorted(conditions, key=lambda one: not shared.has_frames(one)) if view == "frames" else conditions
model, condition = shared.cell(offered, first)
if model not in models:
    quiet(f"{known_as(model)} is being measured.")
    st.stop()
if view == "board":
    board.robustness(rows, condition, model, fits.get(condition), without.get(condition, ""))
    cell.gallery(lens, model, condition)
elif view == "frames":
    cell.frames(lens, model, condition)
else:
    told = of_parts(rows, model)
    finding_of(told)
    own = [row for row in rows if row.model == model and row.more.get("head") is not None]
    if own:
        figure = parts_figure(own, {CLEAN: "in distribution", **named})
        plot(figure, key="shift-parts", alt=told)
        quiet("Mean accuracy of the classes in each fifth of the pretraining counts; intervals resample classes.")
        parts = ("head", "torso", "tail", "id_head", "id_torso", "id_tail")
        listed = [[row.model, row.condition, *(row.more.get(part) for part in parts)] for row in own]
        downloads("shifts-head-tail", ["model", "condition", *parts], listed, figure=figure, title=told)
