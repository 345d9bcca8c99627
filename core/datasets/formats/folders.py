"""Class folders: torchvision's ``ImageFolder`` order, ImageNet-V2's integer folders, and the Let It Wag! folders."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from core.datasets.beside import find_beside
from core.datasets.conventions import SUFFIXES
from core.datasets.format import Opening
from core.datasets.io.roots import problem
from core.datasets.levels import (
    JUNK_REASON,
    Level,
    entries_of,
    find_level,
    folders_of,
    has_direct_pictures,
    holds_pictures,
    is_container,
    is_folder,
    is_junk,
)
from core.datasets.listing import Listing, file_ends, fingerprint, in_order, make_listing, require_images
from core.datasets.names import NAMES_FILES
from core.errors import BadInput, UnreadableData
from core.paths import ASSETS
from core.text.lines import lines_of
from core.text.spelling import fold
from core.types import LeftOut

_DEEPEST = 12
_MOST_FILES = 20_000_000
_CLASS_LIST = ASSETS / "letitwag_classes.txt"


def open_folders(path: Path, how: Opening) -> Listing:
    """List a tree of class folders.

    Classes are the folders, sorted (whole numbers in numeric order); pictures lie at any depth below. Splits and
    wrapper folders above the classes are looked through (``core.datasets.levels``). A ``names.json|csv|tsv|txt`` or
    ``classnames.txt`` in the folder is used by itself; ``label_column="folder"`` takes folders that are called like
    containers for classes.

    Raises:
        UnreadableData: there are no class folders, or no picture in them.
        BadInput: the split that was asked for is not there.
    """
    left_out: list[LeftOut] = []
    roots, choices = how.roots, how.choices
    level = find_level(path, choices)
    if choices.split and not level.split:
        raise BadInput(f"{path} has no folders of splits, so there is no split {choices.split!r}.")
    if level.container:
        raise UnreadableData(_no_classes(path, level, find_beside(path, choices, roots=roots).told))
    top = path / level.below if level.below else path
    keys = in_order(_class_folders(top, left_out, roots))
    prefix = f"{level.below}/" if level.below else ""
    image_ids, sizes, labels = _list_images(top, keys, prefix, left_out, roots)
    require_images(image_ids, str(path), left_out, "A class folder tree has one folder of pictures for each class.")
    if how.names is None and how.naming == "shown":
        beside = (folder / file for folder in dict.fromkeys((path, top)) for file in NAMES_FILES)
        how = replace(how, names=next((file for file in beside if file.is_file() and not problem(file, roots)), None))
    kind = "letitwag" if is_letitwag(keys) else "folders"
    what = "the Let It Wag! class folders" if kind == "letitwag" else "class folders"
    if all(key.isdecimal() for key in keys):
        what += " with whole numbers as names, in numeric order"
    others = [split for split in level.splits if split != level.split]
    note = [
        f"Detected {what}{f' in {prefix}' if prefix else ''}.",
        *(f"{sentence}." for sentence in level.passed),
        f"Other splits: {', '.join(others)} (--split)." if others else "",
        _alike(keys),
        _deeper(top, keys),
    ]
    return make_listing(
        Listing,
        how,
        kind=kind,
        keys=keys,
        labels=labels,
        image_ids=image_ids,
        source=lambda index: path / image_ids[index],
        fingerprint=fingerprint(image_ids, sizes, labels, keys, lambda index: file_ends(path / image_ids[index])),
        note=note,
        left_out=left_out,
    )


def _no_classes(path: Path, level: Level, hint: str) -> str:
    """Why a tree is not read as class folders, and what to do."""
    passed = f" {'. '.join(level.passed)}." if level.passed else ""
    split = f", choose a split with --split ({', '.join(level.splits)})" if level.splits else ""
    return (
        f"{path} has no class folders: {level.container}.{passed}{f' {hint}' if hint else ''} Give the folder that "
        f"holds the class folders or the table with the classes{split}; --label-column folder takes them for classes."
    )


def _deeper(top: Path, keys: Sequence[str]) -> str:
    """A sentence on classes that hold several folders of pictures each: those may be the classes."""
    try:
        below = [folders_of(top / key) for key in keys[:3]]
    except OSError:  # a class that cannot be read is listed already
        return ""
    if not all(len(names) > 1 for names in below) or any(has_direct_pictures(top / key) for key in keys[:3]):
        return ""
    return f"“{keys[0]}” holds folders (“{below[0][0]}”, “{below[0][1]}” ...) that are not told apart."


def _alike(keys: Sequence[str]) -> str:
    """A sentence on folders that differ only by case or blanks."""
    spelled: dict[str, list[str]] = {}
    for key in keys:
        spelled.setdefault(fold(key), []).append(key)
    several = [" and ".join(f"“{key}”" for key in alike) for alike in spelled.values() if len(alike) > 1]
    if not several:
        return ""
    more = f" (and {len(several) - 2:,} more)" if len(several) > 2 else ""
    return f"{'; '.join(several[:2])}{more} differ only by case or blanks and stay classes of their own."


def is_letitwag(keys: Sequence[str]) -> bool:
    """Whether these class folders are those of Let It Wag! (nine in ten of at least twenty are on its list)."""
    known = letitwag_classes()
    return len(keys) >= 20 and sum(key.replace(" ", "_") in known for key in keys) >= 0.9 * len(keys)


@cache
def letitwag_classes() -> frozenset[str]:
    """The 290 class keys of Let It Wag!, as released (``assets/letitwag_classes.txt``)."""
    return frozenset(lines_of(_CLASS_LIST.read_text(encoding="utf-8")))


def _class_folders(top: Path, left_out: list[LeftOut], roots: Sequence[Path] | None) -> list[str]:
    keys, empty = [], []
    for entry in entries_of(top):
        if is_junk(entry.name):
            left_out.append(LeftOut(entry.name, JUNK_REASON, images=0))
        elif entry.name.startswith(".") or not is_folder(entry):
            continue
        elif reason := _unusable(entry, roots):
            left_out.append(LeftOut(ascii(entry.name)[1:-1], reason, images=0))
        elif is_container(entry.name) and not holds_pictures(Path(entry.path)):
            empty.append(entry.name)
        else:
            keys.append(entry.name)
    if keys:
        reason = "called like a container, and no picture is in it"
        left_out += [LeftOut(f"{name}/", reason, images=0) for name in sorted(empty)]
    else:
        keys = empty
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
        left_out.append(LeftOut(item, "not a picture by the ending of its name", images=0))
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
                left_out.append(LeftOut(shown, "a link that leads back to itself, or too deep a folder", images=0))
                continue
            with os.scandir(where) as entries:
                for entry in entries:
                    below = f"{shown}/{entry.name}"
                    if is_junk(entry.name):
                        left_out.append(LeftOut(below, JUNK_REASON, images=0))
                    elif entry.name.startswith("."):
                        continue
                    elif reason := _unusable(entry, roots):
                        picture = os.path.splitext(entry.name)[1].lower() in SUFFIXES
                        left_out.append(LeftOut(ascii(below)[1:-1], reason, images=int(picture)))
                    elif entry.is_dir():
                        waiting.append((entry.path, below, depth + 1, above | {identity}))
                    else:
                        status = entry.stat()
                        if stat.S_ISREG(status.st_mode):
                            files.append((entry.name, status.st_size))
                        else:
                            left_out.append(LeftOut(below, "not a regular file"))
        except OSError as error:
            reason = f"the folder cannot be read ({(error.strerror or str(error)).lower()})"
            left_out.append(LeftOut(shown, reason, images=0))
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
