"""What another name does: accuracy of the class, whom it takes images from, and arrows from names to synonyms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.prompts.real import Synonyms
from core.stats.intervals import wilson
from core.stats.paired import Paired, pair
from core.types import Answer, Interval


@dataclass(frozen=True, slots=True)
class Taken:
    """Images of class ``other`` that changed hands with the renamed class; ``right`` of them were right before."""

    other: int
    n: int
    right: int


@dataclass(frozen=True)
class Effect:
    """One renamed class, on the images that both runs used.

    Attributes:
        index: the class; n: its images.
        before, after: its accuracy with Wilson's interval, fractions; NaN without images.
        stolen: images of other classes that are called this class only since, by their true class, most first.
        released: images of other classes that were called this class and are not any more, by their true class.
        lost: own images that were right and are called another class now, by that class.
    """

    index: int
    n: int
    before: Interval
    after: Interval
    stolen: tuple[Taken, ...]
    released: tuple[Taken, ...]
    lost: tuple[Taken, ...]


@dataclass(frozen=True, slots=True)
class Arrow:
    """From a class under its name to the same class under another spelling.

    Attributes:
        counts: captions that use the name and the spelling; before, after: accuracies (fractions) of ``n`` images.
    """

    index: int
    name: str
    spelling: str
    counts: tuple[int, int]
    before: float
    after: float
    n: int


def effect(before: Answer, after: Answer, index: int) -> Effect:
    """What the other name of one class did; BadInput when the answers are about different images."""
    found = pair(before, after)
    own = found.labels == index
    n = int(own.sum())
    hits = [int((said[own] == index).sum()) for said in (found.said_a, found.said_b)]
    called = found.said_a == index, found.said_b == index
    return Effect(
        index,
        n,
        wilson(hits[0], n),
        wilson(hits[1], n),
        _by(found, ~own & ~called[0] & called[1], found.labels),
        _by(found, ~own & called[0] & ~called[1], found.labels),
        _by(found, own & called[0] & ~called[1], found.said_b),
    )


def _by(found: Paired, mask: np.ndarray, owner: np.ndarray) -> tuple[Taken, ...]:
    """Images of the mask by a class, the most first, ties by class index."""
    right = found.said_a == found.labels
    classes, n = np.unique(owner[mask], return_counts=True)
    listed = [Taken(int(c), int(m), int((right & mask & (owner == c)).sum())) for c, m in zip(classes, n, strict=True)]
    return tuple(sorted(listed, key=lambda one: -one.n))


def arrows(before: Answer, after: Answer, synonyms: Sequence[Synonyms]) -> tuple[Arrow, ...]:
    """One arrow for every class that REAL-Prompt renames and whose name was counted too, largest gain first.

    Args:
        before: the answer under the classes' names; after: under their most frequent spellings.
        synonyms: of every class in label order (``core.prompts.real.synonyms``).
    """
    listed = []
    for index, one in enumerate(synonyms):
        first, second = before.classes[index], after.classes[index]
        known = one.name in one.counts and one.chosen in one.counts
        if one.chosen.lower() == one.name.lower() or not known or not (first.n and second.n):
            continue
        counts = one.counts[one.name], one.counts[one.chosen]
        listed.append(Arrow(index, one.name, one.chosen, counts, first.accuracy, second.accuracy, first.n))
    return tuple(sorted(listed, key=lambda one: one.before - one.after))
