"""Counts brought in from a file, ``imported:NAME``, as a frequency source like any other; kept under the cache folder.

CSV, TSV, JSON lines and Parquet with a column of concepts and one of counts; JSON as ``{concept: count}`` (MetaCLIP's
entry counts, the release's count files), as records with a concept and a count, or as the metrics files of
NeglectedTails (class index -> ``name``, ``actual_freq``, ``alternates``). Nothing is kept of a file that is not used
whole.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cache import keys
from cache.files import atomic_write
from core.datasets.cells import as_text
from core.datasets.formats.columns import TABLES, Columns, read_columns
from core.datasets.headings import by_name
from core.datasets.names import imagenet_classes
from core.errors import BadInput, UnknownName, UnreadableData
from core.frequency import synonyms
from core.frequency.counted import check_name
from core.frequency.table import Records, SourceInfo
from core.opening import read_regular
from core.published import reading
from core.types import METHODS, FrequencyTable

PREFIX = "imported:"
MAX_BYTES = 512 << 20
MAX_CONCEPTS = 5_000_000
CONCEPT_COLUMNS = (
    "concept", "name", "class", "classname", "class_name", "concept_name", "wnid", "synset", "key", "entry", "label",
    "category", "word", "term", "query",
)  # fmt: skip
COUNT_COLUMNS = (
    "count", "counts", "actual_freq", "freq", "frequency", "n", "num", "number", "samples", "occurrences", "total",
    "num_samples", "n_samples", "sample_count", "num_images", "n_images", "image_count", "num_captions",
)  # fmt: skip
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")
_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_ABOUT = b"tailscope"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import read: the source's name, concepts with a count, concepts listed without one, and the columns."""

    source: str
    concepts: int
    unknown: int
    concept_column: str
    count_column: str


def keep(
    path: Path, name: str, *, method: str = "text", concept_column: str = "", count_column: str = "", citation: str = ""
) -> Imported:
    """Read a file of counts and keep it as ``imported:NAME``, replacing one of that name.

    Args:
        method: what was counted: ``text``, ``image`` or ``integrated``.
        concept_column, count_column: names of columns (or fields of records) where they are not found by themselves.
        citation: where the counts come from, in words.

    Raises:
        UnreadableData: the file is none of the kinds that are read, or a count is none; one sentence says where.
        BadInput: columns cannot be told, or a concept occurs twice with other counts.
    """
    check_name(name)
    if method not in METHODS:
        raise BadInput(f"{method!r} is no kind of count; choose one of {', '.join(METHODS)}.")
    content = read_regular(path, limit=MAX_BYTES, name=path.name)
    if path.suffix.lower() in TABLES:
        rows, columns = _from_table(read_columns(path), path.name, concept_column, count_column)
    elif path.suffix.lower() == ".json":
        rows, columns = _from_json(content, path.name, concept_column, count_column)
    else:
        raise UnreadableData(f"{path.name} is no file of counts; give {', '.join((*TABLES, '.json'))}.")
    counts, unknown = _checked(rows, path.name)
    about = {
        "source": citation or f"Imported from {path.name}",
        "method": method,
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "unknown": unknown,
        "alternates": _alternates(content) if path.suffix.lower() == ".json" else {},
    }
    _write(name, counts, about)
    return Imported(PREFIX + name, len(counts), len(unknown), *columns)


def keep_metrics(
    files: Mapping[str, bytes], name: str, *, method: str, citation: str, count_column: str = ""
) -> Imported:
    """Keep several JSON files of counts as one source; of a concept in several the first file's count is kept."""
    check_name(name)
    counts: dict[str, int] = {}
    unknown: dict[str, None] = {}
    alternates: dict[str, dict[str, int]] = {}
    columns = ("", "")
    digest = hashlib.sha256()
    for file, content in files.items():
        rows, columns = _from_json(content, Path(file).name, "", count_column)
        found, without = _checked(rows, Path(file).name)
        counts = {**found, **counts}
        alternates = {**_alternates(content), **alternates}
        unknown |= dict.fromkeys(without)
        digest.update(content)
    left = [concept for concept in unknown if concept not in counts]
    about = {"source": citation, "method": method, "file": f"{len(files)} files", "sha256": digest.hexdigest()}
    _write(name, counts, {**about, "unknown": left, "alternates": alternates})
    return Imported(PREFIX + name, len(counts), len(left), *columns)


def delete(name: str) -> None:
    """Remove imported counts; UnknownName when there are none of this name."""
    try:
        _path(name).unlink()
    except FileNotFoundError as error:
        raise UnknownName(f"No imported counts are called {name!r}.") from error


def infos() -> list[SourceInfo]:
    """The counts that were imported, by name."""
    folder = keys.root() / "imported"
    found = []
    for path in sorted(folder.glob("*.parquet")) if folder.is_dir() else ():
        try:
            counts, about = _read(str(path), path.stat().st_mtime_ns)
        except (UnknownName, UnreadableData):
            continue
        method = str(about["method"])
        found.append(
            SourceInfo(
                PREFIX + path.stem,
                str(about["source"]),
                (method,),
                len(counts),
                method,
                digest=keys.digest([path.stem, about.get("sha256"), path.stat().st_mtime_ns]),
            )
        )
    return found


