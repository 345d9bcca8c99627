"""Frequency: accuracy against how often a concept was counted in pretraining data."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.analysis.curve import evidence, headline
from core.charts import frequency_figure
from core.deck import slides as deck_slides
from core.frequency import labels
from core.types import Answer
from pages.frequency import difficulty, overlay, retrieval
from pages.ui import answers, detail, gallery, hiding, lensbar, selection, tables, without_counts
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import recall
from pages.ui.switches import switch
from pages.ui.text import finding, quiet, section

COLOURS = ("single", "part", "family", "flag")

lens = lensbar.lens()
if (captions := lensbar.captioned()) is not None:
    retrieval.draw(lens, captions)
    st.stop()
opening = st.container()
if lensbar.is_retrieval(lens.image_set):
    lens = replace(lens, prompts=retrieval.choose_metric())
answer = answers.by_class(lens)
if not lens.frequency:
    without_counts.explain_missing_counts("Frequency", answer)
    hardest = sorted(range(len(answer.classes)), key=lambda index: (answer.classes[index].accuracy, index))
    tables.concept_table(answer, hardest, {}, {}, {}, key="hardest-first")
    st.stop()
counts, families = lensbar.counts(answer), lensbar.families(answer)
flags = lensbar.flags(answer)
curve = answers.curve_of(answer, lens.frequency, hidden=hiding.chosen(flags))
parts = {row.key: row.tag for row in curve.rows if row.tag}
chosen = selection.chosen(answer)

with opening:
    finding("Frequency", headline(curve), evidence(curve))
    answers.origin_line(
        answer,
        f"Pearson’s correlation {overlay.interval(curve.pearson)}, Spearman’s {overlay.interval(curve.spearman)}",
        f"{curve.n:,} concepts"
        + (f", {curve.n_zero:,} never counted" if curve.n_zero else "")
        + (f", {curve.n_unknown:,} of unknown count (not drawn)" if curve.n_unknown else ""),
    )
    quiet(lensbar.counted_in(answer))

with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    others = overlay.choose(lens)
    hiding.hidden(flags)
    colour = "single"
    if not others:
        offered = [name for name in COLOURS if name != "flag" or flags]
        colour = switch(
            "Colour", "colour", offered, default="single",
            help="single: density shows where concepts pile up. part: head, torso and tail. family: the eight largest. "
            "flag: what is doubtful about the count.",
        )  # fmt: skip

left, right = st.columns([3, 2], gap="large")
with left, st.container(key="beside-gallery"):
    of: dict[str | None, list[str]] = {
        "part": [row.tag for row in curve.rows], "family": [row.family for row in curve.rows],
        "flag": [row.flags[-1] if row.flags else "" for row in curve.rows],
    }  # fmt: skip
    groups = of.get(colour)
    label = f"{lens.model}, {lens.prompts}" if others else lens.model
    series = [overlay.series(answer, curve, label), *overlay.curves(others)]
    figure = recall(
        frequency_figure,
        series,
        groups=groups,
        chosen=chosen,
        x_title="Times counted" if others else f"Times counted in {labels.label(lens.frequency)}",
        measure=curve.measure,
    )
    plot(
        figure,
        key="cloud",
        alt=headline(curve),
        on_select=lambda: overlay.selected("cloud", answer.keys),
        select=("points", "box", "lasso"),
    )
    header, rows = recall(overlay.rows, curve)
    source_line = deck_slides.source_line(answer) if isinstance(answer, Answer) else answers.provenance(answer)
    downloads("frequency", header, rows, figure=figure, title=headline(curve), source=source_line)
    difficulty.difficulty_section(lens, curve.method)
with right:
    if chosen:
        section(f"{len(chosen)} concepts selected" if len(chosen) > 1 else "Selected")
        shown = sorted(chosen, key=lambda label: (answer.classes[label].accuracy, label))
        each, most = (24, 1) if len(chosen) == 1 else (3, 12)
    else:
        section("Most surprising", "Concepts furthest below the line. Click or lasso points to see others.")
        most = 5 if isinstance(answer, Answer) else 12
        shown, each = overlay.below_the_line(curve, answer.keys, most=most), 3
    if isinstance(answer, Answer):
        image_set = lensbar.images()
        listed = [
            gallery.group(answer, image_set, label, gallery.positions_of(answer, label, most=each), counts, flags)
            for label in shown[:most]
        ]
        if len(shown) > most:
            quiet(f"The hardest {most} of {len(shown)} concepts; Explore shows all.")
        gallery.gallery(
            listed,
            image_set,
            key="beside",
            draw=detail.of(lens, answer, image_set),
            layout="grid" if most == 1 else "strips",
            empty="These concepts have no pictures in this set.",
        )
    else:
        tables.concept_table(answer, shown, counts, families, parts, flags, key="beside-table", narrow=True)
        answers.needs_pictures(answer)

everything = st.expander(f"All {curve.n:,} concepts", key="all-concepts", on_change="rerun")
if everything.open:
    with everything:
        index = {key: label for label, key in enumerate(answer.keys)}
        shown = [index[row.key] for row in curve.rows]
        tables.concept_table(answer, shown, counts, families, parts, flags, key="frequency-table")
if isinstance(answer, Answer):
    gallery.opens(lensbar.images(), detail.of(lens, answer, lensbar.images()))
