"""Tables from elsewhere as columns of text, and guessing which column says what."""

from __future__ import annotations

import ast
import csv
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from core.datasets.choices import NOTHING, Choices
from core.datasets.conventions import SUFFIXES
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
PATHS = (
    *("file_name", "filename", "filepath", "file_path", "image_path", "img_path", "path", "image_file_name"),
    *("image_filepath", "image_name", "img_name", "imagename", "photo_path", "picture_path"),
    *("image", "img", "file", "relative_path", "picture", "photo"),
)
IDS = ("image_id", "imageid", "img_id", "file_id", "photo_id", "uuid", "guid", "id", "name")
"""Columns that name a picture without the ending of its file, as competitions do."""
LABELS = (
    *("class", "class_name", "classname", "label_name", "category", "category_name", "concept", "species"),
    *("wnid", "synset", "label", "labels", "target", "cls", "y", "fine_label", "class_label", "ground_truth"),
    *("class_id", "label_id", "category_id", "target_id", "classid", "class_idx", "label_idx", "name"),
)
SPLIT_COLUMNS = ("split", "subset", "partition", "set", "fold", "usage")
_NOT_CLASSES = frozenset(
    {*PATHS, *IDS, *SPLIT_COLUMNS, "width", "height", "size", "url", "md5", "sha1", "sha256", "caption", "captions"}
    | {"text", "title", "description", "license", "date", "time", "timestamp", "index", "row", "unnamed: 0"}
)
_LABEL_WORDS = frozenset({"class", "label", "category", "species", "breed"})
_LARGEST = 512 << 20
_MOST_ROWS = 20_000_000
_MOST_COLUMNS = 100_000
_LOOKED_AT = 200
_FLOAT = re.compile(r"-?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?")
_SEVERAL = re.compile(r"\s*[|;]\s*")


@dataclass(frozen=True, slots=True)
class Columns:
    """A table: column name -> text of every row (empty = missing), its rows, and rows that could not be read.

    Attributes:
        classes: for columns that hold class indices, the names they stand for.
        odd: column -> row -> why its cell is no single value (a list of several, bytes that are no text ...).
        types: columns that were not read because of their type, with it.
    """

    values: Mapping[str, Sequence[str]]
    rows: int
    left_out: Sequence[LeftOut] = ()
    classes: Mapping[str, Sequence[str]] | None = None
    odd: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)

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


def from_records(records: Sequence[Mapping[str, Any]], left_out: Sequence[LeftOut] = ()) -> Columns:
    """Columns of JSON objects; a name that an object lacks is a missing cell."""
    names = dict.fromkeys(name for record in records for name in record)
    BUDGET.require(64 * len(names) * len(records), "Its table cannot be made: every field of every record", "split it")
    made = {name: plain([record.get(name) for record in records]) for name in names}
    return Columns(
        {name: texts for name, (texts, _) in made.items()},
        len(records),
        left_out,
        odd={name: odd for name, (_, odd) in made.items() if odd},
    )


def path_column(columns: Columns) -> str:
    """The column with paths of pictures: by its name, else by endings of its values; empty when there is none."""
    if named := by_name(columns.values, PATHS):
        return named
    for name, values in columns.values.items():
        some = [value for value in values[:_LOOKED_AT] if value]
        if some and sum(Path(value).suffix.lower() in SUFFIXES for value in some) * 2 > len(some):
            return name
    return ""


def label_columns(names: Sequence[str], *, other_than: str = "") -> list[str]:
    """The columns that are called like classes, the best first."""
    rest = [name for name in names if name != other_than]
    folded = {name.strip().casefold(): name for name in reversed(rest)}
    found = [folded[name] for name in LABELS if name in folded]
    words = [name for name in rest if name not in found and _LABEL_WORDS & set(re.split(r"[\s_\-.]+", name.casefold()))]
    return [*found, *words]


def may_be_classes(columns: Columns, *, other_than: str = "") -> list[str]:
    """Columns of another name that could hold classes: text or whole numbers that repeat, and not what they are for."""
    found = []
    for name, values in columns.values.items():
        some = [value for value in values if value]
        if name == other_than or name.strip().casefold() in _NOT_CLASSES or not some:
            continue
        distinct = set(some)
        number = all(re.fullmatch(r"-?[0-9]*\.?[0-9]+(e-?[0-9]+)?", value.casefold()) for value in distinct)
        if 2 <= len(distinct) <= len(some) / 2 and max(map(len, distinct)) <= 200 and not number:
            found.append(name)
    return found


