"""One concept in the published evidence: its counts everywhere, its scores under the models shown, links to it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.charts.published import label
from core.errors import UnknownName
from core.frequency import published as source
from core.published import one_concept
from core.published.anomalies import FLAGS
from core.published.names import METRIC_WORDS, PRETRAINING, TEXT_TO_IMAGE
from core.published.store import Store
from core.published.view import Shown, model_name, set_name
from core.text.search import find_concepts
from core.text.spelling import spellings
from pages.ui import choice, lensbar, selection
from pages.ui.downloads import downloads
from pages.ui.links import to_page
from pages.ui.text import quiet, section


def concept(store: Store, shown: Sequence[Shown]) -> None:
    """A search box (or the point clicked last), then the concept's counts and scores."""
    section("One concept", "Click a point above, or type a name as the release spells it.")
    known = sorted({str(text) for text in store.concept if text})
    held = set(known)

    def spelled(name: str) -> str:
        if name in held:
            return name
        raise UnknownName(f"The release has no concept spelled “{name}”.")

    name = choice.one(
        "Concept", "about", known, spelled, placeholder="golden retriever", width=360,
        near=lambda typed: [known[index] for index in find_concepts(typed, known, known)],
    )  # fmt: skip
    if not name:
        return
    left, right = st.columns(2, gap="large")
    with left:
        _counts(name)
    with right:
        _scores(name, shown)
    if shown[0].combination.family == TEXT_TO_IMAGE:
        _every_metric(store, name)
    links(name)


def _counts(name: str) -> None:
    rows = []
    for pretraining in PRETRAINING:
        first = next(
            (info.name for info in source.infos() if info.name.startswith(f"{source.PREFIX}{pretraining}/")), None
        )
        found = source.records(first).get(name) if first else None
        if found:
            flags = source.flags(pretraining).get(name, ())
            rows.append({"Pretraining set": set_name(pretraining), **found, "Flags": ", ".join(flags)})
    frame = pd.DataFrame(rows)
    columns = {
        kind: st.column_config.NumberColumn(kind.capitalize(), format="localized")
        for kind in ("text", "image", "integrated")
    }
    st.dataframe(
        frame, hide_index=True, column_config=columns, placeholder="–", alt=f"Counts of {name} in every pretraining set"
    )
    told = sorted({flag for row in rows for flag in str(row["Flags"]).split(", ") if flag}, key=list(FLAGS).index)
    for flag in told:
        quiet(f"{flag}: {FLAGS[flag]}")


def _scores(name: str, shown: Sequence[Shown]) -> None:
    rows = [
        {"Curve": label(one, shown), "Data set": dataset, "Counted": int(count), "Score": float(value)}
        for one in shown
        for dataset, text, count, value in zip(
            one.rows.datasets, one.rows.concepts, one.rows.counts, one.rows.values, strict=True
        )
        if text == name
    ]
    if not rows:
        quiet("None of the curves shown has a score for it.")
        return
    columns = {
        "Counted": st.column_config.NumberColumn(format="localized"),
        "Score": st.column_config.NumberColumn(format="%.4g"),
    }
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=columns, alt=f"Scores of {name}")


def _every_metric(store: Store, name: str) -> None:
    """All released text-to-image metrics of a concept: one row a model, one column a metric, and how many prompts."""
    try:
        found = one_concept.scores(store, name, TEXT_TO_IMAGE)
    except UnknownName as error:
        quiet(str(error))
        return
    frame = pd.DataFrame(
        [{"Model": model_name(one.model), "metric": METRIC_WORDS[one.condition], "value": one.value} for one in found]
    ).pivot(index="Model", columns="metric", values="value")
    prompts = {METRIC_WORDS[one.condition]: one.n for one in found}
    section(
        "Every released metric",
        f"{name} under {len(frame)} text-to-image models: means over the prompts that name it "
        f"({', '.join(f'{metric} {n}' for metric, n in prompts.items())}).",
    )
    columns = {metric: st.column_config.NumberColumn(format="%.3f") for metric in prompts}
    st.dataframe(frame, column_config=columns, placeholder="–", alt=f"Every text-to-image metric of {name}")
    header = ["model", "metric", "value", "prompts"]
    downloads("published-metrics", header, [[one.model, one.condition, one.value, one.n] for one in found])


def links(name: str) -> None:
    """Links to the same concept under the lens, where its image set has it."""
    image_set = lensbar.images()
    labels = selection.labels_of(image_set.keys, image_set.names)
    here = {text: shown for key, shown in labels.items() for text in (key, shown)}
    found = next((here[text] for text in spellings(name, name.replace("_", " ")) if text in here), None)
    if found is None:
        quiet("The chosen image set has no concept of this name, so there are no pictures of it here.")
        return
    with st.container(horizontal=True):
        for page, title in (("explore", "See its pictures in Explore"), ("frequency", "Find it on the Frequency page")):
            to_page(page, title, concept=found)
