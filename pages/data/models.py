"""Models: which there are, which are on this disk, and fetching one with its size stated first."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core import downloads as fetch
from core.models.registry import ModelInfo, nearest
from core.runtime.jobs import question
from pages.ui import choice, fetching, lensbar, served
from pages.ui.switches import switch
from pages.ui.text import finding, plain, quiet, section, size


def headline() -> None:
    """How many models can be asked now."""
    infos = lensbar.known_models(wait=True)
    here, icons = sum(info.available for info in infos), sum(info.kind == "icon" for info in infos)
    finding("Models and images", f"{here} of {len(infos)} models are downloaded; {icons} came with Tailscope.")
    quiet("Any other model that open_clip loads can be typed under Model: hf-hub:ORG/REPO, local-dir:PATH.")


def draw() -> None:
    """The searchable table of models and the place to fetch one."""
    # Models that open_clip's configuration misreads carry a note, and come last.
    infos = sorted(lensbar.known_models(wait=True), key=lambda info: (not info.available, bool(info.note)))
    kept = switch("Which", "which", ["all", "on this disk"], bare=True, linked=False)
    _table([info for info in infos if info.available or kept == "all"])
    _use()
    section("Fetch a model", "The size is stated first; a download that was stopped goes on where it ended.")
    wanted = choice.one(
        "Model to fetch",
        "fetch_model",
        [info.id for info in infos if not info.available],
        served.model,
        near=nearest,
        placeholder="ARCH,PRETRAINED or hf-hub:ORG/REPO",
        label_visibility="collapsed",
    )
    if wanted:
        planning = question(fetch.plan_model, wanted, label=f"Asking the size of {wanted}", lane="io")
        fetching.offer(planning, wanted)


def _table(infos: list[ModelInfo]) -> None:
    frame = pd.DataFrame(
        {
            "Model": [info.id for info in infos],
            "On disk": [info.available for info in infos],
            "Size": [size(info.size_bytes) if info.size_bytes else None for info in infos],
            "Pretraining": [info.pretraining for info in infos],
            "Note": [info.note for info in infos],
        }
    )
    st.dataframe(
        frame,
        key="models",
        height=380,
        hide_index=True,
        on_select=lambda: _chosen(infos),
        selection_mode="single-row",
        placeholder="–",
        column_config={
            "Model": st.column_config.TextColumn(help="Choose a row to use or fetch this model"),
            "On disk": st.column_config.CheckboxColumn(width="small"),
            "Note": st.column_config.TextColumn(width="large"),
        },
        alt="Models with availability, size and pretraining data",
    )


def _chosen(infos: list[ModelInfo]) -> None:
    """A row of a model that is not here fills the box below; one that is here is offered, and nothing else changes."""
    rows = st.session_state["models"].selection.rows
    info = infos[rows[0]] if rows and rows[0] < len(infos) else None
    st.session_state["_offered_model"] = info.id if info and info.available else None
    if info and not info.available:
        st.session_state["fetch_model"] = info.id


def _use() -> None:
    id = st.session_state.get("_offered_model")
    if id and id != lensbar.lens().model:
        st.button(f"Use {plain(id)} on every page", key="data-use", on_click=lensbar.use_model, args=(id,))
