"""Random access to the samples of webdataset tar shards, without unpacking and without trusting them."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.datasets.folders import SPLITS
from core.datasets.listing import file_ends
from core.datasets.picture import MAX_BYTES, read_text
from core.datasets.roots import problem
from core.errors import UnreadableData
from core.types import LeftOut

PICTURES = ("webp", "png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff")
_LARGEST_LABEL = 1 << 20
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Part:
    """One file inside a shard: where its bytes lie."""

    shard: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Sample:
    """All files of one key: ``id`` is ``shard/key``, ``parts`` goes by ending."""

    id: str
    parts: dict[str, Part]


class Shards:
    """The tar files of one set, in numeric order.

    Attributes:
        paths: the shards; samples: their samples in order; left_out: what could not be read.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self.samples: list[Sample] = []
        self.left_out: list[LeftOut] = []
        for number, path in enumerate(self.paths):
            self._index(number, path)

    def read(self, part: Part, *, limit: int = MAX_BYTES) -> bytes:
        """The bytes of one part; UnreadableData when they are more than ``limit`` or no longer there."""
        name = self.paths[part.shard].name
        if part.size > limit:
            raise UnreadableData(f"A file in {name} cannot be read: it is larger than {limit / 2**20:.4g} MiB.")
        try:
            with self.paths[part.shard].open("rb") as file:
                file.seek(part.offset)
                data = file.read(part.size)
        except OSError as error:
            raise UnreadableData(f"{name} cannot be read: {(error.strerror or str(error)).lower()}.") from error
        if len(data) < part.size:
            raise UnreadableData(f"{name} became shorter since it was listed.")
        return data

    def read_label(self, part: Part) -> bytes:
        """The bytes of a small part (a label, captions)."""
        return self.read(part, limit=_LARGEST_LABEL)

    def ends(self, part: Part) -> bytes:
        """First and last KB of a part, for a fingerprint."""
        return file_ends(self.paths[part.shard], part.offset, part.size)

    def _index(self, number: int, path: Path) -> None:
        found: dict[str, dict[str, Part]] = {}
        reason = ""
        try:
            with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
                length, end = os.fstat(file.fileno()).st_size, 0
                while (member := tar.next()) is not None:
                    tar.members = []  # tarfile keeps every header otherwise
                    if member.offset < end or member.size < 0:
                        raise tarfile.ReadError("a header that leads back")
                    end = member.offset_data
                    if not member.isreg() or member.issparse():
                        continue
                    end += member.size
                    if end > length:
                        raise tarfile.ReadError("the file is cut short")
                    key, suffix = _split(member.name)
                    if suffix in found.setdefault(key, {}):
                        self.left_out.append(LeftOut(f"{path.name}/{member.name}", "a second file of this name"))
                    else:
                        found[key][suffix] = Part(number, member.offset_data, member.size)
                # tarfile takes an unreadable header for the end of the archive.
                file.seek(-(-end // _BLOCK) * _BLOCK)
                if any(file.read(_BLOCK)):
                    raise tarfile.ReadError(f"an unreadable header at byte {file.tell() - _BLOCK:,}")
        except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError) as error:
            reason = f"the archive is broken ({str(error)[:120] or type(error).__name__}); "
            reason += f"{len(found):,} samples before that are used" if found else "nothing of it can be used"
        if reason:
            self.left_out.append(LeftOut(path.name, reason))
        for key, parts in found.items():
            try:
                key.encode()
            except UnicodeEncodeError:
                self.left_out.append(LeftOut(f"{path.name}/{ascii(key)[1:-1]}", "its name is not UTF-8"))
            else:
                self.samples.append(Sample(f"{path.stem}/{key}", parts))


def peek(path: Path, *, files: int = 20) -> set[str]:
    """Endings of the first files of a tar, all lower case; empty when it cannot be read."""
    try:
        with tarfile.open(path, mode="r:") as tar:
            return {_split(member.name)[1] for member, _ in zip(tar, range(files), strict=False)}
    except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError):
        return set()


def picture_part(sample: Sample) -> Part | None:
    """The picture of a sample, in CLIP_benchmark's order of endings."""
    return next((sample.parts[suffix] for suffix in PICTURES if suffix in sample.parts), None)


def sizes(parts: Sequence[Part]) -> np.ndarray:
    """Bytes of each part, int64 [n]."""
    return np.array([part.size for part in parts], np.int64)


def find_shards(path: Path, roots: Sequence[Path] | None = None) -> tuple[Path, list[Path], list[LeftOut]]:
    """Folder with the set's text files, its shards in numeric order, and shards that are announced but missing.

    A folder with ``test/0.tar`` ..., a folder of tars, or one tar; of several splits ``test`` comes first.
    """
    if path.is_file():
        return path.parent.parent if path.parent.name in SPLITS else path.parent, [path], []
    folders = [path / split for split in SPLITS] + [path]
    folder, tars = next(((folder, tars) for folder in folders if (tars := _tars(folder))), (path, []))
    top = path.parent if folder == path and path.name in SPLITS else path
    left_out = [LeftOut(tar.name, reason) for tar in tars if (reason := problem(tar, roots))]
    refused = {item.item for item in left_out}
    kept = [tar for tar in tars if tar.name not in refused]
    if (folder / "nshards.txt").is_file():
        left_out += _absent(folder / "nshards.txt", {tar.name for tar in tars})
    return top, kept, left_out


def _tars(folder: Path) -> list[Path]:
    try:
        found = [Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(".tar") and entry.is_file()]
    except OSError:
        return []
    found = [tar for tar in found if not tar.name.startswith(".")]
    return sorted(found, key=lambda tar: (int(tar.stem) if re.fullmatch("[0-9]{1,9}", tar.stem) else -1, tar.name))


def _absent(announcement: Path, present: set[str]) -> list[LeftOut]:
    try:
        announced = int(read_text(announcement, limit=_BLOCK))
    except (ValueError, UnreadableData):
        return [LeftOut("nshards.txt", "does not hold a number")]
    if announced > 100_000:
        return [LeftOut("nshards.txt", f"announces {announced:,} shards")]
    names = [f"{number}.tar" for number in range(announced)]
    return [LeftOut(name, "nshards.txt announces it, but it is not here") for name in names if name not in present]


def _split(name: str) -> tuple[str, str]:
    """Key and ending as webdataset has them: the ending starts at the first dot of the last part of the path."""
    folder, _, file = name.removeprefix("./").rpartition("/")
    stem, _, suffix = file.partition(".")
    return (f"{folder}/{stem}" if folder else stem), suffix.lower()
