"""Explore: find concepts, see every picture with its answer, open one, or drop in your own.

Where only per-class scores are known, concepts take the place of pictures; a single one shows all published evidence.
"""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.analysis import findings
from core.deck import slides as deck_slides
from core.text.search import find_concepts
from core.types import ClassAnswer
from pages.explore import concept, scores
from pages.ui import address, answers, detail, gallery, hiding, lensbar, own_picture, pins, selection, tables
from pages.ui.downloads import downloads
from pages.ui.jobs import recall
from pages.ui.paging import page_of
from pages.ui.switches import switch
from pages.ui.text import finding, quiet, section

GROUPS, PICTURES = 5, 120  # on one page: concepts, or pictures of the only concept
VERDICTS = {"all": "all", "wrong": "wrong", "right": "correct"}
LETTERS = 100  # more concepts than this are offered by their first letter

lens = lensbar.lens()
head = st.container()
if own_picture.chosen(lens):
    own_picture.own_picture(lens, lensbar.images(), head)
    st.stop()
answer = answers.by_class(lens)
counts, parts, families = lensbar.counts(answer), lensbar.parts(answer), lensbar.families(answer)
flags = lensbar.flags(answer)
chosen = selection.chosen(answer)

note = ""
if isinstance(answer, ClassAnswer):
    sentence = scores.finding_of(answer, chosen)
elif len(chosen) == 1:
    sentence = findings.concept(answer, chosen[0])
    note = findings.concept_evidence(answer, chosen[0], counts.get(answer.keys[chosen[0]]))
else:
    sentence = findings.several(answer, chosen) if chosen else findings.overall(answer)
with head:
    finding("Explore", sentence, note)
    answers.origin_line(answer)
    if lens.frequency:
        quiet(lensbar.counted_in(answer))

left, right = st.columns([2, 3], gap="large")
with left:
    section("Concepts")
    query = st.text_input(
        "Search", key="q", bind="query-params", live=True, placeholder="Name, also misspelt", type="search"
    )
    family = part = flag = None
    if counts:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            part = st.segmented_control("Part", ["head", "torso", "tail"], key="part", bind="query-params")
            present = sorted({families[key] for key in answer.keys if key in families})
            if present:
                family = st.selectbox(
                    "Family", present, index=None, key="family", bind="query-params", placeholder="All", width=190
                )
            flag = hiding.only(flags)
    found = find_concepts(
        query or "", answer.keys, answer.names, families=families, parts=parts, family=family, part=part
    )
    found = [index for index in found if not flag or flag in flags.get(answer.keys[index], ())]
    if not query:
        found.sort(key=lambda index: answer.names[index].casefold())
    if len(found) > LETTERS:
        initials = sorted({answer.names[index][:1].upper() for index in found})
        letter = st.pills("First letter", initials, key="letter", bind="query-params")
        found = [index for index in found if not letter or answer.names[index][:1].upper() == letter]
    tables.concept_table(answer, found, counts, families, parts, flags, key="concepts", narrow=True)
    downloads("concepts", *recall(tables.concept_rows, answer, found, counts, families, parts, flags))

alone_chosen = chosen[0] if len(chosen) == 1 else None
about = None if alone_chosen is None else concept.find(answer.names[alone_chosen])
if isinstance(answer, ClassAnswer):
    with right:
        if alone_chosen is None or about is None:
            scores.published_concepts(answer, chosen, found, counts)
        else:
            concept.pictures(about)
            concept.neighbours(answer, alone_chosen, counts, families, parts)
        answers.needs_pictures(answer)
    if about is not None:
        concept.evidence(about, about.name, answer.lens.model)
    st.stop()

image_set = lensbar.images()
with right:
    section("Pictures")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        address.by_id("verdict", VERDICTS)
        verdict = switch("Show", "verdict", VERDICTS, default="all", bare=True)
        if chosen:
            downloads("selection", *recall(tables.concept_rows, answer, chosen, counts, families, parts, flags))
    if chosen:
        shown = chosen
    else:
        order = "Rarest concepts first" if counts else "Concepts by name"
        quiet(f"{order}, worst mistakes first. Choose a concept to see all its pictures.")
        shown = sorted(found, key=lambda i: (counts.get(answer.keys[i], float("inf")), answer.names[i].casefold()))
    if verdict != "all" and len(shown) > 1:
        shown = [label for label in shown if gallery.positions_of(answer, label, verdict=verdict, most=1)]
    alone = len(shown) == 1
    places = gallery.positions_of(answer, shown[0], verdict=verdict) if alone else []
    each, count = (PICTURES, len(places)) if alone else (GROUPS, len(shown))
    turn = page_of(count, each, of=(verdict, shown), key="gallery-page")
    groups = [
        gallery.group(
            answer, image_set, label,
            places[turn] if alone else gallery.positions_of(answer, label, verdict=verdict, most=6), counts, flags,
        )
        for label in (shown if alone else shown[turn])
    ]  # fmt: skip
    groups = [group for group in groups if group["items"]]
    gallery.gallery(
        groups,
        image_set,
        key="gallery",
        draw=detail.of(lens, answer, image_set),
        layout="grid" if alone else "strips",
        empty=f"No picture here is {verdict}." if shown else "No concept matches; try fewer letters or another family.",
    )
    if len(chosen) == 1:
        met, shown = counts.get(answer.keys[chosen[0]]), gallery.positions_of(answer, chosen[0], most=12)
        pins.pin(
            partial(deck_slides.concept_slide, answer, image_set, chosen[0], shown, met),
            key="concept",
            label="Pin concept",
        )

if alone_chosen is not None:
    with left:
        concept.neighbours(answer, alone_chosen, counts, families, parts)
    st.divider()
    icon = answer.keys[alone_chosen] if image_set.drawn else ""
    concept.evidence(about, answer.names[alone_chosen], lens.model, icon=icon)
