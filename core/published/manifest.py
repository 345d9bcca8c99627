"""Which files make up the release, each with the size and git blob id it has at the pinned commit."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cache.files import write_bytes
from core.paths import ASSETS
from core.text.tables import csv_text

REPOSITORY = "bethgelab/frequency_determines_performance"
RELEASE = "11ef009"
"""Commit of the release that Tailscope reads, as it is cited."""
COMMIT = "742beeff3118a5a0750352c1b875c86e5df2458b"
"""Commit that brought in every data file; none has changed since, and a full id is what raw downloads accept."""
CITATION = (
    "Udandarao et al., \"No 'Zero-Shot' Without Exponential Data\" (arXiv 2404.04125); data: "
    f"github.com/{REPOSITORY}, commit {RELEASE}, MIT licence"
)
PATH = ASSETS / "published" / "manifest.csv"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the release: path relative to its root, bytes, git blob id (40 hex digits)."""

    path: str
    size: int
    blob: str


def blob_id(content: bytes) -> str:
    """The id that git gives to a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@cache
def entries() -> tuple[Entry, ...]:
    """Every file that is used, in path order."""
    return read(PATH)


def read(path: Path) -> tuple[Entry, ...]:
    """The files of one list, in its order."""
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(Entry(row["path"], int(row["size"]), row["blob"]) for row in csv.DictReader(file))


@cache
def by_path() -> dict[str, Entry]:
    """The same, by path."""
    return {entry.path: entry for entry in entries()}


def write(release: Path, target: Path = PATH) -> int:
    """Write the manifest of a checkout of the release; returns the number of files."""
    from core.published.names import parse_path

    found = sorted(path for path in release.rglob("*") if path.is_file())
    used = [(path.relative_to(release).as_posix(), path.read_bytes()) for path in found]
    rows = [(name, len(content), blob_id(content)) for name, content in used if parse_path(name)]
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(target, csv_text(("path", "size", "blob"), rows).encode())
    return len(rows)
