"""Prompt lab: up to four lenses on the same images, which differences are more than noise, and which images flip."""

from __future__ import annotations

import streamlit as st

from core.compare import headline
from pages import _answers, _lab, _lab_classes, _lab_flips, _lab_names, _lab_null, _lab_rename, _lab_sides, _lens
from pages._text import finding, quiet

VIEWS = ("side by side", "classes", "frequency", "flips", "rename")

lens, image_set = _lens.lens(), _lens.images()
opening = st.container()
lenses = _lab.choose(lens)
found = _lab.answers(lenses)
if len(found) < 2:
    with opening:
        missing = "Choose two to four lenses to compare." if len(lenses) < 2 else "Fewer than two lenses have answered."
        finding("Prompt lab", missing)
        quiet("They look at the same images, so that every difference can be tested picture by picture.")
    st.stop()

compared = _lab.comparison(found)
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    view = st.segmented_control("View", VIEWS, default=VIEWS[0], required=True, key="view", bind="query-params")
    looked_at = _lab.pair(compared)
sentence = headline(looked_at)
with opening:
    finding("Prompt lab", sentence)
    holm = f" · p adjusted by Holm for {len(compared.pairs)} comparisons" if len(compared.pairs) > 1 else ""
    quiet(_answers.provenance(found[looked_at.b]) + holm)

if view == "classes":
    _lab_classes.changes(found[looked_at.a], found[looked_at.b], looked_at, image_set)
elif view == "frequency":
    _lab_classes.curves(found, image_set)
    _lab_names.draw(found, image_set)
elif view == "flips":
    _lab_flips.draw(found, looked_at, image_set)
elif view == "rename":
    _lab_rename.draw(found, image_set)
else:
    _lab_sides.draw(found, compared, sentence)
    _lab_null.draw(found, compared.lenses, image_set)
