"""Single hits (sample, concept) on disk, and joining those of captions with those of images on the sample's id."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from cache.files import atomic_write
from core.errors import BadInput
from core.types import Progress, Report, silent

_JOIN_MEMORY = "1GB"


class _Discarded(Exception):
    """Ends the writing of a file that is not to be kept."""


class HitWriter:
    """Hits of one part as Parquet: ``row`` in the part or file, ``concept`` number, ``id`` and ``score`` if known.

    The file gets its name in ``close``; ``discard`` removes what was not closed.
    """

    def __init__(self, path: Path, *, scored: bool) -> None:
        self._path, self._scored = path, scored
        self._file = ExitStack()
        self._writer: Any = None

    def add(
        self,
        row: np.ndarray,
        concept: np.ndarray,
        *,
        score: np.ndarray | None = None,
        ids: Sequence[str | None] | None = None,
    ) -> None:
        """Append hits; hits of samples without an id are dropped when there are ids."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {"row": pa.array(row, pa.int64()), "concept": pa.array(concept, pa.int32())}
        # Ids that are no Unicode must meet their twins on the other side all the same.
        texts = ids and [None if id is None else id.encode("utf-8", "replace").decode() for id in ids]
        columns["id"] = pa.array(texts or [None] * len(row), pa.string())
        if self._scored:
            columns["score"] = pa.array(score, pa.float32())
        table = pa.table(columns)
        if self._writer is None:
            file = self._file.enter_context(atomic_write(self._path))
            self._writer = pq.ParquetWriter(file, table.schema, compression="zstd")
        self._writer.write_table(table)

    def close(self) -> None:
        """Give the file its name."""
        if self._writer is None:
            empty = np.zeros(0, np.int64)
            self.add(empty, empty, score=empty)
        self._writer.close()
        self._writer = None
        self._file.close()

    def discard(self) -> None:
        """Remove an unfinished file; nothing after ``close``."""
        if self._writer is not None:
            with suppress(Exception):
                self._writer.close()
            self._writer = None
            with suppress(_Discarded):
                self._file.__exit__(_Discarded, _Discarded(), None)


def join(
    captions: Sequence[tuple[Path, int]],
    images: Sequence[tuple[Path, int]],
    *,
    by_id: bool,
    thresholds: Sequence[float],
    concepts: int,
    spill: Path,
    report: Report = silent,
) -> np.ndarray:
    """Samples whose caption names a concept and whose image shows it, int64 [thresholds, concepts].

    A sample counts once for a concept, however often its id occurs. DuckDB joins in at most 1 GB and spills the rest.

    Args:
        captions, images: hit files with the number of the first row of each among all rows.
        by_id: join on the id; otherwise on the number of the row.
        spill: folder for what does not fit in memory.
    """
    import duckdb

    report(Progress(0, 0, "Joining captions and images"))
    spill.mkdir(parents=True, exist_ok=True)
    database = duckdb.connect(
        config={
            "memory_limit": _JOIN_MEMORY,
            "temp_directory": str(spill),
            "threads": 2,
            "autoinstall_known_extensions": False,
        }
    )
    try:
        for name, files in (("captions", captions), ("images", images)):
            _load(database, name, files, by_id=by_id)
        if by_id and not database.execute("SELECT 1 FROM captions SEMI JOIN images USING (id) LIMIT 1").fetchone():
            _no_common(database)
        sums = ", ".join(f"count(*) FILTER (score >= {float(threshold)!r}::FLOAT)" for threshold in thresholds)
        found = database.execute(
            f"SELECT concept, {sums} FROM (SELECT DISTINCT id, concept FROM captions) "
            "JOIN (SELECT id, concept, max(score) AS score FROM images GROUP BY id, concept) USING (id, concept) "
            "GROUP BY concept"
        ).fetchall()
    finally:
        database.close()
        shutil.rmtree(spill, ignore_errors=True)
    counts = np.zeros((len(thresholds), concepts), np.int64)
    for concept, *both in found:
        counts[:, concept] = both
    return counts


def _load(database: Any, name: str, files: Sequence[tuple[Path, int]], *, by_id: bool) -> None:
    score = ", score" if name == "images" else ""
    kind = "VARCHAR" if by_id else "BIGINT"
    extra = ", score FLOAT" if score else ""
    database.execute(f"CREATE TEMP TABLE {name} (id {kind}, concept INTEGER{extra})")
    for path, first in files:
        id = "id" if by_id else f"row + {int(first)}"
        database.execute(
            f"INSERT INTO {name} SELECT {id} AS id, concept{score} FROM read_parquet(?) WHERE {id} IS NOT NULL",
            [str(path)],
        )


def _no_common(database: Any) -> None:
    one = [database.execute(f"SELECT id FROM {name} LIMIT 1").fetchone() for name in ("captions", "images")]
    if all(one):
        raise BadInput(
            f"No sample is in both the captions and the scores: ids look like {str(one[0][0])[:40]!r} and "
            f"{str(one[1][0])[:40]!r}. Name the column that holds the same ids with --id-column."
        )
