"""Overview: what was measured on real CLIP models, from tables that ship, and the ways into everything else."""

from __future__ import annotations

import streamlit as st

from core.analysis import overview
from core.published.manifest import CITATION
from pages.overview import curves, doors, lookup, tail
from pages.ui.text import finding, quiet

found = overview.curves()
left, right = st.columns([3, 2], gap="large")
with left:
    finding("Tailscope: where CLIP-family models fail in the long tail", overview.headline(found))
    quiet(
        f"{len(found)} models on the paper’s 17 classification sets, one template, counts of each model’s own "
        f"pretraining set · {CITATION.partition(' (arXiv')[0]}"
    )
    curves.frequency_curves(found)
with right:
    lookup.concept_lookup()
    tail.let_it_wag()
doors.page_links()
