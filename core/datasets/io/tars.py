"""Random access to the samples of webdataset tar shards, without unpacking and without trusting them."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from io import RawIOBase
from itertools import islice
from pathlib import Path
from typing import IO, BinaryIO, Self

import numpy as np

from core.datasets.conventions import SPLITS
from core.datasets.io.picture import MAX_BYTES, read_text
from core.datasets.io.remote import AT_ONCE, Remote, Windows
from core.datasets.io.roots import problem
from core.datasets.listing import END, file_ends
from core.datasets.sniff import COMPRESSED, ENOUGH, what_is
from core.errors import ReadFailed, UnreadableData
from core.opening import open_regular
from core.types import LeftOut

PICTURES = ("webp", "png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff")
_LARGEST_LABEL = 1 << 20
_KEPT_LABEL = 64
_NEAR = 1 << 16
BROKEN = (tarfile.TarError, ValueError, EOFError, OverflowError, RecursionError)
"""What ``members`` raises for a tar that is damaged."""
_EXTENDED = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
_LARGEST_HEADER = 1 << 20


class Header(tarfile.TarInfo):
    """A header that fails where tarfile would take an unreadable one for the end of the archive, or one that is huge.

    Of an extended header (pax, a long name) tarfile reads as many bytes as it announces; 1 MiB is allowed here. The map
    of a sparse member has no end that it announces: none is read.
    """

    def _refuse_sparse(self, *_: object) -> Self:
        raise tarfile.ReadError("a sparse member: write the archive without --sparse")

    _proc_sparse = _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            found = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if not any(buf):
                raise
            raise tarfile.ReadError(f"an unreadable header: {error}") from error
        if found.type in _EXTENDED and found.size > _LARGEST_HEADER:
            raise tarfile.ReadError(f"an extended header of {found.size:,} bytes; {_LARGEST_HEADER:,} are allowed")
        return found


def members(
    file: IO[bytes] | RawIOBase, *, length: int = 0, forwards: bool = False
) -> Iterator[tuple[tarfile.TarInfo, Callable[[], bytes]]]:
    """The regular files of a tar in order, each with a function that reads it; one that is not read is skipped.

    Args:
        length: bytes of the tar, 0 where nobody knows. forwards: it is a stream that cannot be entered in the middle.

    Raises:
        one of ``BROKEN``: the tar is damaged or cut off.
    """
    with tarfile.open(fileobj=file, mode="r|" if forwards else "r:", tarinfo=Header) as tar:
        end = 0
        while (member := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # tarfile keeps every header; its stub has no members
            if member.offset < end or member.size < 0:
                raise tarfile.ReadError("a header that leads back")
            end = member.offset_data
            if member.isreg() and not member.issparse():
                end += member.size
                if length and end > length:
                    raise tarfile.ReadError("it is cut off")
                yield member, partial(_read, tar, member)


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file else b""


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
    """The tar files of one set, in numeric order; those behind an address are walked several at once.

    Attributes:
        paths: the shards; samples: their samples in order; left_out: what could not be read.
    """

    def __init__(self, paths: Sequence[Path | Remote]) -> None:
        self.paths = tuple(paths)
        self.samples: list[Sample] = []
        self.left_out: list[LeftOut] = []
        self._labels: dict[tuple[int, int], bytes] = {}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            behind = bool(self.paths) and isinstance(self.paths[0], Remote)
            for samples, left_out in (pool.map if behind else map)(self._index, range(len(self.paths)), self.paths):
                self.samples += samples
                self.left_out += left_out

    def read(self, part: Part, *, limit: int = MAX_BYTES) -> bytes:
        """The bytes of one part; UnreadableData when they are more than ``limit`` or no longer there."""
        path = self.paths[part.shard]
        name = path.name
        if part.size > limit:
            raise UnreadableData(f"A file in {name} cannot be read: it is larger than {limit / 2**20:.4g} MiB.")
        try:
            if isinstance(path, Remote):
                data = path.fetch(part.offset, part.size)
            else:
                with open_regular(path, name=name) as file:
                    file.seek(part.offset)
                    data = file.read(part.size)
        except OSError as error:
            raise ReadFailed(f"{name} cannot be read: {(error.strerror or str(error)).lower()}.") from error
        if len(data) < part.size:
            raise ReadFailed(f"{name} became shorter since it was listed.")
        return data

    def file(self, part: Part) -> Path | None:
        """The shard of a part, None behind an address."""
        path = self.paths[part.shard]
        return None if isinstance(path, Remote) else path

    def read_label(self, part: Part) -> bytes:
        """The bytes of a small part (a label, captions)."""
        kept = self._labels.get((part.shard, part.offset))
        return self.read(part, limit=_LARGEST_LABEL) if kept is None else kept

    def ends(self, part: Part) -> bytes:
        """First and last KB of a part, for a fingerprint."""
        path = self.paths[part.shard]
        if not isinstance(path, Remote):
            return file_ends(path, part.offset, part.size)
        if part.size <= _NEAR:
            data = path.fetch(part.offset, part.size)
            return data[:END] + data[-END:]
        return path.fetch(part.offset, END) + path.fetch(part.offset + part.size - END, END)

    def _index(self, number: int, path: Path | Remote) -> tuple[list[Sample], list[LeftOut]]:
        samples: list[Sample] = []
        left_out: list[LeftOut] = []
        found: dict[str, dict[str, Part]] = {}
        reason = ""
        try:
            with _opened(path) as file:
                length = path.size if isinstance(path, Remote) else os.fstat(file.fileno()).st_size
                for member, read in members(file, length=length):
                    key, suffix = _split(member.name)
                    if suffix in found.setdefault(key, {}):
                        left_out.append(LeftOut(f"{path.name}/{member.name}", "a second file of this name", images=0))
                        continue
                    found[key][suffix] = Part(number, member.offset_data, member.size)
                    if isinstance(path, Remote) and suffix == "cls" and member.size <= _KEPT_LABEL:
                        # It lies in the window that was read for its header; later it would be a request.
                        self._labels[number, member.offset_data] = read()
        except UnreadableData as error:
            reason = str(error)
        except (*BROKEN, OSError) as error:
            reason = f"the archive is broken ({str(error)[:120] or type(error).__name__}); "
            reason += f"{len(found):,} samples before that are used" if found else "nothing of it can be used"
            if not found and (kind := _kind(path)):
                reason = f"it is no tar but a {kind}; unpack it to a plain tar first, which is read in place"
        if reason:
            left_out.append(LeftOut(path.name, reason, images=0))
        for key, parts in found.items():
            try:
                key.encode()
            except UnicodeEncodeError:
                left_out.append(LeftOut(f"{path.name}/{ascii(key)[1:-1]}", "its name is not UTF-8"))
            else:
                samples.append(Sample(f"{path.stem}/{key}", parts))
        return samples, left_out


def _kind(path: Path | Remote) -> str:
    """What a file is that is called a tar and is none; empty when that is not known."""
    try:
        with _opened(path) as file:
            found = what_is(file.read(ENOUGH))
    except (OSError, UnreadableData):
        return ""
    return "" if found == "tar" else f"{found} file" if found in COMPRESSED else found


def without_picture(sample: Sample) -> str:
    """Why no picture belongs to a key: often its file has a dot in its name, at which webdatasets cut the key."""
    dotted = next((suffix for suffix in sample.parts if "." in suffix and suffix.rpartition(".")[2] in PICTURES), "")
    if not dotted:
        return "no picture belongs to this key"
    name = sample.id.partition("/")[2]
    return (
        f"no picture belongs to this key: a webdataset cuts the name {name}.{dotted} at its first dot; write the files "
        "anew without dots before the ending"
    )


def _opened(path: Path | Remote) -> Windows | BinaryIO:
    return path.open() if isinstance(path, Remote) else open_regular(path, name=path.name)


def peek(path: Path | Remote) -> set[str]:
    """Endings of the first files of a tar, all lower case; empty when it cannot be read."""
    try:
        with _opened(path) as file:
            return {_split(member.name)[1] for member, _ in islice(members(file), 20)}
    except (*BROKEN, UnreadableData, OSError):
        return set()


def picture_part(sample: Sample) -> Part | None:
    """The picture of a sample, in CLIP_benchmark's order of endings."""
    return next((sample.parts[suffix] for suffix in PICTURES if suffix in sample.parts), None)


