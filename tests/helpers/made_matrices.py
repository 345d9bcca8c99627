"""Matrices to be damaged."""

from __future__ import annotations

import numpy as np

from cache.matrices import MatrixStore

KEY = "a" * 32


def make(store: MatrixStore, key: str = KEY, *, rows: int = 7, dim: int = 4, shards: int = 3) -> np.ndarray:
    """A finished random matrix and a copy of it in memory."""
    whole = np.random.default_rng(0).normal(size=(rows, dim)).astype(np.float16)
    with store.lock(key):
        writer = store.writer(key, shards=shards)
        for index, piece in enumerate(np.array_split(whole, shards)):
            writer.write(index, piece)
        writer.finish({"about": "a test", "rows": [1, 2]})
    return whole
