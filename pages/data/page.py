"""Data: models, image sets, counts, the cache and running jobs."""

from __future__ import annotations

import streamlit as st

from core import plugins
from pages.data import cache, counts, jobs, models, sets
from pages.published import release
from pages.ui.jobs import may_change
from pages.ui.switches import switch
from pages.ui.text import quiet, warn_each

SECTIONS = {
    "models": models,
    "image sets": sets,
    "counts": counts,
    "published release": release,
    "cache": cache,
    "jobs": jobs,
}

top = st.container()
show = switch("Show", "show", list(SECTIONS), default="models", bare=True)
with top:
    SECTIONS[show].headline()
SECTIONS[show].draw()
if skipped := plugins.problems():
    warn_each(skipped)
if not may_change():
    quiet(
        "This server is read-only: fetching, renaming and clearing are switched "
        "off. Start it with TAILSCOPE_ALLOW_JOBS=1 to allow them."
    )
