"""Tables that lie beside pictures without class folders: Kaggle's csv, FiftyOne's labels.json, lists of path and class.

The pictures lie in ``images/``, ``data/`` or folders of splits, the table beside that folder or in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.datasets.choices import NOTHING, Choices
from core.datasets.conventions import SUFFIXES
from core.datasets.format import Opening
from core.datasets.formats.columns import TABLES, Columns, from_records
from core.datasets.formats.table import list_table, open_table, readable_table
from core.datasets.io.picture import read_text
from core.datasets.io.roots import Files, problem
from core.datasets.labels import classes_of
from core.datasets.levels import folders_of, is_container, is_junk, same_split, split_name, split_rank
from core.datasets.listing import Listing
from core.datasets.names import NAMES_FILES
from core.datasets.placing import Place
from core.errors import TooLarge, UnreadableData
from core.opening import parse_json
from core.text.lines import lines_of

MORE_TABLES = (".json", ".txt")
"""Endings of lists that are tables only where they name pictures that are there."""

_SAMPLES = re.compile(r"sample[_\- ]?(submission|sub)?\b|submission", re.IGNORECASE)
_MOST_TABLES = 40
_LARGEST_LIST = 64 << 20


@dataclass(frozen=True, slots=True)
class Beside:
    """Tables that describe the pictures in a folder.

    Attributes:
        chosen: (table, its columns, where its pictures lie), or None.
        refused: table -> why it was not used, relative to the folder.
        others: tables of other splits; by_name: the chosen one is a split by its name.
    """

    chosen: tuple[Path, Columns, Place] | None
    refused: dict[str, str]
    others: tuple[str, ...] = ()
    by_name: bool = False

    @property
    def told(self) -> str:
        """A sentence on tables that are there and not used, or nothing."""
        if not self.refused:
            return ""
        name, why = next(iter(self.refused.items()))
        more = f" (and {len(self.refused) - 1} more)" if len(self.refused) > 1 else ""
        return f"{name}{more} lies beside the pictures and is not used: {why}."


def open_tables(path: Path, how: Opening) -> Listing:
    """List the pictures that a table names: a table file, or the one that lies beside the pictures of a folder.

    Raises:
        UnreadableData: no table says where the pictures are and what they show.
        BadInput: a column or split that was asked for is not there.
    """
    if path.is_file():
        return list_table(path, Files(path, how.roots, absolute=True), how, columns=_read(path))
    found = find_beside(path, how.choices, roots=how.roots)
    if found.chosen is None and sum(file.suffix.lower() in TABLES for file in path.iterdir()) == 1:
        return open_table(path, how)
    if found.chosen is None:
        raise UnreadableData(f"No table in {path} says the classes of its pictures. {found.told}".strip())
    file, columns, place = found.chosen
    _find.cache_clear()  # a table may be large
    listed = list_table(
        file,
        Files(path / file.name, how.roots, absolute=True),
        replace(how, choices=replace(how.choices, split="")) if found.by_name else how,
        columns=columns,
        base=path,
        beside=f"beside {place.prefix}/" if place.prefix else "",
    )
    if not found.others:
        return listed
    return replace(listed, note=f"{listed.note} Tables of other splits: {', '.join(found.others)} (--split).")


def find_beside(path: Path, choices: Choices = NOTHING, *, roots: Sequence[Path] | None = None) -> Beside:
    """The table that says the classes of the pictures below a folder.

    Of several, by their names, the first of test, val and train that has classes is taken (``--split`` names another);
    several of one split are not chosen from. Links that lead outside ``roots`` are not followed.
    """
    return _find(path, choices, None if roots is None else tuple(roots), _stamp(path))


@lru_cache(maxsize=1)  # detecting a layout and opening it ask the same
def _find(
    path: Path, choices: Choices, roots: tuple[Path, ...] | None, _stamp: tuple[tuple[str, int, int], ...]
) -> Beside:
    usable: dict[Path, tuple[Columns, Place]] = {}
    refused: dict[str, str] = {}
    for file in _candidates(path):
        shown = file.relative_to(path).as_posix()
        if reason := problem(file, roots):
            refused[shown] = reason
            continue
        if _SAMPLES.search(file.stem):
            refused[shown] = "it is a sample of what to hand in"
            continue
        try:
            columns = _read(file)
        except TooLarge as error:
            refused[shown] = str(error).rstrip(".")
            continue
        except UnreadableData:
            continue  # any text or JSON may lie there
        found = readable_table(file, path, choices, columns=columns)
        if isinstance(found, str):
            refused[shown] = found
        else:
            usable[file] = found
    return _choose(path, usable, refused, choices)


def _choose(path: Path, usable: dict[Path, tuple[Columns, Place]], refused: dict[str, str], choices: Choices) -> Beside:
    splits = {file: split_name(file.stem) or split_name(file.parent.name) for file in usable}
    if choices.split and any(splits.values()):
        kept = [file for file in usable if same_split(choices.split, file.stem) or splits[file] == choices.split]
    elif any(splits.values()):
        # A split of one class is not what anyone measures on.
        several = {file for file, (columns, place) in usable.items() if _has_classes(columns, place, choices)}
        ranked = sorted((file not in several, split_rank(split), split) for file, split in splits.items() if split)
        best = ranked[0]
        kept = [f for f, split in splits.items() if split == best[2] and (f not in several) == best[0]]
    else:
        kept = list(usable)
    if len(kept) == 1:
        others = tuple(f.relative_to(path).as_posix() for f in usable if f != kept[0] and splits[f])
        return Beside((kept[0], *usable[kept[0]]), refused, others, bool(splits[kept[0]]))
    for file in kept:
        rivals = [other.relative_to(path).as_posix() for other in kept if other != file]
        refused[file.relative_to(path).as_posix()] = (
            f"{', '.join(rivals[:3])} could be meant as well; give the path of the one to use"
        )
    return Beside(None, refused)


def _has_classes(columns: Columns, place: Place, choices: Choices) -> bool:
    """Whether a table tells more than one class."""
    return len(set(classes_of(columns, place.column, choices).texts) - {""}) > 1


def _candidates(path: Path) -> list[Path]:
    """Tables directly in a folder and in its containers (``annotations/``, ``val/``), in order of their names."""
    found: list[Path] = []
    inner = [path / name for name in folders_of(path) if is_container(name)]
    for folder in (path, *inner[:20]):
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if os.path.splitext(entry.name)[1].lower() in (*TABLES, *MORE_TABLES)
                and not entry.name.startswith(".")
                and not is_junk(entry.name)
                and entry.name not in NAMES_FILES
            )
        if folder == path or len(names) <= _MOST_TABLES:  # one text a picture is no list
            found += [folder / name for name in names[:_MOST_TABLES]]
    return found


def _read(file: Path) -> Columns | None:
    """Columns of a JSON file or a text list, None for another table; UnreadableData when it is no list of pictures."""
    suffix = file.suffix.lower()
    if suffix == ".json":
        return _from_json(_parsed(file), file.name)
    return _from_list(file) if suffix == ".txt" else None


def _parsed(file: Path) -> Any:
    return parse_json(read_text(file, limit=_LARGEST_LIST), name=file.name)


def _from_json(value: object, name: str) -> Columns:
    """FiftyOne's ``{"classes": [...], "labels": {id: place}}``, ``{picture: class}``, or a list of objects."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return from_records(value)
    if not isinstance(value, dict):
        raise UnreadableData(f"{name} is no list of pictures")
    labels = value.get("labels") if isinstance(value.get("labels"), dict) else value
    if not labels or not all(isinstance(one, str | int | list | dict | None) for one in labels.values()):
        raise UnreadableData(f"{name} is no list of pictures")
    found = from_records([{"id": key, "label": _label(one)} for key, one in labels.items()])
    classes = value.get("classes")
    if labels is not value and isinstance(classes, list) and all(isinstance(one, str) for one in classes):
        return Columns(found.values, found.rows, classes={"label": classes}, odd=found.odd)
    return found


def _label(value: object) -> Any:
    """FiftyOne writes a label, or an object with the label and its confidence."""
    return value.get("label", value) if isinstance(value, dict) else value


def _from_list(file: Path) -> Columns:
    """Lines of a path and a class, apart by a tab or a blank."""
    lines = [line.strip() for line in lines_of(read_text(file, limit=_LARGEST_LIST)) if line.strip()]
    rows = [line.split("\t") if "\t" in line else line.split(None, 1) for line in lines]
    paths = sum(len(row) > 1 and os.path.splitext(row[0])[1].lower() in SUFFIXES for row in rows)
    if not rows or paths * 2 < len(rows):
        raise UnreadableData(f"{file.name} is no list of pictures and classes")
    return Columns(
        {"path": [row[0].strip() for row in rows], "label": [row[1].strip() if len(row) > 1 else "" for row in rows]},
        len(rows),
    )


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """What lies in the folder and its containers: a table that changes is read again."""
    found = []
    for file in _candidates(path):
        try:
            status = file.stat()
        except OSError:
            continue
        found.append((file.as_posix(), status.st_size, status.st_mtime_ns))
    return tuple(found)
