"""Telling from a path, and a look at a few entries, how an image set is laid out."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from core.datasets.folders import is_letitwag, looks_like_folders, split_of
from core.errors import UnreadableData

_MOST_STAMPED = 20_000


def detect_layout(path: Path) -> str:
    """Kind of the image set at an existing path; OSError when it cannot be listed.

    Raises:
        UnreadableData: nothing here is a layout that Tailscope reads.
    """
    if path == Path(path.anchor):
        raise UnreadableData(f"{path} is the root of the file system; give the folder of one image set.")
    if path.is_dir() and looks_like_folders(path):
        split = split_of(path)
        with os.scandir(path / split if split else path) as entries:
            return "letitwag" if is_letitwag([entry.name for entry in entries]) else "folders"
    raise UnreadableData(
        f"{path} is no image set that Tailscope knows. Give a folder of class folders, a webdataset folder, a table "
        "with a path and a class column, a Hugging Face image folder or parquet files, or clip-retrieval embeddings."
    )


def stamp(path: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Name, size, time and inode of a path and what lies directly in it: differs when files come or go."""
    found = [_mark(path)]
    try:
        if path.is_dir():
            with os.scandir(path) as entries:
                inner = [Path(entry.path) for entry, _ in zip(entries, range(_MOST_STAMPED), strict=False)]
            found += sorted(_mark(entry) for entry in inner)
    except OSError:
        pass  # what cannot be listed is told by opening it
    return tuple(found)


def _mark(path: Path) -> tuple[str, int, int, int]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return (path.name, 0, 0, 0)
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    return (path.name, size, status.st_mtime_ns, status.st_ino)
