"""Prompt inspector: the sentences behind a class, what is wrong with them, and what each of them does to the scores."""

from __future__ import annotations

import streamlit as st

from pages import _answers, _inspect_class, _inspect_counts, _lens, _walkthrough
from pages._text import finding, quiet

VIEWS = ("sentences", "how many", "two classes")

lens, image_set = _lens.lens(), _lens.images()
opening = st.container()
view = st.segmented_control("View", VIEWS, default=VIEWS[0], required=True, key="inspect", bind="query-params")
answer = _answers.answer_for(lens)
sentences = _inspect_class.sentences_of(lens, image_set)
with opening:
    finding("Prompt inspector", _inspect_class.flaws(lens, image_set, sentences))
    quiet(" ".join((_answers.provenance(answer) + ".", *sentences.prompts.notes)))

if view == VIEWS[0]:
    _inspect_class.aggregation(lens, image_set, sentences)
    index = _inspect_class.choose(answer, image_set)
    _inspect_class.draw(lens, answer, image_set, sentences, index)
elif view == VIEWS[1]:
    _inspect_counts.draw(lens, answer, image_set)
else:
    _walkthrough.draw(lens, answer, image_set)
