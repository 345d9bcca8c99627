"""Telling from a path, and a look at a few entries, how an image set is laid out."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from core.datasets.formats.columns import TABLES
from core.datasets.formats.folders import SPLITS, is_letitwag, looks_like_folders, split_of
from core.datasets.formats.imagefolder import metadata_file
from core.datasets.formats.objectnet import FOLDERS as OBJECTNET
from core.datasets.formats.objectnet import MAPPINGS
from core.datasets.formats.parquet import find_parquet, image_column
from core.datasets.formats.tracks import beside
from core.datasets.formats.vidrobust import PM_SETS
from core.datasets.formats.ytbbrobust import ANCHORS
from core.datasets.io.picture import read_text
from core.datasets.io.remote import Remote
from core.datasets.io.tars import find_shards, peek
from core.errors import UnreadableData
from core.opening import regular

_MOST_STAMPED = 20_000
_CONTAINERS = (*SPLITS, "data", "default", "img_emb", "metadata", MAPPINGS, "images")


def detect_layout(path: Path | Remote) -> str:
    """Kind of the image set at an existing path; OSError when it cannot be listed.

    Raises:
        UnreadableData: nothing here is a layout that Tailscope reads.
    """
    if isinstance(path, Remote):
        return _behind_address(path)
    if path == Path(path.anchor):
        raise UnreadableData(f"{path} is the root of the file system; give the folder of one image set.")
    kind = _of_folder(path) if path.is_dir() else _of_file(regular(path))
    if not kind:
        raise UnreadableData(
            f"{path} is no image set that Tailscope knows. Give a folder of class folders, a webdataset folder, a "
            "table with a path and a class column, a Hugging Face image folder or parquet files, or clip-retrieval "
            "embeddings."
        )
    return kind


def _behind_address(path: Remote) -> str:
    if not find_shards(path)[1]:
        what = "holds no tar shards (test/0.tar and so on, or tars directly in it)"
    elif _holds_captions(path):
        what = "holds captions for retrieval"
    else:
        return "webdataset"
    raise UnreadableData(
        f"{path} {what}. By address only labelled webdatasets are read; fetch or mount the set and give its path."
    )


def _of_file(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix == ".tar":
        return "captions" if _holds_captions(path) else "webdataset"
    if suffix == ".parquet":
        return "parquet" if _has_pictures(path) else "table"
    return "table" if suffix in TABLES else ""


def _of_folder(path: Path) -> str:
    if (path / MAPPINGS / OBJECTNET).is_file():
        return "objectnet"
    if beside(path, PM_SETS):
        return "vidrobust"
    if beside(path, ANCHORS):
        return "ytbbrobust"
    if (path / "img_emb").is_dir():
        return "embeddings"
    if find_shards(path)[1]:
        return "captions" if _holds_captions(path) else "webdataset"
    if metadata_file(path):
        return "imagefolder"
    shards = find_parquet(path)[1]
    if shards and _has_pictures(shards[0]):
        return "parquet"
    if looks_like_folders(path):
        split = split_of(path)
        with os.scandir(path / split if split else path) as entries:
            return "letitwag" if is_letitwag([entry.name for entry in entries if entry.is_dir()]) else "folders"
    with os.scandir(path) as entries:
        tables = [entry for entry in entries if os.path.splitext(entry.name)[1].lower() in TABLES]
        return "table" if len(tables) == 1 else ""


def _holds_captions(path: Path | Remote) -> bool:
    """Whether a webdataset is for retrieval: it says so, or its first sample has captions and no label."""
    top, tars, _ = find_shards(path)
    try:
        return read_text(top / "dataset_type.txt", limit=1000).strip().lower() == "retrieval"
    except UnreadableData:
        endings = peek(tars[0])
        return "txt" in endings and not endings & {"cls", "npy"}


def _has_pictures(path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return bool(image_column(pq.read_schema(path)))
    except (OSError, pa.ArrowException):
        return False


def stamp(path: Path | Remote) -> tuple[tuple[str, int, int, int], ...]:
    """Name, size, time and inode of a path and what lies directly in it: differs when files come or go.

    What lies behind an address stays as it was listed.
    """
    if isinstance(path, Remote):
        return ()
    found = [_mark(path)]
    for folder in (path, *(path / name for name in _CONTAINERS)):
        try:
            with os.scandir(folder) as entries:
                found += sorted(
                    _mark(Path(entry.path)) for entry, _ in zip(entries, range(_MOST_STAMPED), strict=False)
                )
        except (OSError, ValueError):
            continue  # a file, or what cannot be listed: opening it says so
    return tuple(found)


def _mark(path: Path) -> tuple[str, int, int, int]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return (path.name, 0, 0, 0)
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    return (path.name, size, status.st_mtime_ns, status.st_ino)
