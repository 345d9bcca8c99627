"""One concept in all published evidence: where it is tested, how often it was counted, which models recognise it."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from core.analysis import concepts, findings
from core.analysis.concepts import Count, PublishedConcept
from core.charts.concepts import models_figure, sizes_figure
from core.downloads import concept as concept_pictures
from core.downloads.on_hub import ON_HUB
from core.frequency import spoken
from core.published.anomalies import FLAGS
from core.published.manifest import CITATION
from core.published.names import METHODS
from core.published.view import set_name
from core.text.search import nearest_names
from core.types import Answer, ClassAnswer
from pages import registry
from pages.ui import fetching, lensbar, tables
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import question, recall
from pages.ui.points import clicked
from pages.ui.switches import switch
from pages.ui.text import quiet, section

CHART, SIZES = "concept-models", "concept-sizes-of-models"


def find(name: str) -> PublishedConcept | None:
    """What was published on this concept, None where it is none of the release's."""
    return recall(concepts.find, name)


def evidence(found: PublishedConcept | None, name: str, model: str, *, icon: str = "") -> None:
    """Everything known of one concept beside its pictures: models, counts, other names, and where it is tested.

    Args:
        icon: key of the concept among the built-in icons, whose names were counted in their own corpora.
    """
    if found is not None:
        _models(found, model)
        _counts(found)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _called(name, icon)
    with right:
        if found is not None:
            _places(found, model)


def _models(found: PublishedConcept, model: str) -> None:
    """Accuracy of all published models against their own counts and against their size, that of the lens ringed."""
    places = [place.image_set for place in found.places]
    section(
        f"“{found.name}” under the published models",
        "Against how often it was counted in each model’s own training set, and against the size of the model; click a "
        "point to look through that model.",
    )
    looked_at = lensbar.lens().image_set
    image_set = looked_at if looked_at in places else places[0]
    if len(places) > 1:
        titles = {place.image_set: place.title for place in found.places}
        image_set = switch(
            "Tested on",
            f"tested-on-{found.name}-{looked_at}",
            places,
            default=image_set,
            show=titles.__getitem__,
            linked=False,
        )
    shown = [score for score in found.scores if score.image_set == image_set]
    left, right = st.columns(2, gap="large")
    with left:
        figure = recall(models_figure, shown, chosen=model)
        alt = f"Accuracy of published models on {found.name} against its count"
        plot(figure, key=CHART, alt=alt, on_select=lambda: _look(CHART))
        header = ["model", "pretraining", "set", "accuracy", "count", "source", "parameters (M)"]
        rows = [
            [s.model, s.pretraining, s.image_set, s.accuracy, s.count, s.source, s.parameters] for s in found.scores
        ]
        downloads("concept-models", header, rows, figure=figure, title=found.name, source=CITATION)
    with right:
        figure = recall(sizes_figure, shown, chosen=model)
        alt = f"Accuracy of published models on {found.name} against their size"
        plot(figure, key=SIZES, alt=alt, on_select=lambda: _look(SIZES))
        downloads("concept-sizes", header, rows, figure=figure, title=found.name, source=CITATION)
    tables.plotted(
        {
            "Model": [one.model for one in shown], "Counted": [one.count for one in shown],
            "Accuracy": [one.accuracy for one in shown],
        },
        lambda row: _through(shown[row].model, shown[row].image_set), key="models-of-concept", of="models",
        shares=("Accuracy",),
    )  # fmt: skip


def _called(name: str, icon: str) -> None:
    """Its other names and how often each was counted."""
    names = recall(spoken.called, name, icon=icon)
    what = "captions of the icon corpora that use each" if icon else "captions that use each, by what was counted"
    section("What it is called", f"Names and synonyms, and {what}. Not counted is unknown, not zero.")
    sources = list(dict.fromkeys(source for one in names for source in one.counts))
    frame = pd.DataFrame(
        [[one.name, ", ".join(one.origins), *(one.counts.get(source) for source in sources)] for one in names],
        columns=["Name", "From", *sources],
    )
    numbers = {source: st.column_config.NumberColumn(format="localized") for source in sources}
    st.dataframe(
        frame, hide_index=True, placeholder="not counted", alt=f"Names of {name} with counts",
        column_config={"Name": st.column_config.TextColumn(pinned=True), **numbers},
    )  # fmt: skip


