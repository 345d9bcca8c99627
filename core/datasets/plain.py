"""What most image sets are: pictures with one label each; and how a set shows itself in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.types import FileState, ImageSet, Track

if TYPE_CHECKING:
    import pandas as pd


class Plain:
    """Base of the implementations of ``core.types.ImageSet``: the defaults of what few sets have, one line, a table."""

    @property
    def drawn(self) -> bool:
        return False

    @property
    def pixel_art(self) -> bool:
        return False

    @property
    def reference(self) -> str:
        return ""

    @property
    def accepted(self) -> Sequence[frozenset[int]]:
        return ()

    @property
    def tracks(self) -> Sequence[Track]:
        return ()

    @property
    def reach(self) -> int:
        return 0

    @property
    def imagenet(self) -> Sequence[Sequence[int]]:
        return ()

    @property
    def merged(self) -> bool:
        return False

    @property
    def as_one(self) -> Sequence[frozenset[int]]:
        return ()

    @property
    def captions(self) -> Sequence[tuple[int, str]]:
        return ()

    @property
    def vectors(self) -> np.ndarray | None:
        return None

    def state(self, index: int) -> FileState | None:
        """None: the picture is no file on this disk."""
        return None

    def to_pandas(self: ImageSet) -> pd.DataFrame:
        """One row an image: ``image`` (its id), ``key`` and ``name`` of its class; both None where it has none."""
        import pandas as pd

        labels = np.asarray(self.labels)
        known = labels >= 0
        keys, names = ([texts[at] if ok else None for at, ok in zip(labels, known, strict=True)]
                       for texts in (self.keys, self.names))  # fmt: skip
        return pd.DataFrame({"image": list(self.image_ids), "key": keys, "name": names})

    def __repr__(self: ImageSet) -> str:
        skipped = f", {len(self.left_out):,} skipped" if self.left_out else ""
        return f"<ImageSet {self.id}: {len(self.labels):,} images of {len(self.keys):,} classes ({self.kind}){skipped}>"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Borrowed(Plain):
    """Base of the sets whose pictures are those of another one, or are made from them.

    Attributes:
        parent: the set with the pictures; rows: int64 [n], index into it of every picture here.
    """

    parent: ImageSet
    rows: np.ndarray

    @property
    def kind(self) -> str:
        return self.parent.kind

    @property
    def drawn(self) -> bool:
        return self.parent.drawn

    @property
    def pixel_art(self) -> bool:
        return self.parent.pixel_art

    @property
    def templates(self) -> Sequence[str]:
        return self.parent.templates

    def state(self, index: int) -> FileState | None:
        """In which state the file of this picture is now, None where there is no file on this disk."""
        return self.parent.state(int(self.rows[index]))
