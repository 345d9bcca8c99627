"""The frame of every page: navigation, the lens, and the one place where errors become sentences."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.errors import NotHere, Stopped, TailscopeError, WeightsMissing
from pages import _answers, _jobs, _lens, _selection
from pages._links import to_data
from pages._text import plain

HERE = Path(__file__).parent
ASSETS = HERE.parent / "assets"
PAGES = {
    "explore": "Explore",
    "frequency": "Frequency",
    "tail": "Tail",
    "counts": "Count captions",
    "data": "Data",
}
LAB = {
    "lab": "Prompt lab",
    "inspector": "Prompt inspector",
    "sentences": "New sentences",
    "failures": "Failures",
    "deck": "Deck",
}
ROBUSTNESS = {
    "corruptions": "Corruption studio",
    "shifts": "Shifts",
    "attacks": "Attacks",
    "composition": "Composition",
}
PUBLISHED = {
    "published": "Published curves",
    "among": "Your model",
    "letitwag": "Let It Wag!",
    "corpora": "Corpora",
    "claims": "Claims",
}


def explain(error: TailscopeError) -> None:
    """An error as one sentence, with what can be done about it here."""
    stopped = isinstance(error, Stopped)
    (st.info if stopped else st.warning)(plain(error))
    with st.container(horizontal=True):
        st.button("Run it again" if stopped else "Try again", on_click=_jobs.again)
        st.button("Use the built-in model and images", on_click=_lens.reset)
        asked = st.session_state.get("_lens")
        if isinstance(error, WeightsMissing) and asked:
            to_data("Fetch it on the Data page", "models", fetch_model=asked.model)
        elif isinstance(error, NotHere):
            to_data("Fetch it on the Data page", "image sets")


st.set_page_config(page_title="Tailscope", page_icon=str(ASSETS / "favicon.png"), layout="wide")
st.logo(str(ASSETS / "logo.svg"), size="large", icon_image=str(ASSETS / "favicon.png"))
home = st.Page(lambda: None, title="Tailscope", url_path="home", default=True, visibility="hidden")
groups = {
    group: [st.Page(HERE / f"{name}.py", title=title) for name, title in pages.items()]
    for group, pages in {
        "": PAGES,
        "Prompts and failures": LAB,
        "Robustness": ROBUSTNESS,
        "Published evidence": PUBLISHED,
    }.items()
}
page = st.navigation({**groups, "": [home, *groups[""]]}, position="top")
if page == home:
    # The default page has no address but the bare one, so every page that is linked to is another.
    st.switch_page("frequency.py", query_params={key: st.query_params.get_all(key) for key in st.query_params})
st.session_state["_page"] = page.title
with _jobs.asking():
    try:
        with st.sidebar:
            _lens.sidebar()
        if page.title in ("Explore", "Frequency", "Tail", "Prompt lab", "Prompt inspector", "Failures"):
            with st.sidebar:
                _selection.picker(_lens.images())
        page.run()
        with st.sidebar:
            _answers.start_live()
        _lens.read_models()
    except TailscopeError as error:
        explain(error)
