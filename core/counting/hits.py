"""Single hits (sample, concept) on disk, and joining those of captions with those of images on the sample's id."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.files import atomic_write
from core.errors import BadInput
from core.types import Progress, Report, silent

if TYPE_CHECKING:
    import duckdb

_JOIN_MEMORY = "1GB"
EXAMPLES = 20
"""Misaligned samples that are kept by name."""


@dataclass(frozen=True, eq=False)
class Joined:
    """Captions and images of the same samples, at every threshold [t].

    Attributes:
        both: samples whose caption names a concept and whose image shows it, int64 [t, concepts].
        captions: samples whose caption names a concept; images: whose image shows one, int64 [t].
        on_both: samples with a concept on either side, int64 [t]; misaligned: those without a common one, int64 [t]
            (algorithm 1 of arXiv 2404.04125).
        examples: misaligned at the first threshold: id, concepts of the caption, concepts of the image.
    """

    both: np.ndarray
    captions: int
    images: np.ndarray
    on_both: np.ndarray
    misaligned: np.ndarray
    examples: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]


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
) -> Joined:
    """Concepts that captions and images of the same samples share, and samples on which they share none.

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
        database.execute("CREATE TEMP TABLE named AS SELECT DISTINCT id, concept FROM captions")
        database.execute(
            "CREATE TEMP TABLE shown AS SELECT id, concept, max(score) AS score FROM images GROUP BY id, concept"
        )
        limits = [f"{float(threshold)!r}::FLOAT" for threshold in thresholds]
        sums = ", ".join(f"count(*) FILTER (score >= {limit})" for limit in limits)
        found = database.execute(
            f"SELECT concept, {sums} FROM named JOIN shown USING (id, concept) GROUP BY concept"
        ).fetchall()
        per_sample = [_samples(database, limit) for limit in limits]
        captioned = int(database.execute("SELECT count(DISTINCT id) FROM named").fetchall()[0][0])
        examples = _examples(database, limits[0])
    finally:
        database.close()
        shutil.rmtree(spill, ignore_errors=True)
    counts = np.zeros((len(thresholds), concepts), np.int64)
    for concept, *both in found:
        counts[:, concept] = both
    images_with, on_both, aligned = np.array(per_sample, np.int64).T
    return Joined(counts, captioned, images_with, on_both, on_both - aligned, examples)


def _samples(database: duckdb.DuckDBPyConnection, limit: str) -> tuple[int, int, int]:
    """Samples whose image shows a concept, those whose caption names one too, and those with a common one."""
    counted = "SELECT count(*) FROM (SELECT DISTINCT id FROM"
    [(images,)] = database.execute(f"{counted} shown WHERE score >= {limit})").fetchall()
    [(both,)] = database.execute(f"{counted} shown SEMI JOIN named USING (id) WHERE score >= {limit})").fetchall()
    [(aligned,)] = database.execute(
        f"{counted} shown JOIN named USING (id, concept) WHERE score >= {limit})"
    ).fetchall()
    return images, both, aligned


def _examples(
    database: duckdb.DuckDBPyConnection, limit: str
) -> tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]:
    rows = database.execute(
        f"""
        WITH passed AS (SELECT id, concept FROM shown WHERE score >= {limit}),
        apart AS (
            SELECT DISTINCT id FROM passed SEMI JOIN named USING (id)
            WHERE id NOT IN (SELECT id FROM passed JOIN named USING (id, concept))
            ORDER BY md5(id::VARCHAR) LIMIT {EXAMPLES}
        )
        SELECT id::VARCHAR, (SELECT list(concept ORDER BY concept) FROM named WHERE named.id = apart.id),
               (SELECT list(concept ORDER BY concept) FROM passed WHERE passed.id = apart.id)
        FROM apart ORDER BY md5(id::VARCHAR)
        """
    ).fetchall()
    return tuple((id, tuple(named), tuple(shown)) for id, named, shown in rows)


def _load(database: duckdb.DuckDBPyConnection, name: str, files: Sequence[tuple[Path, int]], *, by_id: bool) -> None:
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


def _no_common(database: duckdb.DuckDBPyConnection) -> None:
    ids = [
        str(id)[:40]
        for name in ("captions", "images")
        for (id,) in database.execute(f"SELECT id FROM {name} LIMIT 1").fetchall()
    ]
    if len(ids) == 2:
        raise BadInput(
            f"No sample is in both the captions and the scores: ids look like {ids[0]!r} and {ids[1]!r}. "
            "Name the column that holds the same ids with --id-column."
        )