def sizes(parts: Sequence[Part]) -> np.ndarray:
    """Bytes of each part, int64 [n]."""
    return np.array([part.size for part in parts], np.int64)


def tar_splits(path: Path | Remote) -> list[str]:
    """Folders of splits that hold tars, test first; empty for one tar or a folder of tars."""
    return [] if path.is_file() else [split for split in SPLITS if _tars(path / split)]


def shards_of(
    path: Path | Remote, roots: Sequence[Path] | None, *, split: str = ""
) -> tuple[Path | Remote, Shards, list[LeftOut]]:
    """As ``find_shards``, walked; of what lies behind addresses the last few are kept, so that no tar is walked twice.

    ``left_out`` is a list of one's own and holds what the shards left out too.
    """
    top, shards, left_out = _behind(path, split) if isinstance(path, Remote) else _walked(path, roots, split)
    return top, shards, [*left_out, *shards.left_out]


def _walked(
    path: Path | Remote, roots: Sequence[Path] | None, split: str
) -> tuple[Path | Remote, Shards, list[LeftOut]]:
    top, tars, left_out = find_shards(path, roots, split=split)
    return top, Shards(tars), left_out


@lru_cache(maxsize=2)
def _behind(path: Remote, split: str) -> tuple[Path | Remote, Shards, list[LeftOut]]:
    return _walked(path, None, split)


