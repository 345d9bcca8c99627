"""Frequency–accuracy curves of all published models, one of them in full."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from core.analysis import overview
from core.analysis.overview import ModelCurve
from core.charts.overview import curves_figure
from core.published.view import set_name
from pages.overview.links import into
from pages.ui import tables
from pages.ui.downloads import plot
from pages.ui.jobs import recall
from pages.ui.points import clicked
from pages.ui.switches import switch
from pages.ui.text import quiet, section

CHART, SET, MODEL = "overview-curves", "trained-on", "in-full"
FIRST = "laion400m"


def frequency_curves(found: Sequence[ModelCurve]) -> None:
    """The choice of a pretraining set, the figure, and the links of the model in full."""
    section(
        "The rarer in pretraining, the worse",
        "Each line is a model; click one to see it in full. Marks are means of ten concepts or more.",
    )
    shown = _choose(found)
    figure = recall(draw, shown.model)
    plot(figure, key=CHART, alt=overview.headline(found), toolbar=False, on_select=lambda: _look(found))
    tables.plotted(
        {"Model": [one.model for one in found], "Trained on": [set_name(one.pretraining) for one in found]},
        lambda row: _full(found[row]), key="overview-models", of="models",
    )  # fmt: skip
    quiet(overview.summary(shown))
    with st.container(horizontal=True):
        lens = {"model": shown.model, "set": overview.IMAGE_SET, "prompts": overview.PROMPTS}
        into("frequency", "Every concept on the curve", **lens)
        into("tail", "Its tail", **lens)
        into("explore", "Its hardest concepts", **lens)


def usual(pretraining: str = FIRST) -> ModelCurve:
    """The model that is drawn in full at first, of those trained on one set."""
    return [one for one in overview.curves() if one.pretraining == pretraining][-1]


def draw(model: str) -> go.Figure:
    """All curves, that of one model in full."""
    return curves_figure(overview.curves(), model)


def _choose(found: Sequence[ModelCurve]) -> ModelCurve:
    """The model in full: by its pretraining set, then by architecture."""
    sets = list(dict.fromkeys(one.pretraining for one in found))
    chosen = switch("Trained on", SET, sets, default=FIRST, show=set_name, bare=True, linked=False)
    members = [one.model for one in found if one.pretraining == chosen]
    if st.session_state.get(MODEL) not in members:
        st.session_state[MODEL] = usual(chosen).model
    model: str | None = members[0]
    if len(members) > 1:
        model = st.segmented_control(
            "Model", members, required=True, key=MODEL, label_visibility="collapsed",
            format_func=lambda id: id.partition(",")[0],
        )  # fmt: skip
    return next(one for one in found if one.model == model)


def _look(found: Sequence[ModelCurve]) -> None:
    """Show the clicked model in full."""
    if points := clicked(CHART, length=3):
        model = str(points[0][0])
        for one in found:
            if one.model == model:
                _full(one)


def _full(one: ModelCurve) -> None:
    st.session_state[SET], st.session_state[MODEL] = one.pretraining, one.model
