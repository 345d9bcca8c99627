"""How much memory files from outside may take while they are read: one budget for all threads of the process.

A picture of a third of a megabyte can unpack to gigabytes, and a table of 60 MB to as many objects. What reading takes
can be told before it begins, from a picture's header or from the marks in a text, so whoever reads says first what it
will take, and waits until that much is free. What alone takes more than the whole budget is refused.
"""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np

from core.errors import BadInput, TooLarge

VARIABLE = "TAILSCOPE_MEMORY"
"""The environment variable that changes the budget: bytes, or a number with K, M or G (powers of 1,024)."""

USUAL = 2 << 30
"""Bytes that reading may take at a time, beyond the models: enough for any picture that is allowed."""

_SIZE = re.compile(r"([0-9]{1,15})\s*(?:([KMG])(?:i?B)?)?", re.IGNORECASE)
_POWERS = {"": 0, "K": 10, "M": 20, "G": 30}


def allowed() -> int:
    """Bytes of the budget; BadInput when the variable is no size."""
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return USUAL
    found = _SIZE.fullmatch(text)
    size = int(found[1]) << _POWERS[(found[2] or "").upper()] if found else 0
    if size < 1 << 20:
        raise BadInput(f"{VARIABLE} is {text[:40]!r}; it can be a size of at least 1M, such as 512M, 2G or 4G.")
    return size


class Budget:
    """Bytes that reading may take at a time, given out in the order in which they were asked for.

    Args:
        most: bytes for all threads together; ``allowed()`` when first used, by default.
    """

    def __init__(self, most: int | None = None) -> None:
        self._given = most
        self._used = self._peak = self._cached = 0
        self._free = threading.Condition()
        self._waiting: deque[object] = deque()
        self._own = threading.local()

    @cached_property
    def most(self) -> int:
        """Bytes for all threads together."""
        return allowed() if self._given is None else self._given

    @property
    def used(self) -> int:
        """Bytes that are given out now."""
        return self._used

    @property
    def peak(self) -> int:
        """The most bytes that were given out at a time."""
        return self._peak

    def require(self, size: int, what: str, advice: str) -> None:
        """TooLarge when ``size`` bytes are more than the whole budget; ``advice`` says what to do."""
        if size > self.most:
            raise TooLarge(
                f"{what} takes {size / 2**20:,.0f} MiB of memory, and {self.most / 2**20:,.0f} MiB are allowed; "
                f"{advice}, or set {VARIABLE}."
            )

    @contextmanager
    def decoding(self, size: int) -> Iterator[Callable[[int], None]]:
        """Hold ``size`` bytes while a picture is decoded, as soon as they are free.

        Yields:
            A function that takes the bytes of the finished picture: inside ``keeping`` they stay held.

        Raises:
            TooLarge: the picture alone takes more than the whole budget.
        """
        self.require(size, "decoding it", "save it with fewer pixels")
        kept = 0

        def keep(size: int) -> None:
            nonlocal kept
            kept = size

        self._take(size)
        try:
            yield keep
        finally:
            if self._depth() == 0:
                kept = 0
            self._own.held = self._held() + kept
            self._give(size - kept)

    @contextmanager
    def reading(self, size: int, name: str) -> Iterator[None]:
        """Hold ``size`` bytes while a file is parsed, as soon as they are free.

        Raises:
            TooLarge: the file, called ``name``, alone takes more than the whole budget.
        """
        self.require(size, f"{name} cannot be read: reading it", "split it")
        before = self._held()
        self._take(size)
        self._own.held = before + size  # what is read within this block does not wait for this block
        try:
            yield
        finally:
            self._own.held = self._held() - size
            self._give(size)

    def cache(self, change: int) -> None:
        """Count bytes kept between reads, which can be read again: others get that much less, never nothing."""
        with self._free:
            self._cached += change
            self._free.notify_all()

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Pictures decoded by this thread inside the block count until it ends, as whoever asked still holds them."""
        self._own.depth = self._depth() + 1
        try:
            yield
        finally:
            self._own.depth -= 1
            if self._own.depth == 0:
                held, self._own.held = self._held(), 0
                self._give(held)

    def _take(self, size: int) -> None:
        with self._free:
            # Who holds a picture already would wait for itself, so it takes what it needs at once.
            if not self._held():
                turn = object()
                self._waiting.append(turn)
                try:
                    while self._waiting[0] is not turn or not self._fits(size):
                        self._free.wait()
                finally:
                    self._waiting.remove(turn)
                    self._free.notify_all()
            self._used += size
            self._peak = max(self._peak, self._used)

    def _fits(self, size: int) -> bool:
        # What is cached is given up by nobody on request, so that whoever is alone goes on beside it.
        return not self._used or self._used + self._cached + size <= self.most

    def _give(self, size: int) -> None:
        with self._free:
            self._used -= size
            self._free.notify_all()

    def _held(self) -> int:
        return getattr(self._own, "held", 0)

    def _depth(self) -> int:
        return getattr(self._own, "depth", 0)


BUDGET = Budget()
"""For everything that this process reads from files that nobody vouches for."""


def text_cost(text: str | bytes, separators: str = "") -> int:
    """Bytes that a text takes as rows of cells at most: its lines, and cells between ``separators``."""
    lines = _lines(text)
    cells = lines + sum(_count(text, mark) for mark in separators)
    return 3 * _width(text) * len(text) + (_LIST if separators else 0) * lines + _CELL * cells


def _lines(text: str | bytes) -> int:
    """Lines of a text; of a great many only those that hold something, since readers drop empty ones."""
    lines = _count(text, "\n") + _count(text, "\r") + 1
    if lines < _MANY:
        return lines
    data = np.frombuffer(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, np.uint8)
    ends = (data == ord("\n")) | (data == ord("\r"))
    return int(np.count_nonzero(ends[1:] & ~ends[:-1])) + 1


def json_cost(text: str | bytes) -> int:
    """Bytes that parsing a JSON text takes at most, told by counting its marks."""
    parts = {"[": _LIST, "{": _DICT, ",": _CELL, ":": _ENTRY, '"': _STRING // 2}
    return 2 * _width(text) * len(text) + _CELL + sum(cost * _count(text, mark) for mark, cost in parts.items())


# What CPython's objects take, with the pointers to them and the room that lists and dictionaries keep for growing.
_CELL, _LIST, _DICT, _ENTRY, _STRING = 64, 96, 240, 110, 56
_MANY = 1 << 20
"""Lines from which on empty ones are told apart."""


def _width(text: str | bytes) -> int:
    """Bytes of a character in CPython's strings, at most."""
    return 1 if text.isascii() else 4


def _count(text: str | bytes, mark: str) -> int:
    return text.count(mark.encode()) if isinstance(text, bytes) else text.count(mark)