def find_shards(
    path: Path | Remote, roots: Sequence[Path] | None = None, *, split: str = ""
) -> tuple[Path | Remote, list[Path | Remote], list[LeftOut]]:
    """Folder with the set's text files, its shards in numeric order, and shards that are announced but missing.

    A folder with ``test/0.tar`` ..., a folder of tars, or one tar; of several splits ``test`` comes first.

    Args:
        split: the split to read, as its folder is called.
    """
    if path.is_file():
        return path.parent.parent if path.parent.name in SPLITS else path.parent, [path], []
    folders = [path / split] if split else [path / name for name in SPLITS] + [path]
    folder, tars = next(((folder, tars) for folder in folders if (tars := _tars(folder))), (path, []))
    top = path.parent if folder == path and path.name in SPLITS else path
    left_out = [LeftOut(tar.name, reason, images=0) for tar in tars if (reason := problem(tar, roots))]
    refused = {item.item for item in left_out}
    kept = [tar for tar in tars if tar.name not in refused]
    if (folder / "nshards.txt").is_file():
        left_out += _absent(folder / "nshards.txt", {tar.name for tar in tars})
    return top, kept, left_out


def _tars(folder: Path | Remote) -> list[Path | Remote]:
    try:
        listed = folder.files() if isinstance(folder, Remote) else _files(folder)
    except OSError:
        return []
    found = [tar for tar in listed if tar.name.endswith(".tar") and not tar.name.startswith(".")]
    return sorted(found, key=lambda tar: (int(tar.stem) if re.fullmatch("[0-9]{1,9}", tar.stem) else -1, tar.name))


def _files(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(".tar") and entry.is_file()]


def _absent(announcement: Path | Remote, present: set[str]) -> list[LeftOut]:
    try:
        announced = int(read_text(announcement, limit=512))
    except (ValueError, UnreadableData):
        return [LeftOut("nshards.txt", "does not hold a number", images=0)]
    if announced > 100_000:
        return [LeftOut("nshards.txt", f"announces {announced:,} shards", images=0)]
    names = [f"{number}.tar" for number in range(announced)]
    reason = "nshards.txt announces it, but it is not here"
    return [LeftOut(name, reason, images=0) for name in names if name not in present]


def _split(name: str) -> tuple[str, str]:
    """Key and ending as webdataset has them: the ending starts at the first dot of the last part of the path."""
    folder, _, file = name.removeprefix("./").rpartition("/")
    stem, _, suffix = file.partition(".")
    return (f"{folder}/{stem}" if folder else stem), suffix.lower()