def pictures(found: PublishedConcept) -> None:
    """Pictures where no set with this concept is open: those on this disk, or a button that fetches five."""
    section("Pictures")
    copied = {place.image_set: place for place in found.places if place.image_set in ON_HUB}
    if not copied:
        for place in found.places:
            quiet(f"None on this disk. {concept_pictures.without_copy(place.image_set)}")
        return
    place = copied[_source(list(copied), found)]
    kept = concept_pictures.pictures(place.image_set, place.key)
    where = ON_HUB[place.image_set]
    if kept is None:
        terms = " It is given out to people who accepted its terms, by HF_TOKEN." if where.gated else ""
        quiet(
            f"None on this disk. {where.repository} holds {place.title}; only the parts of its files that show this "
            f"concept are read.{terms}"
        )
        planning = question(
            concept_pictures.plan_pictures,
            place.image_set,
            place.key,
            label=f"Which parts hold {found.name}",
            lane="io",
        )
        if fetching.offer(
            planning,
            f"pictures of {found.name}",
            ask="Show five pictures: size first",
            get="Show five pictures ({size})",
        ):
            st.rerun()
        return
    if not kept:
        quiet("The hub’s pictures of this concept could not be decoded.")
        return
    sources = [base64.b64encode(data).decode() for data in kept]
    style = "width:100%;aspect-ratio:1;object-fit:cover;border-radius:6px;display:block"
    alt = html.escape(found.name, quote=True)
    tiles = "".join(f'<img src="data:image/webp;base64,{data}" alt="{alt}" style="{style}">' for data in sources)
    st.html(f'<div style="display:grid;gap:8px;grid-template-columns:repeat({len(sources)},1fr)">{tiles}</div>')
    quiet(f"From {place.title} ({where.repository}), cut to squares here.")


def _source(copied: list[str], found: PublishedConcept) -> str:
    """The set whose pictures are shown: the one looked at, one that asks for no terms, or the one chosen here."""
    open_to_all = [image_set for image_set in copied if not ON_HUB[image_set].gated] or copied
    looked_at = lensbar.lens().image_set
    first = looked_at if looked_at in open_to_all else min(open_to_all, key=list(ON_HUB).index)
    if len(copied) == 1:
        return first
    titles = {place.image_set: place.title for place in found.places}
    return switch(
        "Pictures of",
        f"pictures-of-{found.name}-{looked_at}",
        copied,
        default=first,
        show=titles.__getitem__,
        bare=True,
        linked=False,
    )


def neighbours(
    answer: Answer | ClassAnswer,
    index: int,
    counts: Mapping[str, int],
    families: Mapping[str, str],
    parts: Mapping[str, str],
) -> None:
    """What it is confused with where every picture's answer is known, else the concepts whose names are nearest."""
    if isinstance(answer, Answer):
        rivals = findings.confused_with(answer, index)
        if not rivals:
            return
        n = int((answer.labels == index).sum())
        told = ", ".join(f"{answer.names[other]} {times}×" for other, times in rivals)
        section("Most confused with", f"Predicted in its place, of {n:,} pictures: {told}.")
        shown = [other for other, _ in rivals]
    else:
        shown = nearest_names(answer.names[index], answer.names)
        section("Nearest by name", "Confusions need pictures; these concepts of the set have the most similar names.")
    tables.concept_table(answer, shown, counts, families, parts, key="neighbours", narrow=True)


def _look(chart: str) -> None:
    """Look through the model of the clicked point, on the image set it was measured on."""
    if found := clicked(chart, length=3):
        _through(str(found[0][0]), str(found[0][1]))


def _through(model: str, image_set: str) -> None:
    lensbar.use_model(model)
    st.session_state["set"] = image_set


def _counts(found: PublishedConcept) -> None:
    spelled = list(dict.fromkeys(one.spelling for one in found.counts))
    how = f" Counted as “{spelled[0]}”." if len(spelled) == 1 else ""
    section(
        "How often it was counted", f"Samples of each pretraining set that show or name it, by every way to count.{how}"
    )

    def column(one: Count) -> str:
        return set_name(one.pretraining) + (f" as “{one.spelling}”" if len(spelled) > 1 else "")

    methods = [name for name in METHODS if any(name in one.by_method for one in found.counts)]
    frame = pd.DataFrame(
        {"Counted by": [METHODS[name] for name in methods]}
        | {column(one): [one.by_method.get(name) for name in methods] for one in found.counts}
    )
    numbers = {column(one): st.column_config.NumberColumn(format="localized") for one in found.counts}
    st.dataframe(
        frame, hide_index=True, placeholder="–", alt=f"Counts of {found.name}",
        column_config={"Counted by": st.column_config.TextColumn(), **numbers},
    )  # fmt: skip
    for flag in dict.fromkeys(flag for one in found.counts for flag in one.flags):
        where = ", ".join(dict.fromkeys(set_name(one.pretraining) for one in found.counts if flag in one.flags))
        quiet(f"Flag {flag} ({where}): {FLAGS[flag]}")


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
