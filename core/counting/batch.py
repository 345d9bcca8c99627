"""A few thousand rows of captions at a time, as every reader returns them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.counting.encodings import decode
from core.counting.places import Place
from core.counting.streams import LONGEST
from core.errors import UnreadableData

BATCH = 8192


@dataclass(frozen=True, slots=True)
class Columns:
    """What is read of a row: caption and id (empty: its number); ``downloaded``: only rows with status “success”."""

    caption: str
    id: str = ""
    downloaded: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """Consecutive rows: caption of each (None = a bad row), their ids when there is a column of them, how many samples
    between them were left out because they were never downloaded, and how many of the bad rows are not UTF-8."""

    captions: list[str | None]
    ids: list[str | None] | None = None
    missing: int = 0
    undecoded: int = 0


def usable(texts: Sequence[str | None], ids: list[str | None] | None = None, *, missing: int = 0) -> Rows:
    """Rows with None for captions that are too long or no Unicode text (lone surrogates, mostly zero characters)."""
    joined = "".join(filter(None, texts))
    try:
        joined.encode()
        sound = "\0" not in joined
    except UnicodeEncodeError:
        sound = False
    kept = list(texts) if sound else [text if text is None or _is_unicode(text) else None for text in texts]
    undecoded = 0 if sound else sum(text is None for text in kept) - sum(text is None for text in texts)
    return Rows([text if text is None or len(text) <= LONGEST else None for text in kept], ids, missing, undecoded)


def position(column: str, names: Sequence[str], place: Place) -> int:
    """Where a column is; UnreadableData when this file lacks it."""
    if column not in names:
        raise UnreadableData(f"{place.name} has no column “{column[:40]}”.")
    return list(names).index(column)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return 3 * text.count("\0") <= len(text)


def record(data: bytes | None) -> Mapping[str, Any]:
    """The JSON object in a line or file; empty when there is none. Bytes in no encoding become lone surrogates."""
    try:
        found = json.loads(decode(data)) if data else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
