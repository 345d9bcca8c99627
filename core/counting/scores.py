"""Score matrices: which samples show which concept, from a tagger's scores or drawn labels.

Three forms. ``.npy`` [samples, concepts], columns in the order of the concepts, rows in the order of the captions.
Parquet with one column a concept (named by its key or name) and perhaps one of ids. Parquet with one row a hit:
id, concept and, unless every row is a hit as it stands, score. NaN is no hit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.counting.guess import IDS
from core.counting.parts import Part, parquet_parts
from core.counting.places import Place, find
from core.counting.query import Query
from core.counting.rows import as_id
from core.counting.streams import opened
from core.datasets.headings import by_name
from core.errors import BadInput, UnreadableData
from core.text.spelling import spellings

CONCEPTS = ("concept", "label", "tag", "class", "class_name", "category")
SCORES = ("score", "probability", "prob", "confidence", "similarity", "value")
_CELLS = 1 << 21
_BLOCK_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Hits:
    """Rows of one block with a score: row in its file, concept, score; ids by row when there is a column of them."""

    first: int
    rows: int
    row: np.ndarray
    concept: np.ndarray
    score: np.ndarray
    ids: list[str | None] | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What a score file holds.

    Attributes:
        kind: ``npy``, ``wide`` or ``long``. id: its column of ids, empty for none.
        unknown: concepts without a column. columns: column -> concept (wide).
    """

    kind: str
    id: str
    unknown: tuple[int, ...]
    columns: Mapping[str, int] = field(default_factory=dict)


def plan_scores(source: str, query: Query, *, roots: Sequence[Path] | None = None) -> tuple[list[Part], Layout]:
    """The parts of a score file (or several of one layout) and their layout.

    Raises:
        BadInput: nothing there, or a matrix with other columns than concepts. UnreadableData: no score matrix.
    """
    places = [place for place in find(source, roots=roots) if place.name.endswith((".npy", ".parquet"))]
    if not places:
        raise BadInput(f"{source} is no score matrix; give a .npy or .parquet file (docs/COUNTING.md shows the forms).")
    if places[0].name.endswith(".npy"):
        parts = [part for place in places for part in _npy_parts(place, query)]
        return parts, Layout("npy", "", ())
    layout = _layout(places[0], query)
    parts = [part for place in places for part in parquet_parts(place)]
    return parts, layout


def read_scores(part: Part, query: Query) -> Iterator[Hits]:
    """Hits of one part: every score that reaches the lowest threshold."""
    least = min(query.thresholds)
    if part.place.name.endswith(".npy"):
        yield from _npy(part, least)
        return
    layout = _layout(part.place, query)
    yield from (_wide if layout.kind == "wide" else _long)(part, layout, query, least)


def _header(place: Place) -> tuple[tuple[int, int], np.dtype, int]:
    with opened(place, seekable=True) as file:
        try:
            version = np.lib.format.read_magic(file)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, fortran, dtype = read[version](file)
        except (ValueError, KeyError, SyntaxError, RecursionError) as error:
            raise UnreadableData(f"{place.name} is not a NumPy matrix: {str(error)[:120]}.") from error
        if dtype.kind not in "biuf" or dtype.hasobject or len(shape) != 2 or fortran:
            raise UnreadableData(f"{place.name} must be a C-ordered matrix of numbers [samples, concepts].")
        offset = file.tell()
    if place.size < offset + shape[0] * shape[1] * dtype.itemsize:
        raise UnreadableData(f"{place.name} is cut off.")
    return shape, dtype, offset


