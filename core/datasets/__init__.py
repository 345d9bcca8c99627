"""Labelled image sets: one module for each on-disk layout, one way to open them all.

Sets are read-only: nothing is ever written beside a person's data. What cannot be used is listed in ``left_out``.
"""

from __future__ import annotations

import difflib
import os
import re
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from cache import keys as cache_keys
from core.datasets.choices import FOLDER, NOTHING, Choices, choices_in, parse_choices, split_option, with_choices
from core.datasets.format import Opening
from core.datasets.formats.icon_recipes import RECIPES
from core.datasets.formats.icons import open_icons
from core.datasets.io.addresses import is_url
from core.datasets.io.remote import Remote, open_address
from core.datasets.io.roots import inside, resolve
from core.datasets.layout import find_layout, stamp
from core.datasets.names import Names, Naming
from core.datasets.registry import OPENERS, claimed, layouts
from core.datasets.subset import over
from core.errors import BadInput, ImagesMissing, TailscopeError, UnknownName, UnreadableData
from core.types import ImageSet

__all__ = [
    "Choices",
    "SetInfo",
    "choices_in",
    "layouts",
    "list_sets",
    "no_set",
    "open_set",
    "split_option",
    "with_choices",
]

_BY_COLUMN = ("table", "imagefolder", "parquet", "embeddings")
_BY_SPLIT = ("folders", "letitwag", "webdataset", "captions", "imagenetval", "table", "imagefolder", "parquet")
_FETCHABLE = re.compile(r"letitwag|wds[_/][A-Za-z0-9][A-Za-z0-9_./-]*")
_KEPT = 8
_opened: OrderedDict[Hashable, tuple[Hashable, ImageSet]] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True, slots=True)
class SetInfo:
    """One image set that can be opened by id.

    ``available``: its images are on this disk. ``n_images`` and ``n_classes`` are None while unknown.
    """

    id: str
    kind: str
    available: bool
    n_images: int | None
    n_classes: int | None
    title: str
    note: str


def open_set(
    id: str | os.PathLike[str],
    *,
    names: Names = None,
    naming: Naming = "shown",
    roots: Sequence[Path] | None = None,
    fresh: bool = False,
    captions: bool = False,
) -> ImageSet:
    """Open an image set by built-in id, id of a fetched set, path or address; its layout is detected.

    The last few sets are kept and listed again when a folder or container in them changes;
    what lies behind an address (``s3://bucket/set``; webdatasets only) is listed once in a process.

    Args:
        names: a names file, or corrections as class key -> name.
        naming: ``shown`` for readable names, ``released`` for the class keys verbatim.
        roots: folders that a path and its links must stay in (``roots.allowed_roots``); None on the command line.
        fresh: list again even if nothing seems changed.
        captions: pictures with captions and no classes are welcome too (retrieval, embedding).

    Raises:
        BadInput: the set has captions and no classes, or a column or split that was asked for is not there.
        UnknownName: no set and no folder is called this.
        ImagesMissing: the set is known but not fetched.
        PathRefused: the path leads outside ``roots``, or it is an address although there are roots.
        DownloadFailed: what lies behind an address is not delivered.
        UnreadableData: there is something, but no image set.
    """
    id = os.fspath(id)
    base, option = split_option(id)
    if option.startswith("over="):
        return _over(base, option, id=id, names=names, naming=naming, roots=roots, fresh=fresh)
    border = int(option.removeprefix("border=")) if option.startswith("border=") else None
    choices = NOTHING if border is not None else parse_choices(option)
    naming = "released" if choices.names == "released" else naming
    if base in RECIPES and border is None:
        if choices.label_column or choices.path_column or choices.split:
            raise BadInput(f"{base} is built in: it has no columns and no splits to choose.")
        return open_icons(base, names=names, naming=naming)
    path, within = _locate(base, roots, fresh=fresh)
    if roots is not None and isinstance(names, str | os.PathLike):
        names = inside(names, roots)
    key = (id, str(path), _hashable(names), naming, within)
    now = None if fresh else stamp(path)
    with _lock:
        if now is not None and key in _opened and _opened[key][0] == now:
            _opened.move_to_end(key)
            return _with_classes(_opened[key][1], captions)
    how = Opening(id=id, names=names, naming=naming, roots=within, choices=choices, border=border)
    found: Any
    try:
        own = claimed(path) if isinstance(path, Path) else None
        kind, place = (own.kind, path) if own is not None else find_layout(path, choices, roots=within)
        _check_choices(kind, how)
        if own is not None:
            found = own.open(place, id=id, names=names, naming=naming, roots=within)
        else:
            found = OPENERS[kind](place, how)
    except OSError as error:
        raise UnreadableData(f"{id} cannot be read: {(error.strerror or str(error)).lower()}.") from error
    if isinstance(place, Path) and isinstance(path, Path) and place != path:
        found = replace(found, note=f"{found.note} It lies in {place.relative_to(path).as_posix()}/.")
    with _lock:
        _opened[key] = (stamp(path), found)
        _opened.move_to_end(key)
        while len(_opened) > _KEPT:
            _opened.popitem(last=False)
    return _with_classes(found, captions)


