"""Telling from a path, and a look at a few entries, how an image set is laid out."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from core.datasets.beside import MORE_TABLES, find_beside
from core.datasets.choices import FOLDER, NOTHING, Choices
from core.datasets.conventions import SPLITS
from core.datasets.formats.columns import TABLES
from core.datasets.formats.folders import is_letitwag
from core.datasets.formats.imagefolder import metadata_files
from core.datasets.formats.objectnet import FOLDERS as OBJECTNET
from core.datasets.formats.objectnet import MAPPINGS
from core.datasets.formats.parquet import find_parquet, image_column
from core.datasets.imagenet_val import flat_folder, has_truth
from core.datasets.io.picture import read_text
from core.datasets.io.remote import Remote
from core.datasets.io.roots import problem
from core.datasets.io.tars import find_shards, peek
from core.datasets.levels import Level, find_level, folders_of, has_direct_pictures, in_doubt, same_split
from core.datasets.listing import file_ends
from core.datasets.sniff import COMPRESSED, what_is
from core.errors import UnreadableData
from core.opening import regular

_MOST_STAMPED = 20_000
_DEEPEST = 4
_FEW = 8
_ARCHIVES = (".gz", ".tgz", ".zip", ".zst", ".bz2", ".xz", ".7z", ".rar")
_CONTAINERS = (*SPLITS, "data", "default", "img_emb", "metadata", MAPPINGS, "images")


def find_layout(
    path: Path | Remote, choices: Choices = NOTHING, *, roots: Sequence[Path] | None = None
) -> tuple[str, Path | Remote]:
    """Kind of the image set at an existing path, and the folder that holds it: itself, or one that it only wraps.

    Raises:
        UnreadableData: nothing here is a layout that Tailscope reads.
    """
    if isinstance(path, Remote):
        return _behind_address(path), path
    if path == Path(path.anchor):
        raise UnreadableData(f"{path} is the root of the file system; give the folder of one image set.")
    if not path.is_dir():
        kind = _of_file(regular(path))
    else:
        kind = _of_folder(path, choices, roots)
        if kind in ("", "folders") and (inner := _wrapped(path, choices, roots)):
            return inner
    if not kind:
        raise UnreadableData(
            f"{path} is no image set that Tailscope knows{_what(path, roots)}. Give a folder of class folders, a "
            "webdataset folder, a table with a path and a class column, a Hugging Face image folder or parquet files, "
            "or clip-retrieval embeddings."
        )
    return kind, path


def _wrapped(path: Path, choices: Choices, roots: Sequence[Path] | None) -> tuple[str, Path] | None:
    """The set in the only folder of a folder, where it is laid out in another way than by class folders."""
    place = path
    for _ in range(_DEEPEST):
        names = folders_of(place)
        if len(names) != 1 or problem(place / names[0], roots) or has_direct_pictures(place):
            return None
        place = place / names[0]
        kind = _of_folder(place, choices, roots)
        if kind not in ("", "folders", "letitwag"):
            return kind, place
    return None


def _what(path: Path, roots: Sequence[Path] | None) -> str:
    """What is there instead, where that is plain."""
    if path.is_file():
        found = what_is(file_ends(path))
        return f": it is a {found}; unpack it first" if found in COMPRESSED else f": it is a {found}" if found else ""
    if packed := _archives(path):
        return f": it holds archives ({', '.join(packed[:3])}); unpack them first"
    if told := find_beside(path, roots=roots).told:
        return f". {told.rstrip('.')}"
    if has_direct_pictures(path):
        return ": its pictures lie in no class folders, and no table beside them says their classes"
    return ""


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
    return "table" if suffix in (*TABLES, *MORE_TABLES) else ""


def _of_folder(path: Path, choices: Choices, roots: Sequence[Path] | None) -> str:
    if (path / MAPPINGS / OBJECTNET).is_file():
        return "objectnet"
    if (path / "img_emb").is_dir():
        return "embeddings"
    if find_shards(path)[1]:
        return "captions" if _holds_captions(path) else "webdataset"
    if metadata_files(path):
        return "imagefolder"
    shards = find_parquet(path)
    if shards and _has_pictures(shards[0]):
        return "parquet"
    return _of_pictures(path, choices, roots)


def _of_pictures(path: Path, choices: Choices, roots: Sequence[Path] | None) -> str:
    """How a folder of pictures says their classes: by folders, by a table, or by ImageNet's own lists."""
    flat = flat_folder(path) if not choices.split or same_split(choices.split, "val") else None
    if flat is not None and has_truth(path, flat):
        return "imagenetval"
    by_column = choices.path_column or choices.label_column not in ("", FOLDER)
    level = find_level(path, choices)
    doubtful = in_doubt(level.classes) and not choices.label_column
    if doubtful and find_beside(path, choices, roots=roots).chosen:
        return "table"
    if level.usable and not by_column:
        return "letitwag" if _letitwag(path, level) else "folders"
    if by_column or find_beside(path, choices, roots=roots).chosen:
        return "table"
    if flat is not None:
        return "imagenetval"
    if level.classes or (folders_of(path) and not _tables(path) and not _archives(path)):
        return "folders"
    return "table" if len(_tables(path)) == 1 else ""


def _archives(path: Path) -> list[str]:
    """Archives in a folder or in its folders, as paths below it."""
    found = []
    for folder in (path, *(path / name for name in folders_of(path)[:20])):
        with os.scandir(folder) as entries:
            found += [
                Path(entry.path).relative_to(path).as_posix() for entry in entries if entry.name.endswith(_ARCHIVES)
            ]
    return sorted(found)


def _letitwag(path: Path, level: Level) -> bool:
    return is_letitwag(folders_of(path / level.below if level.below else path))


def _tables(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        return [entry.name for entry in entries if os.path.splitext(entry.name)[1].lower() in TABLES]


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
    for folder in (path, *(path / name for name in dict.fromkeys((*_CONTAINERS, *_few_folders(path))))):
        try:
            with os.scandir(folder) as entries:
                found += sorted(
                    _mark(Path(entry.path)) for entry, _ in zip(entries, range(_MOST_STAMPED), strict=False)
                )
        except (OSError, ValueError):
            continue  # a file, or what cannot be listed: opening it says so
    return tuple(found)


def _few_folders(path: Path) -> list[str]:
    """The folders of a folder that holds few of them: splits and wrappers."""
    try:
        names = folders_of(path)
    except OSError:
        return []
    return names if len(names) <= _FEW else []


def _mark(path: Path) -> tuple[str, int, int, int]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return (path.name, 0, 0, 0)
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    return (path.name, size, status.st_mtime_ns, status.st_ino)
