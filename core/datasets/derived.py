"""Pictures made from those of an image set: themselves an image set, so that vectors, answers and galleries work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from core.datasets.plain import Plain
from core.errors import UnreadableData
from core.runtime.held import Held
from core.types import FileState, ImageSet, LeftOut, Progress, Report

_REPORT_EVERY = 16
_made: Held[tuple[str, int], Image.Image] = Held(96 << 20)
"""Pictures that were made ahead, of all derived sets together, by fingerprint and index."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Derived(Plain):
    """An ImageSet (see ``core.types``) whose pictures are made when asked for, or all by ``prepare``.

    Attributes:
        base: the set with the pictures; rows: int64 [n], index into it of every picture here.
        conditions: [n], what was done to each, in words; make: index -> picture.
    """

    base: ImageSet
    rows: np.ndarray
    conditions: Sequence[str]
    make: Callable[[int], Image.Image]
    id: str
    image_ids: Sequence[str]
    fingerprint: str
    note: str
    left_out: Sequence[LeftOut] = ()
    has_images: bool = True

    @property
    def kind(self) -> str:
        return self.base.kind

    @property
    def drawn(self) -> bool:
        return self.base.drawn

    @property
    def pixel_art(self) -> bool:
        return self.base.pixel_art

    @property
    def keys(self) -> Sequence[str]:
        return self.base.keys

    @property
    def names(self) -> Sequence[str]:
        return self.base.names

    @property
    def templates(self) -> Sequence[str]:
        return self.base.templates

    @property
    def labels(self) -> np.ndarray:
        return np.asarray(self.base.labels)[self.rows]

    def image(self, index: int) -> Image.Image:
        """The picture at this index; UnreadableData when the one below cannot be read or used."""
        return _made.get((self.fingerprint, index)) or self.make(index)

    def preview(self, index: int, longest: int) -> Image.Image:
        """The same: what was done to it is done to the whole picture."""
        return self.image(index)

    def state(self, index: int) -> FileState | None:
        """In which state the file of the picture below is now, None where there is no file on this disk."""
        return self.base.state(int(self.rows[index]))

    def details(self, index: int) -> Mapping[str, Any]:
        """What is recorded of the picture below, and what was done to it."""
        return {**self.base.details(int(self.rows[index])), "condition": self.conditions[index]}

    def prepare(self, report: Report) -> None:
        """Make pictures ahead with progress, as many as are kept; the others are made when they are read."""
        taken = 0
        for index, condition in enumerate(self.conditions):
            if index % _REPORT_EVERY == 0:
                report(Progress(index, len(self.conditions), f"Making pictures: {condition}"))
            try:
                picture = self.image(index)
            except UnreadableData:
                continue  # whoever reads it next is told
            size = 4 * picture.width * picture.height
            taken += size
            if taken > _made.most:
                return
            _made.put((self.fingerprint, index), picture, size)
