"""Pictures made from those of an image set: themselves an image set, so that vectors, answers and galleries work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from core.errors import UnreadableData
from core.types import FileState, HasFileState, ImageSet, LeftOut, Progress, Report

_MOST_BYTES = 256 << 20
_REPORT_EVERY = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Derived:
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
    _made: dict[int, Image.Image] = field(default_factory=dict, repr=False)

    @property
    def kind(self) -> str:
        return self.base.kind

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
        return self._made.get(index) or self.make(index)

    def state(self, index: int) -> FileState | None:
        """In which state the file of the picture below is now, None where there is no file on this disk."""
        return self.base.state(int(self.rows[index])) if isinstance(self.base, HasFileState) else None

    def details(self, index: int) -> Mapping[str, Any]:
        """What is recorded of the picture below, and what was done to it."""
        return {**self.base.details(int(self.rows[index])), "condition": self.conditions[index]}

    def prepare(self, report: Report) -> None:
        """Make all pictures with progress and keep them while the set lives (up to 256 MiB of them)."""
        held = 0
        for index, condition in enumerate(self.conditions):
            if index % _REPORT_EVERY == 0:
                report(Progress(index, len(self.conditions), f"Making pictures: {condition}"))
            if index in self._made or held > _MOST_BYTES:
                continue
            try:
                self._made[index] = picture = self.make(index)
            except UnreadableData:
                continue  # whoever reads it next is told
            held += 3 * picture.width * picture.height
