"""Which attribute and which object every image of a set shows, and the compositions that a model chooses among."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.datasets.subset import Subset
from core.errors import UnreadableData
from core.types import ImageSet, LeftOut


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


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CompositionSet(Subset):
    """All pictures of an image set with compositions for classes; ``labels`` holds -1 for those that are not used."""

    compositions: Compositions

    def among(self, compositions: Compositions) -> CompositionSet:
        """The same images with another list of compositions."""
        return composed(self.parent, compositions)


def composed(images: ImageSet, compositions: Compositions) -> CompositionSet:
    """An image set as the compositions that it shows."""
    return CompositionSet(
        id=images.id,
        parent=images,
        rows=np.arange(len(compositions.labels)),
        keys=compositions.keys,
        names=compositions.names,
        labels=compositions.labels,
        fingerprint=images.fingerprint,
        note=images.note,
        left_out=[*images.left_out, *compositions.left_out],
        compositions=compositions,
    )
