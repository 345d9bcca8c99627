"""Values kept in memory within a budget of bytes; the one used longest ago goes first."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Set
from dataclasses import fields, is_dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

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
        self._making: dict[K, Lock] = {}

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

    def get_or_make(self, key: K, make: Callable[[], V], *, size: Callable[[V], int]) -> V:
        """The value, made by the first thread that asks while the others wait; what ``make`` raises is not kept."""
        if (found := self.get(key)) is not None:
            return found
        with self._lock:
            making = self._making.setdefault(key, Lock())
        with making:
            try:
                if (found := self.get(key)) is None:
                    found = make()
                    self.put(key, found, size(found))
                return found
            finally:
                with self._lock:
                    self._making.pop(key, None)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._values.clear()
            self._size = 0


def weight(value: object) -> int:
    """Bytes that a value takes, about: arrays and tables by their data, containers and dataclasses by their parts."""
    total, left = 0, [value]
    seen: dict[int, Any] = {}
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        data = getattr(one, "nbytes", 0)
        total += max(sys.getsizeof(one), data if isinstance(data, int) else 0)
        if isinstance(one, Mapping):
            left += [*one, *one.values()]
        elif isinstance(one, list | tuple | Set):
            left += one
        elif is_dataclass(one) and not isinstance(one, type):
            left += [getattr(one, field.name) for field in fields(one)]
        elif callable(as_plain := getattr(one, "to_plotly_json", None)):
            left.append(as_plain())
    return total
