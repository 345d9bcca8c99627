"""Image sets: what was detected, how classes are named, correcting names, and fetching the well-known ones."""

from __future__ import annotations

from contextlib import suppress

import pandas as pd
import streamlit as st

from core import downloads as fetch
from core.datasets.coverage import coverage
from core.errors import TailscopeError
from core.runtime.jobs import question
from core.types import ImageSet
from pages.ui import answers, choice, corrections, fetching, jobs, lensbar
from pages.ui.downloads import downloads
from pages.ui.text import finding, plain, quiet, section, size


def headline() -> None:
    """What the lens's image set is, and how its classes were named."""
    try:
        image_set = lensbar.images()
    except TailscopeError as error:
        finding("Models and images", f"{lensbar.lens().image_set} cannot be shown yet.")
        quiet(str(error))
        return
    finding(
        "Models and images", f"{image_set.id}: {len(image_set.labels):,} images of {len(image_set.keys):,} classes."
    )
    quiet(coverage(image_set).line)


def draw() -> None:
    """Opening another set, what was left out, class names, and the sets that can be fetched."""
    with st.form("open", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Open a folder or file", key="path", placeholder="Path of an image set on this machine")
        st.form_submit_button("Open", on_click=_open)
    with suppress(TailscopeError):
        image_set = lensbar.images()
        _left_out(image_set)
        _names(image_set)
    _fetchable()


def _left_out(image_set: ImageSet) -> None:
    """What could not be used: found while listing, and while embedding once that was done."""
    answer = answers.known_answer(lensbar.lens())
    items = answer.left_out if answer else image_set.left_out
    if items:
        with st.expander(f"{len(items):,} items skipped"):
            rows = {"Item": [item.item for item in items], "Reason": [item.reason for item in items]}
            st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Skipped items, with reasons")
            downloads("left-out", list(rows), list(zip(*rows.values(), strict=True)))


def _open() -> None:
    path = (st.session_state.get("path") or "").strip()
    if path:
        st.session_state["set"] = path


def _names(image_set: ImageSet) -> None:
    section(
        "Class names", "The names that prompts use. Corrections are kept in the cache, never in the set's own folder."
    )
    counts = pd.Series(image_set.labels).value_counts()
    frame = pd.DataFrame(
        {
            "Key": list(image_set.keys),
            "Name": list(image_set.names),
            "Images": [int(counts.get(label, 0)) for label in range(len(image_set.keys))],
        }
    )
    edited = st.data_editor(
        frame,
        key=f"names-{image_set.fingerprint}",
        height=320,
        hide_index=True,
        disabled=["Key", "Images"] if jobs.may_change() else True,
        column_config={"Name": st.column_config.TextColumn(required=True, max_chars=200)},
        alt="Classes with key, name and number of images",
    )
    changed = {
        key: " ".join(str(name).split())
        for key, name, old in zip(image_set.keys, edited["Name"], image_set.names, strict=True)
        if name and name != old
    }
    kept = corrections.of(image_set.id)
    with st.container(horizontal=True):
        if changed:
            st.button(
                f"Keep {len(changed)} corrected name{'s' * (len(changed) > 1)}",
                on_click=_correct,
                args=(image_set.id, kept | changed),
                type="primary",
            )
        if kept:
            st.button("Back to the original names", on_click=_correct, args=(image_set.id, {}))


def _correct(id: str, names: dict[str, str]) -> None:
    jobs.require_change("renaming classes")
    try:
        corrections.keep(id, names)
    except TailscopeError as error:
        st.toast(plain(error))


def _fetchable() -> None:
    section("Fetch an image set", "From the hub: everything, or the first images of every class for a quick look.")
    offered = {item.id: item for item in fetch.list_fetchable()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = choice.one(
            "Image set",
            "fetch_set",
            list(offered),
            fetch.fetchable,
            format_func=lambda id: f"{offered[id].title} ({id})" if id in offered else id,
            placeholder="Let It Wag!, ImageNet-V2, … or any wds_NAME",
        )
        each = st.number_input("Images of each class", min_value=1, value=5, step=1, key="per-class", width=170)
        every = st.toggle("All images", key="fetch-all")
    if not wanted:
        return
    if wanted in offered:
        item = offered[wanted]
        quiet(f"{item.note}; {size(item.bytes)} in all{'; on this disk' if item.available else ''}.")
    per_class = None if every else int(each)
    planning = question(fetch.plan_set, wanted, per_class, label=f"Asking the size of {wanted}", lane="io")
    fetching.offer(planning, wanted)
    if wanted in offered and offered[wanted].available:
        st.button(f"Look at {plain(wanted)}", on_click=_look, args=(wanted,))


def _look(id: str) -> None:
    st.session_state["set"] = id
