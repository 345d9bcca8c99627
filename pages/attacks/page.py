"""Attacks: how small a change breaks a classifier, whether prompts help, who breaks first, what transfers."""

from __future__ import annotations

import streamlit as st

from pages.attacks import curves, picture, shared, transfer, written
from pages.ui import lensbar
from pages.ui.switches import switch
from pages.ui.text import finding, quiet

VIEWS = ("one picture", "accuracy", "minimal ε", "transfer", "written word")

lens, image_set = lensbar.lens(), lensbar.images()
opening = st.container()
if not image_set.has_images or len(image_set.keys) < 2:
    with opening:
        finding("Attacks", "An attack needs pictures and at least two classes, and this image set lacks them.")
        quiet("Choose another set under Images; icons are always there.")
    st.stop()

view = switch(
    "View", "attacks-view", VIEWS,
    help="one picture: before, change and after, live. accuracy: what is left at each ε, by prompts and model. "
    "minimal ε: how much each image needs. transfer: crafted on one model, tried on another. "
    "written word: another class's name on the picture.",
)  # fmt: skip
try:
    if view == "one picture":
        picture.one_picture(lens, image_set)
    elif view == "accuracy":
        curves.accuracy(lens, image_set)
    elif view == "minimal ε":
        curves.minimal(lens, image_set)
    elif view == "transfer":
        transfer.transfer_matrix(lens, image_set)
    else:
        written.written_word(lens, image_set)
finally:  # also where the view ends the run to wait; what it has just measured is the page's finding
    with opening:
        shared.opening(lens, image_set)