def table(name: str, method: str) -> FrequencyTable:
    """The counts of one import."""
    counts, about = _opened(name)
    return FrequencyTable(name, str(about["source"]), method, counts)


def records(name: str) -> Records:
    """All concepts with their counts; None where the file lists a concept without one."""
    counts, about = _opened(name)
    none: dict[str, int | None] = dict.fromkeys(METHODS)
    found = {concept: {**none, str(about["method"]): count} for concept, count in counts.items()}
    return found | {concept: dict(none) for concept in about["unknown"]}


def alternates(name: str) -> Mapping[str, Mapping[str, int]]:
    """Concept -> its synonyms with the count of each, where the file lists them (NeglectedTails); else empty."""
    return _opened(name)[1].get("alternates", {})


def families(name: str) -> Mapping[str, str]:
    """Imported counts know no families."""
    return {}


Row = tuple[str, Any, str]
"""Concept, its count as the file has it, and where that stands in the file."""


def _from_table(
    found: Columns, file: str, concept_column: str, count_column: str
) -> tuple[Iterator[Row], tuple[str, str]]:
    if found.left_out:
        raise UnreadableData(f"{found.left_out[0].item}: {found.left_out[0].reason}; nothing was imported.")
    concept, count = _columns(list(found.values), file, concept_column, count_column)
    for column in (concept, count):
        if column in found.repeated:
            raise BadInput(f"{file} has several columns called “{column[:80]}”; rename them so that one is meant.")
    rows = zip(found.text(concept), found.values[count], range(2, found.rows + 2), strict=True)
    return ((name, value, f"row {row}") for name, value, row in rows), (concept, count)


def _columns(present: Sequence[str], file: str, concept_column: str, count_column: str) -> tuple[str, str]:
    for wanted in (concept_column, count_column):
        if wanted and wanted not in present:
            raise BadInput(f"{file} has no column {wanted[:80]!r}; it has {', '.join(present[:12])}.")
    others = [name for name in present if name != concept_column]
    count = count_column or by_name(others, COUNT_COLUMNS)
    concept = concept_column or by_name([name for name in present if name != count], CONCEPT_COLUMNS)
    for column, what, option in ((concept, "concepts", "--concept-column"), (count, "counts", "--count-column")):
        if not column:
            names = ", ".join(present[:12])
            raise BadInput(f"{file} does not tell its column of {what}; give {option} ({names}).")
    return concept, count


def _from_json(
    content: bytes, file: str, concept_column: str, count_column: str
) -> tuple[Iterator[Row], tuple[str, str]]:
    try:
        value = reading.parse_json(content)
    except reading.Refused as reason:
        raise UnreadableData(f"{file} cannot be used: {reason}.") from reason
    if isinstance(value, dict) and value and all(isinstance(cell, dict) for cell in value.values()):
        return _from_records(value, file, concept_column, count_column)
    if isinstance(value, dict):
        return ((name, count, f"the count of {reading.shown(name)}") for name, count in value.items()), ("key", "value")
    if isinstance(value, list) and value and all(isinstance(cell, dict) for cell in value):
        listed = {str(index): cell for index, cell in enumerate(value)}
        return _from_records(listed, file, concept_column, count_column)
    if isinstance(value, list) and value and all(isinstance(c, list) and len(c) == 2 for c in value):
        return ((as_text(c[0]), c[1], f"entry {i}") for i, c in enumerate(value, 1)), ("first", "second")
    raise UnreadableData(
        f"{file} is no file of counts: it holds neither {{concept: count}} nor records with a concept and a count."
    )


def _from_records(
    listed: Mapping[str, dict[str, Any]], file: str, concept_column: str, count_column: str
) -> tuple[Iterator[Row], tuple[str, str]]:
    fields = list(dict.fromkeys(name for record in listed.values() for name in record))
    if not concept_column and not by_name(fields, CONCEPT_COLUMNS):
        _, count = _columns(["concept", *fields], file, "concept", count_column)
        return ((key, record.get(count), reading.shown(key)) for key, record in listed.items()), ("key", count)
    metrics = "actual_freq" if not count_column and {"alternates", "actual_freq"} <= set(fields) else count_column
    concept, count = _columns(fields, file, concept_column, metrics)
    names = _own_names({key: as_text(record.get(concept)) for key, record in listed.items()})
    return ((names[key], record.get(count), f"record {key}") for key, record in listed.items()), (concept, count)


def _alternates(content: bytes) -> dict[str, dict[str, int]]:
    """Concept -> synonym -> count of a metrics file; empty for any other JSON. Unusable entries are dropped."""
    if b'"alternates"' not in content:
        return {}
    listed = reading.parse_json(content)
    if not isinstance(listed, dict) or not all(isinstance(record, dict) for record in listed.values()):
        return {}
    names = _own_names({key: as_text(record.get("name")) for key, record in listed.items()})
    found = {}
    for key, record in listed.items():
        others = record.get("alternates")
        if names[key] and isinstance(others, dict):
            found[names[key]] = {
                other: number
                for other, number in others.items()
                if type(number) is int and 0 <= number <= reading.MAX_COUNT and other and _is_name(other)
            }
    return found


