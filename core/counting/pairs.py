"""Sparse counts of pairs, and the pairs that occur in a batch of hits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

MOST = 20_000_000
"""Distinct pairs kept; past that the rarest are dropped and the counts say so."""
CROWD = 64
"""Terms in one caption past which its pairs are not counted: their number grows with the square."""
_PENDING = 1 << 21


class Pairs:
    """Counts of 64-bit pair keys, added up lazily.

    Attributes:
        exact: False when pairs had to be dropped.
    """

    def __init__(self) -> None:
        self.exact = True
        self._keys, self._counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._pending: list[tuple[np.ndarray, np.ndarray]] = []
        self._waiting = 0

    def add(self, keys: np.ndarray, counts: np.ndarray | None = None) -> None:
        """Count these keys, once each or ``counts`` times."""
        if len(keys):
            self._pending.append((keys, np.ones(len(keys), np.int64) if counts is None else counts))
            self._waiting += len(keys)
            if self._waiting > _PENDING:
                self._settle()

    def merge(self, other: Pairs) -> None:
        """Add the counts of another."""
        self.add(*other.items())
        self.exact &= other.exact

    def items(self) -> tuple[np.ndarray, np.ndarray]:
        """Distinct keys, rising, and their counts."""
        self._settle()
        return self._keys, self._counts

    def _settle(self) -> None:
        if not self._pending:
            return
        keys = np.concatenate([self._keys, *(keys for keys, _ in self._pending)])
        counts = np.concatenate([self._counts, *(counts for _, counts in self._pending)])
        self._pending, self._waiting = [], 0
        order = np.argsort(keys, kind="stable")
        keys, counts = keys[order], counts[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        self._keys, self._counts = keys[first], np.add.reduceat(counts, first)
        if len(self._keys) > MOST:
            kept = np.sort(np.argsort(-self._counts, kind="stable")[:MOST])
            self._keys, self._counts, self.exact = self._keys[kept], self._counts[kept], False

    def as_json(self) -> dict[str, Any]:
        """As plain values; keys as differences, which pack better."""
        keys, counts = self.items()
        return {"keys": np.diff(keys, prepend=0).tolist(), "counts": counts.tolist(), "exact": self.exact}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Pairs:
        """Back from ``as_json``."""
        pairs = cls()
        pairs._keys = np.cumsum(np.array(value["keys"], np.int64))
        pairs._counts = np.array(value["counts"], np.int64)
        pairs.exact = bool(value["exact"])
        return pairs


def within(caption: np.ndarray, owner: np.ndarray, *, base: int) -> np.ndarray:
    """Keys ``a * base + b`` with a < b, and the caption of each, of every two owners in one caption, int64 [2, m].

    Args:
        caption, owner: int64 [n], distinct (caption, owner), ordered by caption and then owner.
    """
    found = [np.zeros((2, 0), np.int64)]
    for shift in range(1, CROWD):
        same = np.flatnonzero(caption[shift:] == caption[:-shift])
        if not len(same):
            break
        found.append(np.stack([owner[same] * base + owner[same + shift], caption[same]]))
    return np.concatenate(found, axis=1)
