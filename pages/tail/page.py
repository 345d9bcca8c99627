"""Tail: the rarest concepts and what is said instead of them, and how far every model falls off there."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.analysis import findings
from core.charts import PLOT_CONFIG, tail_scatter
from core.deck import slides as deck_slides
from core.deck.deck import Slide
from pages.tail import let_it_wag, models_compared
from pages.ui import answers, detail, gallery, lensbar, pins, tables
from pages.ui.downloads import downloads
from pages.ui.text import finding, quiet, section

PER_PAGE = 12
ORDERS = ("rarest first", "hardest first", "easiest first")


def _slide(shown: Sequence[int]) -> Slide:
    """The finding, these concepts with count and accuracy, and the worst picture of each."""
    rows = [
        (score.name, f"{counts[score.key]:,}", f"{findings.percent(score.accuracy)} of {score.n}")
        for score in (answer.classes[label] for label in shown)
    ]
    worst = [place for label in shown for place in gallery.positions_of(answer, label, most=1)]
    return deck_slides.comparison_slide(
        findings.tail(curve), ("concept", "seen", "right"), rows, deck_slides.source_line(answer),
        shown=deck_slides.pictures(answer, image_set, worst),
    )  # fmt: skip


lens, image_set = lensbar.lens(), lensbar.images()
answer = answers.answer_for(lens)
counts, parts, families = lensbar.counts(image_set), lensbar.parts(image_set), lensbar.families(image_set)

if lens.frequency:
    curve = answers.curve_of(answer, lens.frequency)
    finding("Tail", findings.tail(curve))
    if note := findings.tail_note(curve):
        quiet(note)
    quiet(f"{lens.frequency}, {curve.method} counts · {answers.provenance(answer)}")
    rare = sorted((row for row in curve.rows if row.tag == "tail"), key=lambda row: (row.count, row.key))
else:
    finding("Tail", "No pretraining counts are known for this model, so its own tail cannot be told apart.")
    quiet("Choose a source under Frequency in the sidebar. What was published on Let It Wag! is below.")
    rare = []

if rare:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        order = st.segmented_control(
            "Order", ORDERS, default=ORDERS[0], required=True, key="order", bind="query-params",
            label_visibility="collapsed",
        )  # fmt: skip
        page = st.pagination(-(-len(rare) // PER_PAGE), key="tail-page", max_visible_pages=5)
    if order != ORDERS[0]:
        rare.sort(key=lambda row: (row.accuracy, row.key), reverse=order == ORDERS[2])
    index = {key: label for label, key in enumerate(answer.keys)}
    labels = [index[row.key] for row in rare]
    gallery.gallery(
        [
            gallery.group(answer, image_set, label, gallery.positions_of(answer, label, most=5), counts)
            for label in labels[(page - 1) * PER_PAGE : page * PER_PAGE]
        ],
        image_set,
        key="cards",
        layout="cards",
        empty="The concepts of the tail have no pictures in this set.",
    )
    with st.container(horizontal=True):
        downloads("tail", *tables.concept_rows(answer, labels, counts, families, parts))
        shown = labels[(page - 1) * PER_PAGE : page * PER_PAGE]
        pins.pin(lambda: _slide(shown), key="tail", label="Pin these concepts")

    st.divider()
    points, missing = models_compared.points(lens, image_set)
    section(
        "Tail against overall",
        "Mean accuracy of each model's own rarest fifth against that of all concepts, with 95 % intervals over "
        "concepts, for every model that has answered this set. On the dotted line the tail would be no harder.",
    )
    figure = tail_scatter(points, x_title="All concepts", y_title="Rarest fifth")
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.plotly_chart(
            figure, key="models", config=PLOT_CONFIG, alt="Tail accuracy against overall accuracy of every model"
        )
        title = "Accuracy of the rarest fifth against that of all concepts, every model"
        source = f"{lens.image_set} · prompts {lens.prompts}"
        downloads("tail-models", *models_compared.rows(points), figure=figure, title=title, source=source)
    with right:
        models_compared.table(points)
        models_compared.run_missing(missing)

st.divider()
let_it_wag.let_it_wag()
detail.enlarge_picked(lens, answer, image_set)
