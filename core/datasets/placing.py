"""Finding the pictures that a table names: relative to a folder beside it, or without the ending of the file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from core.datasets.choices import Choices
from core.datasets.conventions import SUFFIXES
from core.datasets.formats.columns import Columns
from core.datasets.headings import IDS, PATHS, by_name
from core.datasets.levels import folders_of, is_container, split_name
from core.errors import BadInput

_LOOKED_AT = 25
_READ = 200
_FOLDERS = 200


@dataclass(frozen=True, slots=True)
class Place:
    """How a cell becomes the path of a picture: ``prefix/cell+suffix``, with backslashes turned into slashes.

    Attributes:
        base: folder that paths are relative to.
        more: further folders to look in for what the first does not hold.
        found: how many of the cells that were tried lead to a file.
    """

    column: str
    base: Path
    prefix: str = ""
    suffix: str = ""
    backslashes: bool = False
    more: tuple[str, ...] = ()
    found: int = 0

    def path(self, cell: str) -> str:
        """Path of the picture relative to the base; nothing for an empty cell."""
        if not cell:
            return ""
        first = self._below(self.prefix, cell)
        if not self.more or self._is_file(first):
            return first
        return next((path for prefix in self.more if self._is_file(path := self._below(prefix, cell))), first)

    def holds(self, cell: str) -> bool:
        """Whether this cell leads to a file."""
        return self._is_file(self.path(cell))

    @property
    def told(self) -> str:
        """In words, for the note."""
        parts = [f"in {', '.join(f'{one}/' for one in (self.prefix, *self.more))}"] if self.prefix else []
        parts += [f"with {self.suffix} added"] if self.suffix else []
        return f"path from column “{self.column}”" + (f" ({', '.join(parts)})" if parts else "")

    def _below(self, prefix: str, cell: str) -> str:
        cell = cell.replace("\\", "/") if self.backslashes else cell
        return f"{prefix}{'/' if prefix else ''}{cell}{self.suffix}"

    def _is_file(self, path: str) -> bool:
        try:
            return os.path.isfile(os.path.join(self.base, path))
        except ValueError:  # a NUL in the name
            return False


def find_place(columns: Columns, base: Path, choices: Choices, *, table: str = "") -> Place | None:
    """The column with paths and where its pictures lie, by trying a few of its cells; None without such a column.

    Raises:
        BadInput: the path column that was asked for is not there.
    """
    if choices.path_column:
        asked = by_name(columns.values, [choices.path_column, choices.path_column.strip().casefold()])
        if not asked:
            listed = ", ".join(list(columns.values)[:20])
            raise BadInput(f"There is no column “{choices.path_column[:80]}”; the columns are {listed}.")
        return _placed(columns.values[asked], asked, base, table)
    guess = _path_column(columns)
    named = [name for name in columns.values if name.strip().casefold() in (*PATHS, *IDS)]
    tried = [name for name in dict.fromkeys([guess, *named]) if name]
    best: Place | None = None
    for name in tried:
        place = _placed(columns.values[name], name, base, table)
        best = place if best is None or place.found > best.found else best
        if best.found == min(_LOOKED_AT, sum(map(bool, columns.values[best.column]))):
            break
    if best is not None and best.found:
        return best
    return Place(guess, base) if guess else None


def _path_column(columns: Columns) -> str:
    """The column with paths of pictures: by its name, else by endings of its values; empty when there is none."""
    if named := by_name(columns.values, PATHS):
        return named
    for name, values in columns.values.items():
        some = [value for value in values[:_READ] if value]
        if some and sum(Path(value).suffix.lower() in SUFFIXES for value in some) * 2 > len(some):
            return name
    return ""


def _placed(cells: Sequence[str], column: str, base: Path, table: str) -> Place:
    given = [cell for cell in cells if cell]
    at = np.unique(np.linspace(0, max(len(given) - 1, 0), min(len(given), _LOOKED_AT)).astype(int)).tolist()
    sample = [given[index] for index in at]
    best = Place(column, base)
    turned = any("\\" in cell for cell in sample) and not any("/" in cell for cell in sample)
    prefixes = _prefixes(base, table)
    for prefix in ("", *prefixes):
        endings = _endings(base / prefix) if not any(Path(cell).suffix.lower() in SUFFIXES for cell in sample) else []
        for suffix in ("", *endings):
            place = Place(column, base, prefix, suffix, turned)
            place = replace(place, found=sum(map(place.holds, sample)))
            best = place if place.found > best.found else best
        if best.found == len(sample):
            return best
    if not best.found or not best.prefix:
        return best
    # The pictures of one table may lie in several folders (images_part_1, images_part_2).
    rest = [cell for cell in sample if not best.holds(cell)]
    others = [replace(best, prefix=prefix) for prefix in prefixes if prefix != best.prefix]
    more = tuple(other.prefix for other in others if any(map(other.holds, rest)))
    best = replace(best, more=more)
    return replace(best, found=sum(map(best.holds, sample)))


def _prefixes(base: Path, table: str) -> list[str]:
    """Folders beside the table, those of the same split as its name first, and folders in containers."""
    try:
        names = folders_of(base)[:_FOLDERS]
        split = split_name(Path(table).stem)
        names.sort(key=lambda name: (not (split and split_name(name) == split), not is_container(name), name))
        inner = [f"{name}/{below}" for name in names if is_container(name) for below in folders_of(base / name)[:20]]
    except OSError:
        return []
    return [*names, *inner]


def _endings(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            found = dict.fromkeys(os.path.splitext(entry.name)[1] for entry in islice(entries, 200))
    except OSError:
        return []
    return [suffix for suffix in found if suffix.lower() in SUFFIXES]