def _own_names(names: dict[str, str]) -> dict[str, str]:
    """Names by class index, those that two ImageNet classes share replaced by the one that is each class's own."""
    listed = imagenet_classes()
    if len(names) != len(listed) or set(names) != {str(index) for index in range(len(listed))}:
        return names
    twice = {name for name, n in Counter(names.values()).items() if n > 1}
    return {
        key: (synonyms.of_wnid(listed[int(key)][0]) or (name,))[0] if name in twice else name
        for key, name in names.items()
    }


def _checked(rows: Iterator[Row], file: str) -> tuple[dict[str, int], list[str]]:
    counts: dict[str, int] = {}
    unknown: dict[str, None] = {}
    for number, (concept, value, where) in enumerate(rows):
        if number >= MAX_CONCEPTS:
            raise UnreadableData(f"{file} names more than {MAX_CONCEPTS:,} concepts.")
        if not concept:
            raise UnreadableData(f"{file}, {where}: it has no concept; nothing was imported.")
        if len(concept) > reading.MAX_NAME or not _is_name(concept):
            raise UnreadableData(f"{file}, {where}: {reading.shown(concept)} is no name of a concept.")
        count = _count(value, f"{file}, {where}")
        if concept in counts or concept in unknown:
            if counts.get(concept) == count:
                continue
            twice = f"{reading.shown(concept)} occurs a second time with another count"
            raise BadInput(f"{file}, {where}: {twice}; nothing was imported.")
        if count is None:
            unknown[concept] = None
        else:
            counts[concept] = count
    if not counts:
        raise UnreadableData(f"{file} holds no concept with a count.")
    return counts, list(unknown)


def _is_name(concept: str) -> bool:
    """Whether a text can be shown as a name: marks of layout that words hold (a no-break space, a joiner) are fine."""
    return concept.isprintable() or not any(
        unicodedata.category(mark) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(mark) in _DIRECTIONS
        for mark in concept
    )


def _count(value: object, where: str) -> int | None:
    """A whole number from 0, or None for an empty cell."""
    text = as_text(value).strip() if not isinstance(value, bool) else str(value)
    if not text or text.casefold() in ("nan", "null", "none"):
        return None
    plain = text.replace(",", "") if _THOUSANDS.fullmatch(text) else text
    try:
        number = int(plain) if re.fullmatch(r"[+-]?\d{1,18}", plain) else float(plain.replace("_", "?"))
    except ValueError:
        number = float("nan")
    if not 0 <= number <= reading.MAX_COUNT or number != int(number):
        raise UnreadableData(f"{where}: {reading.shown(text)} is no count; nothing was imported.")
    return int(number)


def _path(name: str) -> Path:
    return keys.root() / "imported" / f"{check_name(name.removeprefix(PREFIX))}.parquet"


def _write(name: str, counts: Mapping[str, int], about: Mapping[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = _path(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    columns = {"concept": pa.array(counts, pa.string()), "count": pa.array(counts.values(), pa.int64())}
    table = pa.table(columns)
    note = json.dumps({**about, "content": _content(table, name, about)}, ensure_ascii=False)
    stored = table.replace_schema_metadata({_ABOUT: note.encode()})
    with atomic_write(target) as file:
        pq.write_table(stored, file, compression="zstd")


def _content(table: Any, name: str, about: Mapping[str, Any]) -> str:
    """Digest of the counts, of what is noted with them, and of the name they are kept under."""
    found = hashlib.sha256(keys.to_json([name.removeprefix(PREFIX), dict(about), table.num_rows]))
    for column in ("concept", "count"):
        for value in table[column].to_pylist():
            found.update(f"{value}\0".encode())
    return found.hexdigest()


def _opened(name: str) -> tuple[Mapping[str, int], Mapping[str, Any]]:
    path = _path(name)
    try:
        return _read(str(path), path.stat().st_mtime_ns)
    except OSError as error:
        raise UnknownName(f"No imported counts are called {name!r}.") from error


@lru_cache(maxsize=8)
def _read(path: str, _changed: int) -> tuple[Mapping[str, int], Mapping[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        stored = pq.read_table(path)
        about = json.loads(stored.schema.metadata[_ABOUT])
        counts = dict(zip(stored["concept"].to_pylist(), stored["count"].to_pylist(), strict=True))
        if not {"source", "method", "unknown"} <= set(about) or about["method"] not in METHODS:
            raise ValueError("incomplete")
        content = about.pop("content", None)  # earlier versions wrote none
        if content is not None and content != _content(stored, Path(path).stem, about):
            raise ValueError("changed")
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise UnreadableData(f"The imported counts {Path(path).stem!r} are damaged; import them again.") from error
    return counts, about
