"""What a browser may name: every path that was typed or came by a link is checked here, before the disk is looked at.

A refusal is the same sentence whether or not the path exists, so that a visitor learns nothing of the disk beyond the
served folders.
"""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st

from core import prompts as prompting
from core.datasets import SetInfo, list_sets, no_set, split_option
from core.datasets.io.roots import allowed_roots, check_path, inside
from core.errors import PathRefused
from core.models import registry as models
from core.prompts import generate
from core.supervised import names as supervised
from core.supervised.ask import named
from pages.ui import jobs

_BUCKET = re.compile(r"(s3|gs)://[A-Za-z0-9][\w./-]*", re.ASCII)


def folders() -> tuple[Path, ...]:
    """The served folders, links resolved."""
    return allowed_roots(local=jobs.is_local())


def path(text: str) -> Path:
    """A typed path with every link resolved; PathRefused when it leads outside the served folders."""
    return check_path(text, local=jobs.is_local())


def model(text: str) -> str:
    """The one spelling of a zero-shot model that was typed or linked.

    Raises:
        PathRefused: its path leads outside the served folders. UnknownName, UnreadableData: it leads nowhere.
    """
    if typed := models.typed_path(text):
        path(typed)
    return models.canonical(text)


def classifier(text: str) -> str:
    """The one spelling of any classifier, zero-shot or supervised; errors as of ``model``."""
    if not supervised.is_supervised(text.strip()):
        return model(text)
    if typed := supervised.typed_path(text):
        path(typed)
    return named(text)


def prompts(text: str) -> str:
    """A strategy as it was typed, if it can be read and whatever it reads may be read.

    Raises:
        PathRefused: its file lies outside the served folders. BadInput: it is no strategy, template or file.
    """
    typed = prompting.typed_path(text)
    if typed:
        try:
            inside(typed, (*folders(), generate.folder().resolve()))
        except PathRefused:
            if _is_word(typed) and prompting.split_aggregation(text)[0] == typed:
                raise prompting.unknown(text) from None
            raise
    prompting.check(text)
    return text


def image_set(text: str) -> str:
    """Id of an image set: one that is known, or a path in the served folders, links resolved.

    An address may come from a link: only a bucket's, without options, and only where nobody else reaches the server.

    Raises:
        PathRefused: a path leads outside. UnknownName, ImagesMissing: a word names no set on this disk.
    """
    if text in {info.id for info in sets()} or (jobs.is_local() and is_bucket(text)):
        return text
    base, option = split_option(text)
    if option:
        name, _, value = option.partition("=")
        if name == "over" and value not in ("imagenet", "mapped"):
            value = image_set(value)
        return f"{image_set(base)}#{name}={value}"
    try:
        found = path(text)
    except PathRefused:
        if _is_word(text):
            raise no_set(text) from None
        raise
    if not found.exists():
        raise no_set(text)
    return str(found)


def is_bucket(text: str) -> bool:
    """Whether this is an address of a bucket without password, query or options: a link can carry an address."""
    return bool(_BUCKET.fullmatch(text))


def set_roots(id: str) -> tuple[Path, ...] | None:
    """What a set that ``image_set`` let through is to be opened with: None for the address of a bucket."""
    return None if jobs.is_local() and is_bucket(id) else folders()


@st.cache_resource(ttl=20, show_spinner=False)
def sets() -> list[SetInfo]:
    """The image sets that can be opened by id."""
    return list_sets()


def _is_word(text: str) -> bool:
    """Whether a text is a misspelt name rather than a path."""
    return not ("/" in text or "\\" in text or text.startswith(("~", ".")) or Path(text).suffix in (".json", ".txt"))
