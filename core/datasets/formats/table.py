"""A CSV, JSON-lines or Parquet table with the path and the class of every picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.datasets.choices import Choices
from core.datasets.format import Opening
from core.datasets.formats.columns import TABLES, Columns, read_columns
from core.datasets.io.roots import Files
from core.datasets.labels import Classes, choose_split, classes_of
from core.datasets.listing import Listing, file_ends, fingerprint, make_listing, require_images
from core.datasets.placing import Place, find_place
from core.errors import UnreadableData
from core.types import LeftOut


def open_table(path: Path, how: Opening) -> Listing:
    """List the pictures of a table file (or of the only table in a folder).

    Paths are relative to the table (or to a folder beside it) or absolute; the class column is found by its name, else
    the class is the folder of the picture where folders can be classes. Rows without a readable file or class are
    listed with the reason.

    Raises:
        UnreadableData: there is no column with paths, nothing says the class, or there is no usable row.
        BadInput: a column or split that was asked for is not there.
    """
    file = only_table(path) if path.is_dir() else path
    return list_table(file, Files(file, how.roots, absolute=True), how)


def only_table(folder: Path) -> Path:
    """The only table file in a folder; UnreadableData when there are none or several."""
    found = [file for file in folder.iterdir() if file.suffix.lower() in TABLES and not file.name.startswith(".")]
    if len(found) != 1:
        raise UnreadableData(f"{folder} holds {len(found)} tables; give the path of the one to use.")
    return found[0]


def list_table(
    file: Path,
    files: Files,
    how: Opening,
    *,
    kind: str = "table",
    columns: Columns | None = None,
    base: Path | None = None,
    beside: str = "",
) -> Listing:
    """The pictures that a table names, found through ``files``.

    Args:
        columns: the table, where it has been read already.
        base: folder that ``files`` starts from; the table's own by default.
        beside: words for the note on where the table lies, for example ``beside images/``.
    """
    base, choices = base or file.parent, how.choices
    columns = columns or read_columns(file, choices)
    place = find_place(columns, base, choices, table=file.name)
    if place is None:
        raise UnreadableData(
            f"{file.name} has no column with paths of pictures (its columns: {', '.join(list(columns.values)[:20])}). "
            "Name it with --path-column, or call it “path”, and the column with classes “label”."
        )
    try:
        classes = classes_of(columns, place.column, choices, verbatim=how.naming == "released")
    except UnreadableData as error:
        raise UnreadableData(f"{file.name}: {error}") from error
    paths = [place.path(cell) for cell in columns.values[place.column]]
    left_out = list(columns.left_out)
    split, ours, split_column = choose_split(columns, [bool(text) for text in classes.texts], choices)
    ids, texts, sizes = _usable(paths, classes, ours, files, left_out)
    require_images(ids, str(file), left_out, "Paths must be relative to the table or absolute.")
    keys, labels = classes.keys(texts)
    told = f", split {split} of column “{split_column}”" if split else ""
    note = [
        f"Detected a table ({file.name}{f' {beside}' if beside else ''}): {place.told}, {classes.source}{told}.",
        *classes.told,
        classes.also,
    ]
    return make_listing(
        Listing,
        how,
        kind=kind,
        keys=keys,
        labels=labels,
        own=classes.listed,
        image_ids=ids,
        source=lambda index: Path(files.path(ids[index])),
        fingerprint=fingerprint(ids, np.array(sizes), labels, keys, lambda index: file_ends(files.path(ids[index]))),
        note=note,
        left_out=left_out,
    )


def readable_table(
    file: Path, base: Path, choices: Choices, *, columns: Columns | None = None
) -> tuple[Columns, Place] | str:
    """A table whose pictures are there and that says their classes, or why it is none."""
    try:
        columns = columns or read_columns(file, choices)
        place = find_place(columns, base, choices, table=file.name)
        if place is None or not place.found:
            return "no column of it leads to a picture that is there"
        if not any(classes_of(columns, place.column, choices).texts):
            return "it says no class"
    except (UnreadableData, OSError) as error:
        return str(error).rstrip(".")
    return columns, place


def _usable(
    paths: Sequence[str], classes: Classes, ours: Sequence[bool], files: Files, left_out: list[LeftOut]
) -> tuple[list[str], list[str], list[int]]:
    taken: dict[str, int] = {}
    texts = []
    for row, (path, name) in enumerate(zip(paths, classes.texts, strict=True)):
        if not ours[row]:
            continue
        try:
            if not path:
                raise UnreadableData("no path")
            if not name:
                raise UnreadableData(classes.reason(row))
            if path in taken:
                raise UnreadableData("listed twice; the first row counts")
            name.encode()
            taken[path] = files.size(path)
            texts.append(name)
        except (UnreadableData, UnicodeEncodeError) as error:
            reason = str(error) if isinstance(error, UnreadableData) else "its class is not UTF-8"
            item = ascii(path)[1:-1] if path else f"row {row + 1}"
            left_out.append(LeftOut(item, reason, images=0 if not path or path in taken else 1))
    return list(taken), texts, list(taken.values())
