"""A seeded sample of an image set, spread over its classes."""

from __future__ import annotations

import numpy as np


def sample_rows(labels: np.ndarray, n: int, *, seed: int = 0) -> np.ndarray:
    """``n`` rows (or all there are) spread over the classes as evenly as they go, int64, in drawn order.

    Classes take turns in a drawn order, each giving a drawn image, so that a longer sample contains the shorter ones.
    """
    labels = np.asarray(labels)
    rng = np.random.default_rng([13, seed])
    order = rng.permutation(np.flatnonzero(labels >= 0))
    turn = np.empty(len(order), np.int64)
    classes = rng.permutation(np.unique(labels[order]))
    for label in classes:
        inside = labels[order] == label
        turn[inside] = np.arange(inside.sum())
    place = np.argsort(np.argsort(classes, kind="stable"), kind="stable")
    first = place[np.searchsorted(np.sort(classes), labels[order])]
    return order[np.lexsort((first, turn))][:n].astype(np.int64)
