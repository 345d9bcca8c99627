"""ImageNet-AO: a folder is called "attribute object"; which part of its name is the object?

The longest object name that ends the folder's name is the object, the words before it are the attribute. Names that
this rule splits wrongly, or not at all, are given in a CSV of one's own: ``folder,attribute,object,imagenet_index``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.composition.pairs import Compositions, compositions
from core.datasets.formats.columns import read_columns
from core.datasets.names import imagenet_names, read_names, shown
from core.errors import BadInput, UnreadableData
from core.types import ImageSet, LeftOut

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Split:
    """One folder name taken apart: attribute words, object key."""

    attribute: str
    object: str


def object_names(path: str | os.PathLike[str] | None = None) -> dict[str, str]:
    """Object key -> name: the thousand ImageNet classes by index, or those of a names file.

    OpenAI's list has two pairs of equal names ("missile", "sunglasses"); a folder belongs to the lower index of a pair.
    """
    if path is None:
        listed = list(imagenet_names([str(index) for index in range(1000)]).values())
        if not listed:
            raise BadInput("open_clip's ImageNet names are not where they should be; give a file of object names.")
        return {str(index): name for index, name in enumerate(listed)}
    found = read_names(path)
    return dict(found.by_key) or {name: name for name in found.in_order}


def split_name(folder: str, objects: Mapping[str, str]) -> Split | None:
    """Attribute and object of a folder name (underscores are spaces, case is ignored), or None.

    Args:
        objects: folded object name -> key, from ``by_folded_name``.
    """
    words = shown(folder).split()
    if len(folder) > _LONGEST or _folded(folder) in objects:  # "sea lion" is an object, not a lion that is sea
        return None
    for start in range(1, len(words)):
        key = objects.get(_folded(" ".join(words[start:])))
        if key is not None:
            return Split(" ".join(words[:start]).casefold(), key)
    return None


def by_folded_name(objects: Mapping[str, str]) -> dict[str, str]:
    """Folded name -> key; of two objects of one name the first."""
    found: dict[str, str] = {}
    for key, name in objects.items():
        found.setdefault(_folded(name), key)
    return found


def _folded(name: str) -> str:
    return shown(name).casefold()


def read_overrides(path: Path) -> dict[str, Split]:
    """Folder -> split, from a CSV with the columns folder, attribute, object and, optionally, imagenet_index.

    Where an index is given it is the object's key, whatever the object is called.

    Raises:
        UnreadableData: a column is missing, or a row names no attribute or object.
    """
    columns = read_columns(path).values
    if missing := [name for name in ("folder", "attribute", "object") if name not in columns]:
        raise UnreadableData(
            f"{path.name} has no column {missing[0]!r}; its header must be folder,attribute,object,imagenet_index."
        )
    indices = columns.get("imagenet_index", [""] * len(columns["folder"]))
    found = {}
    rows = zip(columns["folder"], columns["attribute"], columns["object"], indices, strict=True)
    for number, (folder, attribute, thing, index) in enumerate(rows, 2):
        if not (folder.strip() and attribute.strip() and (thing.strip() or index.strip())):
            raise UnreadableData(f"{path.name}, row {number}: folder, attribute and object must all be given.")
        if index.strip() and not (index.strip().isdecimal() and int(index) < 1000):
            raise UnreadableData(f"{path.name}, row {number}: {index!r} is not an ImageNet index from 0 to 999.")
        key = str(int(index)) if index.strip() else thing.strip()
        found[folder.strip()] = Split(shown(attribute.strip()).casefold(), key)
    return found


def folder_compositions(
    image_set: ImageSet, *, objects: Mapping[str, str] | None = None, overrides: Mapping[str, Split] | None = None
) -> Compositions:
    """The compositions of a set whose class keys are "attribute object" folder names.

    Args:
        objects: object key -> name; ImageNet's classes by default.
        overrides: folder -> split; an object given by name is looked up among ``objects``.

    Raises:
        BadInput: not one folder could be split. Folders that could not are in ``left_out``, with their images unused.
    """
    objects = dict(objects or object_names())
    names, folded, overrides = dict(objects), by_folded_name(objects), overrides or {}
    splits: list[Split | None] = []
    left_out = []
    for key in image_set.keys:
        found = overrides.get(key)
        if found is not None and found.object not in names:
            known = folded.get(_folded(found.object))
            names.setdefault(known or found.object, found.object)
            found = Split(found.attribute, known or found.object)
        found = found or split_name(key, folded)
        splits.append(found)
        if found is None:
            bare = _folded(key) in folded
            why = "its name is an object without an attribute" if bare else "its name ends with no known object"
            left_out.append(LeftOut(key, f"{why}; add it to a table of overrides"))
    if not any(splits):
        raise BadInput(
            f"No class of {image_set.id} is called “attribute object” with a known object at its end. "
            "Choose an ImageNet-AO folder or icons-composition, or give a table of overrides."
        )
    labels = np.asarray(image_set.labels).tolist()
    chosen = [splits[label] for label in labels]
    return compositions(
        [one and one.attribute for one in chosen], [one and one.object for one in chosen], names, left_out=left_out
    )
