"""Corpora as parquet, for people who want to count for themselves."""

from __future__ import annotations

from pathlib import Path

from cache.files import atomic_write
from core.icons.corpus import corpus


def write_corpus(name: str, folder: Path) -> Path:
    """Write ``NAME.parquet``: key, caption and everything that is drawn, one row a pair."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pairs = corpus(name)
    table = pa.table(
        {
            "key": [f"{index:07d}" for index in range(len(pairs))],
            "caption": [pair.caption for pair in pairs],
            **{
                field: [getattr(pair.drawing, source) for pair in pairs]
                for field, source in (
                    ("concept", "key"),
                    ("colour", "colour"),
                    ("background", "background"),
                    ("pattern", "pattern"),
                    ("style", "style"),
                )
            },
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.parquet"
    with atomic_write(path) as file:
        pq.write_table(table, file, compression="zstd")
    return path
