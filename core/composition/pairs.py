"""Which attribute and which object every image of a set shows, and the compositions that a model chooses among."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from core.datasets.tabular import Tabular
from core.errors import UnreadableData
from core.types import ImageSet, LeftOut, Report


@dataclass(frozen=True, eq=False)
class Compositions:
    """The attribute-object pairs of one image set.

    Attributes:
        attributes: words [a]; objects: class keys [o]; object_names: what prompts call them [o].
        pairs: int64 [c, 2], (attribute, object) of every composition, each once, sorted by object, then attribute.
        labels: int64 [n], composition of every image; -1 for an image that is not used.
        left_out: what has no attribute and object, with reasons.
    """

    attributes: tuple[str, ...]
    objects: tuple[str, ...]
    object_names: tuple[str, ...]
    pairs: np.ndarray
    labels: np.ndarray
    left_out: tuple[LeftOut, ...] = ()

    @property
    def names(self) -> list[str]:
        """``attribute object`` of every composition [c]: what fills a prompt's slot."""
        return [f"{self.attributes[a]} {self.object_names[o]}" for a, o in self.pairs.tolist()]

    @property
    def keys(self) -> list[str]:
        """Unique keys ``attribute/object key`` [c]."""
        return [f"{self.attributes[a]}/{self.objects[o]}" for a, o in self.pairs.tolist()]

    def index(self, attribute: str, key: str) -> int | None:
        """The composition of this attribute and object key, or None."""
        return self._places().get((attribute, key))

    def _places(self) -> dict[tuple[str, str], int]:
        return {(self.attributes[a], self.objects[o]): at for at, (a, o) in enumerate(self.pairs.tolist())}


def compositions(
    attributes: Sequence[str | None],
    objects: Sequence[str | None],
    names: Mapping[str, str],
    *,
    left_out: Sequence[LeftOut] = (),
) -> Compositions:
    """Compositions of images [n] by attribute word and object key; None in either leaves the image out.

    Args:
        names: object key -> readable name.

    Raises:
        UnreadableData: no image has both.
    """
    shown = [None if a is None or o is None else (a, o) for a, o in zip(attributes, objects, strict=True)]
    present = {pair for pair in shown if pair}
    if not present:
        raise UnreadableData("No image shows a known attribute and object, so there is nothing to compose.")
    return _indexed(shown, present, names, tuple(left_out))


def joined(*sets: Compositions) -> list[Compositions]:
    """The same images, each set now choosing among the compositions of all of them."""
    names = {key: name for one in sets for key, name in zip(one.objects, one.object_names, strict=True)}
    words = [[(one.attributes[a], one.objects[o]) for a, o in one.pairs.tolist()] for one in sets]
    present = {pair for listed in words for pair in listed}
    return [
        _indexed([None if label < 0 else listed[label] for label in one.labels.tolist()], present, names, one.left_out)
        for one, listed in zip(sets, words, strict=True)
    ]


def _indexed(
    shown: Sequence[tuple[str, str] | None],
    present: set[tuple[str, str]],
    names: Mapping[str, str],
    left_out: tuple[LeftOut, ...],
) -> Compositions:
    attributes, objects = (sorted({pair[part] for pair in present}) for part in (0, 1))
    ordered = sorted(present, key=lambda pair: (pair[1], pair[0]))
    place = {pair: at for at, pair in enumerate(ordered)}
    at_attribute, at_object = ({word: at for at, word in enumerate(words)} for words in (attributes, objects))
    return Compositions(
        tuple(attributes),
        tuple(objects),
        tuple(names[key] for key in objects),
        np.array([(at_attribute[a], at_object[o]) for a, o in ordered], np.int64),
        np.array([-1 if pair is None else place[pair] for pair in shown], np.int64),
        left_out,
    )


@dataclass(frozen=True, eq=False, repr=False)
class CompositionSet(Tabular):
    """An image set (see ``core.types.ImageSet``) whose classes are compositions; its vectors are those of ``images``.

    ``labels`` holds -1 for images that are not used.
    """

    images: ImageSet
    compositions: Compositions

    def __getattr__(self, name: str) -> Any:
        if name in ("id", "kind", "image_ids", "fingerprint", "has_images", "note", "templates"):
            return getattr(self.images, name)
        raise AttributeError(name)

    @property
    def keys(self) -> list[str]:
        """Composition keys, in label order."""
        return self.compositions.keys

    @property
    def names(self) -> list[str]:
        """What prompts say, in label order."""
        return self.compositions.names

    @property
    def labels(self) -> np.ndarray:
        """Composition of every image, int64 [n]."""
        return self.compositions.labels

    @property
    def left_out(self) -> list[LeftOut]:
        """What the set and the compositions could not use."""
        return [*self.images.left_out, *self.compositions.left_out]

    def image(self, index: int) -> Image.Image:
        """The picture at this index."""
        return self.images.image(index)

    def preview(self, index: int, longest: int) -> Image.Image:
        """The picture at this index for a small display."""
        return self.images.preview(index, longest)

    def prepare(self, report: Report) -> None:
        """Make a full pass quick."""
        self.images.prepare(report)

    def details(self, index: int) -> Mapping[str, Any]:
        """What else is recorded of this picture."""
        return self.images.details(index)

    def among(self, compositions: Compositions) -> CompositionSet:
        """The same images with another list of compositions."""
        return replace(self, compositions=compositions)
