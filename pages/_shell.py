"""The frame of every page: navigation, the lens, and the one place where errors become sentences."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from core.errors import NotHere, Stopped, TailscopeError, WeightsMissing
from core.faults import FAULTS, in_words
from core.paths import ASSETS
from pages import registry
from pages.ui import address, answers, jobs, lensbar, selection
from pages.ui.links import to_data
from pages.ui.text import inform, warn


def explain(error: TailscopeError) -> None:
    """An error as one sentence, with what can be done about it here."""
    stopped = isinstance(error, Stopped)
    (inform if stopped else warn)(error)
    with st.container(horizontal=True):
        st.button("Run it again" if stopped else "Try again", on_click=jobs.again)
        st.button("Use the built-in model and images", on_click=lensbar.reset)
        asked = st.session_state.get("_lens")
        if isinstance(error, WeightsMissing) and asked:
            to_data("Fetch it on the Data page", "models", fetch_model=asked.model)
        elif isinstance(error, NotHere):
            to_data("Fetch it on the Data page", "image sets")


st.set_page_config(page_title="Tailscope", page_icon=str(ASSETS / "favicon.png"), layout="wide")
st.html(Path(__file__).parent / "ui" / "page.css")
st.logo(str(ASSETS / "logo.svg"), size="large", icon_image=str(ASSETS / "favicon.png"))
home = st.Page(lambda: None, title="Tailscope", url_path="home", default=True, visibility="hidden")
groups: dict[str, list[StreamlitPage]] = {"": [home]}
for info in registry.PAGES:
    groups.setdefault(info.group, []).append(st.Page(info.file, title=info.title, url_path=info.id))
page = st.navigation(groups, position="top")
if page == home:
    # The default page has no address but the bare one, so every page that is linked to is another.
    query = {key: st.query_params.get_all(key) for key in st.query_params}
    st.switch_page(registry.find("frequency").file, query_params=query)
st.session_state["_page"] = page.url_path
address.arrived(page.url_path)
with jobs.asking():
    top = st.container()
    try:
        with st.sidebar:
            lensbar.sidebar(top)
        if registry.find(page.url_path).concepts:
            with st.sidebar:
                selection.picker(lensbar.images())
        page.run()
        with st.sidebar:
            answers.start_live()
        lensbar.read_models()
    except (TailscopeError, *FAULTS) as error:
        fault = in_words(error)
        if fault is None:
            raise
        explain(fault)
    address.tell(top)
