"""Captions in webdataset and img2dataset tars, read front to back without unpacking and without trusting a name.

A member's name only says which sample it belongs to (all before the first dot of its last part) and what it is (the
ending); nothing is ever written under it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.counting.batch import BATCH, Columns, Rows, record, usable
from core.counting.encodings import decode
from core.counting.places import Place
from core.counting.streams import LONGEST, opened, packing
from core.errors import UnreadableData

TEXT = "txt"
_BLOCK, _SKIP = 512, 1 << 20


def tar_rows(place: Place, columns: Columns) -> Iterator[Rows]:
    """Rows of one tar: caption from ``.txt`` (column ``txt``) or from a field of ``.json``, id ``shard/key``.

    Raises:
        UnreadableData: it is damaged or cut off, or no sample has such a caption.
    """
    captions: list[str | None] = []
    ids: list[str | None] = []
    found = False
    for key, sample in _samples(place, wanted=(TEXT,) if columns.caption == TEXT else ("json",)):
        caption = _caption(sample, columns.caption)
        found |= caption is not None
        captions.append(caption)
        ids.append(f"{place.name.partition('.')[0]}/{key}")
        if len(captions) == BATCH:
            yield usable(captions, ids)
            captions, ids = [], []
    if captions:
        yield usable(captions, ids)
    if not found:
        raise UnreadableData(f"{place.name} has no caption in “{columns.caption[:40]}” of any sample.")


def first_of_tar(place: Place, most: int) -> dict[str, list[str]]:
    """The first captions by column: ``txt``, and the text fields of the JSON beside it."""
    texts: dict[str, list[str]] = {"__key__": []}
    for number, (key, sample) in enumerate(_samples(place, wanted=(TEXT, "json"))):
        if number == most:
            break
        texts["__key__"].append(key)
        if isinstance(caption := _caption(sample, TEXT), str):
            texts.setdefault(TEXT, []).append(caption)
        for name, value in record(sample.get("json")).items():
            if isinstance(value, str):
                texts.setdefault(name, []).append(value)
    if len(texts) == 1:
        raise UnreadableData(f"{place.name} holds no .txt or .json beside its pictures.")
    return texts


def _caption(sample: dict[str, bytes | None], column: str) -> str | None:
    if column != TEXT:
        value = record(sample.get("json")).get(column)
        return value if isinstance(value, str) else None
    data = sample.get(TEXT)
    return None if data is None else decode(data)


def _samples(place: Place, *, wanted: tuple[str, ...]) -> Iterator[tuple[str, dict[str, bytes | None]]]:
    """Key and the wanted members of every sample, in order; a member longer than ``LONGEST`` is None."""
    key: str | None = None
    sample: dict[str, bytes | None] = {}
    for name, read in _members(place):
        folder, slash, last = name.rpartition("/")
        stem, _, ending = last.partition(".")
        if not stem:
            continue
        if folder + slash + stem != key:
            if key is not None:
                yield key, sample
            key, sample = folder + slash + stem, {}
        if ending.lower() in wanted:
            sample[ending.lower()] = read()
    if key is not None:
        yield key, sample


def _members(place: Place) -> Iterator[tuple[str, Any]]:
    """Name of every regular file, with a function that reads it; whoever does not call it skips the bytes."""
    packed = bool(packing(place.name))
    with opened(place, seekable=not packed) as stream:
        long = ""
        while len(header := _exactly(stream, _BLOCK, place, at_end=True)) == _BLOCK and header.strip(b"\0"):
            size, kind = _number(header[124:136], place), header[156:157]
            padded = -size % _BLOCK
            if kind in b"xL":
                data = _exactly(stream, size, place) if size <= LONGEST else b""
                long = (_pax_path(data) if kind == b"x" else _text(data)) or long
                _skip(stream, padded + (0 if size <= LONGEST else size), place, seekable=not packed)
                continue
            prefix = _text(header[345:500]) if header[257:262] == b"ustar" else ""
            name = long or (f"{prefix}/" if prefix else "") + _text(header[:100])
            long, left = "", size

            def read(size: int = size) -> bytes | None:
                nonlocal left
                if size > LONGEST:
                    return None
                left = 0
                return _exactly(stream, size, place)

            if kind in b"0\0":
                yield name, read
            _skip(stream, left + padded, place, seekable=not packed)


def _exactly(stream: Any, size: int, place: Place, *, at_end: bool = False) -> bytes:
    data = stream.read(size)
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    if len(data) < size and not (at_end and not data):
        raise UnreadableData(f"{place.name} is cut off.")
    return data


def _skip(stream: Any, size: int, place: Place, *, seekable: bool) -> None:
    if seekable:
        target = stream.tell() + size
        if place.size and target > place.size:
            raise UnreadableData(f"{place.name} is cut off.")
        stream.seek(target)
        return
    while size > 0:
        size -= len(_exactly(stream, min(size, _SKIP), place))


def _number(field: bytes, place: Place) -> int:
    try:
        if field[:1] == b"\x80":
            return int.from_bytes(field[1:], "big")
        return int(field.rstrip(b"\0 ").lstrip() or b"0", 8)
    except ValueError as error:
        raise UnreadableData(f"{place.name} is not a tar file.") from error


def _pax_path(data: bytes) -> str:
    """The ``path`` record of a pax header (``LENGTH KEY=VALUE\\n`` repeated); empty when there is none."""
    while data:
        length, _, _ = data.partition(b" ")
        if not length.isdigit() or not 0 < int(length) <= len(data):
            return ""
        name, _, value = data[len(length) + 1 : int(length) - 1].partition(b"=")
        if name == b"path":
            return _text(value)
        data = data[int(length) :]
    return ""


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")
