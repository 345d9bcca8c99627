"""How classes are called: keys turned into words, corrected by a names file.

``shown`` names replace underscores by spaces; ``released`` names are the keys verbatim, as published runs used them.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Literal

from core.datasets.io.picture import read_text
from core.errors import UnreadableData

_WNID = re.compile(r"n[0-9]{8}")
_LONGEST = 1000
_HEADERS = {"key", "wnid", "id", "class", "folder", "label", "index", "name", "classname", "class_name", "synset"}

Names = str | os.PathLike[str] | Mapping[str, str] | None
"""The path of a names file, or corrections as class key -> name; None for the set's own."""
Naming = Literal["shown", "released"]


@dataclass(frozen=True, slots=True)
class NamesFile:
    """A names file: names by class key, or in label order."""

    by_key: Mapping[str, str]
    in_order: Sequence[str] = ()


def shown(key: str) -> str:
    """A key as words: underscores to spaces, spaces collapsed."""
    return " ".join(key.replace("_", " ").split()) or key


def name_classes(
    keys: Sequence[str],
    names: Names = None,
    *,
    naming: Naming = "shown",
    own: Sequence[str] = (),
    released: Sequence[str] = (),
) -> tuple[list[str], str]:
    """Readable names of the classes and a sentence that says where they come from.

    Args:
        keys: class keys, in label order.
        names: what a person gave; classes it does not list are named as without it.
        naming: ``shown`` for readable names, ``released`` for the keys verbatim.
        own: names the set itself gives, used when ``shown`` instead of words made from the keys.
        released: names as released, where keys had to be made unique.

    Raises:
        UnreadableData: the names file cannot be used for these classes.
    """
    if naming == "released":
        given, sentence = list(released or keys), "Classes are named exactly as released."
    elif own:
        given, sentence = list(own), "Class names come with the set."
    elif words := imagenet_names(keys):
        given, sentence = words, "Classes are named with open_clip's ImageNet names."
    else:
        given = [shown(key) for key in keys]
        sentence = "Classes are named by their keys" + (", underscores as spaces." if given != list(keys) else ".")
    if names is None:
        return given, sentence
    if isinstance(names, Mapping):
        listed, origin = NamesFile({str(key): str(name) for key, name in names.items()}), "the corrections"
    else:
        listed, origin = read_names(names), Path(names).name
    return _correct(keys, given, listed, origin)


def _correct(keys: Sequence[str], given: list[str], listed: NamesFile, origin: str) -> tuple[list[str], str]:
    if listed.in_order:
        if len(listed.in_order) != len(keys):
            raise UnreadableData(
                f"{origin} lists {len(listed.in_order):,} names but the set has {len(keys):,} classes. "
                "Give one line a class in label order, or pairs of key and name."
            )
        return list(listed.in_order), f"Names come from {origin}, in label order."
    missing = [key for key in keys if key not in listed.by_key]
    if len(missing) == len(keys):
        raise UnreadableData(f"{origin} names none of the {len(keys):,} classes; the first is {keys[0]!r}.")
    kept = f" {len(missing):,} of {len(keys):,} classes are not in it and keep their own." if missing else ""
    return [listed.by_key.get(key, name) for key, name in zip(keys, given, strict=True)], (
        f"Names come from {origin}.{kept}"
    )


def read_names(path: str | os.PathLike[str]) -> NamesFile:
    """Read a names file.

    JSON: ``{key: name}``, ``{index: [wnid, name]}`` (Keras) or a list; CSV/TSV: key and name, header optional;
    anything else: one name a line in label order, or lines that start with a WordNet id.

    Raises:
        UnreadableData: it is none of these.
    """
    text, file = read_text(path), Path(path).name
    try:
        if Path(path).suffix.lower() == ".json":
            listed = _from_json(json.loads(text))
        elif Path(path).suffix.lower() in (".csv", ".tsv"):
            listed = _from_rows(list(csv.reader(io.StringIO(text), delimiter="\t" if "\t" in text else ",")))
        else:
            listed = _from_lines(text.splitlines())
    except (ValueError, RecursionError, csv.Error) as error:
        raise UnreadableData(f"{file} is not a names file: {error}.") from error
    every = [*listed.by_key.values(), *listed.in_order]
    if not every:
        raise UnreadableData(f"{file} holds no names.")
    if any(not name.strip() or len(name) > _LONGEST for name in every):
        raise UnreadableData(f"{file} holds an empty name, or one of more than {_LONGEST} characters.")
    return listed


def _from_json(value: Any) -> NamesFile:
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return NamesFile({}, tuple(value))
    if not isinstance(value, dict):
        raise ValueError("expected an object of key and name, or a list of names")
    names: dict[str, str] = {}
    for key, name in value.items():
        if isinstance(name, str):
            names[key] = name
        elif isinstance(name, list) and len(name) == 2 and all(isinstance(part, str) for part in name):
            names[key] = names[name[0]] = shown(name[1])
        else:
            raise ValueError(f"the name of {key[:80]!r} is not a string")
    return NamesFile(names)


def _from_rows(rows: list[list[str]]) -> NamesFile:
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if rows and {cell.strip().lower() for cell in rows[0][:2]} <= _HEADERS:
        rows = rows[1:]
    for number, row in enumerate(rows, 1):
        if len(row) < 2:
            raise ValueError(f"row {number} has no second column")
    return NamesFile({row[0].strip(): row[1].strip() for row in rows})


def _from_lines(lines: list[str]) -> NamesFile:
    lines = [line.strip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if lines and all(_WNID.match(line) and len(line.split(None, 1)) == 2 for line in lines):
        # ImageNet's own list gives several synonyms a line; the first is the name.
        pairs = (line.split(None, 1) for line in lines)
        return NamesFile({wnid: name.split(",")[0].strip() for wnid, name in pairs})
    return NamesFile({}, tuple(lines))


def imagenet_names(keys: Sequence[str]) -> list[str]:
    """Names of ImageNet-1k classes given as WordNet ids or as all thousand indices; nothing for other keys."""
    indices = list(keys) == [str(index) for index in range(1000)]
    if not indices and not all(_WNID.fullmatch(key) for key in keys):
        return []
    words = dict(imagenet_classes())
    if not words:
        return []
    if indices:
        return list(words.values())
    return [words[key] for key in keys] if all(key in words for key in keys) else []


def imagenet_classes() -> tuple[tuple[str, str], ...]:
    """WordNet id and open_clip's name of the thousand classes, in label order; empty where no list can be read."""
    try:
        return tuple(_imagenet().items())
    except (OSError, AttributeError):  # another version keeps the lists elsewhere
        return ()


@cache
def _imagenet() -> dict[str, str]:
    """WordNet id -> open_clip's class name, in label order, from timm's and open_clip's own files (torch stays out)."""
    wnids = Path(_package("timm") / "data" / "_info" / "imagenet_synsets.txt").read_text(encoding="utf-8").split()
    spec = spec_from_file_location("_open_clip_metadata", _package("open_clip") / "zero_shot_metadata.py")
    metadata = module_from_spec(spec)
    spec.loader.exec_module(metadata)
    return dict(zip(wnids, metadata.IMAGENET_CLASSNAMES, strict=True))


def _package(name: str) -> Path:
    return Path(find_spec(name).submodule_search_locations[0])
