"""The release as tables: one in-memory DuckDB a process, opened from Parquet in a fraction of a second.

The tables ship with Tailscope (``assets/published/release``); another version that was imported is used instead.

``counts`` (pretraining, method, unit, position in file, count), ``scores`` (family, condition, model, pretraining,
unit, value, n), ``totals`` (full scores), ``units`` (unit -> data set, concept, spelled as released), ``files`` (count
files with their completeness), ``misalignment``. A unit is one concept of one downstream data set in one spelling.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cache.keys import root
from core.paths import ASSETS

SCHEMA = 1
TABLES = ("units", "counts", "scores", "totals", "files", "misalignment")
REPORT = "report.json"
DOWNLOADS, MAPPINGS = "release", "mappings"
"""Folders in the cache beside the imported tables: files as downloaded, and names joined by hand."""
SHIPPED = ASSETS / "published" / "release"
"""The tables of the pinned release that ship with Tailscope, written by ``core.published.importer.ship``."""


def folder() -> Path:
    """Where everything published lies in the cache."""
    return root() / "published"


def current() -> Path:
    """Folder of the tables in use: another version that was imported, else the one that ships."""
    return imported() or SHIPPED


def imported() -> Path | None:
    """Folder of the imported tables, or None when nothing (or something older) was imported."""
    try:
        pointer = json.loads((folder() / "current.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(pointer, dict) or pointer.get("schema") != SCHEMA:
        return None
    place = folder() / Path(str(pointer.get("generation"))).name
    return place if all((place / f"{name}.parquet").is_file() for name in TABLES) else None


class Store:
    """Read-only queries on one copy of the release; safe to share between threads.

    Attributes:
        dataset, concept: object arrays [u]: what every unit is.
        digest: differs between releases that were read.
    """

    def __init__(self, place: Path) -> None:
        import duckdb

        self.place = place
        self.digest = place.name
        self._base = duckdb.connect(":memory:", config={"threads": 2})
        self._base.execute("SET enable_progress_bar = false")
        for name in TABLES:
            self._base.execute(
                f"CREATE TABLE {name} AS SELECT * FROM read_parquet(?)", [str(place / f"{name}.parquet")]
            )
        self._base.execute("SET enable_external_access = false")
        units = self.columns("SELECT dataset, concept FROM units ORDER BY unit")
        self.dataset, self.concept = units["dataset"], units["concept"]

    def columns(self, sql: str, values: Sequence[Any] = ()) -> dict[str, np.ndarray]:
        """A query's columns as arrays."""
        found = self._base.cursor().execute(sql, list(values)).fetchnumpy()
        return {name: np.asarray(column) for name, column in found.items()}

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """A query's rows as tuples."""
        return self._base.cursor().execute(sql, list(values)).fetchall()


_lock = threading.Lock()


def open_store() -> Store:
    """The store of the tables in use, shared by the whole process; a newer import is picked up by itself."""
    place = current()
    with _lock:
        return _open(str(place), (place / REPORT).stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _open(place: str, _written: int) -> Store:
    return Store(Path(place))
