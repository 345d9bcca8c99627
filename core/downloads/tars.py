"""The first pictures of every class from webdataset shards on a hub, found by walking tar headers only."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cache.files import write_bytes
from core.datasets.io.tars import BROKEN, PICTURES, members
from core.downloads.ranges import RangeFile, in_parallel
from core.errors import DownloadFailed

WINDOW = 4096  # covers the headers of one sample (label and picture) with their extended headers
STREAM = 1 << 20
LARGEST_PICTURE = 64 << 20
LARGEST_LABEL = 1 << 16
_LOOKED_AT = 16
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled picture inside a shard: classes it shows, and where its bytes are.

    ``many`` is the length of its 0/1 label vector, or 0 when the label is a single class.
    """

    shard: int
    key: str
    classes: tuple[int, ...]
    many: int
    extension: str
    start: int
    size: int

    def to_json(self) -> list[Any]:
        return list(asdict(self).values())

    @classmethod
    def from_json(cls, value: list[Any]) -> Sample:
        shard, key, classes, *rest = value
        return cls(shard, key, tuple(classes), *rest)


def typical_size(source: RangeFile) -> int:
    """Mean bytes that the first samples of a shard take, headers included (0 for a shard without pictures)."""
    found = 0
    for found, sample in enumerate(_samples(source, 0), 1):
        if found == _LOOKED_AT:
            return (sample.start + sample.size) // found
    return source.size // found if found else 0


def window_for(sample_size: int) -> int:
    """Bytes per request: small jumps over large pictures, or a plain stream where the pictures are small."""
    return WINDOW if sample_size > 4 * WINDOW else STREAM


def walk(source: RangeFile, shard: int, *, per_class: int, n_classes: int) -> list[Sample]:
    """Samples of a shard that may be among the first ``per_class`` of their class; ends early when all have enough."""
    return first_of_every_class(_samples(source, shard), per_class=per_class, n_classes=n_classes)[0]


def first_of_every_class(samples: Iterable[Sample], *, per_class: int, n_classes: int) -> tuple[list[Sample], bool]:
    """The samples to keep, in order, and whether every class has enough; looks no further once that is so.

    A sample that shows several classes counts for each of them.
    """
    have = np.zeros(n_classes, np.int64)
    kept = []
    for sample in samples:
        known = [label for label in sample.classes if 0 <= label < n_classes]
        if any(have[label] < per_class for label in known):
            have[known] += 1
            kept.append(sample)
            if have.min() >= per_class:
                return kept, True
    return kept, False


def fetch_pictures(sources: Sequence[RangeFile], samples: Sequence[Sample], folder: Path) -> None:
    """Bring the bytes of these samples into ``folder/<position>``, several at once; those already there are kept."""

    def fetch(position: int) -> None:
        sample, target = samples[position], folder / str(position)
        if not target.exists():
            write_bytes(target, sources[sample.shard].fetch(sample.start, sample.start + sample.size))

    folder.mkdir(parents=True, exist_ok=True)
    in_parallel(fetch, range(len(samples)))


def write_shard(samples: Sequence[Sample], folder: Path, target: Path) -> None:
    """One webdataset shard with these samples: keys of the original where they are plain and unique."""
    seen: set[str] = set()
    with tarfile.open(target, "w") as tar:
        for position, sample in enumerate(samples):
            plain = KEY.fullmatch(sample.key) and sample.key not in seen
            key = sample.key if plain else f"q{position:07d}"
            seen.add(key)
            if not sample.many:
                _add(tar, f"{key}.cls", str(sample.classes[0]).encode())
            _add(tar, f"{key}.{sample.extension}", (folder / str(position)).read_bytes())
            if sample.many:
                vector = np.zeros(sample.many, np.int64)
                vector[list(sample.classes)] = 1
                data = io.BytesIO()
                np.save(data, vector, allow_pickle=False)
                _add(tar, f"{key}.npy", data.getvalue())


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _samples(source: RangeFile, shard: int) -> Iterator[Sample]:
    """Labelled pictures of one shard in order. Members of one sample lie side by side, as webdataset writes them."""
    key = ""
    label: tuple[tuple[int, ...], int] | None = None  # classes, length of their vector
    picture: tuple[str, int, int] | None = None  # extension, start, size
    try:
        for member, read in members(source, length=source.size):
            stem, _, extension = member.name.rpartition("/")[2].partition(".")
            extension = extension.lower()
            if stem != key:
                key, label, picture = stem, None, None
            if extension in ("cls", "npy"):
                if member.size > LARGEST_LABEL:
                    told = f"{member.name} of {source.file.path} is too large for a label; the shard is damaged."
                    raise DownloadFailed(told)
                label = _label(read(), f"{member.name} of {source.file.path}", extension)
            elif extension in PICTURES and 0 < member.size <= LARGEST_PICTURE:
                picture = (extension, member.offset_data, member.size)
            if label is not None and picture is not None:
                classes, many = label
                ending, start, size = picture
                yield Sample(shard, key, classes, many, ending, start, size)
                label, picture = None, None
    except BROKEN as error:
        raise DownloadFailed(f"{source.file.path} is not a sound tar file ({error}); try again.") from error


def _label(data: bytes, what: str, extension: str) -> tuple[tuple[int, ...], int]:
    """Classes, and the length of the label vector (0 for a single class)."""
    try:
        if extension == "cls":
            return (int(data),), 0
        value = np.load(io.BytesIO(data), allow_pickle=False).ravel()
        if value.size == 1:
            return (int(value[0]),), 0
        return tuple(np.flatnonzero(value > 0).tolist()), value.size
    except Exception as error:  # a hostile .npy header raises anything from EOFError to SyntaxError
        raise DownloadFailed(f"{what} is not a label; the shard is damaged.") from error
