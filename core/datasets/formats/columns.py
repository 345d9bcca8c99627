"""Tables from elsewhere, read as columns of text."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.datasets.cells import plain
from core.datasets.choices import NOTHING, Choices
from core.datasets.conventions import SUFFIXES
from core.datasets.headings import class_labels, label_columns
from core.datasets.io.addresses import short
from core.datasets.io.parquet import read_values, refuse_fault
from core.datasets.io.picture import read_text
from core.datasets.listing import file_ends
from core.datasets.sniff import what_is
from core.errors import UnreadableData
from core.memory import BUDGET, json_cost, text_cost
from core.opening import regular
from core.text.lines import Rows
from core.types import LeftOut

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
_LARGEST = 512 << 20
_MOST_ROWS = 20_000_000
_MOST_COLUMNS = 20_000


@dataclass(frozen=True, slots=True)
class Columns:
    """A table: column name -> text of every row (empty = missing), its rows, and rows that could not be read.

    Attributes:
        classes: for columns that hold class indices, the names they stand for.
        odd: column -> row -> why its cell is no single value (a list of several, bytes that are no text ...).
        types: columns that were not read because of their type, with it.
        repeated: names that several columns have, of which the first was read.
    """

    values: Mapping[str, Sequence[str]]
    rows: int
    left_out: Sequence[LeftOut] = ()
    classes: Mapping[str, Sequence[str]] | None = None
    odd: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    repeated: frozenset[str] = frozenset()

    def text(self, column: str) -> list[str]:
        """A column with class indices replaced by the names they stand for; an index without a name becomes empty."""
        names = (self.classes or {}).get(column)
        if not names:
            return list(self.values[column])
        return [names[int(text)] if text.isdecimal() and int(text) < len(names) else "" for text in self.values[column]]


def read_columns(path: Path, choices: Choices = NOTHING) -> Columns:
    """Read a CSV, TSV, JSON-lines or Parquet table whole; UnreadableData when it is none.

    Columns that are neither text nor numbers are skipped unless they are called like classes, or are chosen;
    text files may have at most 512 MiB.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _from_parquet(path, {choices.label_column, choices.path_column})
    if found := what_is(file_ends(path)):
        excel = " (as Excel's files are)" if found == "zip" else ""
        raise UnreadableData(f"{path.name} is not a table: it is a {found}{excel}.")
    text = read_text(path, limit=_LARGEST)
    try:
        if suffix in (".jsonl", ".ndjson"):
            with BUDGET.reading(json_cost(text) + text_cost(text), path.name):
                return _from_json_lines(text, path.name)
        return _from_csv(text, path.name)
    except csv.Error as error:
        raise UnreadableData(f"{path.name} is not a table: {error}.") from error


def from_records(
    records: Sequence[Mapping[str, Any]], left_out: Sequence[LeftOut] = (), *, file: str = "It"
) -> Columns:
    """Columns of JSON objects; a name that an object lacks is a missing cell."""
    names = dict.fromkeys(name for record in records for name in record)
    _require_few(len(names), file)
    BUDGET.require(64 * len(names) * len(records), "Its table cannot be made: every field of every record", "split it")
    made = {name: plain([record.get(name) for record in records]) for name in names}
    return Columns(
        {name: texts for name, (texts, _) in made.items()},
        len(records),
        left_out,
        odd={name: odd for name, (_, odd) in made.items() if odd},
    )


def _from_csv(text: str, file: str) -> Columns:
    delimiter = ""
    if declared := re.match(r"sep=(.)\r?\n", text, re.IGNORECASE):  # a line that Excel reads and hides
        delimiter, text = declared[1], text[declared.end() :]
    first = text.split("\n", 1)[0]
    delimiter = delimiter or max(",\t;|", key=first.count)
    with BUDGET.reading(text_cost(text, delimiter), file):
        return _from_rows(Rows(text, name=file, delimiter=delimiter), file, skipped=1 if declared else 0)


