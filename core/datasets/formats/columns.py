"""Tables from elsewhere as columns of text, and guessing which column says what."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.datasets.io.picture import SUFFIXES, read_text
from core.errors import UnreadableData
from core.opening import regular
from core.types import LeftOut

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
PATHS = (
    *("file_name", "filename", "filepath", "file_path", "image_path", "img_path", "path", "image_file_name"),
    *("image", "img", "file", "relative_path"),
)
LABELS = (
    *("class", "class_name", "classname", "label_name", "category", "category_name", "concept", "species"),
    *("wnid", "synset", "label", "labels", "target", "cls", "y", "name"),
)
_LARGEST = 512 << 20
_MOST_ROWS = 20_000_000
_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Columns:
    """A table: column name -> text of every row (empty = missing), its rows, and rows that could not be read.

    ``classes``: for columns that hold class indices, the names they stand for.
    """

    values: Mapping[str, Sequence[str]]
    rows: int
    left_out: Sequence[LeftOut] = ()
    classes: Mapping[str, Sequence[str]] | None = None

    def text(self, column: str) -> list[str]:
        """A column with class indices replaced by the names they stand for; an index without a name becomes empty."""
        names = (self.classes or {}).get(column)
        if not names:
            return list(self.values[column])
        return [names[int(text)] if text.isdecimal() and int(text) < len(names) else "" for text in self.values[column]]


def read_columns(path: Path) -> Columns:
    """Read a CSV, TSV, JSON-lines or Parquet table whole; UnreadableData when it is none.

    Parquet columns that are neither text nor numbers are skipped; text files may have at most 512 MiB.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _from_parquet(path)
    text = read_text(path, limit=_LARGEST)
    try:
        return _from_json_lines(text, path.name) if suffix in (".jsonl", ".ndjson") else _from_csv(text, path.name)
    except csv.Error as error:
        raise UnreadableData(f"{path.name} is not a table: {error}.") from error


def path_column(columns: Columns) -> str:
    """The column with paths of pictures: by its name, else by endings of its values; empty when there is none."""
    if named := by_name(columns.values, PATHS):
        return named
    for name, values in columns.values.items():
        some = [value for value in values[:_LOOKED_AT] if value]
        if some and sum(Path(value).suffix.lower() in SUFFIXES for value in some) * 2 > len(some):
            return name
    return ""


def label_column(columns: Columns, *, other_than: str = "") -> str:
    """The column with classes, by its name; empty when there is none."""
    return by_name([name for name in columns.values if name != other_than], LABELS)


def by_name(present: Mapping[str, Any] | Sequence[str], wanted: Sequence[str]) -> str:
    """The first wanted name that is present, whatever its case; empty when there is none."""
    folded = {name.strip().casefold(): name for name in reversed(list(present))}
    return next((folded[name] for name in wanted if name in folded), "")


def as_text(value: Any) -> str:
    """A cell as text: nothing for missing values, whole floats without a point (pandas writes them beside gaps)."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.strip() if isinstance(value, str) else str(value)


def _from_csv(text: str, file: str) -> Columns:
    first = text.split("\n", 1)[0]
    delimiter = max(",\t;|", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False)
    header = [cell.strip() for cell in next(rows, [])]
    if not any(header):
        raise UnreadableData(f"{file} is empty.")
    body = []
    if any(Path(cell).suffix.lower() in SUFFIXES for cell in header):
        body.append(header)
        header = [f"column {number}" for number in range(1, len(header) + 1)]
    left_out = []
    for row in rows:
        if len(row) == len(header):
            body.append(row)
        elif any(row):
            left_out.append(LeftOut(f"{file}, line {rows.line_num}", f"{len(row)} cells instead of {len(header)}"))
    # Of columns with one name the first counts.
    values = {
        name: [row[column].strip() for row in body]
        for column, name in reversed(list(enumerate(header)))
        if name or len(header) == 1
    }
    return Columns({name: values[name] for name in header if name in values}, len(body), left_out)


def _from_json_lines(text: str, file: str) -> Columns:
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
    names = dict.fromkeys(name for record in records for name in record)
    flat = {
        name: [as_text(None if isinstance(cell := record.get(name), dict | list) else cell) for record in records]
        for name in names
    }
    return Columns(flat, len(records), left_out)


def _from_parquet(path: Path) -> Columns:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(regular(path)) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            flat = [field.name for field in schema if _is_flat(field.type)]
            if rows > _MOST_ROWS:
                raise UnreadableData(f"{path.name} has more than {_MOST_ROWS:,} rows; split it.")
            table = file.read(columns=flat)
    except (OSError, pa.ArrowException) as error:
        raise UnreadableData(f"{path.name} is not a Parquet table: {str(error)[:120]}.") from error
    pairs = zip(table.column_names, table.columns, strict=True)
    values = {name: [as_text(value) for value in column.to_pylist()] for name, column in pairs}
    return Columns(values, rows, (), class_labels(schema))


def _is_flat(type: Any) -> bool:
    import pyarrow.types as kinds

    if kinds.is_dictionary(type):
        type = type.value_type
    return kinds.is_string(type) or kinds.is_large_string(type) or kinds.is_integer(type) or kinds.is_floating(type)


def class_labels(schema: Any) -> dict[str, list[str]]:
    """Class names of Hugging Face ``ClassLabel`` columns, from the metadata of an Arrow schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {
            name: list(feature["names"])
            for name, feature in features.items()
            if isinstance(feature, dict)
            and feature.get("_type") == "ClassLabel"
            and isinstance(feature.get("names"), list)
            and all(isinstance(text, str) for text in feature["names"])
        }
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}
