"""Vectors, answers and tables of compositions, made by hand."""

from __future__ import annotations

import numpy as np

from core.composition import probe
from core.composition.answers import Composed, Parts
from core.composition.counts import PairCounts
from tests.answers import make_answer

NAMES = {"ant": "ant", "bee": "bee"}


# Three compositions: 0 red ant, 1 blue ant, 2 red bee. Said: right, wrong attribute, wrong object, both wrong.
PAIRS = np.array([[1, 0], [0, 0], [1, 1]])


def composed(labels, said, **parts) -> Composed:
    n = len(labels)
    zero = np.zeros(n, np.int32)
    fields = ("object_max", "object_mean", "attribute_max", "attribute_mean", "object_given", "attribute_given")
    answer = make_answer(labels, said, keys=["a", "b", "c"])
    return Composed(answer, Parts(**{name: np.asarray(parts.get(name, zero), np.int32) for name in fields}), PAIRS)


def counts(table: dict, absent: str = "never") -> PairCounts:
    return PairCounts("t", "text", table, absent)


def vectors(points, objects, seen=1.0) -> probe.Vectors:
    points = np.asarray(points, np.float32)
    return probe.Vectors(
        points / np.linalg.norm(points, axis=1, keepdims=True), np.asarray(objects), np.full(len(points), float(seen))
    )


def blobs(classes: int = 6, each: int = 20, d: int = 12, noise: float = 0.15, seed: int = 0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, d))
    objects = np.repeat(np.arange(classes), each)
    return vectors(centres[objects] + noise * rng.normal(size=(len(objects), d)), objects)
