"""The same pictures asked otherwise: other classes to choose from, or only the pictures of some classes.

``SET#over=imagenet`` predicts over ImageNet's 1,000 classes, ``SET#over=mapped`` over those of them that the set's
classes stand for, ``SET#over=OTHER`` over the classes of another set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from cache import keys as cache_keys
from core.datasets.matching import Groups, imagenet_groups, match
from core.datasets.names import imagenet_classes
from core.datasets.plain import Borrowed
from core.errors import BadInput, UnknownName
from core.types import ImageSet, LeftOut, Report, Track


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Subset(Borrowed):
    """An ImageSet (see ``core.types``) of pictures of another one, perhaps in other classes; it embeds nothing anew."""

    id: str
    keys: Sequence[str]
    names: Sequence[str]
    labels: np.ndarray
    fingerprint: str
    note: str
    accepted: Sequence[frozenset[int]] = ()
    left_out: Sequence[LeftOut] = ()
    tracks: Sequence[Track] = ()
    imagenet: Sequence[Sequence[int]] = ()
    merged: bool = False
    as_one: Sequence[frozenset[int]] = ()

    @property
    def reference(self) -> str:
        return self.parent.reference

    @property
    def reach(self) -> int:
        return self.parent.reach

    @cached_property
    def image_ids(self) -> Sequence[str]:
        ids = self.parent.image_ids
        return [ids[row] for row in self.rows.tolist()]

    @property
    def has_images(self) -> bool:
        return self.parent.has_images

    def image(self, index: int) -> Image.Image:
        """The picture at this index."""
        return self.parent.image(int(self.rows[index]))

    def preview(self, index: int, longest: int) -> Image.Image:
        """The picture at this index for a small display."""
        return self.parent.preview(int(self.rows[index]), longest)

    def details(self, index: int) -> Mapping[str, Any]:
        """What else is recorded of this picture."""
        return self.parent.details(int(self.rows[index]))

    def prepare(self, report: Report) -> None:
        """Make a full pass quick."""
        self.parent.prepare(report)


def over(image_set: ImageSet, target: str | ImageSet, *, id: str = "") -> Subset:
    """All pictures of a set, asked over the classes of ``imagenet``, ``mapped`` ImageNet classes, or another set.

    A picture is correct when the predicted class is one of those that its own class stands for; over ``mapped`` that
    equals projecting the scores to the set's classes by their maximum.

    Raises:
        BadInput: the set's classes are none of the target's.
    """
    if isinstance(target, str):
        groups, keys, names, told = _imagenet(image_set, target)
    else:
        groups, keys, names, told = match(image_set, target), target.keys, target.names, target.id
    accepted = _accepted(image_set, groups)
    rows = np.array([row for row, labels in enumerate(accepted) if labels], np.int64)
    several = any(len(labels) > 1 for labels in accepted)
    own = np.asarray(image_set.labels)
    first = [groups[own[row]][0] if groups[own[row]] else min(accepted[row]) for row in rows]
    whole = len(rows) == len(own)
    held = np.bincount(own[own >= 0], minlength=len(image_set.keys))
    reason = f"it is none of the classes of {told}"
    missing = [
        LeftOut(f"class {image_set.keys[c]}", reason, images=0 if several else int(held[c])) for c in _without(groups)
    ]
    return Subset(
        id=id or f"{image_set.id}#over={target if isinstance(target, str) else target.id}",
        parent=image_set,
        rows=rows,
        keys=keys,
        names=names,
        labels=np.array(first, np.int64),
        fingerprint=image_set.fingerprint if whole else cache_keys.digest([image_set.fingerprint, rows.tolist()]),
        note=f"Predicted over the {len(keys):,} classes of {told}, not the set's own {len(image_set.keys):,}. "
        f"{image_set.note}",
        accepted=[accepted[row] for row in rows] if several else (),
        left_out=(*image_set.left_out, *missing),
        tracks=image_set.tracks if whole else (),
        as_one=[frozenset(group) for group in groups] if image_set.merged else (),
    )


def matched(reference: ImageSet, shift: ImageSet) -> ImageSet:
    """The pictures of the set in distribution whose class occurs under the shift, asked over the shift's classes.

    The set itself where the classes are the same: accuracy in distribution is comparable as it is.

    Raises:
        BadInput: no class is in both.
    """
    groups = match(shift, reference)
    place = np.full(len(reference.keys), -1)
    for label, group in enumerate(groups):
        place[list(group)] = label
    occurring = set(np.unique(shift.labels).tolist()).union(*shift.accepted)
    if list(shift.keys) == list(reference.keys) and len(occurring) == len(shift.keys):
        return reference
    held = place[np.asarray(reference.labels)]
    rows = np.flatnonzero(np.isin(held, list(occurring)))
    as_one = {label: group for group in shift.as_one for label in group}
    return Subset(
        id=f"{reference.id}#matching={shift.id}",
        parent=reference,
        rows=rows,
        keys=shift.keys,
        names=shift.names,
        labels=held[rows].astype(np.int64),
        fingerprint=cache_keys.digest([reference.fingerprint, rows.tolist()]),
        note=f"{len(rows):,} pictures of {reference.id} in the {len(occurring):,} classes of {shift.id}.",
        accepted=[as_one[label] for label in held[rows].tolist()] if as_one else (),
        left_out=reference.left_out,
    )


def renamed(image_set: ImageSet, names: Mapping[str, str]) -> Subset:
    """The same set with other names of some classes in the prompts; keys, labels and pictures stay.

    Args:
        names: class key -> other name.

    Raises:
        UnknownName: the set has no class of that key. BadInput: a name is empty.
    """
    if unknown := [key for key in names if key not in set(image_set.keys)]:
        raise UnknownName(f"{image_set.id} has no class {unknown[0]!r}; rename by class key.")
    if empty := [key for key, name in names.items() if not name.strip()]:
        raise BadInput(f"The new name of {empty[0]} is empty; type at least one word.")
    return Subset(
        id=image_set.id,
        parent=image_set,
        rows=np.arange(len(image_set.labels)),
        keys=image_set.keys,
        names=tuple(names.get(key, name) for key, name in zip(image_set.keys, image_set.names, strict=True)),
        labels=image_set.labels,
        fingerprint=image_set.fingerprint,
        note=image_set.note,
        accepted=image_set.accepted,
        left_out=image_set.left_out,
        tracks=image_set.tracks,
        imagenet=image_set.imagenet,
        merged=image_set.merged,
        as_one=image_set.as_one,
    )


def accepted_labels(image_set: ImageSet) -> Sequence[frozenset[int]]:
    """The labels that are correct for every picture."""
    return image_set.accepted or [frozenset((label,)) for label in np.asarray(image_set.labels).tolist()]


def _imagenet(image_set: ImageSet, target: str) -> tuple[Groups, Sequence[str], Sequence[str], str]:
    if target not in ("imagenet", "mapped"):
        raise BadInput(f"“over” is imagenet, mapped, or the id of an image set, not {target[:60]!r}.")
    groups, listed = imagenet_groups(image_set), imagenet_classes()
    if not groups:
        raise BadInput(
            f"The classes of {image_set.id} are not known as ImageNet classes, so nothing can be predicted over those."
        )
    used = sorted({index for group in groups for index in group}) if target == "mapped" else list(range(len(listed)))
    at = {index: label for label, index in enumerate(used)}
    told = "ImageNet-1k" if target == "imagenet" else "ImageNet-1k that it maps to"
    return (
        tuple(tuple(at[index] for index in group) for group in groups),
        [listed[index][0] for index in used],
        [listed[index][1] for index in used],
        told,
    )


def _accepted(image_set: ImageSet, groups: Groups) -> list[frozenset[int]]:
    known: dict[frozenset[int], frozenset[int]] = {}
    found = []
    for labels in accepted_labels(image_set):
        if labels not in known:
            known[labels] = frozenset(other for label in labels for other in groups[label])
        found.append(known[labels])
    return found


def _without(groups: Groups) -> list[int]:
    return [label for label, group in enumerate(groups) if not group]
