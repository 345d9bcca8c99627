"""Prompt files: sentences by class in the forms that people publish, matched to the classes of an image set.

JSON in one of five forms: ``{class: [sentence, ...]}`` (CuPL, DCLIP), the same with every list under its class once
more (``{class: {class: [...]}}``, the descriptions of arXiv 2404.04125), the same inside ``{dataset: ...}``
(CLIP_benchmark), ``{"0": [...], "1": [...]}`` or ``[[...], [...]]`` by class index. Text holds one template a line.
What was matched how is told in the notes of the PromptSet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BadInput, UnreadableData
from core.opening import parse_json, read_regular
from core.prompts.matching import count, folded_name, match_classes, some
from core.prompts.templates import from_templates, parse_templates
from core.types import Classes, PromptSet

_MAX_FILE = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Matched:
    """Lists of texts by class, in label order; None for a class that the file does not know; and what to tell."""

    lists: tuple[tuple[str, ...] | None, ...]
    notes: tuple[str, ...]


def from_file(strategy: str, path: Path, image_set: Classes, *, verbatim: bool = False) -> PromptSet:
    """The sentences of a prompt file; a class without any uses its bare name, and the notes say which.

    Args:
        verbatim: take the templates of a text file as they stand.
    """
    text = read_text(path)
    if path.suffix.lower() != ".json":
        return from_templates(strategy, parse_templates(text, verbatim=verbatim), image_set)
    found = match(read_lists(path, text), path, image_set)
    empty = [name for name, listed in zip(image_set.names, found.lists, strict=True) if not listed]
    if len(empty) == len(image_set.names):
        raise BadInput(f"{path} holds no sentence for any class of {image_set.id}.")
    sentences = tuple(listed or (name,) for name, listed in zip(image_set.names, found.lists, strict=True))
    return PromptSet(strategy, sentences, notes=(*bare(empty), *found.notes))


def bare(names: Sequence[str]) -> tuple[str, ...]:
    """The note about classes that a strategy has nothing to say about; none when there are no such classes."""
    have = "class has no sentences and uses its", "classes have no sentences and use their"
    return (f"{count(len(names), *have)} bare name: {some(names, 20)}.",) if names else ()


def read_text(path: Path) -> str:
    """The UTF-8 text of a file of bounded size, or UnreadableData with the reason."""
    try:
        return read_regular(path, limit=_MAX_FILE).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableData(f"{path} cannot be read as UTF-8 text ({error}); save it as such.") from None


def read_json(path: Path, text: str) -> Any:
    """Strict JSON in which no object names a key twice."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) != len(pairs):
            raise UnreadableData(f"{path} names a class twice; merge its sentences.")
        return content

    return parse_json(text, name=str(path), object_pairs_hook=unique)


Lists = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ByDataset:
    """Lists by class, by dataset: a nested prompt file."""

    datasets: dict[str, Lists]


def read_lists(path: Path, text: str | None = None) -> Lists | ByDataset:
    """The checked content of a JSON prompt file: by class, or by dataset and class."""
    content = read_json(path, read_text(path) if text is None else text)
    if isinstance(content, list) and content and all(isinstance(listed, list) for listed in content):
        content = {str(index): listed for index, listed in enumerate(content)}
    if not isinstance(content, dict):
        raise UnreadableData(f'{path} must hold one object {{"class": ["sentence", ...]}}.')
    if content and all(isinstance(inner, dict) for inner in content.values()):
        if all(set(inner) == {name} for name, inner in content.items()):
            return _checked({name: inner[name] for name, inner in content.items()}, path)
        return ByDataset({dataset: _checked(inner, path) for dataset, inner in content.items()})
    return _checked(content, path)


def _checked(content: dict[str, Any], path: Path) -> Lists:
    """The sentences of every class on one line each; empty ones are dropped, so that one empty class refuses nothing.

    A class may hold one text instead of a list, or null. Half characters (lone surrogates), which JSON can smuggle in
    and no tokenizer can encode, are removed.
    """
    lists: Lists = {}
    for name, given in content.items():
        listed = [] if given is None else [given] if isinstance(given, str) else given
        if not isinstance(listed, list) or not all(line is None or isinstance(line, str) for line in listed):
            raise UnreadableData(f"{path}: class {name!r} must have a list of sentences.")
        # Released files keep stray line breaks inside sentences; a tokenizer sees them as spaces anyway.
        lines = [" ".join(_HALF.sub("", line or "").split()) for line in listed]
        lists[name] = tuple(line for line in lines if line)
    return lists


_HALF = re.compile("[\ud800-\udfff]")


def match(given: Lists | ByDataset, path: Path, image_set: Classes) -> Matched:
    """Find the list of every class (``core.prompts.matching``); by index where a file names no class at all.

    Raises:
        BadInput: the file is of other classes.
    """
    notes: list[str] = []
    content = _dataset(given.datasets, image_set, notes) if isinstance(given, ByDataset) else given
    numbered = bool(content) and set(content) == {str(index) for index in range(len(content))}
    if numbered and not set(image_set.keys) <= set(content):
        return _by_index(content, path, image_set)
    if numbered:
        notes.append("The file has no class names: its lists were taken by the numbers of the classes.")
    found = match_classes(list(content), image_set, filled=[bool(listed) for listed in content.values()])
    if all(place is None for place in found.places):
        raise BadInput(
            f"None of the {count(len(content), 'class', 'classes')} in {path} is a class of {image_set.id}; "
            f"its classes are named like {image_set.names[0]!r}."
        )
    lists = list(content.values())
    placed = tuple(None if place is None else lists[place] for place in found.places)
    return Matched(placed, (*notes, *found.notes))


def _dataset(content: dict[str, Lists], image_set: Classes, notes: list[str]) -> Lists:
    """The part of a nested file that is about this image set: by its name, else the one that knows most classes."""
    own = {folded_name(text) for text in (image_set.id, Path(image_set.id).name, image_set.id.removeprefix("wds_"))}
    named = [dataset for dataset in content if folded_name(dataset) in own]
    known = {
        dataset: sum(place is not None for place in match_classes(list(lists), image_set).places)
        for dataset, lists in content.items()
    }
    chosen = named[0] if named else max(known, key=lambda dataset: known[dataset])
    notes.append(f"The file holds {count(len(content), 'dataset', 'datasets')}; {chosen} was used.")
    return content[chosen]


def _by_index(content: Lists, path: Path, image_set: Classes) -> Matched:
    """Lists by class index for a set of as many classes; numbered classes must be numbered without gaps."""
    keys = image_set.keys
    if len(content) != len(keys):
        raise BadInput(
            f"{path} lists {count(len(content), 'class', 'classes')} by index, but {image_set.id} has {len(keys):,}; "
            "name the classes, or use the file of this set."
        )
    places = list(range(len(keys)))
    if all(key.isascii() and key.isdecimal() for key in keys):
        # Folders 1 to 102 are sorted as text (1, 10, 100, 101, 2), the lists are not.
        numbers = [int(key) for key in keys]
        places = [number - min(numbers) for number in numbers]
        if sorted(places) != list(range(len(keys))):
            raise BadInput(f"{path} lists classes by index, but the classes of {image_set.id} are numbered with gaps.")
    note = f"The file has no class names: its {count(len(content), 'list was', 'lists were')} taken in label order."
    return Matched(tuple(content[str(place)] for place in places), (note,))
