"""Labelled image sets: what everything asks of one, and the small values it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from core.types.progress import Report

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One item that could not be used, and why.

    ``images``: how many images of the set it stands for (0 for a file that is no image, an empty class, a list).
    """

    item: str
    reason: str
    images: int = 1


@dataclass(frozen=True, slots=True)
class FileState:
    """Size, time of the last change of content or attributes (ns) and digest (read when asked for) of a file."""

    size: int
    changed: int
    digest: Callable[[], str]

    def record(self) -> list[Any]:
        """The state as JSON, to be compared with later ones by ``is_as``."""
        return [self.size, self.changed, self.digest()]

    def is_as(self, record: Sequence[Any]) -> bool:
        """Whether the content is as recorded; it is read only when size or time differ."""
        size, changed, digest = record
        return (self.size, self.changed) == (size, changed) or (self.size == size and self.digest() == digest)


@dataclass(frozen=True, slots=True)
class Track:
    """An anchor frame and the frames near it, as indices into the set; ``offsets`` in frames, with a sign."""

    anchor: int
    neighbours: tuple[int, ...]
    offsets: tuple[int, ...]


class Classes(Protocol):
    """What prompts and tables need of a labelled set: its classes. All read-only.

    Attributes:
        id: what a person types (built-in id or path).
        keys: original class keys, unique, in label order [c].
        names: readable class names in the same order [c] (what prompts use).
        templates: the set's own prompt templates (``{c}`` slot), may be empty.
    """

    @property
    def id(self) -> str: ...
    @property
    def keys(self) -> Sequence[str]: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def templates(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class ClassNames:
    """Classes without pictures (see ``Classes``)."""

    id: str
    keys: Sequence[str]
    names: Sequence[str]
    templates: Sequence[str] = ()


class ImageSet(Classes, Protocol):
    """A labelled set of images, read lazily. Implementations live in ``core.datasets``; all are read-only.

    Attributes:
        kind: detected layout: ``icons``, ``folders``, ``webdataset``, ``table``, ``imagefolder``, ``parquet``,
            ``letitwag``, ``imagenetval``, ``embeddings``, ``captions`` ...
        labels: int64 [n], index into keys.
        image_ids: n strings: path relative to the set, ``shard/key`` or ``concept/index``.
        left_out: what could not be used, with reasons (found while listing).
        fingerprint: digest of what the images are (paths, sizes, sampled bytes); names are not part of it.
        has_images: False for precomputed embeddings without pictures.
        note: one sentence: what was detected and how the classes were named.

    What few sets have (``core.datasets.plain.Plain`` gives the defaults of the others):
        drawn: icons drawn from a recipe: ``details`` gives colour and pair, and every label is correct.
        pixel_art: pictures are shown enlarged with hard pixels.
        reference: the model whose errors chose the pictures, to be left out of rankings; else empty.
        accepted: [n], the labels that are correct for each picture, where several are; else empty.
        tracks: anchors and neighbours, for video frames and drawn sequences; else empty.
        reach: frames to either side of an anchor, 0 where that is not limited.
        imagenet: [c], the ImageNet indices that each class stands for, where the set says so; else empty.
        merged: a class of several ``imagenet`` indices stays one class in distribution.
        as_one: groups of labels that count as one class; else empty.
        captions: (index of the picture, caption), in the order of the pictures; empty for labelled sets.
        vectors: unit image vectors [n, d] that the set brings along, or None.
    """

    @property
    def kind(self) -> str: ...
    @property
    def labels(self) -> np.ndarray: ...
    @property
    def image_ids(self) -> Sequence[str]: ...
    @property
    def left_out(self) -> Sequence[LeftOut]: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def has_images(self) -> bool: ...
    @property
    def note(self) -> str: ...
    @property
    def drawn(self) -> bool: ...
    @property
    def pixel_art(self) -> bool: ...
    @property
    def reference(self) -> str: ...
    @property
    def accepted(self) -> Sequence[frozenset[int]]: ...
    @property
    def tracks(self) -> Sequence[Track]: ...
    @property
    def reach(self) -> int: ...
    @property
    def imagenet(self) -> Sequence[Sequence[int]]: ...
    @property
    def merged(self) -> bool: ...
    @property
    def as_one(self) -> Sequence[frozenset[int]]: ...
    @property
    def captions(self) -> Sequence[tuple[int, str]]: ...
    @property
    def vectors(self) -> np.ndarray | None: ...

    def image(self, index: int) -> Image.Image:
        """The picture at this index as RGB, from any thread; raises UnreadableData with the reason."""
        ...

    def preview(self, index: int, longest: int) -> Image.Image:
        """The same for a small display: it may come smaller, with sides of ``longest`` or more where it has them."""
        ...

    def prepare(self, report: Report) -> None:
        """Make a full pass quick (draw what is drawn on demand); called once before one."""
        ...

    def details(self, index: int) -> Mapping[str, Any]:
        """What else is recorded of this picture (icons: colour, background, style, seen_pair); may be empty."""
        ...

    def state(self, index: int) -> FileState | None:
        """In which state the file of this picture is now, None where there is no file on this disk."""
        ...

    def to_pandas(self) -> pd.DataFrame:
        """One row an image (``core.datasets.plain.Plain``)."""
        ...
