"""Prompt inspector: the sentences behind a class, what is wrong with them, and what each of them does to the scores."""

from __future__ import annotations

import streamlit as st

from pages.inspector import class_sentences, how_many, walkthrough
from pages.ui import answers, lensbar
from pages.ui.switches import switch
from pages.ui.text import finding, quiet

VIEWS = ("sentences", "how many", "two classes")

lens, image_set = lensbar.lens(), lensbar.images()
opening = st.container()
view = switch("View", "inspect", VIEWS)
answer = answers.answer_for(lens)
sentences = class_sentences.sentences_of(lens, image_set)
with opening:
    finding("Prompt inspector", class_sentences.flaws(lens, image_set, sentences))
    quiet(answers.provenance(answer))

if view == VIEWS[0]:
    class_sentences.aggregation(lens, image_set, sentences)
    index = class_sentences.choose(answer, image_set)
    class_sentences.sentences_of_class(lens, answer, image_set, sentences, index)
elif view == VIEWS[1]:
    how_many.accuracy_by_sentences(lens, answer, image_set)
else:
    walkthrough.two_classes(lens, answer, image_set)
