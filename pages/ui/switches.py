"""A choice among a few things that all stand there as buttons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def switch(
    label: str,
    key: str,
    options: Iterable[T] | Mapping[T, str],
    *,
    default: T | None = None,
    show: Callable[[T], str] | None = None,
    bare: bool = False,
    linked: bool = True,
    help: str | None = None,
) -> T:
    """One of the options, always; the choice is kept in the address.

    Args:
        options: what is offered, perhaps with the words for it.
        default: what is chosen at first; None for the first of them.
        show: the words for an option without any.
        bare: the label is for those alone who cannot see the buttons.
        linked: the address keeps it; else this tab does.
    """
    offered = list(options)
    words = options.__getitem__ if isinstance(options, Mapping) else show or str
    return st.segmented_control(
        label, offered, default=offered[0] if default is None else default, required=True, key=key, help=help,
        format_func=words, label_visibility="collapsed" if bare else "visible",
        bind="query-params" if linked else None, wrap=True,
    )  # fmt: skip
