"""Whether the picture files of an open set changed since they were last looked at."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from core.types import ImageSet

AT_MOST = 0.02
"""Share of the time that may go into looking at files."""
PAUSE = 2.0
"""Seconds between two looks at least."""


@dataclass(slots=True)
class _Known:
    state: str
    generation: int
    next_look: float


class Freshness:
    """Counts how often the files of each set changed; a look costs one ``stat`` a picture.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._known: dict[str, _Known] = {}

    def generation(self, image_set: ImageSet, *, now: bool = False) -> int:
        """How many changes were seen since the set was first looked at; 0 for sets without files of their own.

        Files are looked at again after ``PAUSE`` seconds, or later where looking takes long.

        Args:
            now: look at them at once.
        """
        with self._lock:
            known = self._known.get(image_set.id)
            started = self._clock()
            if known is not None and started < known.next_look and not now:
                return known.generation
            state = file_state(image_set)
            ended = self._clock()
            pause = max(PAUSE, (ended - started) / AT_MOST)
            if known is None:
                known = self._known[image_set.id] = _Known(state, 0, 0.0)
            elif state != known.state:
                known.state, known.generation = state, known.generation + 1
            known.next_look = ended + pause
            return known.generation


def file_state(image_set: ImageSet) -> str:
    """Digest of size and time of change of every picture file; empty for a set whose pictures lie in containers."""
    base = Path(image_set.id)
    if not base.is_absolute():
        return ""
    folder = base if base.is_dir() else base.parent
    if not len(image_set.image_ids) or not (folder / image_set.image_ids[0]).exists():
        return ""
    made = hashlib.blake2b(digest_size=16)
    for id in image_set.image_ids:
        try:
            status = os.stat(folder / id)
            made.update(f"{status.st_size} {status.st_ctime_ns} {status.st_ino};".encode())
        except (OSError, ValueError):
            made.update(b"gone;")
    return made.hexdigest()
