"""Which images of a class are for training and which for testing, by seed."""

from __future__ import annotations

import numpy as np

TEST = -1


def shuffled_ranks(owners: np.ndarray, seed: int) -> np.ndarray:
    """Place of every image among those of its class (int [m]), after a shuffle."""
    order = np.random.default_rng(seed).permutation(len(owners))
    order = order[np.argsort(owners[order], kind="stable")]
    starts = np.searchsorted(owners[order], owners[order])
    ranks = np.empty(len(owners), np.int64)
    ranks[order] = np.arange(len(owners)) - starts
    return ranks


def pool(labels: np.ndarray, *, most: int, seed: int) -> np.ndarray:
    """Place of every image in the pool of its class, or ``TEST`` outside it, int [m].

    The pool is the first ``most`` images of a class after a shuffle, at most half of them; k shots take the places
    below k, so that every k is tested on the same images and holds those of the smaller ones.
    """
    n = np.bincount(labels)[labels]
    ranks = shuffled_ranks(labels, seed)
    return np.where(ranks < np.minimum(most, n // 2), ranks, TEST)
