"""Splitting a text into lines as files have them."""

from __future__ import annotations


def lines_of(text: str) -> list[str]:
    r"""The lines of a text; only ``\n`` and ``\r\n`` end one.

    ``str.splitlines`` also breaks at U+2028, U+0085, form feeds and the like, which occur inside names and sentences.
    A last line without an end counts; the empty text has no lines.
    """
    if not text:
        return []
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")
