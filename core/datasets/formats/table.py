"""A CSV, JSON-lines or Parquet table with the path and the class of every picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

import numpy as np

from core.datasets.formats.columns import TABLES, Columns, label_column, path_column, read_columns
from core.datasets.io.roots import Files
from core.datasets.listing import (
    Listing,
    by_class,
    empty_classes,
    file_ends,
    fingerprint,
    repeated_names,
    require_images,
    unique,
)
from core.datasets.names import Names, Naming, name_classes
from core.errors import UnreadableData
from core.types import LeftOut


def open_table(
    path: Path,
    *,
    id: str = "",
    names: Names = None,
    naming: Naming = "shown",
    roots: Sequence[Path] | None = None,
) -> Listing:
    """List the pictures of a table file (or of the only table in a folder).

    Paths are relative to the table or absolute; the class column is found by its name, else the class is the folder of
    the picture. Rows without a readable file or class are left out.

    Raises:
        UnreadableData: there is no column with paths, or no usable row.
    """
    file = only_table(path) if path.is_dir() else path
    files = Files(file, roots, absolute=True)
    return list_table(file, files, kind="table", id=id or str(path), names=names, naming=naming)


def only_table(folder: Path) -> Path:
    """The only table file in a folder; UnreadableData when there are none or several."""
    found = [file for file in folder.iterdir() if file.suffix.lower() in TABLES and not file.name.startswith(".")]
    if len(found) != 1:
        raise UnreadableData(f"{folder} holds {len(found)} tables; give the path of the one to use.")
    return found[0]


def list_table(file: Path, files: Files, *, kind: str, id: str, names: Names, naming: Naming) -> Listing:
    """The pictures that a table names, found through ``files``."""
    columns = read_columns(file)
    where = path_column(columns)
    if not where:
        raise UnreadableData(
            f"{file.name} has no column with paths of pictures (its columns: {', '.join(list(columns.values)[:20])}). "
            "Call it “path”, and the column with classes “label”."
        )
    left_out = list(columns.left_out)
    said, column = classes_of(columns, where)
    ids, classes, sizes = _usable(columns.values[where], said, files, left_out)
    require_images(ids, str(file), left_out, "Paths must be relative to the table or absolute.")
    listed = (columns.classes or {}).get(column)
    if listed:
        keys = unique(listed)
        index = {name: label for label, name in reversed(list(enumerate(listed)))}
        labels = np.array([index[name] for name in classes], np.int64)
    else:
        keys, labels = by_class(classes)
    left_out += empty_classes(keys, labels)
    readable, how = name_classes(keys, names, naming=naming, released=listed or ())
    source = f"class from column “{column}”" if column else "class from the folder of the picture"
    note = f"Detected a table ({file.name}): path from column “{where}”, {source}. {how} {repeated_names(readable)}"
    return Listing(
        id=id,
        kind=kind,
        keys=keys,
        names=readable,
        labels=labels,
        image_ids=ids,
        source=lambda index: Path(files.path(ids[index])),
        fingerprint=fingerprint(ids, np.array(sizes), labels, keys, lambda index: file_ends(files.path(ids[index]))),
        note=note.strip(),
        left_out=tuple(left_out),
    )


def classes_of(columns: Columns, where: str) -> tuple[list[str], str]:
    """Class of every row as text, and the column it comes from (empty: the folder of the path in column ``where``).

    Raises:
        UnreadableData: no column has a known name and the paths have no folders.
    """
    if column := label_column(columns, other_than=where):
        return columns.text(column), column
    folders = [PurePath(path).parent.name for path in columns.values.get(where, ())]
    if not any(folders):
        raise UnreadableData(
            f"No column says the class of a picture (columns: {', '.join(list(columns.values)[:20])}). "
            "Call the column with classes “label”."
        )
    return folders, ""


def _usable(
    paths: Sequence[str], said: Sequence[str], files: Files, left_out: list[LeftOut]
) -> tuple[list[str], list[str], list[int]]:
    taken: dict[str, int] = {}
    classes = []
    for row, (path, name) in enumerate(zip(paths, said, strict=True), 1):
        try:
            if not path:
                raise UnreadableData("no path")
            if not name:
                raise UnreadableData("no class")
            if path in taken:
                raise UnreadableData("listed twice; the first row counts")
            name.encode()
            taken[path] = files.size(path)
            classes.append(name)
        except (UnreadableData, UnicodeEncodeError) as error:
            reason = str(error) if isinstance(error, UnreadableData) else "its class is not UTF-8"
            left_out.append(LeftOut(ascii(path)[1:-1] if path else f"row {row}", reason))
    return list(taken), classes, list(taken.values())
