"""Class folders: torchvision's ``ImageFolder`` order, ImageNet-V2's integer folders, and the Let It Wag! folders."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np

from core.datasets.io.picture import SUFFIXES
from core.datasets.io.roots import problem
from core.datasets.listing import (
    Listing,
    empty_classes,
    file_ends,
    fingerprint,
    in_order,
    repeated_names,
    require_images,
)
from core.datasets.names import Names, Naming, name_classes
from core.errors import UnreadableData
from core.paths import ASSETS
from core.types import LeftOut

SPLITS = ("test", "val", "validation", "valid", "train", "training")
NAMES_FILES = ("names.json", "names.csv", "names.tsv", "names.txt", "classnames.txt")
_DEEPEST = 12
_MOST_FILES = 20_000_000
_CLASS_LIST = ASSETS / "letitwag_classes.txt"


def open_folders(
    path: Path,
    *,
    id: str = "",
    names: Names = None,
    naming: Naming = "shown",
    roots: Sequence[Path] | None = None,
) -> Listing:
    """List a tree of class folders.

    Classes are the folders, sorted (whole numbers in numeric order); pictures lie at any depth below. Of ``test``,
    ``val`` and ``train`` folders the first that exists is taken.

    Args:
        id: what the person typed; the path by default.
        names: a names file or corrections; a ``names.json|csv|tsv|txt`` or ``classnames.txt`` in the folder is used
            by itself.
        naming: ``released`` keeps the folders' names verbatim.
        roots: folders that symbolic links may lead to; None for no limit.

    Raises:
        UnreadableData: there are no class folders, or no picture in them.
    """
    left_out: list[LeftOut] = []
    split = split_of(path)
    top = path / split if split else path
    keys = in_order(_class_folders(top, left_out, roots))
    prefix = f"{split}/" if split else ""
    image_ids, sizes, labels = _list_images(top, keys, prefix, left_out, roots)
    require_images(image_ids, str(path), left_out, "A class folder tree has one folder of pictures for each class.")
    left_out += empty_classes(keys, labels)
    if names is None and naming == "shown":
        beside = (path / file for file in NAMES_FILES)
        names = next((file for file in beside if file.is_file() and not problem(file, roots)), None)
    readable, how = name_classes(keys, names, naming=naming)
    kind = "letitwag" if is_letitwag(keys) else "folders"
    what = "the Let It Wag! class folders" if kind == "letitwag" else "class folders"
    if all(key.isdecimal() for key in keys):
        what += " with whole numbers as names, in numeric order"
    note = f"Detected {what}{f' in {split}/' if split else ''}. {how} {repeated_names(readable)}".strip()
    return Listing(
        id=id or str(path),
        kind=kind,
        keys=keys,
        names=readable,
        labels=labels,
        image_ids=image_ids,
        source=lambda index: path / image_ids[index],
        fingerprint=fingerprint(image_ids, sizes, labels, keys, lambda index: file_ends(path / image_ids[index])),
        note=note,
        left_out=tuple(left_out),
    )


def split_of(path: Path) -> str:
    """The split folder to read, when all folders in here are splits; nothing otherwise."""
    folders = {entry.name for entry in _entries(path) if _is_folder(entry) and not entry.name.startswith(".")}
    if folders and folders <= set(SPLITS):
        return next(split for split in SPLITS if split in folders)
    return ""


def is_letitwag(keys: Sequence[str]) -> bool:
    """Whether these class folders are those of Let It Wag! (nine in ten of at least twenty are on its list)."""
    known = letitwag_classes()
    return len(keys) >= 20 and sum(key.replace(" ", "_") in known for key in keys) >= 0.9 * len(keys)


@cache
def letitwag_classes() -> frozenset[str]:
    """The 290 class keys of Let It Wag!, as released (``assets/letitwag_classes.txt``)."""
    return frozenset(_CLASS_LIST.read_text(encoding="utf-8").splitlines())


def looks_like_folders(path: Path) -> bool:
    """Whether some folder in here (or in its split) holds a picture, looking at the first few entries of each."""
    split = split_of(path)
    top = path / split if split else path
    for entry in _entries(top):
        if entry.name.startswith(".") or not _is_folder(entry):
            continue
        with suppress(OSError):  # one closed class does not close the set
            for _, file in zip(range(100), _entries(Path(entry.path)), strict=False):
                if os.path.splitext(file.name)[1].lower() in SUFFIXES or _is_folder(file):
                    return True
    return False


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from entries


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _class_folders(top: Path, left_out: list[LeftOut], roots: Sequence[Path] | None) -> list[str]:
    keys = []
    for entry in _entries(top):
        if entry.name.startswith(".") or not _is_folder(entry):
            continue
        if reason := _unusable(entry, roots):
            left_out.append(LeftOut(ascii(entry.name)[1:-1], reason))
        else:
            keys.append(entry.name)
    if not keys:
        raise UnreadableData(f"{top} holds no class folders. Put the pictures of each class into a folder of its own.")
    return keys


def _list_images(
    top: Path, keys: Sequence[str], prefix: str, left_out: list[LeftOut], roots: Sequence[Path] | None
) -> tuple[list[str], np.ndarray, np.ndarray]:
    image_ids: list[str] = []
    sizes: list[int] = []
    per_class = []
    others: Counter[str] = Counter()
    for key in keys:
        before = len(image_ids)
        for folder, files in sorted(_walk(top / key, key, left_out, roots)):
            for name, size in sorted(files):
                suffix = os.path.splitext(name)[1].lower()
                if suffix in SUFFIXES:
                    image_ids.append(f"{prefix}{folder}/{name}")
                    sizes.append(size)
                else:
                    others[suffix] += 1
        per_class.append(len(image_ids) - before)
        if len(image_ids) > _MOST_FILES:
            raise UnreadableData(f"{top} holds more than {_MOST_FILES:,} pictures; give a smaller folder.")
    for suffix, times in sorted(others.items()):
        item = f"{times:,} {'file' if times == 1 else 'files'} " + (f"*{suffix}" if suffix else "without an ending")
        left_out.append(LeftOut(item, "not a picture by the ending of its name"))
    labels = np.repeat(np.arange(len(keys), dtype=np.int64), per_class)
    return image_ids, np.array(sizes, np.int64), labels


def _walk(
    folder: Path, name: str, left_out: list[LeftOut], roots: Sequence[Path] | None
) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Every folder from here down, as (path below the top, its files with sizes); links that loop are cut."""
    waiting = [(os.fspath(folder), name, 1, frozenset[tuple[int, int]]())]
    while waiting:
        where, shown, depth, above = waiting.pop()
        files = []
        try:
            status = os.stat(where)
            identity = (status.st_dev, status.st_ino)
            if identity in above or depth > _DEEPEST:
                left_out.append(LeftOut(shown, "a link that leads back to itself, or too deep a folder"))
                continue
            with os.scandir(where) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    below = f"{shown}/{entry.name}"
                    if reason := _unusable(entry, roots):
                        left_out.append(LeftOut(ascii(below)[1:-1], reason))
                    elif entry.is_dir():
                        waiting.append((entry.path, below, depth + 1, above | {identity}))
                    else:
                        status = entry.stat()
                        if stat.S_ISREG(status.st_mode):
                            files.append((entry.name, status.st_size))
                        else:
                            left_out.append(LeftOut(below, "not a regular file"))
        except OSError as error:
            left_out.append(LeftOut(shown, f"the folder cannot be read ({(error.strerror or str(error)).lower()})"))
        yield shown, files


def _unusable(entry: os.DirEntry[str], roots: Sequence[Path] | None) -> str:
    """Why an entry cannot be used, or nothing."""
    if not entry.name.isascii() and not _is_utf8(entry.name):
        return "its name is not UTF-8"
    if entry.is_symlink():
        return problem(entry.path, roots) if os.path.exists(entry.path) else "a link to nothing"
    return ""


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