def one_hot(columns: Columns, *, other_than: str = "") -> list[str]:
    """Columns of zeros and ones of which just one is one in most rows: each is a class; none otherwise."""
    flags = {"0", "1", "0.0", "1.0", "true", "false"}
    found = [
        name
        for name, values in columns.values.items()
        if name != other_than
        and name.strip().casefold() not in _NOT_CLASSES
        and values
        and {value.casefold() for value in values} <= flags
    ]
    if len(found) < 2:
        return []
    marked = np.array([[is_set(value) for value in columns.values[name]] for name in found]).sum(0)
    return found if (marked == 1).mean() > 0.5 else []


def is_set(value: str) -> bool:
    """Whether a cell of a one-hot column is one."""
    return value.casefold() in ("1", "1.0", "true")


def by_name(present: Mapping[str, Any] | Sequence[str], wanted: Sequence[str]) -> str:
    """The first wanted name that is present, whatever its case; empty when there is none."""
    folded = {name.strip().casefold(): name for name in reversed(list(present))}
    return next((folded[name] for name in wanted if name in folded), "")


def as_text(value: Any) -> str:
    """A cell as text: nothing for missing values, whole floats without a point (pandas writes them beside gaps)."""
    if value is None or (isinstance(value, float | Decimal) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return str(value)


def plain(values: Sequence[Any]) -> tuple[list[str], dict[int, str]]:
    """Cells as text, and for those that hold no single value the reason, by row.

    A list of one, bytes that are UTF-8, and a record with one field of a known name are that value; vectors of zeros
    with a single one (all of a length) are the place of the one.
    """
    if _are_one_hot(values):
        return [str(list(value).index(1)) if value is not None else "" for value in values], {}
    texts, odd = [], {}
    for row, value in enumerate(values):
        text, reason = _single(value)
        texts.append(text)
        if reason:
            odd[row] = reason
    return texts, odd


def single_labels(texts: Sequence[str]) -> tuple[list[str], dict[int, str]]:
    """Labels of a text column, and for the rows without one the reason.

    ``0.0`` is 0 where all are such; ``[0]``, ``['ant']`` and ``b'ant'``, as Python prints them, are what is in them;
    several in one cell (``ant|bee``), fractions, and -1 for “unlabelled” are no label.
    """
    written = [_written(text) for text in texts]
    found, odd = [text for text, _ in written], {row: reason for row, (_, reason) in enumerate(written) if reason}
    given = {text for text in found if text}
    if given and all(_FLOAT.fullmatch(text) for text in given):
        if all(re.fullmatch(r"-?[0-9]+\.0+", text) for text in given):
            found = [text.partition(".")[0] for text in found]
        elif any(not float(text).is_integer() for text in given):
            return [""] * len(texts), {row: f"{text} is a fraction, no class" for row, text in enumerate(found) if text}
    numbers = {text for text in found if re.fullmatch("-1|[0-9]{1,18}", text)}
    # -1 and 1 are two classes; -1 beside other numbers, or alone, says “unlabelled”.
    if "-1" in numbers and numbers == set(found) - {""} and len(numbers) != 2:
        odd |= {row: "-1, which stands for no label" for row, text in enumerate(found) if text == "-1"}
    for row, text in enumerate(found):
        if ("|" in text or ";" in text) and len(parts := [part for part in _SEVERAL.split(text) if part]) > 1:
            odd[row] = f"several labels ({', '.join(parts)[:80]})"
    return ["" if row in odd else text for row, text in enumerate(found)], odd


def _written(text: str) -> tuple[str, str]:
    """A label that was printed by Python (``b'ant'``, ``[0]``, ``nan``) as what it says, or why it is none."""
    if text in ("nan", "NaN", "<NA>"):
        return "", ""
    if len(text) > 1000 or not re.fullmatch(r"(?s)[\[({].*[\])}]|b(['\"]).*\1", text):
        return text, ""
    try:
        return _single(ast.literal_eval(text))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text, ""


def same_spelling(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Labels of which those that differ only by case or blanks are one, and sentences that say so."""
    counts: dict[str, dict[str, int]] = {}
    for text in texts:
        if text:
            spelled = counts.setdefault(" ".join(text.casefold().split()), {})
            spelled[text] = spelled.get(text, 0) + 1
    several = {key: spelled for key, spelled in counts.items() if len(spelled) > 1}
    if not several:
        return list(texts), []
    chosen = {key: max(spelled, key=lambda text: (spelled[text], text)) for key, spelled in several.items()}
    to = {text: chosen[key] for key, spelled in several.items() for text in spelled}
    told = [" and ".join(f"“{text}”" for text in sorted(spelled)) for spelled in several.values()]
    more = f" and {len(told) - 3:,} more" if len(told) > 3 else ""
    return [to.get(text, text) for text in texts], [f"Read as one class: {'; '.join(told[:3])}{more}."]


def class_labels(schema: Any) -> dict[str, list[str]]:
    """Class names of Hugging Face ``ClassLabel`` columns (or lists of them), from the metadata of an Arrow schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: names for name, feature in features.items() if (names := _class_names(feature))}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}


