"""The selected concepts, which follow a person from page to page.

Up to fifty live in the URL by their readable names; a larger selection gets a name of its own there and can be
exported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import streamlit as st

from cache import keys
from core.evaluation.evaluate import results
from core.text.search import find_concepts
from pages.ui import address
from pages.ui.choice import OFFERED
from pages.ui.jobs import may_change
from pages.ui.text import plain, quiet

MOST = 50


class Named(Protocol):
    """Classes as a selection needs them: keys and readable names in one order; an image set or an answer."""

    @property
    def keys(self) -> Sequence[str]: ...
    @property
    def names(self) -> Sequence[str]: ...


def labels_of(class_keys: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Class key -> what the picker and the URL say: its name, with the key added where names repeat."""
    repeated = Counter(names)
    return {
        key: name if repeated[name] == 1 else f"{name} ({key})" for key, name in zip(class_keys, names, strict=True)
    }


def picker(classes: Named) -> None:
    """The list of selected concepts, to be drawn in the sidebar."""
    labels = labels_of(classes.keys, classes.names)
    st.session_state["_labels"] = labels
    known = set(labels.values())
    address.spell("concept", labels)
    if "concept" not in st.session_state:
        # A link may name a concept by its key; the widget itself only knows what it shows.
        linked = [labels.get(value, value) for value in st.query_params.get_all("concept")]
        if any(value in labels for value in st.query_params.get_all("concept")):
            st.session_state["concept"] = [value for value in dict.fromkeys(linked) if value in known][:MOST]
    else:
        st.session_state["concept"] = [value for value in st.session_state["concept"] if value in known]
    st.multiselect(
        "Concepts",
        list(labels.values()),
        select_all=False,
        filter_mode="contains",
        key="concept",
        bind="query-params",
        persist_state="session",
        max_selections=MOST,
        placeholder="Search by name",
        help="The selection follows you from page to page. Click points, rows, cards or names to change it.",
    )
    for typed in address.missing("concept", known):
        _offer(typed, labels)
    if st.session_state.get("selection") or "selection" in st.query_params:
        st.text_input("Named selection", key="selection", bind="query-params", help="Clear it to drop the selection.")
        found = _named(classes)
        quiet(f"{len(found):,} concepts" if found else "No selection of this name is known for this image set.")


def _offer(typed: str, labels: Mapping[str, str]) -> None:
    """Concepts that an unknown one of the address may mean, while none is chosen."""
    near = find_concepts(typed, list(labels), list(labels.values()))[:OFFERED]
    if not near or st.session_state.get("concept"):
        return
    quiet(f"No concept is called “{typed}”. Similar names:")
    with st.container(horizontal=True):
        for key in (list(labels)[index] for index in near):
            st.button(plain(labels[key]), key=f"near-{typed}-{key}", on_click=select, args=([key],))


def select(class_keys: Sequence[str]) -> None:
    """Make these concepts the selection; call it from a widget callback."""
    labels: Mapping[str, str] = st.session_state.get("_labels", {})
    wanted = [key for key in dict.fromkeys(class_keys) if key in labels]
    st.session_state["image"] = None
    if len(wanted) <= MOST:
        st.session_state["concept"] = [labels[key] for key in wanted]
        st.session_state["selection"] = ""
        return
    name = keys.digest(sorted(wanted))[:10]
    if may_change():
        results().put_json(f"selection:{name}", wanted)
    st.session_state["_selections"] = {**st.session_state.get("_selections", {}), name: wanted}
    st.session_state["concept"] = []
    st.session_state["selection"] = name


def chosen(classes: Named) -> list[int]:
    """Class indices of the selection in the order in which they were chosen."""
    index = {label: i for i, label in enumerate(labels_of(classes.keys, classes.names).values())}
    listed = [index[label] for label in st.session_state.get("concept") or [] if label in index]
    return listed or _named(classes)


def _named(classes: Named) -> list[int]:
    name = st.session_state.get("selection") or ""
    stored = st.session_state.get("_selections", {}).get(name)
    if stored is None and name:
        stored = results().get_json(f"selection:{name}")
    if not isinstance(stored, list):
        return []
    index = {key: i for i, key in enumerate(classes.keys)}
    return [index[key] for key in stored if key in index]
