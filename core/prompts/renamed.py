"""What if a class had another name: the same image set with other names in the prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import BadInput, UnknownName
from core.types import ImageSet


class Renamed:
    """An image set in which some classes are called something else; keys, labels and pictures stay.

    Args:
        names: class key -> other name.
    """

    def __init__(self, image_set: ImageSet, names: Mapping[str, str]) -> None:
        if unknown := [key for key in names if key not in set(image_set.keys)]:
            raise UnknownName(f"{image_set.id} has no class {unknown[0]!r}; rename by class key.")
        if empty := [key for key, name in names.items() if not name.strip()]:
            raise BadInput(f"The new name of {empty[0]} is empty; type at least one word.")
        self._image_set = image_set
        self.names = tuple(names.get(key, name) for key, name in zip(image_set.keys, image_set.names, strict=True))

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._image_set, attribute)
