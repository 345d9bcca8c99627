"""One concept in all published evidence: where it is tested, how often it was counted, which models recognise it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from core.analysis import concepts
from core.analysis.concepts import PublishedConcept
from core.charts.concepts import models_figure
from core.published.anomalies import FLAGS
from core.published.manifest import CITATION
from core.published.names import METHODS
from core.published.view import set_name
from pages import registry
from pages.ui import lensbar
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import recall
from pages.ui.points import clicked
from pages.ui.text import quiet, section

CHART = "concept-models"


def find(name: str) -> PublishedConcept | None:
    """What was published on this concept, None where it is none of the release's."""
    return recall(concepts.find, name)


def record(found: PublishedConcept, model: str) -> None:
    """Its counts by every method, and links to where it is tested."""
    _counts(found)
    _places(found, model)


def models(found: PublishedConcept, model: str) -> None:
    """Accuracy of all published models against their own counts, the model of the lens ringed."""
    places = [place.image_set for place in found.places]
    section(
        f"“{found.name}” under the published models",
        "Accuracy against how often the concept was counted in the training set of each model; click a point to look "
        "through that model.",
    )
    looked_at = lensbar.lens().image_set
    image_set = looked_at if looked_at in places else places[0]
    if len(places) > 1:
        titles = {place.image_set: place.title for place in found.places}
        image_set = st.segmented_control(
            "Tested on", places, default=image_set, required=True, key=f"tested-on-{found.name}-{looked_at}",
            format_func=titles.__getitem__,
        )  # fmt: skip
    shown = [score for score in found.scores if score.image_set == image_set]
    figure = models_figure(shown, chosen=model)
    plot(figure, key=CHART, alt=f"Accuracy of published models on {found.name}", on_select=_look)
    header = ["model", "pretraining", "set", "accuracy", "count", "source"]
    rows = [[s.model, s.pretraining, s.image_set, s.accuracy, s.count, s.source] for s in found.scores]
    downloads("concept-models", header, rows, figure=figure, title=found.name, source=CITATION)


def _look() -> None:
    """Look through the model of the clicked point, on the image set it was measured on."""
    if found := clicked(CHART, length=3):
        st.session_state["model"], st.session_state["set"] = str(found[0][0]), str(found[0][1])


def _counts(found: PublishedConcept) -> None:
    section("How often it was counted", "Samples of each pretraining set that show or name it, by every way to count.")
    methods = [name for name in METHODS if any(name in one.by_method for one in found.counts)]
    rows: list[dict[str, Any]] = [
        {
            "Pretraining set": set_name(one.pretraining),
            "Spelled": one.spelling,
            **{METHODS[name]: one.by_method.get(name) for name in methods},
            "Flags": ", ".join(one.flags),
        }
        for one in found.counts
    ]
    frame = pd.DataFrame(rows)
    empty = [column for column in ("Flags",) if not frame[column].any()]
    numbers = {METHODS[name]: st.column_config.NumberColumn(format="localized") for name in methods}
    st.dataframe(
        frame.drop(columns=empty), hide_index=True, placeholder="–", alt=f"Counts of {found.name}",
        column_config={"Pretraining set": st.column_config.TextColumn(pinned=True), **numbers},
    )  # fmt: skip
    for flag in dict.fromkeys(flag for one in found.counts for flag in one.flags):
        quiet(f"{flag}: {FLAGS[flag]}")


def _places(found: PublishedConcept, model: str) -> None:
    section("Where it is tested")
    with st.container(horizontal=True):
        for place in found.places:
            images = f", {place.images:,} images" if place.images else ""
            st.page_link(
                registry.find("frequency").file,
                label=f"{place.title}{images}",
                icon=":material/arrow_forward:",
                query_params={"model": model, "set": place.image_set, "concept": place.key.replace("_", " ")},
            )
