"""Tail: the rarest concepts and what is said instead of them, and how far every model falls off there."""

from __future__ import annotations

import streamlit as st

from core.analysis import findings
from core.charts import tail_scatter
from core.types import Answer
from pages.tail import cards, let_it_wag, models_compared, remedies
from pages.tail import labels as labels_view
from pages.ui import answers, detail, gallery, hiding, lensbar, tables, without_counts
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import recall
from pages.ui.paging import page_of
from pages.ui.switches import switch
from pages.ui.text import finding, quiet, section

PER_PAGE = 12
ORDERS = ("rarest first", "hardest first", "easiest first")
VIEWS = ("concepts", "remedies", "labels")

lens = lensbar.lens()
answer = answers.by_class(lens)
counts, parts, families = lensbar.counts(answer), lensbar.parts(answer), lensbar.families(answer)
flags = lensbar.flags(answer)

if lens.frequency:
    curve = answers.curve_of(answer, lens.frequency, hidden=hiding.chosen(flags))
    parts = {row.key: row.tag for row in curve.rows if row.tag}
    finding("Tail", findings.tail(curve))
    if note := findings.tail_note(curve):
        quiet(note)
    answers.origin_line(answer)
    quiet(lensbar.counted_in(answer))
    hiding.hidden(flags)
    rare = sorted((row for row in curve.rows if row.tag == "tail"), key=lambda row: (row.count, row.key))
else:
    without_counts.explain_missing_counts("Tail", answer)
    rare = []

if isinstance(answer, Answer):
    view = switch("View", "tail-view", VIEWS)
    if view == "remedies":
        remedies.remedies_section(answer, lensbar.images(), counts)
        st.stop()
    if view == "labels":
        labels_view.labels_section(answer, lensbar.images(), counts)
        st.stop()

if rare:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        order = switch("Order", "order", ORDERS, bare=True)
        turn = page_of(len(rare), PER_PAGE, of=(order, len(rare)), key="tail-page")
    if order != ORDERS[0]:
        rare.sort(key=lambda row: (row.accuracy, row.key), reverse=order == ORDERS[2])
    index = {key: label for label, key in enumerate(answer.keys)}
    labels = [index[row.key] for row in rare]
    shown = labels[turn]
    if isinstance(answer, Answer):
        cards.concept_cards(answer, lensbar.images(), shown, counts, flags)
    else:
        tables.concept_table(answer, shown, counts, families, parts, flags, key="tail-table")
        answers.needs_pictures(answer)
    with st.container(horizontal=True):
        downloads("tail", *recall(tables.concept_rows, answer, labels, counts, families, parts, flags))
        if isinstance(answer, Answer):
            cards.pin(answer, lensbar.images(), shown, counts, findings.tail(curve))

    st.divider()
    points, missing = models_compared.points(lens, answer)
    section(
        "Tail against overall",
        "Mean accuracy of each model's own rarest fifth against that of all concepts, with 95 % intervals over "
        "concepts, for every model that has answered this set. On the dotted line the tail would be no harder.",
    )
    figure = recall(tail_scatter, points, x_title="All concepts", y_title="Rarest fifth")
    left, right = st.columns([3, 2], gap="large")
    with left:
        plot(figure, key="models", alt="Tail accuracy against overall accuracy of every model")
        title = "Accuracy of the rarest fifth against that of all concepts, every model"
        source = f"{lens.image_set} · prompts {lens.prompts}"
        downloads("tail-models", *models_compared.rows(points), figure=figure, title=title, source=source)
    with right:
        models_compared.table(points)
        models_compared.run_missing(missing)

st.divider()
let_it_wag.let_it_wag()
if isinstance(answer, Answer):
    gallery.opens(lensbar.images(), detail.of(lens, answer, lensbar.images()))
