"""Let It Wag! against ImageNet for the 40 published models."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from core.charts import SERIES
from core.charts.letitwag import scatter
from core.charts.palette import CHOSEN
from core.published import findings, letitwag
from core.published.letitwag import Model
from core.published.names import PRETRAINING
from core.stats.format import percent
from pages.overview.links import into
from pages.ui.downloads import plot
from pages.ui.jobs import recall
from pages.ui.points import clicked
from pages.ui.text import quiet, section

CHART, MODEL = "overview-wag", "overview-wag-model"


def let_it_wag() -> None:
    """The scatter, and the links of the chosen or clicked model; at first the best with counts of its own."""
    models = letitwag.models()
    section("Rare concepts, 40 models", "Let It Wag!: 290 concepts that are rare everywhere; choose or click a model.")
    names = sorted(one.name for one in models)
    first = names.index(usual().name)
    model = usual(
        st.selectbox("Model on Let It Wag!", names, first, key=MODEL, label_visibility="collapsed", width=420)
    )
    plot(recall(draw, model.name), key=CHART, alt=findings.let_it_wag(), toolbar=False, on_select=_look)
    quiet(_told(model))
    with st.container(horizontal=True):
        lens = {"model": f"{model.model},{model.pretraining}", "set": letitwag.LET_IT_WAG, "prompts": "ensemble"}
        into("frequency", "Its concepts by frequency", **lens)
        into("letitwag", "All 40 models")


def draw(name: str) -> go.Figure:
    """All models, that of this name ringed."""
    model, models = usual(name), letitwag.models()
    figure = scatter(models, letitwag.fits(), height=380)
    figure.update_traces(
        marker={"color": SERIES[0], "symbol": "circle"}, showlegend=False, selector={"mode": "markers"}
    )
    figure.add_scatter(
        x=[model.imagenet], y=[model.letitwag], mode="markers", hoverinfo="skip", showlegend=False,
        marker={"symbol": "circle-open", "size": 18, "color": CHOSEN, "line": {"width": 2.5}},
    )  # fmt: skip
    return figure.update_layout(dragmode=False)


def usual(name: str | None = None) -> Model:
    """The model of this name, or the one that is ringed at first."""
    models = letitwag.models()
    known = [one for one in models if one.name == name] or [one for one in models if one.pretraining in PRETRAINING]
    return (known or models)[0]


def _told(model: Model) -> str:
    fall = model.imagenet - model.letitwag
    return (
        f"{model.name}: {percent(model.letitwag / 100, 1)} on Let It Wag!, {percent(model.imagenet / 100, 1)} on "
        f"ImageNet, a fall of {fall:.1f} points."
    )


def _look() -> None:
    if points := clicked(CHART, length=2):
        st.session_state[MODEL] = str(points[0][0])
