"""How much memory pictures may take while they are decoded: one budget for all threads of the process.

A picture of a third of a megabyte can unpack to gigabytes. Its size is known from its header, so whoever decodes says
first what it will take, and waits until that much is free.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.errors import UnreadableData

_LEAST = 1792 << 20
_SHARE = 16


class Budget:
    """Bytes that decoding may take at a time, given out in the order in which they were asked for.

    Args:
        most: bytes for all threads together.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._used = self._peak = 0
        self._free = threading.Condition()
        self._waiting: deque[object] = deque()
        self._own = threading.local()

    @property
    def used(self) -> int:
        """Bytes that are given out now."""
        return self._used

    @property
    def peak(self) -> int:
        """The most bytes that were given out at a time."""
        return self._peak

    @contextmanager
    def decoding(self, size: int) -> Iterator[Callable[[int], None]]:
        """Hold ``size`` bytes while a picture is decoded, as soon as they are free.

        Yields:
            A function that takes the bytes of the finished picture: inside ``keeping`` they stay held.

        Raises:
            UnreadableData: the picture alone takes more than the whole budget.
        """
        if size > self.most:
            raise UnreadableData(
                f"decoding it takes {size / 2**20:,.0f} MiB of memory, and {self.most / 2**20:,.0f} MiB are allowed; "
                "save it with fewer pixels."
            )
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
                    while self._waiting[0] is not turn or self._used + size > self.most:
                        self._free.wait()
                finally:
                    self._waiting.remove(turn)
                    self._free.notify_all()
            self._used += size
            self._peak = max(self._peak, self._used)

    def _give(self, size: int) -> None:
        with self._free:
            self._used -= size
            self._free.notify_all()

    def _held(self) -> int:
        return getattr(self._own, "held", 0)

    def _depth(self) -> int:
        return getattr(self._own, "depth", 0)


def memory() -> int:
    """Bytes of memory of this machine; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


BUDGET = Budget(max(_LEAST, memory() // _SHARE))
"""For every picture that this process decodes: a sixteenth of the memory, enough for any picture allowed."""
