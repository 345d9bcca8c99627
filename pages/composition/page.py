"""Composition: attributes and objects together, seen and never seen in pretraining, and what the embedding adds up."""

from __future__ import annotations

import streamlit as st

from core.composition import scores
from pages.composition import composer, models, pairs, seen, shared
from pages.ui import lensbar
from pages.ui.switches import switch
from pages.ui.text import finding, section

VIEWS = ("errors", "pairs", "seen and never seen", "models", "embedding", "few-shot", "composer")

opening = st.container()
asked = shared.asked(lensbar.lens())
measured = shared.measured(asked)
with opening:
    finding("Composition", scores.headline(measured.found), scores.evidence(measured.found))
    shared.origin(asked, measured)
    shared.by_frequency(asked, measured)
shared.unmatched(asked)
view = switch(
    "View", "composition", VIEWS,
    help="errors: composition, attribute and object. pairs: attribute x object, a click shows the pictures. models: "
    "composition against accuracy in distribution. embedding: additivity and captions. few-shot: probes on cached "
    "vectors. composer: type any attribute and object.",
)  # fmt: skip
if view == "errors":
    pairs.errors(asked, measured)
elif view == "pairs":
    pairs.matrix(asked, measured)
elif view == "seen and never seen":
    seen.gaps(asked, measured)
elif view == "models":
    models.models(asked, measured)
elif view == "embedding":
    seen.embedding(asked, measured)
elif view == "few-shot":
    models.few_shot(asked)
    section("Over objects", "Classes are objects, whatever their attribute; cached vectors of the sidebar's model.")
    models.probes(asked)
else:
    composer.composer(asked, measured)
