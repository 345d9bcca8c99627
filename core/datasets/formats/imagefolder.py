"""Hugging Face's ``imagefolder``: pictures described by ``metadata.csv``, ``.jsonl`` or ``.parquet`` beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.datasets.formats.folders import SPLITS
from core.datasets.formats.table import list_table
from core.datasets.io.roots import Files
from core.datasets.listing import Listing
from core.datasets.names import Names, Naming
from core.errors import UnreadableData

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def open_imagefolder(
    path: Path,
    *,
    id: str = "",
    names: Names = None,
    naming: Naming = "shown",
    roots: Sequence[Path] | None = None,
) -> Listing:
    """List the pictures that the metadata file names by ``file_name``, relative to itself and never outside it.

    Of several splits ``test`` comes first. The class is a column with a known name, else the folder of the picture.

    Raises:
        UnreadableData: there is no metadata file, or no usable row in it.
    """
    file = metadata_file(path)
    if file is None:
        raise UnreadableData(f"{path} holds none of {', '.join(METADATA)}.")
    files = Files(file, roots, absolute=False)
    return list_table(file, files, kind="imagefolder", id=id or str(path), names=names, naming=naming)


def metadata_file(path: Path) -> Path | None:
    """The metadata file of a folder or of its first split."""
    folders = [path, *(path / split for split in SPLITS)]
    return next((folder / name for folder in folders for name in METADATA if (folder / name).is_file()), None)
