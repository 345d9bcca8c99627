"""What the pages of a Parquet column unpack to, by their own headers: the footer's totals may say less.

Headers are in Thrift's compact protocol (``PageHeader`` of parquet.thrift); pyarrow allocates what they ask for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import UnreadableData
from core.opening import open_regular

_MOST_PAGES = 100_000
_HEADER, _LONGEST = 1 << 12, 16 << 20
"""Bytes in which a header is looked for: at first, and at most, as statistics of long texts lie in it."""
_SIZE, _COMPRESSED = 2, 3
_ENCODING = {5: 2, 7: 2, 8: 4}
"""Field of a header by its kind (data, dictionary, data of version 2), and the encoding's field in that."""
_DICTIONARIES, _DELTA_TEXTS = {2, 8}, 7


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Bytes of a column chunk by its page headers.

    Attributes:
        size: what all of its pages unpack to; largest: the largest of them.
        shares_text: a text is written by what it shares with the one before, so that a page may come to its size for
            every value; repeats: that, or values are numbers in a dictionary.
    """

    size: int
    largest: int
    shares_text: bool
    repeats: bool


def unpacked(path: Path, leaf: Any) -> Unpacked:
    """Add up the page headers of a column chunk; ``leaf`` is pyarrow's record of it.

    Raises:
        UnreadableData: they cannot be read, or there are more than 100,000.
    """
    offsets = (leaf.dictionary_page_offset, leaf.data_page_offset)
    at = min(offset for offset in offsets if offset is not None and offset > 0)
    end, pages, largest, size, encodings = at + leaf.total_compressed_size, 0, 0, 0, set()
    with open_regular(path) as file:
        while at < end:
            try:
                header, length = _header(file, at)
                own, step = header[_SIZE], header[_COMPRESSED]
                encodings |= {header[kind][field] for kind, field in _ENCODING.items() if kind in header}
                if min(own, step) < 0 or pages == _MOST_PAGES:
                    raise ValueError
            except (IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
                raise UnreadableData(f"{path.name} has pages that cannot be read, or too many of them") from error
            pages, largest, size, at = pages + 1, max(largest, own), size + own, at + length + step
    shares = _DELTA_TEXTS in encodings
    return Unpacked(size, largest, shares, shares or bool(_DICTIONARIES & encodings))


def _header(file: BinaryIO, at: int) -> tuple[dict[int, Any], int]:
    """Fields by number of the header at this offset, and its length; IndexError where it does not end."""
    size = _HEADER
    while True:
        file.seek(at)
        data = file.read(size)
        reader = _Compact(data)
        try:
            return reader.struct(), reader.at
        except IndexError:
            if len(data) < size or size >= _LONGEST:
                raise
        size *= 16


class _Compact:
    """Reads Thrift's compact protocol; IndexError at the end of the data, ValueError for what it cannot be."""

    def __init__(self, data: bytes) -> None:
        self.at = 0
        self._data = data

    def struct(self) -> dict[int, Any]:
        """Fields by number, binary ones as None."""
        found: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._whole()
            found[number] = self._value(kind & 15)
        return found

    def _value(self, kind: int) -> Any:
        if kind in (1, 2):  # the field's type is its value
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._whole()
        if kind in (7, 8):
            length = 8 if kind == 7 else self._varint()
            self.at += length
            if self.at > len(self._data):
                raise IndexError
            return None
        if kind in (9, 10):
            head = self._byte()
            count = head >> 4 if head >> 4 < 15 else self._varint()
            return [self._item(head & 15) for _ in range(min(count, len(self._data)))]
        if kind == 12:
            return self.struct()
        raise ValueError(f"a field of type {kind}")

    def _item(self, kind: int) -> Any:
        return self._byte() if kind in (1, 2) else self._value(kind)

    def _whole(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)

    def _varint(self) -> int:
        value = 0
        for place in range(10):
            byte = self._byte()
            value |= (byte & 127) << 7 * place
            if byte < 128:
                return value
        raise ValueError("a number of more than 64 bits")

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]
