"""What a picture file carries beside its pixels, bounded before Pillow reads it.

Pillow reads directories of TIFF and EXIF whole, and each of 65,535 entries may ask for the same megabyte; it joins the
blocks of a GIF's comment one by one, which takes hours for a long one; it copies chunks of any size several times, and
walks over any number of them; and libjpeg goes over all pixels once for each scan, of which twenty bytes are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Literal, TypeVar

from core.errors import UnreadableData

T = TypeVar("T")
MOST = 32 << 20
"""Bytes of chunks without pixels, or that the entries of a directory may hold together."""
_MOST_COMMENT = 256 << 10
_MOST_PARTS = 100_000
"""Strips or tiles of a TIFF: each takes hundreds of bytes as Pillow's list of them."""
_LARGE_TILE = 1 << 24
_MOST_PIECES = 200_000
"""Segments of a JPEG, chunks of a PNG, or blocks of a GIF before its picture."""
_MOST_PADDING = 64 << 10
_MOST_SCANS = 100
"""Of one JPEG: encoders write ten, optimisers some more."""
_EXIF, _SCAN, _END, _COMMENT = 0xE1, 0xDA, 0xD9, 0xFE
_FRAMES, _PROGRESSIVE = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}, {0xC2, 0xC6, 0xCA, 0xCE}
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])", re.DOTALL)

_SIZES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value by TIFF's number of its type, where it is not one."""
_OFFSETS, _WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT, SAMPLES = (273, 279, 324, 325), 256, 257, 322, 323, 277


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a TIFF directory: number of values, bytes they take at most, the first one where it stands here."""

    count: int
    size: int
    value: int


def require_small(data: bytes) -> None:
    """UnreadableData when an encoded picture carries more beside its pixels than pictures do; odd files pass."""
    if data[:4] == b"\x89PNG":
        _require(sum(size for kind, size in _counted(_png_chunks(data)) if kind not in (b"IDAT", b"fdAT")))
    elif data[:3] == b"GIF":
        if sum(size for kind, size in _counted(_gif_blocks(data)) if kind == _COMMENT) > _MOST_COMMENT:
            raise UnreadableData(f"its comments are longer than {_MOST_COMMENT >> 10} KiB.")
    elif data[:2] == b"\xff\xd8":
        _require_jpeg(data)
    elif data[:2] in (b"II", b"MM"):
        _require_tiff(data)


def require_small_directory(exif: bytes) -> None:
    """UnreadableData when the entries of an EXIF block, or of a TIFF's first directory, hold too much together."""
    _require(sum(entry.size for entry in directory(exif.removeprefix(b"Exif\0\0")).values()))


def directory(data: bytes) -> dict[int, Entry]:
    """The first directory of a TIFF or of what follows ``Exif``, by tag; as far as it can be read."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)

    wide = number(2, 2) == 43  # BigTIFF
    start, head, word = (number(8, 8), 8, 8) if wide else (number(4, 4), 2, 4)
    length = 4 + 2 * word
    entries = {}
    for place in range(min(number(start, head), max(0, len(data) - start) // length + 1)):
        at = start + head + place * length
        kind, count = number(at + 2, 2), number(at + 4, word)
        size = count * _SIZES.get(kind, 1)
        inside = _SIZES.get(kind, 1) if size <= word else 0
        entries[number(at, 2)] = Entry(count, min(size, len(data)), number(at + 4 + word, inside))
    return entries


def _require_tiff(data: bytes) -> None:
    entries, none = directory(data), Entry(0, 0, 0)
    _require(sum(entry.size for entry in entries.values()))
    if any(entries.get(tag, none).count > _MOST_PARTS for tag in _OFFSETS):
        raise UnreadableData(f"it has more than {_MOST_PARTS:,} strips or tiles.")
    tile, whole = (
        entries.get(width, none).value * entries.get(height, none).value
        for width, height in ((_TILE_WIDTH, _TILE_HEIGHT), (_WIDTH, _HEIGHT))
    )
    if tile > max(_LARGE_TILE, 2 * whole):
        raise UnreadableData("its tiles are larger than the picture.")


def _require(size: int) -> None:
    if size > MOST:
        raise UnreadableData(f"it carries more than {MOST >> 20} MiB beside its pixels.")


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    at = 8
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 8], min(size, len(data))
        at += 12 + size


def _gif_blocks(data: bytes) -> Iterator[tuple[int, int]]:
    """Kind and bytes of every block of every extension before the first picture."""

    def table(packed: int) -> int:
        return 3 << (packed & 7) + 1 if packed & 0x80 else 0

    at = 13 + table(data[10] if len(data) > 10 else 0)
    while at + 1 < len(data) and data[at] == 0x21:
        kind, at = data[at + 1], at + 2
        while at < len(data) and data[at]:
            yield kind, data[at] + 1
            at += data[at] + 1
        yield kind, 0
        at += 1


def _require_jpeg(data: bytes) -> None:
    exif, scans, at, bands, is_progressive = [], 0, 2, 0, False
    for _ in _counted(repeat(None)):
        found = _MARKER.search(data, at, len(data) if scans else at + _MOST_PADDING)
        if not (found or scans) and len(data) > at + _MOST_PADDING:
            raise UnreadableData(f"more than {_MOST_PADDING >> 10} KiB between its segments belong to none.")
        if not found or found[1][0] == _END:
            break
        kind, start = found[1][0], found.end()
        at = start + max(2, int.from_bytes(data[start : start + 2]))
        scans += kind == _SCAN
        if scans > _MOST_SCANS:
            raise UnreadableData(f"it has more than {_MOST_SCANS} scans.")
        if kind in _FRAMES:
            bands, is_progressive = int.from_bytes(data[start + 7 : start + 8]), kind in _PROGRESSIVE
        if scans == 1:
            whole = not is_progressive and int.from_bytes(data[start + 2 : start + 3]) == bands
            if whole or data.count(b"\xff\xda") <= _MOST_SCANS:
                break
        if kind == _EXIF and data[start + 2 : start + 8] == b"Exif\0\0":
            exif.append(data[start + 8 : at])
    require_small_directory(b"".join(exif))  # as Pillow joins them


def _counted(pieces: Iterable[T]) -> Iterator[T]:
    for number, piece in enumerate(pieces):
        if number == _MOST_PIECES:
            raise UnreadableData(f"it consists of more than {_MOST_PIECES:,} pieces.")
        yield piece
