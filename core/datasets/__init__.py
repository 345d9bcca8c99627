"""Labelled image sets: one module for each on-disk layout, one way to open them all.

Sets are read-only: nothing is ever written beside a person's data. What cannot be used is listed in ``left_out``.
"""

from __future__ import annotations

import difflib
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

from cache import keys as cache_keys
from core.datasets.choices import FOLDER, NOTHING, Choices, choices_in, parse_choices, split_option, with_choices
from core.datasets.format import claimed, kinds
from core.datasets.io.addresses import is_url
from core.datasets.io.remote import Remote, open_address
from core.datasets.io.roots import inside, resolve
from core.datasets.layout import detect_layout, find_layout, stamp
from core.datasets.names import Names, Naming
from core.errors import BadInput, ImagesMissing, TailscopeError, UnknownName, UnreadableData
from core.types import ImageSet

__all__ = [
    "Choices",
    "SetInfo",
    "choices_in",
    "detect",
    "layouts",
    "list_sets",
    "no_set",
    "open_set",
    "split_option",
    "with_choices",
]

_OPENERS = {
    "folders": ("core.datasets.formats.folders", "open_folders"),
    "letitwag": ("core.datasets.formats.folders", "open_folders"),
    "webdataset": ("core.datasets.formats.webdataset", "open_webdataset"),
    "captions": ("core.datasets.formats.captions", "open_captions"),
    "table": ("core.datasets.beside", "open_tables"),
    "imagenetval": ("core.datasets.imagenet_val", "open_imagenet_val"),
    "imagefolder": ("core.datasets.formats.imagefolder", "open_imagefolder"),
    "parquet": ("core.datasets.formats.parquet", "open_parquet"),
    "embeddings": ("core.datasets.formats.embeddings", "open_embeddings"),
    "objectnet": ("core.datasets.formats.objectnet", "open_objectnet"),
}
_BY_COLUMN = ("table", "imagefolder", "parquet", "embeddings")
_BY_SPLIT = ("folders", "letitwag", "webdataset", "captions", "imagenetval", "table", "imagefolder", "parquet")
_FETCHABLE = re.compile(r"letitwag|wds[_/][A-Za-z0-9][A-Za-z0-9_./-]*")
_KEPT = 8
_opened: OrderedDict[Any, tuple[Any, ImageSet]] = OrderedDict()
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
    if id in _icons().RECIPES:
        return _icons().open_icons(id, names=names, naming=naming)
    base, option = split_option(id)
    if option.startswith("over="):
        return _over(base, option, id=id, names=names, naming=naming, roots=roots, fresh=fresh)
    choices = NOTHING if option.startswith("border=") else parse_choices(option)
    if choices and base in _icons().RECIPES:
        return _icon_set(base, choices, id=id, names=names, naming=naming)
    path, within = _locate(base, roots, fresh=fresh)
    naming = "released" if choices.names == "released" else naming
    if roots is not None and isinstance(names, str | os.PathLike):
        names = inside(names, roots)
    key = (id, str(path), _hashable(names), naming, within)
    now = None if fresh else stamp(path)
    with _lock:
        if now is not None and key in _opened and _opened[key][0] == now:
            _opened.move_to_end(key)
            return _with_classes(_opened[key][1], captions)
    open_it: Callable[..., Any]
    try:
        own = claimed(path, _OPENERS) if isinstance(path, Path) else None
        if own is not None:
            kind, place, open_it = own.kind, path, own.open
        else:
            kind, place = find_layout(path, choices, roots=within)
            open_it = _opener(kind)
        more = _more(option, kind, choices)
        found: Any = open_it(place, id=id, names=names, naming=naming, roots=within, **more)
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
            f"{found.id} has captions and no classes: it is for retrieval (python -m core evaluate MODEL SET --task "
            "retrieval), and nothing that needs classes can be computed on it."
        )
    return found


def layouts() -> tuple[str, ...]:
    """Every kind of image set that is recognised by what lies at its path."""
    return (*_OPENERS, *kinds(_OPENERS))


def _opener(kind: str) -> Callable[..., ImageSet]:
    module, function = _OPENERS[kind]
    return getattr(import_module(module), function)


def _icon_set(base: str, choices: Choices, *, id: str, names: Names, naming: Naming) -> ImageSet:
    if choices.label_column or choices.path_column or choices.split:
        raise BadInput(f"{base} is built in: it has no columns and no splits to choose.")
    return _icons().open_icons(base, names=names, naming="released" if choices.names == "released" else naming)


def _over(base: str, option: str, *, id: str, roots: Sequence[Path] | None, **how: Any) -> ImageSet:
    from core.datasets.subset import over

    target = option.removeprefix("over=")
    other = target if target in ("imagenet", "mapped") else open_set(target, roots=roots)
    return over(open_set(base, roots=roots, **how), other, id=id)


def _more(option: str, kind: str, choices: Choices) -> dict[str, Any]:
    """Further arguments for the opener of this kind; BadInput for choices that it does not have."""
    if choices:
        by_folder = choices.label_column == FOLDER and kind in ("folders", "letitwag")
        if (choices.path_column or (choices.label_column and not by_folder)) and kind not in _BY_COLUMN:
            raise BadInput(f"A set of the kind {kind} has no columns to choose (--label-column, --path-column).")
        if choices.split and kind not in _BY_SPLIT:
            raise BadInput(f"A set of the kind {kind} has no splits to choose (--split).")
        return {"choices": choices} if kind in (*_BY_COLUMN, *_BY_SPLIT) else {}
    if not option:
        return {}
    if kind != "objectnet":
        raise BadInput(f"Only ObjectNet has a border to cut off (#{option}); this set is of the kind {kind}.")
    return {"border": int(option.removeprefix("border="))}


def detect(path: str | os.PathLike[str], *, roots: Sequence[Path] | None = None) -> str:
    """Kind of the image set at this path (see ``core.types.ImageSet.kind``) without listing it.

    Raises:
        TailscopeError: there is nothing here, it may not be read, or its layout is unknown.
    """
    text = os.fspath(path)
    if text in _icons().RECIPES:
        return "icons"
    found, _ = _locate(text, roots)
    try:
        own = claimed(found, _OPENERS) if isinstance(found, Path) else None
        return own.kind if own is not None else detect_layout(found)
    except OSError as error:
        raise UnreadableData(f"{text} cannot be read: {(error.strerror or str(error)).lower()}.") from error


def list_sets() -> list[SetInfo]:
    """Built-in sets, those that were fetched, and Let It Wag! even before it is fetched."""
    listed = []
    for id, recipe in _icons().RECIPES.items():
        opened = open_set(id)
        n_images, n_classes = len(opened.labels), len(opened.keys)
        listed.append(SetInfo(id, opened.kind, True, n_images, n_classes, recipe.title, opened.note))
    fetched = sorted(entry.name for entry in os.scandir(_fetched_root()) if _is_set(entry))
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


def _icons() -> Any:
    return import_module("core.datasets.formats.icons")


def _fetched_root() -> Path:
    folder = cache_keys.root() / "sets"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _is_set(entry: os.DirEntry[str]) -> bool:
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
    known = [*_icons().RECIPES, "letitwag"]
    near = difflib.get_close_matches(id, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Built-in sets are {', '.join(known[:-1])}."
    return f"There is no image set, folder or file {ascii(id[:200])[1:-1]}. {hint}"


def _hashable(names: Names) -> Any:
    if isinstance(names, Mapping):
        return tuple(sorted(names.items()))
    return None if names is None else (os.fspath(names), stamp(Path(names)))
