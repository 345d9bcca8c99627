"""Pictures in Hugging Face parquet files: which row groups hold a few of every class, and their original bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.datasets.headings import class_labels
from core.datasets.sniff import what_is
from core.downloads.ranges import RangeFile
from core.errors import DownloadFailed

_ENDINGS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tif"}
LARGEST_GROUP = 4 << 30  # bytes of one row group once uncompressed


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of pictures and of their classes are called."""

    image: str
    label: str


PLAIN = Columns("image", "label")


@dataclass(frozen=True, slots=True)
class RowGroup:
    """One row group: file index, its own index, first row in the file, class of each row [r], bytes of its pictures."""

    file: int
    index: int
    first_row: int
    labels: np.ndarray
    bytes: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What a set of parquet files holds: file footers, class names in label order, row groups."""

    footers: tuple[pq.FileMetaData, ...]
    names: tuple[str, ...]
    groups: tuple[RowGroup, ...]


def survey(sources: Sequence[BinaryIO | RangeFile], *, names: Sequence[str] = (), columns: Columns = PLAIN) -> Survey:
    """Read footers and labels, never pictures.

    A row group whose statistics name one label is not read at all; ``RangeFile`` sources bring the others in parallel.
    ``names`` are used where the files do not record class names themselves.
    """
    footers, cells, places = [], [], []
    for file, source in enumerate(sources):
        parquet = open_parquet(source, columns=columns)
        footers.append(parquet.metadata)
        names = class_labels(parquet.schema_arrow).get(columns.label) or names
        labels = _labels(source, parquet, columns.label)
        cells.extend(labels)
        first = 0
        for index, column in enumerate(labels):
            size = _image_chunk(parquet.metadata.row_group(index), columns.image).total_compressed_size
            places.append((file, index, first, size))
            first += len(column)
    if any(isinstance(label, str) for column in cells for label in column):
        names = sorted({str(label) for column in cells for label in column})
        numbers = {name: index for index, name in enumerate(names)}
        cells = [[numbers[str(label)] for label in column] for column in cells]
    groups = [
        RowGroup(file, index, first, np.array([-1 if label is None else label for label in column], np.int64), size)
        for (file, index, first, size), column in zip(places, cells, strict=True)
        if column
    ]
    if any(group.labels.min() < 0 or group.labels.max() >= len(names) for group in groups):
        raise DownloadFailed(f"The hub's files hold labels beyond their {len(names)} class names; the layout changed.")
    return Survey(tuple(footers), tuple(names), tuple(groups))


def open_parquet(
    source: BinaryIO | RangeFile, footer: pq.FileMetaData | None = None, *, columns: Columns = PLAIN
) -> pq.ParquetFile:
    """Open a file that must have a column of pictures and one of classes; a known footer is not read again."""
    try:
        parquet = pq.ParquetFile(source, metadata=footer, pre_buffer=False, memory_map=False)
    except pa.ArrowException as error:
        raise DownloadFailed(f"A file of the set is not parquet ({error}); try again.") from error
    missing = {columns.image, columns.label} - set(parquet.schema_arrow.names)
    if missing:
        raise DownloadFailed(f"The hub's files have no column {' or '.join(sorted(missing))}; their layout changed.")
    return parquet


def choose(found: Survey, per_class: int, *, only: int | None = None) -> list[tuple[RowGroup, np.ndarray]]:
    """Few bytes that hold ``per_class`` pictures of every class (or all it has): row groups with the rows to keep.

    Greedy weighted cover: the group with most missing pictures per byte first. Classes get their first rows within the
    groups chosen. Rows are positions in the group.

    Args:
        only: this class alone.
    """
    wanted = np.full(len(found.names), per_class)
    if only is not None:
        wanted[np.arange(len(wanted)) != only] = 0
    counts = np.stack([np.bincount(group.labels, minlength=len(found.names)) for group in found.groups])
    missing = np.minimum(counts.sum(0), wanted)
    cost = np.array([max(group.bytes, 1) for group in found.groups])
    chosen = []
    while missing.any():
        best = int(np.argmax(np.minimum(counts, missing).sum(1) / cost))
        missing = missing - np.minimum(counts[best], missing)
        counts[best] = 0
        chosen.append(best)
    taken = np.zeros(len(found.names), np.int64)
    picks = []
    for group in (found.groups[index] for index in sorted(chosen)):
        rows = []
        for row, label in enumerate(group.labels):
            if taken[label] < wanted[label]:
                taken[label] += 1
                rows.append(row)
        if rows:
            picks.append((group, np.array(rows)))
    return picks


def pictures(
    parquet: pq.ParquetFile, group: int, rows: Sequence[int], *, image: str = PLAIN.image
) -> Iterator[tuple[int, bytes]]:
    """(row, original image bytes) of these rows of one row group; empty bytes where there is none."""
    meta = parquet.metadata.row_group(group)
    chunk = _image_chunk(meta, image)
    if chunk.total_uncompressed_size > min(LARGEST_GROUP, max(1 << 26, 8 * chunk.total_compressed_size)):
        raise DownloadFailed("A row group of the hub's files unpacks to far more than it weighs; it was not opened.")
    try:
        table = parquet.read_row_group(group, columns=[chunk.path_in_schema], use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise DownloadFailed(f"A row group of the hub's files is damaged ({error}); try again.") from error
    column = table.column(image).combine_chunks()
    if isinstance(column, pa.StructArray):
        column = column.field("bytes")
    for row in rows:
        yield int(row), column[int(row)].as_py() or b""


def image_type(data: bytes) -> str:
    """File extension by the first bytes (``jpg``, ``png``, ``webp``, ``gif``, ``bmp``, ``tif``), empty if unknown."""
    return _ENDINGS.get(what_is(data), "")


def _image_chunk(meta: pq.RowGroupMetaData, image: str) -> pq.ColumnChunkMetaData:
    return _chunk(meta, image, f"{image}.bytes")


def _chunk(meta: pq.RowGroupMetaData, *paths: str) -> pq.ColumnChunkMetaData:
    for index in range(meta.num_columns):
        if meta.column(index).path_in_schema in paths:
            return meta.column(index)
    raise DownloadFailed(f"The hub's files keep no bytes in their {paths[0]} column; the set's layout changed.")


def _labels(source: BinaryIO | RangeFile, parquet: pq.ParquetFile, label: str) -> list[list[Any]]:
    """Labels of every row group."""
    metas = [parquet.metadata.row_group(index) for index in range(parquet.metadata.num_row_groups)]
    chunks = [_chunk(meta, label) for meta in metas]
    known = [_single(chunk) for chunk in chunks]
    spans = [_span(chunk) for chunk, value in zip(chunks, known, strict=True) if value is None]
    if spans and isinstance(source, RangeFile):
        source.preload(spans)
    return [
        [value] * meta.num_rows
        if value is not None
        else parquet.read_row_group(index, columns=[label], use_threads=False).column(label).to_pylist()
        for index, (meta, value) in enumerate(zip(metas, known, strict=True))
    ]


def _single(chunk: pq.ColumnChunkMetaData) -> int | None:
    """The one label of a chunk, if its statistics promise that. Text statistics may be shortened, so numbers only."""
    stats = chunk.statistics
    if stats is None or not stats.has_min_max or stats.null_count or not isinstance(stats.min, int):
        return None
    return stats.min if stats.min == stats.max else None


def _span(chunk: pq.ColumnChunkMetaData) -> tuple[int, int]:
    start = min(chunk.data_page_offset, chunk.dictionary_page_offset or chunk.data_page_offset)
    return start, start + chunk.total_compressed_size
