"""Data: models, image sets, the cache and running jobs."""

from __future__ import annotations

import streamlit as st

from pages import _data_cache, _data_jobs, _data_models, _data_sets, _release
from pages._jobs import may_change
from pages._text import quiet

SECTIONS = {
    "models": _data_models,
    "image sets": _data_sets,
    "published release": _release,
    "cache": _data_cache,
    "jobs": _data_jobs,
}

top = st.container()
show = st.segmented_control(
    "Show",
    list(SECTIONS),
    default="models",
    required=True,
    key="show",
    bind="query-params",
    label_visibility="collapsed",
)
with top:
    SECTIONS[show].headline()
SECTIONS[show].draw()
if not may_change():
    quiet(
        "This server is read-only: fetching, renaming and clearing are switched "
        "off. Start it with TAILSCOPE_ALLOW_JOBS=1 to allow them."
    )
