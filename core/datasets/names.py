"""How classes are called: keys turned into words, corrected by a names file.

``shown`` names replace underscores by spaces; ``released`` names are the keys verbatim, as published runs used them.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Literal

from core.datasets.cleaning import clean_names
from core.datasets.io.picture import read_text
from core.errors import UnreadableData
from core.opening import parse_json
from core.text.lines import Rows, lines_of
from core.text.spelling import fold

NAMES_FILES = ("names.json", "names.csv", "names.tsv", "names.txt", "classnames.txt")
"""Names files that are used by themselves when they lie in a tree of class folders."""

_WNID = re.compile(r"n[0-9]{8}")
_ENOUGH = 0.9
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
        given, cleaned = clean_names(own)
        sentence = f"Class names come with the set. {cleaned}".strip()
    else:
        given, sentence = _from_keys(keys)
    if names is None:
        return given, sentence
    if isinstance(names, Mapping):
        listed, origin = NamesFile({str(key): str(name) for key, name in names.items()}), "the corrections"
    else:
        listed, origin = read_names(names), Path(names).name
    return _correct(keys, given, listed, origin, in_label_order=bool(own))


def _from_keys(keys: Sequence[str]) -> tuple[list[str], str]:
    """Names made from keys: ImageNet's for its ids and indices, words for anything else."""
    cleaned, told = clean_names(keys)
    given = [shown(key) for key in cleaned]
    words = imagenet_names(keys)
    if not words:
        spaces = ", underscores as spaces" if [shown(key) for key in keys] != list(keys) else ""
        return given, f"Classes are named by their keys{spaces}. {told}".strip()
    larger = {key: name for key, name in words.items() if key not in dict(imagenet_classes()) and _WNID.fullmatch(key)}
    sentence = "Classes are named with open_clip's ImageNet names"
    if larger:
        sentence += f", {len(larger):,} of {len(keys):,} with WordNet's (ImageNet-21k)"
    others = [key for key in keys if key not in words]
    if others:
        sentence += f"; {len(others):,} of {len(keys):,} are not known to it and keep their keys ({others[0][:40]!r})"
    return [words.get(key, name) for key, name in zip(keys, given, strict=True)], f"{sentence}."


def _correct(
    keys: Sequence[str], given: list[str], listed: NamesFile, origin: str, *, in_label_order: bool
) -> tuple[list[str], str]:
    if listed.in_order:
        return _from_order(keys, listed.in_order, origin, in_label_order=in_label_order)
    missing = [key for key in keys if key not in listed.by_key]
    if len(missing) == len(keys) and all(key.isdecimal() for key in listed.by_key):
        numbered = sorted(listed.by_key, key=int)  # a list by number, for classes that have no numbers
        lines = [listed.by_key[key] for key in numbered]
        return _from_order(keys, lines, origin, in_label_order=in_label_order)
    if len(missing) == len(keys):
        raise UnreadableData(f"{origin} names none of the {len(keys):,} classes; the first is {keys[0]!r}.")
    kept = f" {len(missing):,} of {len(keys):,} classes are not in it and keep their own." if missing else ""
    return [listed.by_key.get(key, name) for key, name in zip(keys, given, strict=True)], (
        f"Names come from {origin}.{kept}"
    )


def _from_order(
    keys: Sequence[str], lines: Sequence[str], origin: str, *, in_label_order: bool
) -> tuple[list[str], str]:
    """Names of a list without keys: matched by name or number; by place only where the keys have that order too.

    Raises:
        UnreadableData: the list has another length, or nothing says which line belongs to which class.
    """
    cleaned, told = clean_names(lines)
    folded: dict[str, list[int]] = {}
    for place, line in enumerate(lines):
        for form in dict.fromkeys((_comparable(line), _comparable(cleaned[place]))):
            folded.setdefault(form, []).append(place)
    own = [_comparable(key) for key in clean_names(keys)[0]]
    places = [folded.get(_comparable(key)) or folded.get(form) for key, form in zip(keys, own, strict=True)]
    if all(place and len(place) == 1 for place in places):
        found = [cleaned[place[0]] for place in places if place]
        return found, f"Names come from {origin}, matched by name. {told}".strip()
    numbers = [] if in_label_order else _numbers(keys)
    if numbers:
        first = 0 if 0 in numbers else 1
        if max(numbers) - first < len(lines) and (first == 0 or max(numbers) == len(lines)):
            return [cleaned[number - first] for number in numbers], (
                f"Names come from {origin}, by number (from {first}). {told}".strip()
            )
    if len(lines) != len(keys):
        raise UnreadableData(
            f"{origin} lists {len(lines):,} names but the set has {len(keys):,} classes. "
            "Give one line a class in label order, or pairs of key and name."
        )
    if not (in_label_order or all(_WNID.fullmatch(key) for key in keys)):
        raise UnreadableData(
            f"{origin} lists names without keys, and nothing says which belongs to which class: the classes are sorted "
            f"by their folders or labels ({keys[0]!r}, {keys[-1]!r}), which need not be the order of the list "
            f"({lines[0]!r}, {lines[-1]!r}). Give pairs of key and name (CSV or JSON)."
        )
    return cleaned, f"Names come from {origin}, in label order. {told}".strip()


