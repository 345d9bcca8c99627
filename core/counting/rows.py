"""Reading captions, a few thousand at a time, from every format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from core.counting.batch import BATCH, Columns, Rows, position, record, usable
from core.counting.encodings import decode
from core.counting.guess import CAPTIONS, LINE
from core.counting.places import Place
from core.counting.shards import first_of_tar, tar_rows
from core.counting.streams import line_blocks, opened, opened_text, packing
from core.counting.tables import first_of_table, table_rows
from core.datasets.headings import by_name
from core.datasets.io.addresses import is_url
from core.datasets.io.parquet_pages import unpacked
from core.errors import UnreadableData
from core.memory import BUDGET

_LOOKED_AT = 200
_LARGEST_GROUP = 4 << 30
_USUAL_PAGE, _COPIES = 2 << 20, 3
_BOM = b"\xef\xbb\xbf"


def read_rows(place: Place, kind: str, columns: Columns, *, start: int = 0, end: int = 0) -> Iterator[Rows]:
    """Rows of one part, in order, in bounded memory.

    Raises:
        UnreadableData: the file is damaged, is not what its name says, or has no such column.
    """
    if kind == "parquet":
        yield from _parquet(place, columns, start, end)
    elif kind == "tar":
        yield from tar_rows(place, columns)
    else:
        with opened_text(place, start=start) as stream:
            blocks = line_blocks(stream, start=start, end=end or None)
            if kind == "text":
                yield from _text(blocks, columns, place)
            elif kind == "jsonl":
                yield from _json_lines(blocks, columns)
            else:
                yield from table_rows(blocks, columns, place, kind, inside=bool(start))


def first_rows(place: Place, kind: str) -> dict[str, list[str]]:
    """The first texts of every column that holds text; UnreadableData when the file is not what it claims to be."""
    if kind == "parquet":
        return _first_of_parquet(place)
    if kind == "tar":
        return first_of_tar(place, _LOOKED_AT)
    if kind in ("csv", "tsv"):
        return first_of_table(place, kind, _LOOKED_AT)
    with opened_text(place) as stream:
        lines = list(islice((line for block in line_blocks(stream) for line in block if line), _LOOKED_AT))
    if not lines:
        raise UnreadableData(f"{place.name} is empty.")
    if kind == "text":
        return {LINE: [line.removeprefix(_BOM).decode("utf-8", "replace") for line in lines]}
    records = [one for one in map(record, lines) if one]
    if not records:
        raise UnreadableData(f"{place.name} holds no JSON objects, one a line.")
    names = dict.fromkeys(name for one in records for name in one)
    return {name: [text for one in records if isinstance(text := one.get(name), str)] for name in names}


def row_groups(place: Place) -> list[int]:
    """Rows of every row group of a Parquet file."""
    import pyarrow.parquet as pq

    with opened(place, seekable=True) as file, pq.ParquetFile(file) as table:
        return [table.metadata.row_group(group).num_rows for group in range(table.num_row_groups)]


def _text(blocks: Iterator[list[bytes | None]], columns: Columns, place: Place) -> Iterator[Rows]:
    position(columns.caption, (LINE,), place)
    for number, block in enumerate(blocks):
        if not number and block and block[0]:
            block[0] = block[0].removeprefix(_BOM)
        yield usable([None if line is None else line.decode("utf-8", "surrogateescape") for line in block])


def _json_lines(blocks: Iterator[list[bytes | None]], columns: Columns) -> Iterator[Rows]:
    for block in blocks:
        records = [record(line) for line in block if line is None or line.strip()]
        texts = [text if isinstance(text := one.get(columns.caption), str) else None for one in records]
        yield usable(texts, [as_id(one.get(columns.id)) for one in records] if columns.id else None)


def as_id(value: object) -> str | None:
    """A sample's id as text; None for a missing one and for what is no id."""
    return None if value is None or isinstance(value, dict | list | float) else str(value)


