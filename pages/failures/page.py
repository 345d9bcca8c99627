"""Failures: who is taken for whom, the worst classes and mistakes, names that cannot work, numbers that differ."""

from __future__ import annotations

import streamlit as st

from pages.failures import images, pairs, why
from pages.ui import address, answers, detail, gallery, lensbar
from pages.ui.switches import switch
from pages.ui.text import finding, quiet

VIEWS = {
    "pairs": "Confused pairs",
    "matrix": "Matrix",
    "worst": "Worst classes",
    "absorbers": "Attractors",
    "confident": "Confident errors",
    "labels": "Label check",
    "names": "Name check",
    "why": "Why is my number different?",
}

lens, image_set = lensbar.lens(), lensbar.images()
opening = st.container()
address.by_id("fail", VIEWS)
view = switch("View", "fail", VIEWS, default="pairs")
answer = answers.answer_for(lens)
sentence = pairs.headline(answer)
with opening:
    finding("Failures", sentence)
    quiet(answers.provenance(answer))

if view == "pairs":
    pairs.pair_list(answer, image_set)
elif view == "matrix":
    pairs.matrix(lens, answer, image_set)
elif view == "worst":
    images.worst(answer, image_set)
elif view == "absorbers":
    images.attracting(answer, image_set)
elif view == "confident":
    images.confident(answer, image_set)
elif view == "labels":
    images.suspects(lens, answer, image_set)
elif view == "names":
    why.names(lens, answer, image_set)
else:
    why.why(answer)
gallery.opens(image_set, detail.of(lens, answer, image_set))