def _numbers(keys: Sequence[str]) -> list[int]:
    """The numbers of classes that are called by number (``3``, ``class_12``); empty for other keys."""
    found = [re.fullmatch(r"(\D*)([0-9]{1,7})(\D*)", key) for key in keys]
    if not all(found) or len({(match[1], match[3]) for match in found if match}) > 1:
        return []
    return [int(match[2]) for match in found if match]


def _comparable(name: str) -> str:
    """A name for comparing: case, underscores, hyphens and blanks do not count."""
    return fold(name.replace("-", " "))


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
            listed = _from_json(parse_json(text, name=file))
        elif Path(path).suffix.lower() in (".csv", ".tsv"):
            listed = _from_rows(list(Rows(text, name=file, delimiter="\t" if "\t" in text else ",")))
        else:
            listed = _from_lines(lines_of(text))
    except (ValueError, csv.Error) as error:
        raise UnreadableData(f"{file} is not a names file: {error}.") from error
    every = [*listed.by_key.values(), *listed.in_order]
    if not every:
        raise UnreadableData(f"{file} holds no names.")
    if any(not name.strip() or len(name) > _LONGEST for name in every):
        raise UnreadableData(f"{file} holds an empty name, or one of more than {_LONGEST} characters.")
    return listed


def _from_json(value: object) -> NamesFile:
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
    pairs = [line.split(None, 1) for line in lines]
    if lines and all(len(pair) == 2 for pair in pairs):
        if all(_WNID.fullmatch(key) for key, _ in pairs):
            # ImageNet's own list gives several synonyms a line; the first is the name.
            return NamesFile({wnid: name.split(",")[0].strip() for wnid, name in pairs})
        numbered = [re.fullmatch(r"([0-9]{1,9})[:.)]", key) for key, _ in pairs]
        if all(numbered):  # a dictionary pasted from Python: 0: 'tench',
            found = zip(numbered, pairs, strict=True)
            return NamesFile({match[1]: unquoted(pair[1]) for match, pair in found if match})
    return NamesFile({}, tuple(lines))


def unquoted(name: str) -> str:
    """A name without the quotes and the comma of a pasted list."""
    found = re.fullmatch(r"([\"'“‘])(.*)[\"'”’]", name.strip().rstrip(",").strip())
    return found[2] if found and found[2].strip() else name


def imagenet_names(keys: Sequence[str]) -> dict[str, str]:
    """Names of ImageNet classes by key: of WordNet ids, and of indices where at least 900 of the thousand are there.

    A key that is none of its classes is absent, and so are all keys of another kind of set. Ids of ImageNet-21k get
    the first of WordNet's names.
    """
    words = dict(imagenet_classes())
    numbers = {str(index): name for index, name in enumerate(words.values())}
    if words and sum(key in numbers for key in keys) >= _ENOUGH * max(len(words), len(keys)):
        return {key: numbers[key] for key in keys if key in numbers}
    wnids = [key for key in keys if _WNID.fullmatch(key)]
    if not wnids or len(wnids) * 2 <= len(keys):
        return {}
    found = {key: words[key] for key in wnids if key in words}
    if missing := [key for key in wnids if key not in words]:
        larger = _wordnet()
        found |= {key: larger[key][0] for key in missing if key in larger}
    return found


def wordnet_names(wnid: str) -> tuple[str, ...]:
    """All names that WordNet has for a class of ImageNet-21k, the usual one first; empty for another id."""
    return _wordnet().get(wnid, ())


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
    assert spec is not None  # every .py file has one, with a loader
    assert spec.loader is not None
    metadata = module_from_spec(spec)
    spec.loader.exec_module(metadata)
    return dict(zip(wnids, metadata.IMAGENET_CLASSNAMES, strict=True))


def wordnet_id(name: str) -> str:
    """WordNet id of the only class of ImageNet-21k that has this name, in any case; empty for none or several."""
    found = _by_name().get(name.casefold(), ())
    return found[0] if len(found) == 1 else ""


@cache
def _by_name() -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {}
    for wnid, names in _wordnet().items():
        for name in dict.fromkeys(name.casefold() for name in names):
            ids.setdefault(name, []).append(wnid)
    return ids


@cache
def _wordnet() -> dict[str, tuple[str, ...]]:
    """WordNet id -> names of the classes of ImageNet-21k, from timm's own file; empty where it has none."""
    try:
        text = (_package("timm") / "data" / "_info" / "imagenet_synset_to_lemma.txt").read_text(encoding="utf-8")
    except (OSError, AttributeError):
        return {}
    pairs = (line.partition("\t") for line in lines_of(text))
    return {
        wnid: tuple(name.strip() for name in names.split(",") if name.strip())
        for wnid, _, names in pairs
        if names.strip(" ,")
    }


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the package {name} is not installed", name=name)
    return Path(spec.submodule_search_locations[0])
