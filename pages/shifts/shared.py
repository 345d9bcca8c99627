"""What the Shifts page looks at: models, shifts and a table of baselines from the person, rows shipped or measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from cache import keys
from core.datasets import open_set
from core.errors import TailscopeError
from core.frequency.sources import Frequency
from core.models import registry as models
from core.robustness.committed import FOLDER
from core.robustness.records import read_records
from core.robustness.shifts import baselines
from core.robustness.shifts.findings import condition_name
from core.robustness.shifts.measure import CLEAN, Measured, board, icon_shifts
from core.robustness.shifts.records import measured_of
from core.supervised import ask as classifiers
from core.supervised import names as supervised
from core.types import ImageSet, Lens, Report
from pages.ui import address, choice, lensbar, served
from pages.ui.jobs import ask, expected, finished, question, recall, watch
from pages.ui.text import plain, quiet, warn

COMMITTED = FOLDER / "shifts.json"
ICONS = "icons"
MOST = 12


def choose(lens: Lens) -> tuple[list[str], list[str]]:
    """Models and shifts from the URL; both accept what is typed."""
    world = lens.image_set == ICONS
    offered = list(dict.fromkeys([lens.model, *supervised.shipped(), *(info.id for info in models.icon_models())]))
    offered += [info.id for info in lensbar.known_models() if info.available and info.id not in offered]
    start = [id for id in offered if id.partition(":")[2].startswith("icon-RN") or id.startswith("icon-")]
    start = list(dict.fromkeys([lens.model, *start])) if world else [lens.model]
    left, right = st.columns([1, 1], gap="medium")
    with left:
        asked = choice.several(
            "Models", "shift-models", offered, served.classifier, near=models.nearest, default=start, most=MOST,
            help="Zero-shot models as under Model, supervised ones as supervised:NAME, supervised:FOLDER or timm:NAME.",
        )  # fmt: skip
    with right:
        known = icon_shifts() if world else []
        shifts = choice.several(
            "Shifts", "shifts", [*known, *(one.id for one in served.sets() if one.available)], served.image_set,
            default=known, most=MOST,
            help="Image sets of the same classes: built-in ids or paths. FOLDER#over=imagenet predicts over 1,000 "
            "classes.",
        )  # fmt: skip
    return list(asked.values()), list(shifts.values())


def measured(lens: Lens, asked: Sequence[str], shifts: Sequence[str]) -> tuple[list[Measured], list[str], bool]:
    """What is known of these models and shifts: shipped rows at once, the rest measured with its progress here.

    Returns:
        the rows; the models that have some or are still being measured, in their order, so that the first of them is
        shown whichever is ready first; whether all rows are shipped ones.
    """
    known = _shipped(lens)
    found: list[Measured] = []
    models: list[str] = []
    all_shipped = True
    for model in asked:
        rows = {one.condition: one for one in known if one.model == model}
        missing = [id for id in shifts if id not in rows and f"{id}_pm0" not in rows]
        found += [one for condition, one in rows.items() if _set_of(condition) in (CLEAN, *shifts)]
        live: list[Measured] | None = []
        if CLEAN not in rows or missing:
            all_shipped = False
            live = _live(lens, model, missing, clean=CLEAN not in rows)
        found += live or []
        if rows or live or live is None:
            models.append(model)
    return found, models, all_shipped


def _live(lens: Lens, model: str, shifts: Sequence[str], *, clean: bool) -> list[Measured] | None:
    """Rows of one model; none if it is refused, None while it is being measured."""
    try:
        reference, opened = lensbar.images(lens.image_set), [lensbar.images(id) for id in shifts]
        asked = question(
            _board, replace(lens, model=model), reference, opened, lensbar.chosen_counts(),
            label=f"{condition_name(model)} under {len(shifts)} shifts",
        )  # fmt: skip
        timing = question(
            classifiers.estimate, [model], [reference, *opened], prompts=lens.prompts,
            label=f"Estimating the time of {condition_name(model)}",
        )  # fmt: skip
        if finished(asked) is None and not expected(timing):
            return None
        job = ask(asked)
    except TailscopeError as error:
        quiet(f"{model} is skipped: {error}")
        return []
    if not job.wait(0):
        watch(job, small=True)
        return None
    return [one for one in job.value() if clean or one.condition != CLEAN]


def _board(
    lens: Lens, reference: ImageSet, shifts: Sequence[ImageSet], frequency: Frequency, *, report: Report
) -> list[Measured]:
    return board([lens.model], reference, shifts, prompts=lens.prompts, frequency=frequency, report=report)


def _shipped(lens: Lens) -> list[Measured]:
    if lens.image_set != ICONS or lensbar.chosen_counts() is not None or not COMMITTED.exists():
        return []
    rows = recall(read_records, COMMITTED)
    now = {id: open_set(id).fingerprint for id in (ICONS, *icon_shifts())}
    found = [measured_of(row) for row in rows if row.prompts in (lens.prompts, supervised.PROMPTS)]
    return [one for one in found if one.images == now[ICONS if one.condition == CLEAN else _set_of(one.condition)]]


def table(lens: Lens) -> baselines.Baselines | None:
    """The table of ordinary models: one that was uploaded, else that of the icon world."""
    own = lens.image_set == ICONS and baselines.ICONS.exists()
    with st.popover("Baselines", icon=":material/table_chart:", type="tertiary"):
        st.caption(
            "Effective robustness compares with ordinary models. Upload imagenet-testbed's robustness_top1s.csv or a "
            "table like it: a column “model”, then one column a setting in percent."
        )
        given = st.file_uploader("Table of baselines", type=["csv"], key="baselines")
        types = st.file_uploader(
            "Types (CSV of model and type), to fit the standard ones only", type=["csv"], key="baseline-types"
        )
        if given is None:
            return baselines.icon_baselines() if own else None
        try:
            said = baselines.read_types(types.getvalue(), name=types.name) if types else None
            found = baselines.read_baselines(given.getvalue(), name=given.name, types=said)
        except TailscopeError as error:
            warn(error)
            return None
        quiet(f"{found.name}: {found.note}.")
        preview: dict[str, Sequence[object]] = {"model": found.models[:8], "type": found.types[:8]}
        preview |= {name: [100 * share for share in values[:8]] for name, values in list(found.columns.items())[:8]}
        st.dataframe(pd.DataFrame(preview), hide_index=True, key="baseline-preview", alt="First rows of the table")
        return found


def columns(found: baselines.Baselines | None, conditions: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Columns of the table that a person chose for conditions whose names do not say them."""
    chosen: dict[str, tuple[str, str]] = {}
    unknown = [one for one in conditions if found and baselines.columns_for(found, one) is None]
    if not found or not unknown:
        return chosen
    with st.popover(f"Columns for {len(unknown)} shifts", type="tertiary", icon=":material/view_column:"):
        st.caption("Which columns of the table measure the same things? Accuracy in distribution, then under shift.")
        for condition in unknown:
            left, right = st.columns(2)
            at = keys.digest(condition)[:8]
            x = left.selectbox("In distribution", list(found.columns), index=None, key=f"column-x-{at}")
            y = right.selectbox(plain(condition_name(condition)), list(found.columns), index=None, key=f"column-y-{at}")
            if x and y and x != y:
                chosen[condition] = (x, y)
    return chosen


def cell(models_named: Sequence[str], conditions: Sequence[str]) -> tuple[str, str]:
    """The model and shift looked at, from the URL; a click on the board writes them."""
    for key, offered in (("shift-model", models_named), ("shift", conditions)):
        if st.session_state.get(key) not in (None, *offered):
            st.session_state.pop(key)
    address.by_id("shift", conditions)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        model = st.selectbox("Model", models_named, key="shift-model", bind="query-params", width=360)
        shift = st.selectbox(
            "Shift", conditions, key="shift", bind="query-params", width=300, format_func=condition_name
        )
    return model, shift


def image_set_of(condition: str) -> ImageSet:
    """The set behind a condition."""
    return lensbar.images(_set_of(condition))


def has_frames(condition: str) -> bool:
    """Whether a condition is measured over the frames near an anchor."""
    return _set_of(condition) != condition


def _set_of(condition: str) -> str:
    return re.sub(r"_pm[0-9]+$", "", condition)
