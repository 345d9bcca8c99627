"""The frame of every page: navigation, the lens, and the one place where errors become sentences."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from core.errors import Stopped, TailscopeError, WeightsMissing
from core.faults import FAULTS, in_words
from core.paths import ASSETS
from pages import registry
from pages.ui import address, answers, detail, jobs, lensbar, selection, sidebar
from pages.ui.links import to_fetch
from pages.ui.text import finding, inform, warn


def explain(error: TailscopeError) -> None:
    """An error as one sentence, with what can be done about it here."""
    stopped = isinstance(error, Stopped)
    finding(current.title, "This run was stopped." if stopped else "This cannot be shown.")
    (inform if stopped else warn)(error)
    with st.container(horizontal=True):
        st.button("Run it again" if stopped else "Try again", on_click=jobs.again)
        st.button("Use the built-in model and images", on_click=lensbar.reset)
        asked = st.session_state.get("_lens")
        if asked and lensbar.has_scores(asked) and not isinstance(error, WeightsMissing):
            st.page_link(
                registry.find("explore").file, label="See its published accuracies", icon=":material/bar_chart:"
            )
        elif asked:
            to_fetch(error, asked.model)


st.set_page_config(page_title="Tailscope", page_icon=str(ASSETS / "favicon.png"), layout="wide")
ui = Path(__file__).parent / "ui"
st.html(ui / "page.css")
st.html(f"<script>{(ui / 'history.js').read_text(encoding='utf-8')}</script>", unsafe_allow_javascript=True)
st.logo(str(ASSETS / "logo.svg"), size="large", icon_image=str(ASSETS / "favicon.png"))
pages = {info.id: st.Page(info.file, title=info.title, url_path=info.id) for info in registry.PAGES[1:]}
# The default page is the bare address; it has no other.
pages[registry.HOME.id] = st.Page(registry.HOME.file, title=registry.HOME.title, default=True)
places: dict[str, list[StreamlitPage]] = {}
for info in registry.PAGES:
    places.setdefault(info.place, []).append(pages[info.id])
page = st.navigation(places, position="top")
current = registry.find(page.url_path or registry.HOME.id)
if current.place:
    # Streamlit marks the entry of a page, but not the menu that it is in.
    entry = len(places[""]) + [place for place in places if place].index(current.place) + 1
    st.html(
        f"<style>[data-testid=stTopNav] > :nth-child({entry}) [data-testid=stTopNavSection] "
        "{background: color-mix(in srgb, currentColor 10%, transparent); font-weight: 600}</style>"
    )
st.set_page_config(page_title=f"{current.title} · Tailscope")
st.session_state["_page"] = current.id
address.arrived(current.id)
with jobs.asking():
    top = st.container()
    try:
        with st.sidebar:
            sidebar.sidebar(current.needs, top)
            if "concepts" in current.needs and lensbar.captioned() is None:
                selection.picker(lensbar.classes() if "classes" in current.needs else lensbar.images())
        st.session_state["_opens"] = []
        page.run()
        detail.enlarged()
        with st.sidebar:
            answers.offer_live()
        if current.needs:
            lensbar.read_models()
    except (TailscopeError, *FAULTS) as error:
        fault = in_words(error)
        if fault is None:
            raise
        explain(fault)
    address.tell(top)
