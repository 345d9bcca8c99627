"""Which classes of one set are which classes of another: by key, by ImageNet's own order, or by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from core.datasets.names import imagenet_classes
from core.errors import BadInput
from core.text.spelling import fold
from core.types import ImageSet

Groups = tuple[tuple[int, ...], ...]
_ENOUGH = 0.9


def imagenet_groups(image_set: ImageSet) -> Groups:
    """For every class the indices (0..999) of the ImageNet classes it stands for; empty for another kind of set.

    Taken from the set's own mapping (ObjectNet, video frames), from WordNet ids, from ImageNet-V2's thousand integer
    folders (nine in ten of them suffice), or from names of which at least nine in ten are ImageNet's. A class that is
    none of them stands for none.
    """
    if image_set.imagenet:
        return tuple(tuple(group) for group in image_set.imagenet)
    listed = imagenet_classes()
    by_wnid = {wnid: index for index, (wnid, _) in enumerate(listed)}
    keys, names = list(image_set.keys), list(image_set.names)
    if keys == [str(index) for index in range(len(listed))] or (listed and names == [name for _, name in listed]):
        return tuple((index,) for index in range(len(listed)))
    if sum(key in by_wnid for key in keys) * 2 > len(keys):
        return tuple((by_wnid[key],) if key in by_wnid else () for key in keys)
    by_number = {str(index): index for index in range(len(listed))}
    if listed and sum(key in by_number for key in keys) >= _ENOUGH * max(len(listed), len(keys)):
        return tuple((by_number[key],) if key in by_number else () for key in keys)
    by_name = defaultdict(list)
    for index, (_, name) in enumerate(listed):
        by_name[fold(name)].append(index)
    found = tuple(tuple(by_name.get(fold(name), ())) for name in names)
    return found if sum(map(bool, found)) >= max(1.0, _ENOUGH * len(keys)) else ()


def match(image_set: ImageSet, other: ImageSet) -> Groups:
    """For every class of ``image_set`` the classes of ``other`` that it stands for, by label; () for none.

    Raises:
        BadInput: no class is in both.
    """
    at = {key: label for label, key in enumerate(other.keys)}
    found: Groups = tuple((at[key],) if key in at else () for key in image_set.keys)
    if not _mostly(found):
        ours, theirs = imagenet_groups(image_set), imagenet_groups(other)
        if ours and theirs:
            owner = {index: label for label, group in enumerate(theirs) if len(group) == 1 for index in group}
            found = tuple(tuple(owner[index] for index in group if index in owner) for group in ours)
    if not any(found):
        by_name = defaultdict(list)
        for label, name in enumerate(other.names):
            by_name[fold(name)].append(label)
        found = tuple(tuple(by_name.get(fold(name), ())) for name in image_set.names)
    if not any(found):
        raise BadInput(
            f"{image_set.id} and {other.id} have no class in common ({_some(image_set.names)} against "
            f"{_some(other.names)}): choose a set in distribution with the same classes."
        )
    return found


def _mostly(groups: Groups) -> bool:
    return sum(map(bool, groups)) > len(groups) / 2


def _some(names: Sequence[str]) -> str:
    return ", ".join(f"“{name[:40]}”" for name in names[:2])
