"""Prompt lab: up to four lenses on the same images, which differences are more than noise, and which images flip."""

from __future__ import annotations

import streamlit as st

from core.analysis.compare import headline, title
from pages.lab import classes, flips, names, published, random_words, rename, several_sets, sides
from pages.lab import lenses as lenses_view
from pages.ui import answers, lensbar
from pages.ui.switches import switch
from pages.ui.text import finding, quiet

VIEWS = ("side by side", "several sets", "classes", "frequency", "flips", "rename")

lens = lensbar.lens()
opening = st.container()
if published.chosen(lens):
    published.published_prompts(lens, opening)
    st.stop()
image_set = lensbar.images()
lenses = lenses_view.choose(lens)
found, pending = lenses_view.answers(lenses)
body, waiting = st.container(), st.container()
with waiting:  # drawn first, since a view may end the run before its last line
    lenses_view.progress(pending)
if len(found) < 2:
    with opening:
        missing = "Choose two to four setups to compare." if len(lenses) < 2 else f"Comparing {' and '.join(lenses)} …"
        finding("Prompt lab", missing)
        quiet("They look at the same images, so that every difference can be tested picture by picture.")
    if found or pending:
        with body:
            answered = lenses_view.comparison(found).lenses if found else {}
            lenses_view.summary_table(answered, pending=pending)
    st.stop()

compared = lenses_view.comparison(found)
with body, st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    view = switch("View", "lab-view", VIEWS)
    looked_at = lenses_view.pair(compared)
sentence = headline(looked_at)
with opening:
    finding("Prompt lab", title(looked_at), sentence)
    holm = f" · p adjusted by Holm for {len(compared.pairs)} comparisons" if len(compared.pairs) > 1 else ""
    quiet(answers.provenance(found[looked_at.b]) + holm)
    for label, answer in found.items():
        if answer.prompt_notes and label != looked_at.b:
            quiet(f"{label}: {' '.join(answer.prompt_notes)}")

with body:
    if view == "several sets":
        several_sets.sets_and_strategies(lens, lenses, found)
    elif view == "classes":
        classes.changes(found[looked_at.a], found[looked_at.b], looked_at, image_set)
    elif view == "frequency":
        classes.curves(found, image_set)
        names.synonyms(found, image_set)
    elif view == "flips":
        flips.flipped_images(found, looked_at, image_set)
    elif view == "rename":
        rename.what_if(found, image_set)
    else:
        sides.side_by_side(found, compared, sentence, pending=pending)
        random_words.random_words_section(found, compared.lenses, image_set)
