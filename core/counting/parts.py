"""A run cut into parts, each of which one process reads from start to end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from core.counting import guess
from core.counting.batch import Columns
from core.counting.places import Place, find
from core.counting.rows import first_rows, row_groups
from core.counting.streams import PACKED, is_utf8, opened_text, packing
from core.errors import BadInput, UnreadableData
from core.types import LeftOut, Progress, Report, silent

FORMATS = {
    ".parquet": "parquet", ".tar": "tar", ".tgz": "tar", ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl",
    ".ndjson": "jsonl", ".json": "jsonl", ".txt": "text", ".text": "text",
}  # fmt: skip
_PART, _FOOTER = 32 << 20, 8 << 20
_ROWS = 250_000
_BLOCK = 1 << 22
_LINES = ("csv", "tsv", "jsonl", "text")


@dataclass(frozen=True, slots=True)
class Part:
    """One unit of work: a file, or a range of it; ``end`` 0 means its end.

    Attributes:
        start, end: bytes of lines, row groups of Parquet, or rows of a NumPy matrix.
        share: about how much of the file it is.
    """

    place: Place
    format: str
    start: int = 0
    end: int = 0
    share: float = 1.0

    @property
    def size(self) -> int:
        """About how many bytes of the file it reads, for progress."""
        return round(self.place.size * self.share)

    def as_json(self) -> dict[str, Any]:
        """As plain values, for another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Part:
        """Back from ``as_json``."""
        return cls(Place(**value["place"]), value["format"], value["start"], value["end"], value["share"])


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to read: parts in order, the columns, the first rows by column, and files left out."""

    parts: tuple[Part, ...]
    columns: Columns
    first: Mapping[str, Sequence[str]] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    note: str = ""

    @property
    def files(self) -> int:
        """Number of files that are read."""
        return len({part.place.uri for part in self.parts})


def format_of(name: str) -> str:
    """How a file is laid out, by its ending without that of its compression; empty for anything unknown."""
    lower = name.lower()
    if packing(lower) and not lower.endswith(".tgz"):
        lower = next(lower.removesuffix(ending) for ending in PACKED if lower.endswith(ending))
    return next((kind for ending, kind in FORMATS.items() if lower.endswith(ending)), "")


def plan(
    captions: str,
    *,
    column: str = "",
    id_column: str = "",
    roots: Sequence[Path] | None = None,
    report: Report = silent,
) -> Plan:
    """Look at what a path, folder, glob or URL means and cut it into parts.

    Args:
        column, id_column: instead of the guessed ones; ``#`` as the id means the number of the row.
        roots: folders that local files must lie in; None for no limit.

    Raises:
        BadInput: nothing there, or no such column. PathRefused: a file outside ``roots``.
        UnreadableData: no file can be read.
    """
    places, left_out, note = _kept(find(captions, roots=roots))
    parts: list[Part] = []
    columns, first = None, {}
    for done, (place, kind) in enumerate(places):
        report(Progress(done, len(places), "Looking at the files"))
        try:
            if columns is None:
                first = first_rows(place, kind)
                columns = _chosen(first, column, id_column, place.name)
            parts += _cut(place, kind)
        except UnreadableData as error:
            left_out.append(LeftOut(place.name, str(error)))
    if columns is None:
        reasons = "; ".join(item.reason for item in left_out[:3])
        raise UnreadableData(f"No captions can be read at {captions}. {reasons}")
    return Plan(tuple(parts), columns, first, tuple(left_out), note)


def _kept(places: list[Place]) -> tuple[list[tuple[Place, str]], list[LeftOut], str]:
    """The files of known formats; of several that hold the same captions (img2dataset's table, shard and single files,
    which share a name) the first of ``FORMATS``."""
    known = [(place, format_of(place.name)) for place in places if not place.name.endswith("_stats.json")]
    order = list(dict.fromkeys(FORMATS.values()))
    best: dict[str, str] = {}
    for place, kind in known:
        if kind:
            best[_stem(place)] = min(best.get(_stem(place), kind), kind, key=order.index)
    kept, left_out, twice = [], [], 0
    for place, kind in known:
        if not kind:
            left_out.append(LeftOut(place.name, "not a format that captions come in"))
        elif kind != best[_stem(place)] or best.get(place.uri.rpartition("/")[0]) in ("parquet", "tar"):
            twice += 1
        else:
            kept.append((place, kind))
    if not kept:
        endings = ", ".join(sorted(FORMATS))
        raise BadInput(f"None of the {len(places):,} files holds captions; they end in {endings}, perhaps with .gz.")
    what = f"{twice:,} files have" if twice > 1 else "1 file has"
    note = f"{what} the same captions as the table or shard of the same name, which is read instead." if twice else ""
    return kept, left_out, note


def _stem(place: Place) -> str:
    """The address without the endings that tell its format."""
    stem = place.uri
    for endings in (PACKED, FORMATS):
        stem = next((stem[: -len(ending)] for ending in endings if stem.lower().endswith(ending)), stem)
    return stem


def _chosen(first: Mapping[str, Sequence[str]], column: str, id_column: str, file: str) -> Columns:
    caption = column or guess.caption_column(first)
    guess.require(caption, first, file)
    if id_column and id_column != "#":
        guess.require(id_column, first, file)
    id = "" if id_column == "#" else id_column or guess.id_column(first, other_than=caption)
    # img2dataset lists what it could not download as well; those samples are in no pretraining set.
    downloaded = {"status", "error_message", "key"} <= set(first)
    return Columns(caption, id, downloaded)


def _cut(place: Place, kind: str) -> Iterator[Part]:
    # The footer of a small Parquet file is not worth a request of its own.
    if place.size <= (_FOOTER if kind == "parquet" else _PART) or packing(place.name) or kind == "tar":
        yield Part(place, kind)
    elif kind == "parquet":
        yield from parquet_parts(place)
    elif not is_utf8(place):
        yield Part(place, kind)  # decoded from its first byte on
    elif kind == "csv" and _has_quotes(place):
        yield Part(place, kind)  # a quoted cell may hold newlines, so no byte but the first surely begins a row
    else:
        for start in range(0, place.size, _PART):
            end = min(start + _PART, place.size)
            yield Part(place, kind, start, end, (end - start) / place.size)


def parquet_parts(place: Place) -> Iterator[Part]:
    """Runs of row groups with about a quarter of a million rows each."""
    start, rows, groups = 0, 0, row_groups(place)
    for group, size in enumerate(groups, 1):
        rows += size
        if rows >= _ROWS or group == len(groups):
            yield Part(place, "parquet", start, group, rows / max(1, sum(groups)))
            start, rows = group, 0


def start_of(part: Part, size: int) -> Part | None:
    """About the first ``size`` bytes of a part, to try; None where it can only be read as a whole, or is no larger."""
    if part.format == "parquet":
        rows, wanted, groups = 0, size / max(1, part.size), row_groups(part.place)[part.start : part.end or None]
        for number, each in enumerate(groups, 1):
            rows += each
            if rows >= wanted * sum(groups):
                share = rows / max(1, sum(groups))
                return replace(part, end=part.start + number, share=part.share * share) if share < 1 else None
        return None
    if part.format not in _LINES or packing(part.place.name) or size >= part.size:
        return None
    return replace(part, end=part.start + size, share=part.share * size / part.size)


def _has_quotes(place: Place) -> bool:
    with opened_text(place) as stream:
        while block := stream.read(_BLOCK):
            if b'"' in block:
                return True
    return False