def _class_names(feature: Any) -> list[str]:
    if isinstance(feature, list) and len(feature) == 1:
        return _class_names(feature[0])
    if not isinstance(feature, dict):
        return []
    if feature.get("_type") in ("Sequence", "List", "LargeList"):
        return _class_names(feature.get("feature"))
    names = feature.get("names")
    if feature.get("_type") == "ClassLabel" and isinstance(names, list) and all(isinstance(one, str) for one in names):
        return list(names)
    return []


def _are_one_hot(values: Sequence[Any]) -> bool:
    given = [value for value in values if value is not None]
    if not given or not all(isinstance(value, list | tuple) for value in given):
        return False
    length = len(given[0])
    return length > 1 and all(
        len(value) == length and all(one in (0, 1) for one in value) and sum(value) == 1 for value in given
    )


def _single(value: Any) -> tuple[str, str]:
    """One cell as text, or why it holds no single value."""
    if value is None or isinstance(value, str | bool | Integral | Real | Decimal):
        return as_text(value), ""
    if isinstance(value, bytes):
        try:
            text = value.decode().strip()
        except UnicodeDecodeError:
            return "", "bytes that are no text"
        return (text, "") if text.isprintable() else ("", "bytes that are no text")
    if isinstance(value, list | tuple):
        items = [item for item in value if item is not None]
        if len(items) == 1:
            return _single(items[0])
        return "", f"several labels ({', '.join(_short(item) for item in items)[:80]})" if items else "an empty list"
    if isinstance(value, Mapping):
        if named := by_name([name for name in value if isinstance(name, str)], LABELS):
            return _single(value[named])
        return "", f"a record without a field that is called like a class ({', '.join(map(str, value))[:80]})"
    return "", f"a value of the type {type(value).__name__}, which is no class"


def _short(value: Any) -> str:
    return as_text(value) if isinstance(value, str | Integral | Real) else type(value).__name__


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
    if len(header) > _MOST_COLUMNS:
        raise UnreadableData(f"{file} has {len(header):,} columns; at most {_MOST_COLUMNS:,} are read.")
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
    return Columns({name: values[name] for name in header if name in values}, len(body), left_out)


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
    return from_records(records, left_out)


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
            taken = [one.name for one in schema if _is_flat(one.type) or (one.name in named and not _is_huge(one))]
            if rows > _MOST_ROWS:
                raise UnreadableData(f"{path.name} has more than {_MOST_ROWS:,} rows; split it.")
            columns = read_values(path, taken)
    except (OSError, pa.ArrowException) as error:
        refuse_fault(error, path.name)
        found = what_is(file_ends(path))
        told = f": it is a {found}" if found and found != "Parquet" else f": {str(error)[:120]}"
        raise UnreadableData(f"{path.name} is not a Parquet table{told}.") from error
    made = {name: plain(values) for name, values in columns.items()}
    return Columns(
        {name: texts for name, (texts, _) in made.items()},
        rows,
        (),
        class_labels(schema),
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
