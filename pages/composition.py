"""Composition: attributes and objects together, seen and never seen in pretraining, and what the embedding adds up."""

from __future__ import annotations

import streamlit as st

from core.composition import scores
from pages import _composer, _composition, _composition_models, _composition_pairs, _composition_seen, _detail, _lens
from pages._text import finding, quiet

VIEWS = ("errors", "pairs", "seen and never seen", "models", "embedding", "few-shot", "composer")

opening = st.container()
asked = _composition.asked(_lens.lens())
measured = _composition.measured(asked)
with opening:
    finding("Composition", scores.headline(measured.found))
    quiet(_composition.provenance(asked, measured))
_composition.unmatched(asked)
view = st.segmented_control(
    "View", VIEWS, default=VIEWS[0], required=True, key="composition", bind="query-params",
    help="errors: the whole and its parts. pairs: attribute x object, a click shows the pictures. models: composition "
    "against accuracy in distribution. embedding: additivity and captions. few-shot: probes on cached vectors. "
    "composer: type any attribute and object.",
)  # fmt: skip
shown = None
if view == "errors":
    shown = _composition_pairs.errors(asked, measured)
elif view == "pairs":
    shown = _composition_pairs.matrix(asked, measured)
elif view == "seen and never seen":
    _composition_seen.gaps(asked, measured)
elif view == "models":
    _composition_models.models(asked, measured)
elif view == "embedding":
    _composition_seen.embedding(asked, measured)
elif view == "few-shot":
    _composition_models.probes(asked)
else:
    shown = _composer.composer(asked, measured)
if shown:
    _detail.enlarge_picked(*shown)
