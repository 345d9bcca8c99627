"""Captions in webdataset and img2dataset tars, read front to back without unpacking and without trusting a name.

A member's name only says which sample it belongs to (all before the first dot of its last part) and what it is (the
ending); nothing is ever written under it.
"""

from __future__ import annotations

from collections.abc import Iterator

from core.counting.batch import BATCH, Columns, Rows, record, usable
from core.counting.encodings import decode
from core.counting.places import Place
from core.counting.streams import LONGEST, opened, packing
from core.datasets.io.tars import BROKEN, members
from core.errors import UnreadableData

TEXT = "txt"


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
    packed = bool(packing(place.name))
    with opened(place, seekable=not packed) as stream:
        try:
            for member, read in members(stream, length=0 if packed else place.size, forwards=packed):
                folder, slash, last = member.name.rpartition("/")
                stem, _, ending = last.partition(".")
                if not stem:
                    continue
                if folder + slash + stem != key:
                    if key is not None:
                        yield key, sample
                    key, sample = folder + slash + stem, {}
                if ending.lower() in wanted:
                    sample[ending.lower()] = read() if member.size <= LONGEST else None
        except BROKEN as error:
            raise UnreadableData(f"{place.name} is not a tar file, or a damaged one: {error}.") from error
    if key is not None:
        yield key, sample
