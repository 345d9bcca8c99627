"""Failures: who is taken for whom, the worst classes and mistakes, names that cannot work, numbers that differ."""

from __future__ import annotations

import streamlit as st

from pages import _answers, _detail, _failures, _failures_images, _failures_why, _lens
from pages._text import finding, quiet

VIEWS = ("pairs", "matrix", "worst", "absorbers", "confident", "labels", "names", "why")

lens, image_set = _lens.lens(), _lens.images()
opening = st.container()
view = st.segmented_control(
    "View", VIEWS, default=VIEWS[0], required=True, key="fail", bind="query-params",
    help="pairs and matrix: who is taken for whom. worst, absorbers: classes that fail or swallow others. confident: "
    "the surest mistakes. labels: labels to check. names: names that cannot work. why: why is my number different?",
)  # fmt: skip
answer = _answers.answer_for(lens)
sentence = _failures.headline(answer)
with opening:
    finding("Failures", sentence)
    quiet(_answers.provenance(answer))

if view == "pairs":
    _failures.pair_list(answer, image_set)
elif view == "matrix":
    _failures.matrix(lens, answer, image_set)
elif view == "worst":
    _failures_images.worst(answer, image_set)
elif view == "absorbers":
    _failures_images.swallowing(answer, image_set)
elif view == "confident":
    _failures_images.confident(answer, image_set)
elif view == "labels":
    _failures_images.suspects(lens, answer, image_set)
elif view == "names":
    _failures_why.names(lens, answer, image_set)
else:
    _failures_why.why(answer)
_detail.enlarge_picked(lens, answer, image_set)
