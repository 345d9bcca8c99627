"""Lists that a person gives: concepts, their synonyms, attributes."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.datasets.headings import by_name
from core.datasets.io.picture import read_text
from core.errors import BadInput, UnreadableData
from core.opening import parse_json
from core.text.lines import Rows
from core.text.matcher import spellings
from core.types import LeftOut
from core.uploads import MOST_BYTES

MOST = 200_000
_LONGEST = 500
_COLUMNS = ("concept", "name", "class", "class_name", "classname", "label", "category", "attribute", "key")
_TERMS = ("synonym", "synonyms", "term", "terms", "spelling", "alias")
_ENDINGS = (".txt", ".csv", ".tsv", ".json")


def concepts(source: str) -> dict[str, str]:
    """Concept key -> name, of a list in a file (text, CSV, JSON list or dict) or of an image set.

    A JSON dict of strings is key -> name; of lists, name -> anything; of numbers (counts of another run), its keys.

    Raises:
        BadInput: no concepts, or more than 200,000. UnreadableData: the file is no list.
    """
    path = Path(source).expanduser()
    if path.suffix.lower() not in _ENDINGS or not path.is_file():
        if path.suffix.lower() in _ENDINGS:
            raise BadInput(f"There is no file {source}; give a list of concepts or an image set.")
        from core.datasets import open_set

        image_set = open_set(source)
        return dict(zip(image_set.keys, image_set.names, strict=True))
    return parse(read_text(path, limit=MOST_BYTES), path.name)


def parse(text: str, file: str) -> dict[str, str]:
    """Concept key -> name from the text of a list file; see ``concepts``."""
    if file.lower().endswith(".json"):
        value = _json(text, file)
        if isinstance(value, dict):
            found = {key: name if isinstance(name, str) else key for key, name in value.items()}
        elif isinstance(value, list) and all(isinstance(name, str) for name in value):
            found = {name: name for name in value}
        else:
            raise UnreadableData(f"{file} is neither a JSON list of names nor an object with names as keys.")
    else:
        found = {name: name for name in _names(text, file)}
    return checked(found, file)


def checked(found: Mapping[str, str], file: str) -> dict[str, str]:
    """Concepts without blank ones; BadInput when there are none, too many, or one is no name."""
    kept = {key.strip(): name.strip() for key, name in found.items() if key.strip()}
    if not kept:
        raise BadInput(f"{file} names no concepts; write one a line.")
    if len(kept) > MOST:
        raise BadInput(f"{file} names {len(kept):,} concepts; count at most {MOST:,} at a time.")
    if long := next((key for key, name in kept.items() if max(len(key), len(name)) > _LONGEST), ""):
        raise BadInput(f"{file} has a concept of more than {_LONGEST} characters (“{long[:40]}…”); is it a list?")
    return kept


def synonyms(path: Path, known: Mapping[str, str]) -> tuple[dict[str, list[str]], list[LeftOut]]:
    """Further spellings of each concept from JSON (``{concept: [term]}``) or CSV (``concept,term``).

    A term that another concept has as its name or term, in singular or plural, is left out: it could mean either.

    Returns:
        concept key -> terms, and the terms left out with the reason.
    """
    listed: dict[str, list[str]] = {}
    left_out: list[LeftOut] = []
    keys = {name: key for key, name in known.items()} | {key: key for key in known}
    for concept, term in _terms(read_text(path, limit=MOST_BYTES), path.name):
        if concept in keys:
            listed.setdefault(keys[concept], []).append(term)
        else:
            left_out.append(LeftOut(f"{concept}: {term}", "no concept of this name is counted"))
    owners: dict[str, set[str]] = {}
    for key, name in known.items():
        for term in (name, *listed.get(key, ())):
            for spelling in spellings(term):
                owners.setdefault(spelling, set()).add(key)
    kept: dict[str, list[str]] = {}
    for key, terms in listed.items():
        for term in terms:
            others = set[str]().union(*(owners[spelling] for spelling in spellings(term))) - {key}
            if others:
                left_out.append(LeftOut(f"{key}: {term}", f"“{min(others)}” could be meant as well"))
            else:
                kept.setdefault(key, []).append(term)
    return kept, left_out


def _terms(text: str, file: str) -> list[tuple[str, str]]:
    if file.lower().endswith(".json"):
        value = _json(text, file)
        if not isinstance(value, dict):
            raise UnreadableData(f"{file} is not a JSON object of concept and list of synonyms.")
        pairs = [(key, [terms] if isinstance(terms, str) else terms) for key, terms in value.items()]
        if not all(isinstance(terms, list) and all(isinstance(term, str) for term in terms) for _, terms in pairs):
            raise UnreadableData(f"{file} has synonyms that are no text; write a list of strings for each concept.")
        return [(key, term) for key, terms in pairs for term in terms]
    rows = _rows(text, file)
    header = {name: at for at, name in enumerate(rows[0])} if rows else {}
    concept, term = by_name(header, _COLUMNS), by_name(header, _TERMS)
    if not concept or not term:
        raise UnreadableData(f"{file} has no columns “concept” and “term”.")
    least = max(header[concept], header[term])
    return [(row[header[concept]].strip(), row[header[term]].strip()) for row in rows[1:] if len(row) > least]


def _names(text: str, file: str) -> list[str]:
    if file.lower().endswith(".txt"):
        # Only newlines end a line: other breaks that Unicode knows may stand inside a name.
        return [line.strip() for line in text.split("\n") if line.strip() and not line.startswith("#")]
    rows = _rows(text, file)
    if not rows:
        return []
    named = by_name({cell: at for at, cell in enumerate(rows[0])}, _COLUMNS)
    at = rows[0].index(named) if named else 0
    return [row[at].strip() for row in (rows[1:] if named else rows) if len(row) > at and row[at].strip()]


def _rows(text: str, file: str) -> list[list[str]]:
    first = text.split("\n", 1)[0]
    try:
        return list(Rows(text, name=file, delimiter=max(",\t;", key=first.count)))
    except csv.Error as error:
        raise UnreadableData(f"{file} is not a table: {error}.") from error


def _json(text: str, file: str) -> Any:
    return parse_json(text, name=file)