def _npy_parts(place: Place, query: Query) -> list[Part]:
    (rows, columns), _, _ = _header(place)
    if columns != len(query.concepts):
        raise BadInput(
            f"{place.name} has {columns:,} columns but there are {len(query.concepts):,} concepts; they must be the "
            "same, in the same order."
        )
    step = max(1, min(_BLOCK_ROWS, (256 << 20) // max(1, 4 * columns)))
    ranges = [(low, min(low + step, rows)) for low in range(0, rows, step)]
    return [Part(place, "npy", low, high, (high - low) / rows) for low, high in ranges]


def _npy(part: Part, least: float) -> Iterator[Hits]:
    (_, columns), dtype, offset = _header(part.place)
    width = columns * dtype.itemsize
    step = max(1, _CELLS // max(1, columns))
    with opened(part.place, seekable=True) as file:
        file.seek(offset + part.start * width)
        for low in range(part.start, part.end, step):
            rows = min(step, part.end - low)
            data = file.read(rows * width)
            if len(data) != rows * width:
                raise UnreadableData(f"{part.place.name} is cut off.")
            block = np.frombuffer(data, dtype).reshape(rows, columns)
            row, concept = np.nonzero(block >= least)
            yield Hits(low, rows, row, concept, block[row, concept].astype(np.float32))


def _layout(place: Place, query: Query) -> Layout:
    import pyarrow.parquet as pq
    import pyarrow.types as kinds

    with opened(place, seekable=True) as file, pq.ParquetFile(file) as table:
        schema = table.schema_arrow
    tests = (kinds.is_integer, kinds.is_floating, kinds.is_boolean)
    numeric = [field.name for field in schema if any(test(field.type) for test in tests)]
    columns = _columns(numeric, query)
    id = by_name([field.name for field in schema if field.name not in columns], IDS)
    if query.columns.id in set(schema.names) - set(columns):
        id = query.columns.id
    concept = by_name([f.name for f in schema if f.name not in numeric and f.name != id], CONCEPTS)
    if concept:
        return Layout("long", id, ())
    if not columns:
        raise UnreadableData(
            f"{place.name} has neither a column for any concept nor columns “concept” and “score”: it holds no scores."
        )
    found = set(columns.values())
    return Layout("wide", id, tuple(at for at in range(len(query.concepts)) if at not in found), columns)


def _columns(present: Sequence[str], query: Query) -> dict[str, int]:
    """Column of the file -> concept, by exact key or name, blanks and underscores exchanged."""
    there = set(present)
    found = {}
    for at, (key, name) in enumerate(zip(query.concepts, query.names, strict=True)):
        column = next((text for text in spellings(key, name) if text in there), None)
        if column is not None:
            found[column] = at
    return found


def _batches(part: Part, columns: Iterable[str], rows: int) -> Iterator[tuple[int, Any]]:
    import pyarrow.parquet as pq

    with opened(part.place, seekable=True) as file, pq.ParquetFile(file, pre_buffer=False) as table:
        first = sum(table.metadata.row_group(group).num_rows for group in range(part.start))
        groups = list(range(part.start, part.end))
        for batch in table.iter_batches(rows, row_groups=groups, columns=list(columns), use_threads=False):
            yield first, batch
            first += len(batch)


def _wide(part: Part, layout: Layout, query: Query, least: float) -> Iterator[Hits]:
    found = layout.columns
    wanted = [*found, *filter(None, [layout.id])]
    for first, batch in _batches(part, wanted, max(1, min(65_536, _CELLS // len(found)))):
        hits = []
        for column, concept in found.items():
            values = np.asarray(batch[column].to_numpy(zero_copy_only=False), np.float32)
            row = np.flatnonzero(values >= least)
            hits.append((row, np.full(len(row), concept), values[row]))
        ids = [as_id(id) for id in batch[layout.id].to_pylist()] if layout.id else None
        row, concepts, scores = (np.concatenate([hit[at] for hit in hits]) for at in range(3))
        yield Hits(first, len(batch), row, concepts, scores, ids)


def _long(part: Part, layout: Layout, query: Query, least: float) -> Iterator[Hits]:
    import pyarrow.parquet as pq

    with opened(part.place, seekable=True) as file:
        schema = pq.read_schema(file)
    label = by_name([name for name in schema.names if name != layout.id], CONCEPTS)
    score = by_name(schema.names, SCORES)
    pairs = list(enumerate(zip(query.concepts, query.names, strict=True)))
    known = {text: at for at, pair in reversed(pairs) for text in spellings(*pair)}
    for first, batch in _batches(part, dict.fromkeys(filter(None, [label, layout.id, score])), 65_536):
        concept = np.array([known.get(str(text), -1) for text in batch[label].to_pylist()], np.int64)
        values = np.ones(len(batch), np.float32)
        if score:
            values = np.asarray(batch[score].to_numpy(zero_copy_only=False), np.float32)
        row = np.flatnonzero((values >= least) & (concept >= 0))
        ids = [as_id(id) for id in batch[layout.id].to_pylist()] if layout.id else None
        yield Hits(first, len(batch), row, concept[row], values[row], ids)
