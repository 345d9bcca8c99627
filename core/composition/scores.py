"""What composition answers say: accuracies of the whole and of its parts, the kinds of error, who is taken for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.composition.answers import Composed
from core.stats.format import percent, span
from core.stats.intervals import Tag, mean, wilson
from core.types import Interval

PARTS = {
    "object": ("object_max", "the object whose best composition scores highest"),
    "object mean": ("object_mean", "the object whose compositions score highest on average"),
    "object|attribute": ("object_given", "the object, with the attribute known"),
    "attribute": ("attribute_max", "the attribute whose best composition scores highest"),
    "attribute mean": ("attribute_mean", "the attribute whose compositions score highest on average"),
    "attribute|object": ("attribute_given", "the attribute, with the object known"),
}
"""Condition -> the array of ``Parts`` that answers it, and what is counted as right."""


@dataclass(frozen=True, slots=True)
class Share:
    """Images right of n, and the accuracy that guessing would have."""

    right: int
    n: int
    chance: float

    @property
    def interval(self) -> Interval:
        """The share with its Wilson 95 % interval."""
        return wilson(self.right, self.n)


@dataclass(frozen=True, slots=True)
class Errors:
    """Images by what the best composition gets right; the four add up to all images."""

    right: int
    wrong_attribute: int
    wrong_object: int
    both_wrong: int


def shares(found: Composed) -> dict[str, Share]:
    """Top-1 (``composition``), top-5 and the accuracies of the parts, each with its chance level.

    Chance is that of a uniform guess: one over the number of candidates, which for a part given the other is the mean
    over images of one over the number of compositions with the known part.
    """
    n, classes = len(found.answer.labels), len(found.pairs)
    attributes, objects = (np.bincount(column) for column in found.pairs.T)
    top5 = (found.answer.top[:, :5] == found.answer.labels[:, None]).any(1)
    chance = {
        "object": 1 / len(objects),
        "object mean": 1 / len(objects),
        "object|attribute": float((1 / attributes[found.attribute]).mean()),
        "attribute": 1 / len(attributes),
        "attribute mean": 1 / len(attributes),
        "attribute|object": float((1 / objects[found.object]).mean()),
    }
    result = {"composition": Share(int(found.right.sum()), n, 1 / classes)}
    if classes >= 5:
        result["composition top-5"] = Share(int(top5.sum()), n, 5 / classes)
    return result | {name: Share(int(right(found, name).sum()), n, chance[name]) for name in PARTS}


def right(found: Composed, condition: str) -> np.ndarray:
    """Whether every image is right under a condition of ``PARTS`` or as a ``composition``, bool [m]."""
    if condition == "composition":
        return found.right
    said = getattr(found.parts, PARTS[condition][0])
    return said == (found.object if condition.startswith("object") else found.attribute)


def by_group(objects: np.ndarray, right: np.ndarray, tags: Mapping[str, Tag], keys: Sequence[str]) -> dict[str, float]:
    """Mean over objects of their accuracy, for head, torso and tail, each with its 95 % interval and objects.

    Args:
        objects: int [m], true object of every image; right: bool [m].
        tags: object key -> group; keys: object keys [o].
    """
    n = np.bincount(objects, minlength=len(keys))
    hits = np.bincount(objects, weights=right, minlength=len(keys))
    figures: dict[str, float] = {}
    for group in dict.fromkeys(sorted(tags.values())):
        own = np.array([tags.get(key) == group for key in keys]) & (n > 0)
        if own.any():
            share = mean(hits[own] / n[own], images=n[own])
            figures |= {
                group: share.value, f"{group}_low": share.low, f"{group}_high": share.high, f"{group}_n": int(own.sum())
            }  # fmt: skip
    return figures


def errors(found: Composed) -> Errors:
    """Images by whether attribute and object of the best composition are right."""
    said = found.pairs[found.answer.top[:, 0]]
    attribute, thing = said[:, 0] == found.attribute, said[:, 1] == found.object
    return Errors(
        int((attribute & thing).sum()),
        int((~attribute & thing).sum()),
        int((attribute & ~thing).sum()),
        int((~attribute & ~thing).sum()),
    )


def attribute_confusion(found: Composed) -> np.ndarray:
    """int64 [a, a]: images of the row's attribute whose best composition has the column's."""
    said = found.pairs[found.answer.top[:, 0], 0]
    a = int(found.pairs[:, 0].max()) + 1
    return np.bincount(found.attribute * a + said, minlength=a * a).reshape(a, a)


def headline(found: Composed, told: Mapping[str, Share] | None = None) -> str:
    """The commonest kind of error, or the composition accuracy where there is none."""
    kinds, whole = errors(found), (told or shares(found))["composition"]
    wrong = whole.n - whole.right
    if not wrong:
        return f"All {whole.n:,} images are predicted with the correct attribute and object."
    named = {
        "in the attribute alone": kinds.wrong_attribute,
        "in the object alone": kinds.wrong_object,
        "in both": kinds.both_wrong,
    }
    kind = max(named, key=named.__getitem__)
    share = named[kind] / wrong
    often = "Almost all" if share > 0.95 else "Most" if share > 0.5 else "Many"
    return f"{often} errors are {kind} ({named[kind]:,} of {wrong:,})."


def evidence(found: Composed, told: Mapping[str, Share] | None = None) -> str:
    """The composition accuracy with its interval, n and chance level."""
    whole = (told or shares(found))["composition"]
    return (
        f"Attribute and object are both correct in {_percent(whole.interval)} of {whole.n:,} images, among "
        f"{len(found.pairs):,} compositions (chance {percent(whole.chance, 2)})."
    )


def _percent(value: Interval) -> str:
    return f"{percent(value.value, 1)} (95 % CI {span(value, 1)})"
