"""What a download will bring, stated before it begins, and the counting of what arrives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.downloads import hub
from core.types import Progress, Report


class Meter:
    """Counts bytes from any thread and reports them; the report may raise ``Stopped``."""

    def __init__(self, report: Report, total: int, what: str) -> None:
        self._report, self._total, self._what = report, total, what
        self._done = 0
        self._lock = threading.Lock()

    def __call__(self, arrived: int) -> None:
        with self._lock:
            self._done += arrived
            self._report(Progress(self._done, max(self._total, self._done), f"Fetching {self._what}"))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a download will bring, and where to.

    Attributes:
        id: canonical model, image set or pack of counts.
        kind: ``model``, ``set`` or ``counts``.
        files: as the hub announced them, pinned to a commit.
        bytes: still to be transferred; 0 when everything is on disk. For the first images of every class of a
            webdataset an estimate, for everything else exact.
        target: folder (or file) where the result will be.
        sentence: all of this in words.
        per_class: first images of every class, or None for everything.
    """

    id: str
    kind: Literal["model", "set", "counts"]
    files: tuple[hub.RemoteFile, ...]
    bytes: int
    target: Path
    sentence: str
    per_class: int | None = None
    work: Callable[[Meter], None] = field(default=lambda meter: None, repr=False, compare=False)


def in_words(size: int) -> str:
    """Bytes in decimal units, as hubs state them."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} bytes"
