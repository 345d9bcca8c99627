"""Words on the page: the one place where text becomes HTML or Markdown.

Streamlit reads its boxes, labels, tooltips and choices as Markdown, and most sentences carry words from files: class
and model names, columns of tables, notes, paths, messages of errors. Sentences are shown by the functions below, which
escape all of it; a label with such words goes through ``plain``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

import streamlit as st

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:<>&@^=])")


_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LONG = re.compile(r"(\S{200})\S{100,}")


def shown(text: str) -> str:
    """Text without characters that steer a terminal or the direction of reading; words above 300 characters are cut."""
    return _LONG.sub(r"\1…", _CONTROL.sub("\ufffd", text))


def plain(value: object) -> str:
    """Data as literal text inside a Markdown label or sentence."""
    return _MARKDOWN.sub(r"\\\1", " ".join(shown(str(value)).split()))


_NUMBER = re.compile(
    r"(?<=\d) (?=%|points?\b|images?\b|concepts?\b|classes\b|models?\b|times\b|of \d|MB\b|GB\b|kB\b|s\b|min\b)"
    r"|(?<=%) (?=CI\b)|(?<=CI) (?=[\d−+])|(?<=[=<>≈±]) (?=[\d−+])|(?<=\w) (?=[=<>] [\d−+])"
)


def unbroken(sentence: str) -> str:
    """A sentence whose numbers stay on one line with their units."""
    return _NUMBER.sub("\u00a0", sentence)


def _element(tag: str, text: str, style: str) -> str:
    return f'<{tag} style="margin:0;padding:0;{style}">{html.escape(unbroken(shown(text)))}</{tag}>'


def finding(place: str, sentence: str, note: str = "") -> None:
    """The page's name and, as its headline, what the numbers say in one number and one comparison.

    Args:
        note: interval, n and what else the headline rests on, in a quiet line below.
    """
    headline = "font-size:1.5rem;line-height:1.38;font-weight:600;max-width:56rem;text-wrap:pretty"
    st.html(
        _element("p", place, "margin-bottom:.35rem;font-size:.82rem;letter-spacing:.04em;opacity:.62")
        + _element("h1", sentence, headline)
    )
    if note:
        quiet(note)


def finding_of(sentence: str) -> None:
    """The finding of one section of a page."""
    st.html(_element("p", sentence, "font-size:1.08rem;line-height:1.45;max-width:52rem;text-wrap:pretty"))


def section(title: str, note: str = "") -> None:
    """A heading inside a page with an optional quiet line under it."""
    below = _element("p", note, "margin-top:.2rem;font-size:.92rem;opacity:.7;max-width:50rem") if note else ""
    st.html(_element("h2", title, "margin-top:1rem;font-size:1.15rem;font-weight:600") + below)


def warn(sentence: object) -> None:
    """A box that says what went wrong."""
    st.warning(plain(sentence))


def warn_each(sentences: Iterable[object]) -> None:
    """One box for several things that went wrong."""
    st.warning("\n".join(f"- {plain(sentence)}" for sentence in sentences))


def inform(sentence: object, *, icon: str | None = None) -> None:
    """A box that says what is to be known."""
    st.info(plain(sentence), icon=icon)


def succeed(sentence: object) -> None:
    """A box that says what was done."""
    st.success(plain(sentence))


def toast(sentence: object) -> None:
    """A note that goes by itself."""
    st.toast(plain(sentence))


def quiet(sentence: str) -> None:
    """A line of provenance or advice in small type."""
    st.html(_element("p", sentence, "font-size:.88rem;opacity:.7;max-width:56rem;overflow-wrap:anywhere"))


def size(count: float | None) -> str:
    """Bytes in words."""
    if count is None:
        return "unknown size"
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= limit:
            return f"{count / limit:.1f} {unit}" if count < 10 * limit else f"{count / limit:.0f} {unit}"
    return f"{count:.0f} bytes"
