"""Columns of Parquet files that nobody vouches for, read only when what they unpack to fits into the memory.

A dictionary of one long text and a run of its number make gigabytes of a few KB, and so do texts that are written by
what they share with the one before. What the pages themselves state is looked at before anything is read, since a
footer may state less; texts are read with their dictionary, so that what rows repeat is held once; and what their rows
come to is counted before it is written out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from core.datasets.io.addresses import short
from core.datasets.io.parquet_pages import unpacked
from core.errors import ReadFailed, TooLarge, UnreadableData
from core.memory import BUDGET, VARIABLE
from core.opening import regular

_VALUE = 72
"""Bytes that a value takes as Arrow's and as a Python object, beside its text."""
_COPIES = 64
"""Share of the budget for rows that are read at a time: Arrow holds several copies of them while it builds them."""
_ADVICE = "write it anew with smaller row groups"


def read_values(path: Path, columns: Sequence[str], *, groups: Iterable[int] | None = None) -> dict[str, list[Any]]:
    """The values of columns as Python has them, row groups one after the other.

    Args:
        groups: the row groups; all by default.

    Raises:
        TooLarge: they would take more memory than is allowed. UnreadableData: they are of a type without such values.
            Whatever pyarrow raises at a damaged file.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(regular(path)) as file:
        chosen = list(range(file.num_row_groups) if groups is None else groups)
        leaves = _leaves(file.metadata, chosen, columns)
    pages = [unpacked(path, leaf) for leaf in leaves]
    cost = sum(2 * own.size + _VALUE * leaf.num_values for own, leaf in zip(pages, leaves, strict=True))
    largest = max((own.largest for own in pages if own.shares_text), default=0)
    shared = {leaf.path_in_schema for own, leaf in zip(pages, leaves, strict=True) if own.shares_text}
    # pyarrow makes no dictionary of texts that are written by what they share.
    texts = sorted({leaf.path_in_schema for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"} - shared)
    found: dict[str, list[Any]] = {name: [] for name in columns}
    with BUDGET.reading(cost, path.name), pq.ParquetFile(regular(path), read_dictionary=texts) as file:
        written = 0
        for group in chosen:
            for name in columns:
                for chunk in _chunks(file, group, name, largest):
                    # Arrow keeps some of what it freed, so that a column read in pieces takes its texts twice.
                    written += _written_out(chunk) * (2 if largest else 1)
                    BUDGET.require(cost + written, f"{path.name} cannot be read: column “{name}”", "take it out")
                    found[name] += _values(chunk)
    return found


def _chunks(file: Any, group: int, name: str, largest: int) -> Iterable[Any]:
    """A column of a row group; where one value may come to ``largest`` bytes, as few rows at a time as that takes."""
    if not largest:
        return file.read_row_group(group, columns=[name])[name].chunks
    batches = file.iter_batches(max(1, BUDGET.most // (_COPIES * largest)), row_groups=[group], columns=[name])
    return (batch.column(0) for batch in batches)


def read_column(path: Path, column: str, group: int, *, most: int) -> Any:
    """One column of a row group as an Arrow array; TooLarge where it unpacks to more than ``most`` bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(regular(path)) as file:
        leaves = _leaves(file.metadata, [group], [column])
        pages = [unpacked(path, leaf) for leaf in leaves]
        size = sum(own.size for own in pages)
        _require(size, most, path.name, group)
        rows = file.metadata.row_group(group).num_rows
        repeats = any(own.repeats for own in pages)
        # Each row may repeat everything that its dictionary, or the row before, holds.
        step = max(1, min(rows, most // (4 * max(size, 1)))) if repeats else max(rows, 1)
        batches, size = [], 0
        for batch in file.iter_batches(step, row_groups=[group], columns=[column]):
            size += batch.nbytes
            _require(size, most, path.name, group)
            batches.append(batch.column(0))
        return pa.chunked_array(batches, type=file.schema_arrow.field(column).type)


def refuse_fault(error: Exception, name: str) -> None:
    """ReadFailed when pyarrow tells of the disk or the memory; damage is an OSError too, without a system's number."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
        raise ReadFailed(f"{name} cannot be read: {short(error)}.") from error


def _require(size: int, most: int, name: str, group: int) -> None:
    if size > most:
        raise TooLarge(
            f"{name}, row group {group}, unpacks to more than {most / 2**20:,.0f} MiB; {_ADVICE}, or set {VARIABLE}."
        )


def _leaves(metadata: Any, groups: Iterable[int], columns: Sequence[str]) -> list[Any]:
    """What the footer says of the chunks of these columns, nested ones included."""
    found = []
    for group in groups:
        facts = metadata.row_group(group)
        chunks = (facts.column(place) for place in range(facts.num_columns))
        found += [one for one in chunks if one.path_in_schema in columns or _top(one.path_in_schema) in columns]
    return found


def _top(path: str) -> str:
    return path.partition(".")[0]


def _written_out(array: Any) -> int:
    """Bytes that the texts of an array come to when every row has its own."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(array.type):
        if not _is_text(array.type.value_type) or not len(array.dictionary):
            return 0
        lengths = pc.binary_length(array.dictionary)
        return int(pc.sum(lengths.take(array.indices)).as_py() or 0)
    if pa.types.is_struct(array.type):
        return sum(_written_out(array.field(place)) for place in range(array.type.num_fields))
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type):
        return _written_out(array.flatten())
    return int(array.nbytes)


def _is_text(type: object) -> bool:
    import pyarrow.types as kinds

    checks = (kinds.is_string, kinds.is_large_string, kinds.is_binary, kinds.is_large_binary)
    return any(check(type) for check in checks)


def _values(array: Any) -> list[Any]:
    """As ``to_pylist``; what the rows of a dictionary repeat is one object."""
    import pyarrow as pa

    try:
        if pa.types.is_dictionary(array.type):
            listed = array.dictionary.to_pylist()
            return [None if place is None else listed[place] for place in array.indices.to_pylist()]
        return list(array.to_pylist())
    except (pa.ArrowException, ValueError, OverflowError, ImportError) as error:
        raise UnreadableData(f"a column of the type {array.type} cannot be read ({str(error)[:80]})") from error