def _is_text(field: Any) -> bool:
    """Whether an Arrow field holds text: strings, or bytes under a name that captions have (Spark writes such)."""
    import pyarrow.types as kinds

    type = field.type.value_type if kinds.is_dictionary(field.type) else field.type
    if kinds.is_binary(type) or kinds.is_large_binary(type):
        return bool(by_name([field.name], CAPTIONS))
    return kinds.is_string(type) or kinds.is_large_string(type) or kinds.is_string_view(type)


def _texts(column: Any) -> list[str | None]:
    """The texts of an Arrow column; bytes that are no UTF-8 become lone surrogates."""
    import pyarrow as pa
    import pyarrow.types as kinds

    plain = column.dictionary_decode() if kinds.is_dictionary(column.type) else column
    if not (kinds.is_binary(plain.type) or kinds.is_large_binary(plain.type)):
        try:
            return plain.to_pylist()
        except UnicodeDecodeError:
            plain = plain.cast(pa.large_binary())
    return [None if data is None else decode(data) for data in plain.to_pylist()]


def _first_of_parquet(place: Place) -> dict[str, list[str]]:
    import pyarrow.parquet as pq

    if packing(place.name):
        raise UnreadableData(f"{place.name} is a compressed Parquet file; unpack it (Parquet compresses its columns).")
    with opened(place, seekable=True) as file, pq.ParquetFile(file, pre_buffer=False) as table:
        names = [field.name for field in table.schema_arrow if _is_text(field)]
        _require_small(place, table.metadata, names)
        batch = next(table.iter_batches(_LOOKED_AT, columns=names), None) if names else None
        texts = {name: [] if batch is None else [text for text in _texts(batch[name]) if text] for name in names}
        return texts | {field.name: [] for field in table.schema_arrow if field.name not in texts}


def _require_small(place: Place, metadata: Any, names: Sequence[str]) -> None:
    """TooLarge when the first rows take more memory than is allowed: a page is unpacked whole, for one row too.

    Of a file of this disk the pages themselves are looked at; of others what the footer says.
    """
    rows = size = group = 0
    while rows < _LOOKED_AT and group < metadata.num_row_groups:
        facts = metadata.row_group(group)
        rows, group = rows + facts.num_rows, group + 1
        for leaf in map(facts.column, range(facts.num_columns)):
            if leaf.path_in_schema not in names or not leaf.num_values:
                continue
            if is_url(place.uri):
                size += leaf.total_uncompressed_size
                continue
            own = unpacked(Path(place.uri), leaf)
            most, is_large = own.largest * min(_LOOKED_AT, facts.num_rows), own.largest > _USUAL_PAGE
            if own.repeats or is_large:
                size += (most if own.repeats else min(most, own.size)) * (_COPIES if is_large else 1)
    BUDGET.require(size, f"{place.name} cannot be read: unpacking its first rows", "write it anew with smaller pages")


def _parquet(place: Place, columns: Columns, start: int, end: int) -> Iterator[Rows]:
    import pyarrow.parquet as pq

    with opened(place, seekable=True) as file, pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20) as table:
        schema = {field.name: field for field in table.schema_arrow}
        wanted = [columns.caption, *filter(None, [columns.id]), *(["status"] if columns.downloaded else [])]
        for name in wanted:
            position(name, list(schema), place)
        if not _is_text(schema[columns.caption]):
            raise UnreadableData(f"Column “{columns.caption[:40]}” of {place.name} does not hold text.")
        groups = list(range(start, end or table.num_row_groups))
        for group in groups:
            facts = table.metadata.row_group(group)
            chunks = [facts.column(index) for index in range(facts.num_columns)]
            sizes = [chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in wanted]
            if sum(sizes) > _LARGEST_GROUP:
                raise UnreadableData(f"A row group of {place.name} unpacks to more than 4 GiB of captions.")
        for batch in table.iter_batches(BATCH, row_groups=groups, columns=wanted, use_threads=False):
            captions = _texts(batch[columns.caption])
            ids = [as_id(id) for id in batch[columns.id].to_pylist()] if columns.id else None
            if columns.downloaded:
                kept = [row for row, status in enumerate(batch["status"].to_pylist()) if status == "success"]
                ids = ids and [ids[row] for row in kept]
                captions = [captions[row] for row in kept]
            yield usable(captions, ids, missing=len(batch) - len(captions))
