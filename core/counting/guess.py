"""Guessing, from a look at the first rows: which column holds captions, which the sample's id, and whether a CSV has
a header at all. Every guess is shown and can be overridden."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from core.datasets.headings import by_name
from core.errors import BadInput

CAPTIONS = (
    *("caption", "captions", "text", "txt", "alt", "alt_text", "alttext", "title", "description", "sentence"),
    *("caption_text", "raw_caption", "original_caption", "re_caption", "blip_caption", "prompt", "tag"),
)
IDS = (
    *("__key__", "key", "uid", "sample_id", "image_id", "id", "img_id", "photoid", "hash", "sha256", "md5"),
    *("file_name", "filename", "image_path", "filepath", "path", "image", "url"),
)
LINE = "line"
"""The only column of plain text."""
_URL = re.compile(r"[a-z]+://\S+|\S+\.(?:jpe?g|png|webp|gif|tar)", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[\d.,eE+-]+")


def caption_column(first: Mapping[str, Sequence[str]]) -> str:
    """The column with captions: by its name, else the one whose texts are longest and no addresses; empty for none.

    Args:
        first: column -> its first texts, for the columns that hold text.
    """
    if named := by_name([name for name, texts in first.items() if any(texts)], CAPTIONS):
        return named
    lengths = {
        name: sum(map(len, texts)) / len(texts)
        for name, texts in first.items()
        if texts and 2 * sum(bool(_URL.fullmatch(text) or _NUMBER.fullmatch(text)) for text in texts) <= len(texts)
    }
    return max(lengths, key=lengths.__getitem__) if lengths else ""


def id_column(first: Mapping[str, Sequence[str]], *, other_than: str) -> str:
    """The column that names a sample, by its name; empty when there is none and rows are told by their number."""
    return by_name([name for name in first if name != other_than], IDS)


def require(column: str, first: Mapping[str, Sequence[str]], file: str) -> None:
    """BadInput, with the columns there are, when ``column`` is not among them."""
    if column not in first:
        there = ", ".join(f"“{name[:40]}”" for name in list(first)[:20]) or "none"
        what = f"no column “{column[:60]}”" if column else "no column with text"
        raise BadInput(f"{file} has {what} (its columns: {there}). Name the column with captions with --column.")


def has_header(first: Sequence[str]) -> bool:
    """Whether the first row of a table without types names its columns.

    It does when a cell is a name that columns of captions or ids have; else when no cell is empty, an address, a
    number or longer than 40 characters and there are several.
    """
    cells = [cell.strip() for cell in first]
    if {cell.casefold() for cell in cells} & {*CAPTIONS, *IDS}:
        return True
    return len(cells) > 1 and all(
        0 < len(cell) <= 40 and not _URL.fullmatch(cell) and not _NUMBER.fullmatch(cell) for cell in cells
    )
