"""Hugging Face's ``imagefolder``: pictures described by ``metadata.csv``, ``.jsonl`` or ``.parquet`` beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.datasets.format import Opening
from core.datasets.formats.table import list_table
from core.datasets.io.roots import Files
from core.datasets.levels import folders_of, in_split_order, same_split
from core.datasets.listing import Listing
from core.errors import BadInput, UnreadableData

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def open_imagefolder(path: Path, how: Opening) -> Listing:
    """List the pictures that the metadata file names by ``file_name``, relative to itself and never outside it.

    Of several splits the first of test, val and train whose rows have classes is taken.

    Raises:
        UnreadableData: there is no metadata file, or no usable row in it.
        BadInput: the split that was asked for is not there.
    """
    found = metadata_files(path)
    if not found:
        raise UnreadableData(f"{path} holds none of {', '.join(METADATA)}.")
    split = how.choices.split
    if split and any(file.parent != path for file in found):
        asked = [file for file in found if same_split(split, file.parent.name)]
        if not asked:
            splits = ", ".join(file.parent.name for file in found)
            raise BadInput(f"{path} has no split {split!r}; its splits are {splits}.")
        found = asked
    problems: list[UnreadableData] = []
    for file in found:
        files = Files(file, how.roots, absolute=False)
        own = how if file.parent == path else replace(how, choices=replace(how.choices, split=""))
        try:
            listed = list_table(file, files, own, kind="imagefolder")
            passed = [f"{other.parent.name}/ has no classes and was passed over." for other in found[: len(problems)]]
            return replace(listed, note=" ".join([listed.note, *passed]))
        except UnreadableData as error:
            problems.append(error)
    raise problems[0]


def metadata_files(path: Path) -> list[Path]:
    """The metadata file of a folder, or those of its splits, test first."""
    splits = in_split_order(folders_of(path))
    for folders in ([path], [path / split for split in splits]):
        files = [next((f / name for name in METADATA if (f / name).is_file()), None) for f in folders]
        if any(files):
            return [file for file in files if file is not None]
    return []
