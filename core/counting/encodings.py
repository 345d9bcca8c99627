"""Text that is not UTF-8: UTF-16 and UTF-32 are decoded, with or without a byte-order mark; nothing else is guessed."""

from __future__ import annotations

import codecs
from typing import Protocol

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
"""Longest first: the mark of UTF-32 begins with that of UTF-16."""
HEAD = 4096
"""Bytes from which an encoding is told."""
_PLAUSIBLE = 0.95
"""Share of characters that must be printable for bytes to be text in an encoding."""


def encoding_of(head: bytes) -> str:
    """The encoding of a text that begins so: by its mark, else by where its zero bytes stand; ``utf-8`` otherwise."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" not in head:
        return "utf-8"
    # UTF-32 first: of every four bytes two are zero, which no UTF-16 text has throughout.
    fits = {name: score for name in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be") if (score := _fit(head, name))}
    return max(fits, key=lambda name: (name.startswith("utf-32"), fits[name]), default="utf-8")


def decode(data: bytes) -> str:
    """A whole text in UTF-8, UTF-16 or UTF-32, without its mark; bytes in none of them become lone surrogates."""
    encoding = encoding_of(data[:HEAD])
    return data.decode(encoding, "surrogateescape" if encoding == "utf-8" else "replace").removeprefix("\ufeff")


class Readable(Protocol):
    """A stream of bytes that is only read forwards."""

    def read(self, size: int, /) -> bytes: ...


class AsUtf8:
    """A stream of text in another encoding, read as UTF-8; what cannot be decoded becomes U+FFFD."""

    def __init__(self, inner: Readable, head: bytes, encoding: str) -> None:
        self._inner, self._head = inner, head
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def read(self, size: int) -> bytes:
        """Up to about ``size`` bytes; empty at the end only."""
        while True:
            data, self._head = self._head or self._inner.read(size), b""
            text = self._decoder.decode(data, final=not data)
            if text or not data:
                return text.encode()


class Rejoined:
    """A stream of which the first bytes were read already."""

    def __init__(self, inner: Readable, head: bytes) -> None:
        self._inner, self._head = inner, head

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, or all that were read ahead."""
        if self._head:
            head, self._head = self._head, b""
            return head
        return self._inner.read(size)


def _fit(head: bytes, encoding: str) -> int:
    """How many ASCII characters a text has in an encoding; 0 when it is hardly in it."""
    width = 4 if "32" in encoding else 2
    try:
        text = head[: len(head) // width * width].decode(encoding, "replace" if width == 2 else "strict")
    except UnicodeDecodeError:
        return 0
    printable = sum(char.isprintable() or char.isspace() for char in text)
    return sum(char.isascii() for char in text) if text and printable >= _PLAUSIBLE * len(text) else 0
