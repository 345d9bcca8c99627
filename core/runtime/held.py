"""Values kept in memory within a budget of bytes; the one used longest ago goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Held(Generic[K, V]):
    """A cache for any thread.

    Args:
        most: bytes that the values may take together.
        at_least: so many values, those used last, stay whatever they take.
    """

    def __init__(self, most: int, *, at_least: int = 0) -> None:
        self.most, self._at_least = most, at_least
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Bytes taken now."""
        return self._size

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value, which counts as used now; None when it was never put or has gone."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: K, value: V, size: int) -> None:
        """Keep a value of so many bytes, and drop those used longest ago that no longer fit."""
        with self._lock:
            _, before = self._values.pop(key, (None, 0))
            self._values[key] = value, size
            self._size += size - before
            while self._size > self.most and len(self._values) > self._at_least:
                _, (_, freed) = self._values.popitem(last=False)
                self._size -= freed

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._values.clear()
            self._size = 0
