"""What a picture file carries beside its pixels, bounded before Pillow reads it.

Pillow reads directories of TIFF and EXIF whole, and each of 65,535 entries may ask for the same megabyte; it joins the
blocks of a GIF's comment one by one, which takes hours for a long one; and it copies chunks of any size several times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from core.errors import UnreadableData

MOST = 32 << 20
"""Bytes of chunks without pixels, or that the entries of a directory may hold together."""
_MOST_COMMENT = 256 << 10
_MOST_PARTS = 100_000
"""Strips or tiles of a TIFF: each takes hundreds of bytes as Pillow's list of them."""
_LARGE_TILE = 1 << 24

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
        _require(sum(size for kind, size in _png_chunks(data) if kind not in (b"IDAT", b"fdAT")))
    elif data[:3] == b"GIF":
        if _gif_comments(data) > _MOST_COMMENT:
            raise UnreadableData(f"its comments are longer than {_MOST_COMMENT >> 10} KiB.")
    elif data[:2] == b"\xff\xd8":
        require_small_directory(_jpeg_exif(data))
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


def _gif_comments(data: bytes) -> int:
    """Bytes of comments before the first picture."""

    def table(packed: int) -> int:
        return 3 << (packed & 7) + 1 if packed & 0x80 else 0

    at, found = 13 + table(data[10] if len(data) > 10 else 0), 0
    while at + 1 < len(data) and data[at] == 0x21:
        is_comment, at = data[at + 1] == 0xFE, at + 2
        while at < len(data) and data[at]:
            found += data[at] + 1 if is_comment else 0
            at += data[at] + 1
        at += 1
    return found


def _jpeg_exif(data: bytes) -> bytes:
    """The EXIF blocks before the pixels, joined as Pillow joins them."""
    at, found = 2, []
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xDA, 0xD9):
        size = int.from_bytes(data[at + 2 : at + 4])
        block = data[at + 4 : at + 2 + size]
        if data[at + 1] == 0xE1 and block[:6] == b"Exif\0\0":
            found.append(block[6:])
        at += 2 + size
    return b"".join(found)