def _with_classes(found: ImageSet, captions: bool) -> ImageSet:
    if found.kind == "captions" and not captions:
        raise BadInput(
            f"{found.id} has captions and no classes: it is for retrieval (the Frequency page, or python -m core "
            "evaluate MODEL SET --task retrieval), and nothing that needs classes can be computed on it."
        )
    return found


def _over(base: str, option: str, *, id: str, roots: Sequence[Path] | None, **how: Any) -> ImageSet:
    target = option.removeprefix("over=")
    other = target if target in ("imagenet", "mapped") else open_set(target, roots=roots)
    return over(open_set(base, roots=roots, **how), other, id=id)


def _check_choices(kind: str, how: Opening) -> None:
    """BadInput for choices that a set of this kind does not have."""
    choices = how.choices
    by_folder = choices.label_column == FOLDER and kind in ("folders", "letitwag")
    if (choices.path_column or (choices.label_column and not by_folder)) and kind not in _BY_COLUMN:
        raise BadInput(f"A set of the kind {kind} has no columns to choose (--label-column, --path-column).")
    if choices.split and kind not in _BY_SPLIT:
        raise BadInput(f"A set of the kind {kind} has no splits to choose (--split).")
    if how.border is not None and kind != "objectnet":
        raise BadInput(
            f"Only ObjectNet has a border to cut off (#border={how.border}); this set is of the kind {kind}."
        )


def list_sets() -> list[SetInfo]:
    """Built-in sets, those that were fetched, and Let It Wag! even before it is fetched."""
    listed = []
    for id, recipe in RECIPES.items():
        opened = open_set(id)
        n_images, n_classes = len(opened.labels), len(opened.keys)
        listed.append(SetInfo(id, opened.kind, True, n_images, n_classes, recipe.title, opened.note))
    fetched = sorted(entry.name for entry in _fetched_root().glob("*") if _is_set(entry))
    for id in fetched:
        title = "Let It Wag!" if id == "letitwag" else id
        try:
            opened = open_set(id, captions=True)
        except TailscopeError as error:
            listed.append(SetInfo(id, "unknown", False, None, None, title, str(error)))
        else:
            n_images, n_classes = len(opened.labels), len(opened.keys)
            listed.append(SetInfo(id, opened.kind, True, n_images, n_classes, title, opened.note))
    if "letitwag" not in fetched:
        listed.append(SetInfo("letitwag", "letitwag", False, None, 290, "Let It Wag!", str(_missing("letitwag"))))
    return listed


def _fetched_root() -> Path:
    return cache_keys.root() / "sets"


def _is_set(entry: Path) -> bool:
    return entry.is_dir() and not entry.name.startswith(".") and not entry.name.endswith(".part")


def _locate(
    id: str, roots: Sequence[Path] | None, *, fresh: bool = False
) -> tuple[Path | Remote, tuple[Path, ...] | None]:
    """Where the set is, and the folders it is confined to (a fetched set to its own)."""
    if roots is None and is_url(id):
        return open_address(id, fresh=fresh), None
    if _FETCHABLE.fullmatch(id) and ".." not in id:
        folder = _fetched_root() / (id if id == "letitwag" else "wds_" + id[4:].replace("/", "-"))
        if folder.is_dir():
            return folder, (folder.resolve(),)
        if not os.path.exists(id):
            raise _missing(id)
    path = resolve(id) if roots is None else inside(id, roots)
    if not os.path.exists(path):
        raise UnknownName(_unknown(id))
    return path, None if roots is None else tuple(roots)


def no_set(id: str) -> TailscopeError:
    """What is wrong with a word that names no set on this disk: not fetched, or unknown; looks at no path."""
    return _missing(id) if _FETCHABLE.fullmatch(id) else UnknownName(_unknown(id))


def _missing(id: str) -> ImagesMissing:
    return ImagesMissing(f"The images of {id} are not on this disk. Fetch them with: python -m core fetch set {id}")


def _unknown(id: str) -> str:
    known = [*RECIPES, "letitwag"]
    near = difflib.get_close_matches(id, known, n=1)
    fetched = "letitwag and wds_NAME, such as wds_cifar10, can be fetched"
    hint = f"Did you mean {near[0]}?" if near else f"Built-in sets are {', '.join(known[:-1])}; {fetched}."
    return f"There is no image set, folder or file {ascii(id[:200])[1:-1]}. {hint}"


def _hashable(names: Names) -> Hashable:
    if isinstance(names, Mapping):
        return tuple(sorted(names.items()))
    return None if names is None else (os.fspath(names), stamp(Path(names)))
