"""A class-balanced, seeded part of an image set, for conditions that are too many for all of it."""

from __future__ import annotations

import numpy as np


def balanced_rows(labels: np.ndarray, per_class: int | None, *, seed: int = 0) -> np.ndarray:
    """Rows of ``per_class`` images of every class (all of a smaller class), int64, rising; None takes all.

    What is drawn of one class depends on the seed and the class alone; unlabelled images (below zero) are left out.
    """
    labels = np.asarray(labels)
    if per_class is None:
        return np.flatnonzero(labels >= 0)
    drawn = []
    for label in np.unique(labels[labels >= 0]).tolist():
        rows = np.flatnonzero(labels == label)
        if len(rows) > per_class:
            rows = np.random.default_rng([seed, label]).choice(rows, per_class, replace=False)
        drawn.append(rows)
    return np.sort(np.concatenate(drawn)) if drawn else np.empty(0, np.int64)
