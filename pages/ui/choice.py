"""Boxes that take names and whatever is typed, and what happens to a name that is not known.

Streamlit puts ``Add: …`` first on Enter. Here Enter takes the best match; what was typed stays when it can be used as
it is (a path, a template, a name in another spelling). A text that names nothing, typed or linked, never takes the
page away: it is said beside the box with the nearest names as buttons, and the page goes on with what it had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import streamlit as st

from core.errors import BadInput, UnknownName
from core.models import registry as models
from core.text.search import best_match, meant_names
from pages.ui.text import plain, quiet, warn

T = TypeVar("T")
BETWEEN = "::"
"""Stands between a model and a strategy in boxes that take both."""
OFFERED = 3


def one(
    label: str,
    key: str,
    options: Sequence[str],
    check: Callable[[str], T],
    *,
    near: Callable[[str], Sequence[str]] | None = None,
    **box: object,
) -> T | None:
    """A box for one name, kept in the address.

    Args:
        options: what it lists; a name that was typed is added.
        check: what the page needs of a chosen or typed text; BadInput when it cannot be used.
        near: names that an unknown one may mean; by default those of the options that look like it.
        box: further options of ``st.selectbox``.

    Returns:
        what ``check`` gives, or None while nothing is chosen or what is chosen names nothing.
    """
    typed = draw(label, key, options, **{"index": None, **box})
    if not typed:
        return None
    try:
        return check(typed)
    except BadInput as error:
        unknown(key, typed, error, options, near=near)
        return None


def draw(label: str, key: str, options: Sequence[str], **box: Any) -> str | None:
    """The box itself; a caller that checks the text elsewhere hands what is unknown to ``unknown``."""
    _told(key)
    typed = [st.session_state.get(key), st.query_params.get(key)]
    listed = list(dict.fromkeys([*options, *filter(None, typed)]))
    return st.selectbox(
        label, listed, key=key, accept_new_options=True, on_change=_entered, args=(key, options),
        **{"bind": "query-params", **box},
    )  # fmt: skip


def several(
    label: str,
    key: str,
    options: Sequence[str],
    check: Callable[[str], T],
    *,
    default: Sequence[str] = (),
    most: int,
    near: Callable[[str], Sequence[str]] | None = None,
    **box: Any,
) -> dict[str, T]:
    """A box for several names, kept in the address: name -> what ``check`` gives, without those that name nothing."""
    _told(key)
    typed = [*(st.session_state.get(key) or ()), *st.query_params.get_all(key)]
    chosen = st.multiselect(
        label, list(dict.fromkeys([*default, *options, *typed])), default=list(default), key=key, bind="query-params",
        select_all=False, filter_mode="contains", max_selections=most, accept_new_options=True, wrap=True,
        on_change=_entered, args=(key, options), **box,
    )[:most]  # fmt: skip
    found = {}
    for name in chosen:
        try:
            found[name] = check(name)
        except BadInput as error:
            unknown(key, name, error, options, near=near)
    return found


def unknown(
    key: str,
    typed: str,
    error: BadInput,
    options: Sequence[str],
    *,
    near: Callable[[str], Sequence[str]] | None = None,
    more: str = "",
) -> None:
    """Say what is wrong with a text, and offer the nearest names.

    Args:
        key: the box; of several names in it the typed one is replaced.
        options, near: as in ``one``.
        more: what the page does meanwhile.
    """
    known = _trusted(options)
    offered = list(dict.fromkeys([*_trusted(near(typed) if near else ()), *meant_names(typed, known)]))[:OFFERED]
    warn(f"{error} {more}".strip())
    if offered:
        with st.container(horizontal=True):
            for name in offered:
                button = f"use-{key}-{typed}-{name}"
                st.button(plain(f"Use {name}"), key=button, on_click=_replace, args=(key, typed, name))


def _trusted(names: Iterable[str]) -> list[str]:
    """Names without those of models that this product warns against."""
    return [name for name in names if not _is_warned(name.partition(BETWEEN)[0])]


def _is_warned(model: str) -> bool:
    try:
        return "," in model and models.quickgelu_warning(model) is not None
    except UnknownName:
        return False


def _entered(key: str, options: Sequence[str]) -> None:
    """Put the best match in the place of what was typed; what no option holds stays as it is."""
    held = st.session_state.get(key)
    taken: dict[str, tuple[str, str]] = st.session_state.setdefault("_taken", {})
    taken.pop(key, None)
    for typed in held if isinstance(held, list) else [held] if held else []:
        if typed not in options and (match := best_match(typed, _trusted(options))):
            taken[key] = typed, match
            _replace(key, typed, match)


def _replace(key: str, old: str, new: str) -> None:
    held = st.session_state.get(key)
    several = list(dict.fromkeys(new if name == old else name for name in held)) if isinstance(held, list) else None
    st.session_state[key] = new if several is None else several


def _told(key: str) -> None:
    """Say what Enter took, while it stands in the box."""
    taken: tuple[str, str] | None = st.session_state.get("_taken", {}).get(key)
    held = st.session_state.get(key)
    if taken and taken[1] in (held if isinstance(held, list) else [held]):
        quiet(f"“{taken[0]}” was taken as {taken[1]}.")
