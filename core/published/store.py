"""The release as tables: one in-memory DuckDB a process, opened from Parquet in a fraction of a second.

The tables ship with Tailscope (``assets/published/release``); another version that was imported is used instead.

``counts`` (pretraining, method, unit, position in file, count), ``scores`` (family, condition, model, pretraining,
unit, value, n), ``totals`` (full scores), ``units`` (unit -> data set, concept, spelled as released), ``files`` (count
files with their completeness), ``misalignment``. A unit is one concept of one downstream data set in one spelling.

A damaged table fails the queries that read it, in one sentence; the others work.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cache.files import Damaged, file_version, require_checksum
from cache.keys import root
from core.errors import UnreadableData
from core.paths import ASSETS

SCHEMA = 1
TABLES = ("units", "counts", "scores", "totals", "files", "misalignment")
REPORT = "report.json"
DOWNLOADS, MAPPINGS = "release", "mappings"
"""Folders in the cache beside the imported tables: files as downloaded, and names joined by hand."""
SHIPPED = ASSETS / "published" / "release"
"""The tables of the pinned release that ship with Tailscope, written by ``core.published.importer.ship``."""

AGAIN = "Fetch or import it again (“python -m core published fetch”)."


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
        if pointer["schema"] != SCHEMA:
            return None
        place = folder() / Path(str(pointer["generation"])).name
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        place = Path()
    if _is_whole(place):
        return place
    # A damaged pointer must not bring back another release in silence: the tables it can mean are here.
    return max(filter(_is_whole, folder().iterdir()), key=lambda made: made.stat().st_mtime_ns, default=None)


def _is_whole(place: Path) -> bool:
    return all((place / f"{name}.parquet").is_file() for name in TABLES)


class Store:
    """Read-only queries on one copy of the release; safe to share between threads.

    Attributes:
        damaged: table -> why it cannot be read.
        digest: differs between releases that were read.

    Raises:
        UnreadableData: a query reads a damaged table.
    """

    def __init__(self, place: Path) -> None:
        import duckdb

        self.place = place
        self.digest = place.name
        self.damaged: dict[str, str] = {}
        self._base = duckdb.connect(":memory:", config={"threads": 2})
        self._base.execute("SET enable_progress_bar = false")
        for name in TABLES:
            file = place / f"{name}.parquet"
            try:
                _check(file)
                self._base.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet(?)", [str(file)])
            except (Damaged, duckdb.Error) as error:
                self.damaged[name] = str(error).partition("\n")[0]
        self._base.execute("SET enable_external_access = false")

    @cached_property
    def dataset(self) -> np.ndarray:
        """The data set of every unit, object array [u]."""
        return self.columns("SELECT dataset FROM units ORDER BY unit")["dataset"]

    @cached_property
    def concept(self) -> np.ndarray:
        """The concept of every unit, as spelled in the release, object array [u]."""
        return self.columns("SELECT concept FROM units ORDER BY unit")["concept"]

    def columns(self, sql: str, values: Sequence[Any] = ()) -> dict[str, np.ndarray]:
        """A query's columns as arrays."""
        self._require_sound(sql)
        found = self._base.cursor().execute(sql, list(values)).fetchnumpy()
        return {name: np.asarray(column) for name, column in found.items()}

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """A query's rows as tuples."""
        self._require_sound(sql)
        return self._base.cursor().execute(sql, list(values)).fetchall()

    def _require_sound(self, sql: str) -> None:
        for name, reason in self.damaged.items():
            if re.search(rf"\b{name}\b", sql):
                raise UnreadableData(f"The table “{name}” of the published release is damaged: {reason}. {AGAIN}")


def _check(file: Path) -> None:
    """Damaged unless a table equals its checksum, or can at least be decoded where none is known."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if not require_checksum(file):
            pq.read_table(file)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise Damaged(f"it cannot be read ({str(error)[:120]})") from error


_lock = threading.Lock()


def open_store() -> Store:
    """The store of the tables in use, shared by the whole process; a newer import is picked up by itself."""
    place = current()
    with _lock:
        return _open(str(place), tuple(file_version(place / f"{name}.parquet") for name in TABLES))


@lru_cache(maxsize=1)
def _open(place: str, _versions: tuple[tuple[int, ...], ...]) -> Store:
    return Store(Path(place))
