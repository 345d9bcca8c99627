"""Which level of a tree of folders holds the classes: splits, wrappers and what only contains pictures are told apart.

torchvision takes the folders of the top level, whatever they are called, and then “images” or “train” is a class.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from core.datasets.choices import FOLDER, NOTHING, Choices
from core.datasets.conventions import SUFFIXES
from core.errors import BadInput

JUNK = frozenset(
    {"__macosx", "@eadir", "$recycle.bin", "lost+found", ".ipynb_checkpoints", ".ds_store", "#recycle", "@recycle"}
    | {"system volume information", ".trashes", ".spotlight-v100", ".fseventsd", "__pycache__", "thumbs.db"}
    | {"desktop.ini"}
)
"""What operating systems, storage boxes and notebooks leave among other people's files, in lower case."""

JUNK_REASON = "left there by an operating system or a tool; not part of the set"

_ORDER = ("test", "val", "train")
_SPLIT_WORDS = {
    **dict.fromkeys(("test", "testing", "testset", "tst"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "valset", "dev"), "val"),
    **dict.fromkeys(("train", "training", "trainset", "trn"), "train"),
}
_CONTAINERS = frozenset(_SPLIT_WORDS) | frozenset(
    (
        *("image", "images", "img", "imgs", "picture", "pictures", "pic", "pics", "photo", "photos", "jpg", "jpgs"),
        *("jpeg", "jpegs", "jpegimages", "png", "pngs", "webp", "data", "dataset", "datasets", "file", "files", "raw"),
        *("input", "inputs", "all", "default", "root", "content", "contents", "upload", "uploads", "download"),
        *("downloads", "folder", "folders", "dir", "part", "parts", "shard", "shards", "chunk", "chunks", "batch"),
        *("batches", "fold", "folds", "split", "splits", "set", "eval", "evaluation", "holdout", "unlabeled"),
        *("unlabelled", "annotation", "annotations", "label", "labels", "meta", "metadata", "mask", "masks", "bbox"),
        *("bboxes", "xml", "xmls", "json", "csv", "list", "lists", "imagesets", "devkit", "doc", "docs", "original"),
        *("originals", "resized", "cropped", "crops", "thumbs", "thumbnails", "query", "gallery", "source"),
        *("extracted", "unzipped", "archive", "seg", "pred", "public", "private"),
    )
)
_PADDED = re.compile(r"0[0-9]{4,}")
_FEW = 60
_LOOKED_AT = 300
_DEEPEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Where the class folders lie.

    Attributes:
        below: path from the set to that level, without a slash at its end; empty for the set itself.
        split: folder of the split, as it is called; splits: all that were seen.
        passed: sentences on what was passed over, in order.
        classes: names of folders with pictures in them, as far as was looked; container: why they are no classes.
    """

    below: str = ""
    split: str = ""
    splits: Sequence[str] = ()
    passed: Sequence[str] = ()
    classes: Sequence[str] = ()
    container: str = ""

    @property
    def usable(self) -> bool:
        """Whether there is a level whose folders can be classes."""
        return bool(self.classes) and not self.container


def is_junk(name: str) -> bool:
    """Whether this is a folder or file that a system left, never a class."""
    return name.casefold() in JUNK


def split_name(name: str) -> str:
    """``test``, ``val`` or ``train`` for a folder or file that is called like a split; else empty."""
    words = _words(name)
    found = {_SPLIT_WORDS[word] for word in words if word in _SPLIT_WORDS}
    if len(found) != 1:
        return ""
    ends = {word for word in (words[:1] + words[-1:]) if word in _SPLIT_WORDS}
    return found.pop() if ends or all(word in _CONTAINERS for word in words) else ""


def split_rank(split: str) -> int:
    """Place in the order of preference, test first; what is no split comes last."""
    return _ORDER.index(split) if split in _ORDER else len(_ORDER)


def in_split_order(names: Iterable[str]) -> list[str]:
    """The names that are splits, the preferred first."""
    return sorted((name for name in names if split_name(name)), key=lambda one: (split_rank(split_name(one)), one))


def same_split(asked: str, name: str) -> bool:
    """Whether a folder, file or value is the split that was asked for: by its name, or as ``valid`` is ``val``."""
    if asked.casefold() == name.casefold():
        return True
    return bool(split_name(asked)) and split_name(asked) == split_name(name)


def is_container(name: str) -> bool:
    """Whether a folder is called like something that only holds pictures: ``images``, ``Training``, ``00000``."""
    words = _words(name)
    return bool(_PADDED.fullmatch(name)) or (bool(words) and all(word in _CONTAINERS for word in words))


def containers(keys: Sequence[str]) -> list[str]:
    """The class keys that are called like containers, when they are more than half of all; else none.

    ``HAM_part_1`` and ``HAM_part_2``, which differ by a number only, are such too.
    """
    alike = [key for key in keys if is_container(key)]
    if len(alike) * 2 > len(keys):
        return alike
    if len(keys) > 1 and len({" ".join(_words(key)) for key in keys}) == 1 and _holds_container(keys[0]):
        return list(keys)
    return []


def in_doubt(keys: Sequence[str]) -> bool:
    """Whether a table beside these folders says the classes better: there is one, or they are like ``ISIC_Input``."""
    return len(keys) == 1 or sum(map(_holds_container, keys)) * 2 > len(keys)


def _holds_container(key: str) -> bool:
    return any(word in _CONTAINERS for word in _words(key))


def find_level(path: Path, choices: Choices = NOTHING) -> Level:
    """The level of a tree whose folders are the classes.

    Of splits (``Training`` beside ``Testing``, ``train2017``, ``seg_test``) the first of test, val and train that has
    class folders is taken; a lone folder that holds nothing but folders is a wrapper and is looked into.

    Raises:
        BadInput: a split was asked for that is not there.
    """
    return _level(path, "", choices, depth=0)


def folders_of(path: Path) -> list[str]:
    """Names of the folders in here that are neither hidden nor junk, sorted."""
    return sorted(
        entry.name
        for entry in entries_of(path)
        if not entry.name.startswith(".") and not is_junk(entry.name) and is_folder(entry)
    )


def holds_pictures(folder: Path, *, depth: int = _DEEPEST) -> bool:
    """Whether a picture lies in here or below, looking at the first few hundred entries of each folder."""
    below: list[Path] = []
    try:
        for entry in islice(entries_of(folder), _LOOKED_AT):
            if entry.name.startswith(".") or is_junk(entry.name):
                continue
            if os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                return True
            if depth and is_folder(entry):
                below.append(Path(entry.path))
    except OSError:  # one closed folder does not close the set
        return False
    return any(holds_pictures(one, depth=depth - 1) for one in below[:_FEW])


def has_direct_pictures(folder: Path) -> bool:
    """Whether a picture lies directly in here."""
    return holds_pictures(folder, depth=0)


def _level(path: Path, below: str, choices: Choices, *, depth: int) -> Level:
    here = path / below if below else path
    names = folders_of(here)
    if len(names) > _FEW:
        return Level(below=below, classes=names, container=_why(names, here, choices))
    full = [name for name in names if holds_pictures(here / name)]
    splits, others = _splits(here, names, full)
    if choices.split and (seen := splits or _alike(names, choices.split)):
        return _chosen_split(path, below, choices, seen, depth=depth)
    if splits:
        passed: list[str] = []
        for name in splits:
            level = _level(path, _join(below, name), choices, depth=depth + 1)
            if level.usable and (len(level.classes) > 1 or _by_folder(choices)):
                beside = [f"{_join(below, other)}/ lies beside the splits and is not read" for other in others]
                return replace(level, split=name, splits=splits, passed=(*passed, *beside, *level.passed))
            passed.append(f"{_join(below, name)}/ has no class folders and was passed over")
        if not _by_folder(choices):
            return Level(below=below, classes=full, splits=splits, passed=passed, container=_why(full, here, choices))
    if len(full) == 1 and depth < _DEEPEST and not has_direct_pictures(here / full[0]):
        inner = _level(path, _join(below, full[0]), choices, depth=depth + 1)
        if inner.classes and not (len(inner.classes) == 1 and is_container(inner.classes[0]) and _by_folder(choices)):
            return replace(inner, passed=(f"{_join(below, full[0])}/ only wraps them", *inner.passed))
    if not full:
        return Level(below=below, classes=())
    return Level(below=below, classes=full, container=_why(full, here, choices))


def _splits(here: Path, names: Sequence[str], full: Sequence[str]) -> tuple[list[str], list[str]]:
    """The folders that are splits, best first, and other folders with pictures beside them.

    None are splits when there are other folders with pictures, unless a split has class folders itself: the classes
    “train” and “bus” hold pictures.
    """
    named = {name: split_name(name) for name in names if split_name(name)}
    rest = [name for name in full if name not in named and not is_container(name)]
    if not named or (rest and not any(_holds_classes(here / name) for name in named if is_container(name))):
        return [], []
    # “bullet train” and “steam train” are two classes, not one split twice.
    if len(named) > 1 and len(set(named.values())) == 1 and not all(map(is_container, named)):
        return [], []
    if len(named) == 1 and not all(map(is_container, named)):
        return [], []
    return in_split_order(named), rest


def _holds_classes(folder: Path) -> bool:
    """Whether at least two folders of pictures and no picture lie directly in here."""
    try:
        names = folders_of(folder)
    except OSError:
        return False
    if has_direct_pictures(folder):
        return False
    return sum(holds_pictures(folder / name) for name in names[:_FEW]) > 1


def _chosen_split(path: Path, below: str, choices: Choices, splits: Sequence[str], *, depth: int) -> Level:
    found = [name for name in splits if name == choices.split] or _alike(splits, choices.split)
    if not found:
        raise BadInput(f"{path} has no split {choices.split!r}; its splits are {', '.join(splits)}.")
    level = _level(path, _join(below, found[0]), replace(choices, split=""), depth=depth + 1)
    return replace(level, split=found[0], splits=splits)


def _alike(names: Sequence[str], split: str) -> list[str]:
    return [name for name in names if same_split(split, name)]


def _why(classes: Sequence[str], here: Path, choices: Choices) -> str:
    """Why these folders are no classes; empty when they may be."""
    if _by_folder(choices) or not classes:
        return ""
    if all(re.fullmatch("[A-Za-z]", name) for name in classes) and all(_holds_classes(here / n) for n in classes[:3]):
        return f"“{classes[0]}” is a letter under which class folders lie, not a class"
    if alike := containers(classes):
        shown = ", ".join(f"“{name}”" for name in alike[:3])
        captions = _captions_beside(here, alike)
        return f"{shown} {'is' if len(alike) == 1 else 'are'} called like {captions or 'a container'}, not like a class"
    return ""


def _captions_beside(here: Path, folders: Iterable[str]) -> str:
    """img2dataset's own words for its output, where a text or JSON file lies beside every picture."""
    for name in islice(folders, 3):
        with_text, seen = set(), set()
        with suppress(OSError):
            for entry in islice(entries_of(here / name), _LOOKED_AT):
                stem, suffix = os.path.splitext(entry.name)
                if suffix.lower() in SUFFIXES:
                    seen.add(stem)
                elif suffix in (".txt", ".json"):
                    with_text.add(stem)
        if seen and seen <= with_text:
            return "the shards of img2dataset's “files” output (pictures with captions and no classes)"
    return ""


def _by_folder(choices: Choices) -> bool:
    return choices.label_column == FOLDER


def _join(below: str, name: str) -> str:
    return f"{below}/{name}" if below else name


def _words(name: str) -> list[str]:
    """Lower-case words of a name; digits at the end of a word are dropped, ``trainImages`` is two words."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.split(r"[\s_.,\-]+", apart.casefold())
    return [word for word in (re.sub(r"[0-9]+$", "", word) for word in words) if word]


def entries_of(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder, in the order of the file system; OSError where it cannot be read."""
    with os.scandir(folder) as entries:
        yield from entries


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder; False where that cannot be asked."""
    try:
        return entry.is_dir()
    except OSError:
        return False
