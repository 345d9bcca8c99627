"""Bytes from anywhere, unpacked on the way, in bounded pieces: nothing here holds more than a few megabytes."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.counting.encodings import HEAD, AsUtf8, Readable, Rejoined, encoding_of
from core.counting.places import Place
from core.datasets.io.addresses import locate, short
from core.errors import UnreadableData

LONGEST = 1 << 20
"""Bytes of one caption, line or tar member; what is longer is a bad row."""
_BLOCK = 1 << 20
_RATIO, _FREE = 200, 1 << 30
PACKED = {".gz": "gzip", ".tgz": "gzip", ".zst": "zstd", ".zstd": "zstd"}


def packing(name: str) -> str:
    """How a file is compressed, by its ending; empty when it is not."""
    return next((kind for ending, kind in PACKED.items() if name.lower().endswith(ending)), "")


@contextmanager
def opened(place: Place, *, seekable: bool = False) -> Iterator[Any]:
    """The file of a place for reading, unpacked when it is compressed.

    Raises:
        UnreadableData: it cannot be opened or read, is cut off or damaged, or unpacks to far more than any text does.
    """
    import pyarrow as pa

    system, path = locate(place.uri)
    try:
        with system.open_input_file(path) if seekable else system.open_input_stream(path, compression=None) as raw:
            yield raw if seekable else _unpacked(raw, place)
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        raise UnreadableData(f"{place.name} cannot be read: {short(error)}.") from error


@contextmanager
def opened_text(place: Place, *, start: int = 0) -> Iterator[Readable]:
    """The text of a place as UTF-8 bytes, for ``line_blocks``; UTF-16 and UTF-32 are decoded on the way.

    Args:
        start: byte that the caller's range begins at; only a UTF-8 file can be entered in the middle.

    Raises:
        UnreadableData: as ``opened``.
    """
    with opened(place, seekable=bool(start)) as stream:
        if start:
            stream.seek(start - 1)
            yield stream
            return
        head = b""
        while len(head) < HEAD and (more := stream.read(HEAD - len(head))):
            head += more
        encoding = encoding_of(head)
        yield Rejoined(stream, head) if encoding == "utf-8" else AsUtf8(stream, head, encoding)


def is_utf8(place: Place) -> bool:
    """Whether a text file can be cut at newline bytes: its encoding is neither UTF-16 nor UTF-32."""
    with opened(place) as stream:
        return encoding_of(stream.read(HEAD)) == "utf-8"


def _unpacked(raw: Any, place: Place) -> Any:
    import pyarrow as pa

    kind = packing(place.name)
    if not kind:
        return raw
    inner = gzip.GzipFile(fileobj=raw) if kind == "gzip" else pa.CompressedInputStream(raw, kind)
    return _Guarded(inner, place)


class _Guarded:
    """A stream that ends with an error when it unpacks to more than text can."""

    def __init__(self, inner: Readable, place: Place) -> None:
        self._inner, self._place, self._read = inner, place, 0

    def read(self, size: int) -> bytes:
        data = self._inner.read(size)
        self._read += len(data)
        if self._read > _FREE + _RATIO * self._place.size:
            raise UnreadableData(
                f"{self._place.name} unpacks to more than {_RATIO} times its size: not text, so it was left out."
            )
        return data


def line_blocks(stream: Readable, *, start: int = 0, end: int | None = None) -> Iterator[list[bytes | None]]:
    """Lines that begin at or after byte ``start`` and before ``end``, a block at a time, without their newlines.

    The stream stands at ``start``, or one byte before it unless that is 0, so that a line is taken by exactly one
    range. A line longer than ``LONGEST`` is None.
    """
    at = max(0, start - 1)
    tail, skipping, lead = b"", False, start > 0
    while block := stream.read(_BLOCK):
        data = tail + block
        lines: list[bytes | None] = []
        if lead or skipping:
            cut = data.find(b"\n") + 1
            if not cut:
                at, tail = at + len(data), b""
                continue
            at, data, lead, skipping = at + cut, data[cut:], False, False
        *whole, tail = data.split(b"\n")
        lines += whole
        inside = len(data) - len(tail)
        if end is not None and at + len(data) > end:
            lines, over = _before(lines, at, end)
            if over or at + inside >= end:
                yield _bounded(lines)
                return
        at += inside
        if len(tail) > LONGEST:
            lines.append(None)
            at, tail, skipping = at + len(tail), b"", True
        if lines:
            yield _bounded(lines)
    if tail and (end is None or at < end):
        yield _bounded([tail])


def _before(lines: list[bytes | None], at: int, end: int) -> tuple[list[bytes | None], bool]:
    for index, line in enumerate(lines):
        if at >= end:
            return lines[:index], True
        at += len(line or b"") + 1
    return lines, False


def _bounded(lines: list[bytes | None]) -> list[bytes | None]:
    return [None if line is None or len(line) > LONGEST else line.removesuffix(b"\r") for line in lines]
