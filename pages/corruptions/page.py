"""Corruptions: pictures under nineteen corruptions, what it costs whom, and answers that flip along sequences."""

from __future__ import annotations

import streamlit as st

from pages.corruptions import frames, grid, map, parts, shared
from pages.ui import lensbar
from pages.ui.switches import switch
from pages.ui.text import finding, inform, quiet

VIEWS = ("one picture", "heat map", "head and tail", "sequences")

lens, image_set = lensbar.lens(), lensbar.images()
opening = st.container()
if not image_set.has_images or len(image_set.keys) < 2:
    with opening:
        finding("Corruptions", "Corrupting needs pictures and at least two classes, which this image set lacks.")
        quiet("Choose another set under Images; icons are always there.")
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    view = switch(
        "View", "corruption-view", VIEWS,
        help="one picture: every corruption at every severity, live. heat map: a sample of the set under each. "
        "head and tail: accuracy along severity. sequences: answers from frame to frame.",
    )  # fmt: skip
    other = shared.choose_other(lens)
try:
    if view == "one picture":
        grid.one_picture(lens, image_set, other)
    elif view == "heat map":
        map.heat_map(lens, image_set, other)
    elif view == "head and tail":
        parts.head_and_tail(lens, image_set, other)
    else:
        frames.sequences_of_frames(lens, image_set, other)
finally:  # also where the view ends the run to wait; what it has just measured is the page's finding
    with opening:
        shared.opening(lens, image_set)
        if view != "sequences" and (absent := shared.is_absent()):
            inform(absent, icon=":material/extension:")
