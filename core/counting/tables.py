"""Rows of CSV and TSV files, of which some have a header and some rows are torn."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

from core.counting.batch import BATCH, Columns, Rows, position, usable
from core.counting.guess import has_header
from core.counting.places import Place
from core.counting.streams import line_blocks, opened_text
from core.errors import UnreadableData

_TORN = "\ufffe"


def first_of_table(place: Place, kind: str, most: int) -> dict[str, list[str]]:
    """The first texts of every column, named ``column 1`` and so on when there is no header."""
    with opened_text(place) as stream:
        lines = islice((line for block in line_blocks(stream) for line in block if line), most)
        texts = [line.decode("utf-8", "replace") for line in lines]
    if not texts:
        raise UnreadableData(f"{place.name} is empty.")
    rows = list(_reader(iter([text.removeprefix("\ufeff") + "\n" for text in texts]), _dialect(texts[0], kind)))
    names = _names(rows[0])
    body = [row for row in rows[has_header(rows[0]) :] if len(row) == len(names)]
    return {name: [row[index] for row in body] for index, name in enumerate(names)}


def table_rows(
    blocks: Iterator[list[bytes | None]], columns: Columns, place: Place, kind: str, *, inside: bool
) -> Iterator[Rows]:
    """Rows of a table from its lines; ``inside`` means that they begin after the header."""
    lines = (
        _TORN + "\n" if line is None else line.decode("utf-8", "surrogateescape") + "\n"
        for block in blocks
        for line in block
    )
    if inside:
        first = _first_line(place)
        dialect = _dialect(first, kind)
        cells, rows = next(_reader(iter([first]), dialect), []), _reader(lines, dialect)
    else:
        first = next((line for line in lines if line.strip()), "").removeprefix("\ufeff")
        dialect = _dialect(first, kind)
        rows = _reader(chain([first], lines), dialect)
        cells = next(rows, [])
        if not has_header(cells):
            rows = chain([cells], rows)
    names = _names(cells)
    at = position(columns.caption, names, place)
    id_at = position(columns.id, names, place) if columns.id else -1
    while batch := list(islice(rows, BATCH)):
        whole = [row if len(row) == len(names) else None for row in batch if row]
        ids = None if id_at < 0 else [None if row is None else row[id_at] for row in whole]
        yield usable([None if row is None else row[at] for row in whole], ids)


def _dialect(first: str, kind: str) -> dict[str, Any]:
    # Web captions in TSV hold stray quotes, which would swallow the rows after them; quoting is for commas.
    delimiter = "\t" if kind == "tsv" else max(",\t;|", key=first.count)
    return {"delimiter": delimiter, "quoting": csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL}


def _reader(lines: Iterator[str], dialect: dict[str, Any]) -> Iterator[list[str]]:
    """Rows of a table; one that cannot be read (an endless quoted cell) is a single torn cell."""
    rows = csv.reader(lines, **dialect)
    while True:
        try:
            yield next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield [_TORN]


def _names(first: Sequence[str]) -> list[str]:
    if not has_header(first):
        return [f"column {number}" for number in range(1, len(first) + 1)]
    return [cell.strip() or f"column {number}" for number, cell in enumerate(first, 1)]


def _first_line(place: Place) -> str:
    with opened_text(place) as stream:
        line = next((line for block in line_blocks(stream) for line in block if line), b"")
    return line.decode("utf-8", "replace").removeprefix("\ufeff") + "\n"
