"""A copy of the release -> Parquet tables, with a report of what was read, what was not, and why.

Tables are kept in the cache (:func:`import_release`), or written where they ship with Tailscope (:func:`ship`).
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from cache.files import (
    Damaged,
    atomic_folder,
    atomic_write,
    remove_orphans,
    require_checksum,
    write_bytes,
    write_checksums,
)
from core.errors import BadInput, UnreadableData
from core.faults import writing
from core.published import anomalies, manifest, reading, schema, store
from core.published.names import FileName, parse_path, split_model
from core.published.sources import read_files
from core.types import LeftOut, Progress, Report, silent


@dataclass
class ImportReport:
    """What one import found.

    Attributes:
        source: name of the folder or archive.
        read: files read, by kind; rows: rows per table.
        skipped: files that were not used, with reasons.
        unlisted: files used although the manifest does not list them or lists other content.
        missing: files of the manifest that this copy lacks or that were skipped.
        anomalies: what is odd in the data and which rule handles it.
    """

    source: str
    read: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    skipped: list[LeftOut] = field(default_factory=list)
    unlisted: list[LeftOut] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    anomalies: list[anomalies.Anomaly] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ImportReport:
        """The inverse of :meth:`as_json`."""
        lists = {name: [LeftOut(**item) for item in value[name]] for name in ("skipped", "unlisted")}
        odd = [anomalies.Anomaly(**item) for item in value["anomalies"]]
        return cls(**{**value, **lists, "anomalies": odd})


def import_release(path: Path, *, report: Report = silent) -> ImportReport:
    """Parse a folder, clone or archive of the release and make it the current one, before the tables that ship.

    Raises:
        UnreadableData: the path holds no release; BadInput: no file of it could be used.
    """
    arrow, result, generation = _parse(path, report)
    _publish(arrow, result, generation)
    return result


def ship(path: Path, folder: Path = store.SHIPPED, *, report: Report = silent) -> ImportReport:
    """Write the tables that ship with Tailscope from a copy of the release that is the manifest's, file by file.

    Raises:
        UnreadableData: the path holds no release.
        BadInput: a file of the manifest is missing, skipped or other than listed.
    """
    arrow, result, _ = _parse(path, report, listed_only=True)
    if wrong := [*result.missing, *(item.item for item in result.unlisted)]:
        raise BadInput(
            f"{path.name} is not the release of the manifest: {len(wrong):,} files are missing or differ, "
            f"{wrong[0]} first. Give a clone at commit {manifest.COMMIT}."
        )
    result.source = f"{manifest.REPOSITORY}, commit {manifest.RELEASE}"
    folder.mkdir(parents=True, exist_ok=True)
    _write(arrow, result, folder)
    return result


def forget() -> None:
    """Remove what was imported, so that the tables that ship are used again; downloads and mappings stay."""
    root = store.folder()
    (root / "current.json").unlink(missing_ok=True)
    for old in _generations(root):
        shutil.rmtree(old, ignore_errors=True)


def _parse(path: Path, report: Report, *, listed_only: bool = False) -> tuple[dict[str, pa.Table], ImportReport, str]:
    """The tables of a copy of the release, what was read of it, and the digest that names this content."""
    tables = Tables()
    result = ImportReport(source=path.name)
    listed = manifest.by_path()
    seen: set[str] = set()
    digest = hashlib.sha256(f"schema {store.SCHEMA}".encode())
    for name, content in read_files(path):
        file = parse_path(name)
        if listed_only and name not in listed:
            continue
        if file is None:
            result.skipped.append(LeftOut(name, "not a file of a family that is used"))
            continue
        if name in seen:
            result.skipped.append(LeftOut(name, "occurs twice; the first one is used"))
            continue
        seen.add(name)
        try:
            if isinstance(content, str):
                raise reading.Refused(content)
            tables.add(file, content)
        except reading.Refused as reason:
            result.skipped.append(LeftOut(name, str(reason)))
            continue
        blob = manifest.blob_id(content)
        if name not in listed:
            result.unlisted.append(LeftOut(name, "not in the manifest"))
        elif listed[name].blob != blob:
            result.unlisted.append(LeftOut(name, f"differs from the file at commit {manifest.RELEASE}"))
        result.read[file.kind] = result.read.get(file.kind, 0) + 1
        digest.update(f"{name} {blob}\n".encode())
        report(Progress(sum(result.read.values()), len(listed), "Reading the release"))
    if not result.read:
        raise BadInput(f"No file of {path.name} could be used: {result.skipped[0].item}: {result.skipped[0].reason}.")
    refused = {item.item for item in result.skipped}
    result.missing = [entry for entry in listed if entry not in seen or entry in refused]
    report(Progress(len(listed), len(listed), "Writing the tables"))
    result.anomalies = anomalies.find(tables.counted, tables.scored)
    arrow = tables.finish()
    result.rows = {name: table.num_rows for name, table in arrow.items()}
    return arrow, result, digest.hexdigest()[:32]


class Tables:
    """Columns as they grow, file by file.

    ``counted``: (data set, pretraining, method) -> concept -> count; ``scored``: (kind, data set) -> concepts.
    """

    def __init__(self) -> None:
        self.counted: dict[tuple[str, str, str], dict[str, int]] = {}
        self.scored: dict[tuple[str, str], set[str]] = {}
        self._units: dict[tuple[str, str], int] = {}
        self._columns: dict[str, dict[str, list[Any]]] = {
            name: {column.name: [] for column in columns} for name, columns in schema.TABLES.items()
        }

    def add(self, file: FileName, content: bytes) -> None:
        """Take in one file; raises Refused and takes nothing when it is not what it should be."""
        if file.kind == "counts":
            self.counted[file.dataset, file.pretraining, file.method] = table = reading.counts(content)
            self._extend(
                "counts",
                pretraining=[file.pretraining] * len(table),
                method=[file.method] * len(table),
                unit=[self._unit(file.dataset, concept) for concept in table],
                position=range(len(table)),
                count=table.values(),
            )
        elif file.kind == "misalignment":
            pairs, extracted, fixed = reading.misalignment(content)
            self._extend(
                "misalignment", pretraining=[file.pretraining], pairs=[pairs], extracted=[extracted], fixed=[fixed]
            )
        else:
            self._add_scores(file, reading.scores(content, file))

    def _add_scores(self, file: FileName, models: list[reading.ModelScores]) -> None:
        for part in models:
            backbone, pretraining = split_model(part.model)
            self.scored.setdefault((file.kind, file.dataset), set()).update(part.concepts)
            size = len(part.concepts)
            self._extend(
                "scores",
                family=[file.kind] * size,
                condition=[file.condition] * size,
                model=[backbone] * size,
                pretraining=[pretraining] * size,
                unit=[self._unit(file.dataset, concept) for concept in part.concepts],
                value=part.values,
                n=part.n,
            )
            self._extend(
                "totals",
                family=[file.kind],
                dataset=[file.dataset],
                condition=[file.condition],
                model=[backbone],
                pretraining=[pretraining],
                score=[part.full],
                concepts=[size],
            )

    def finish(self) -> dict[str, pa.Table]:
        """The Arrow tables."""
        largest: Counter[str] = Counter()
        for (dataset, _, _), table in self.counted.items():
            largest[dataset] = max(largest[dataset], len(table))
        for (dataset, pretraining, method), table in self.counted.items():
            self._extend(
                "files",
                dataset=[dataset],
                pretraining=[pretraining],
                method=[method],
                concepts=[len(table)],
                expected=[largest[dataset]],
                truncated=[len(table) < anomalies.TRUNCATED_BELOW * largest[dataset]],
            )
        self._extend(
            "units",
            unit=self._units.values(),
            dataset=[dataset for dataset, _ in self._units],
            concept=[concept for _, concept in self._units],
        )
        return {name: pa.table(self._columns[name], schema=columns) for name, columns in schema.TABLES.items()}

    def _unit(self, dataset: str, concept: str) -> int:
        return self._units.setdefault((dataset, concept), len(self._units))

    def _extend(self, table: str, **columns: Any) -> None:
        for name, values in columns.items():
            self._columns[table][name].extend(values)


def _publish(tables: dict[str, pa.Table], result: ImportReport, generation: str) -> None:
    """Write the tables beside the current ones, then point to them: readers never see half an import."""
    root = store.folder()
    # A folder of its own even for the same content: the one in use stays until the pointer has moved.
    target = root / f"{generation}-{secrets.token_hex(4)}"
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".import.lock"):
            remove_orphans(root)
            with atomic_folder(target) as made:
                _write(tables, result, made)
                write_checksums(made, [file.name for file in made.iterdir()])
            pointer = {"schema": store.SCHEMA, "generation": target.name}
            write_bytes(root / "current.json", json.dumps(pointer).encode())
            for old in _generations(root):
                if old.name != target.name:
                    shutil.rmtree(old, ignore_errors=True)


def _write(tables: dict[str, pa.Table], result: ImportReport, folder: Path) -> None:
    for name, table in tables.items():
        with atomic_write(folder / f"{name}.parquet") as file:
            pq.write_table(table, file, compression="zstd", compression_level=19)
    told = json.dumps(result.as_json(), allow_nan=False, ensure_ascii=False, indent=1)
    write_bytes(folder / store.REPORT, (told + "\n").encode())


def _generations(root: Path) -> list[Path]:
    kept = (store.DOWNLOADS, store.MAPPINGS)
    folders = root.iterdir() if root.is_dir() else ()
    return [old for old in folders if old.is_dir() and old.name not in kept and not old.name.startswith(".")]


def last_report() -> ImportReport:
    """The report of the tables in use: those imported last, else those that ship.

    Raises:
        UnreadableData: its file is damaged.
    """
    try:
        file = store.current() / store.REPORT
        require_checksum(file)
        return ImportReport.from_json(json.loads(file.read_text(encoding="utf-8")))
    except (Damaged, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableData(f"The report of the published release is damaged ({error!r}). {store.AGAIN}") from error