def _from_rows(rows: Rows, file: str, *, skipped: int) -> Columns:
    """Columns of the rows of a text, of whose beginning ``skipped`` lines are not among them."""
    header = [cell.strip() for cell in next(rows, [])]
    if not any(header):
        raise UnreadableData(f"{file} is empty.")
    _require_few(len(header), file)
    body = []
    if any(Path(cell).suffix.lower() in SUFFIXES for cell in header):
        body.append(header)
        header = [f"column {number}" for number in range(1, len(header) + 1)]
    left_out = []
    for row in rows:
        if len(row) == len(header):
            body.append(row)
        elif any(row):
            where = f"{file}, line {rows.line + skipped}"
            left_out.append(LeftOut(where, f"{len(row)} cells instead of {len(header)}", images=0))
    # Of columns with one name the first counts.
    values = {
        name: [row[column].strip() for row in body]
        for column, name in reversed(list(enumerate(header)))
        if name or len(header) == 1
    }
    repeated = frozenset(name for name, count in Counter(header).items() if name in values and count > 1)
    return Columns({name: values[name] for name in header if name in values}, len(body), left_out, repeated=repeated)


def _require_few(columns: int, file: str) -> None:
    if columns > _MOST_COLUMNS:
        raise UnreadableData(f"{file} has {columns:,} columns; at most {_MOST_COLUMNS:,} are read.")


def _from_json_lines(text: str, file: str) -> Columns:
    if text.lstrip().startswith("[") and _is_array(text):
        raise UnreadableData(
            f"{file} holds one JSON array, but JSON lines have one object a line: "
            '{"path": "a.png", "label": "ant"}, without brackets around them and commas between them.'
        )
    records, left_out = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("not an object")
            records.append(record)
        except (ValueError, RecursionError) as error:
            left_out.append(LeftOut(f"{file}, line {number}", f"not a JSON object ({str(error)[:80]})"))
    return from_records(records, left_out, file=file)


def _is_array(text: str) -> bool:
    if re.match(r"\s*\[\s*\{", text):
        return True
    try:
        return isinstance(json.loads(text), list)
    except (ValueError, RecursionError):
        return False


def _from_parquet(path: Path, wanted: Collection[str]) -> Columns:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(regular(path)) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            named = {*label_columns([one.name for one in schema]), *wanted}
            _require_few(len(schema), path.name)
            classes = class_labels(schema)
            taken = {one.name for one in schema if _is_flat(one.type) or (one.name in named and not _is_huge(one))}
            if rows > _MOST_ROWS:
                raise UnreadableData(f"{path.name} has more than {_MOST_ROWS:,} rows; split it.")
            columns = read_values(path, [name for name in schema.names if name in taken])
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        refuse_fault(error, path.name)
        found = what_is(file_ends(path))
        told = f": it is a {found}" if found and found != "Parquet" else f" ({short(error)}); copy it anew"
        raise UnreadableData(f"{path.name} is not a Parquet table{told}.") from error
    made = {name: plain(values) for name, values in columns.items()}
    return Columns(
        {name: texts for name, (texts, _) in made.items()},
        rows,
        (),
        classes,
        odd={name: odd for name, (_, odd) in made.items() if odd},
        types={one.name: str(one.type) for one in schema if one.name not in taken},
    )


def _is_huge(one: Any) -> bool:
    """Whether a column may hold pictures or vectors: it is never read as a label."""
    import pyarrow.types as kinds

    inner = [child.type for child in one.type] if kinds.is_struct(one.type) else []
    return any(kinds.is_binary(type) or kinds.is_large_binary(type) for type in inner)


def _is_flat(type: Any) -> bool:
    import pyarrow.types as kinds

    if kinds.is_dictionary(type):
        type = type.value_type
    checks: Iterable[Any] = (
        kinds.is_string,
        kinds.is_large_string,
        kinds.is_string_view,
        kinds.is_integer,
        kinds.is_floating,
        kinds.is_boolean,
        kinds.is_decimal,
    )
    return any(check(type) for check in checks)
