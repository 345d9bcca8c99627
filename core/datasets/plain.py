"""What most image sets are: pictures with one label each and nothing more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.types import FileState, Track


class Plain:
    """The defaults of what few sets have (see ``core.types.ImageSet``); a set overrides what it has."""

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
