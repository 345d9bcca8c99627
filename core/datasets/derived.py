"""Pictures made from those of an image set: themselves an image set, so that vectors, answers and galleries work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from core.datasets.plain import Borrowed
from core.errors import UnreadableData
from core.runtime.content import pictures_digest
from core.runtime.held import Held
from core.types import LeftOut, Progress, Report

_REPORT_EVERY = 16
_made: Held[tuple[str, int], Image.Image] = Held(96 << 20)
"""Pictures that were made ahead, of all derived sets together, by digest of the pictures and index."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Derived(Borrowed):
    """An ImageSet (see ``core.types``) whose pictures are made when asked for, or all by ``prepare``.

    Attributes:
        conditions: [n], what was done to each, in words; make: index -> picture.
    """

    conditions: Sequence[str]
    make: Callable[[int], Image.Image]
    id: str
    image_ids: Sequence[str]
    fingerprint: str
    note: str
    left_out: Sequence[LeftOut] = ()
    has_images: bool = True

    @property
    def keys(self) -> Sequence[str]:
        return self.parent.keys

    @property
    def names(self) -> Sequence[str]:
        return self.parent.names

    @property
    def labels(self) -> np.ndarray:
        return np.asarray(self.parent.labels)[self.rows]

    def image(self, index: int) -> Image.Image:
        """The picture at this index; UnreadableData when the one below cannot be read or used."""
        return _made.get((pictures_digest(self), index)) or self.make(index)

    def preview(self, index: int, longest: int) -> Image.Image:
        """The same: what was done to it is done to the whole picture."""
        return self.image(index)

    def details(self, index: int) -> Mapping[str, Any]:
        """What is recorded of the picture below, and what was done to it."""
        return {**self.parent.details(int(self.rows[index])), "condition": self.conditions[index]}

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
            _made.put((pictures_digest(self), index), picture, size)
