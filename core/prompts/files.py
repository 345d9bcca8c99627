"""Prompt files: sentences by class in the forms that people publish, matched to the classes of an image set.

JSON in one of four forms: ``{class: [sentence, ...]}`` (CuPL, DCLIP), the same inside ``{dataset: ...}``
(CLIP_benchmark), ``{"0": [...], "1": [...]}`` or ``[[...], [...]]`` by class index. Text holds one template a line.
What was matched how is told in the notes of the PromptSet.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BadInput, UnreadableData
from core.opening import read_regular
from core.prompts.templates import from_templates, parse_templates
from core.text.spelling import spellings
from core.types import ImageSet, PromptSet

_MAX_FILE = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Matched:
    """Lists of texts by class, in label order; None for a class that the file does not know; and what to tell."""

    lists: tuple[tuple[str, ...] | None, ...]
    notes: tuple[str, ...]


def from_file(strategy: str, path: Path, image_set: ImageSet) -> PromptSet:
    """The sentences of a prompt file; a class without any uses its bare name, and the notes say which."""
    text = read_text(path)
    if path.suffix.lower() != ".json":
        return from_templates(strategy, parse_templates(text), image_set)
    found = match(read_lists(path, text), path, image_set)
    empty = [name for name, listed in zip(image_set.names, found.lists, strict=True) if not listed]
    if len(empty) == len(image_set.names):
        raise BadInput(f"{path} holds no sentence for any class of {image_set.id}.")
    sentences = tuple(listed or (name,) for name, listed in zip(image_set.names, found.lists, strict=True))
    return PromptSet(strategy, sentences, notes=(*bare(empty), *found.notes))


def bare(names: Sequence[str]) -> tuple[str, ...]:
    """The note about classes that a strategy has nothing to say about; none when there are no such classes."""
    return (f"{len(names)} classes have no sentences and use their bare name: {some(names)}.",) if names else ()


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

    try:
        return json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise UnreadableData(f"{path} is nested too deeply for a prompt file.") from None
    except ValueError as error:
        raise UnreadableData(f"{path} is not valid JSON: {error}.") from None


Lists = dict[str, tuple[str, ...]]


def read_lists(path: Path, text: str | None = None) -> Lists | dict[str, Lists]:
    """The checked content of a JSON prompt file: by class, or by dataset and class."""
    content = read_json(path, read_text(path) if text is None else text)
    if isinstance(content, list) and content and all(isinstance(listed, list) for listed in content):
        content = {str(index): listed for index, listed in enumerate(content)}
    if not isinstance(content, dict):
        raise UnreadableData(f'{path} must hold one object {{"class": ["sentence", ...]}}.')
    if content and all(isinstance(inner, dict) for inner in content.values()):
        return {dataset: _checked(inner, path) for dataset, inner in content.items()}
    return _checked(content, path)


def _checked(content: dict[str, Any], path: Path) -> Lists:
    for name, listed in content.items():
        if not isinstance(listed, list) or not all(map(_is_sentence, listed)):
            raise UnreadableData(f"{path}: class {name!r} must have a list of non-empty sentences.")
    # Released files keep stray line breaks inside sentences; a tokenizer sees them as spaces anyway.
    return {name: tuple(" ".join(line.split()) for line in listed) for name, listed in content.items()}


def _is_sentence(line: Any) -> bool:
    # JSON can smuggle in half characters (lone surrogates), which no tokenizer can encode.
    return isinstance(line, str) and bool(line.strip()) and not re.search("[\ud800-\udfff]", line)


def match(content: Lists | dict[str, Lists], path: Path, image_set: ImageSet) -> Matched:
    """Find the list of every class: by key or name, else by index where the file is provably in label order.

    Raises:
        BadInput: the file is of other classes.
    """
    notes: list[str] = []
    if content and all(isinstance(inner, dict) for inner in content.values()):
        content = _dataset(content, image_set, notes)
    by_name = [_spelled(content, key, name) for key, name in zip(image_set.keys, image_set.names, strict=True)]
    if not any(by_name) and content and set(content) == {str(index) for index in range(len(content))}:
        return _by_index(content, path, image_set)
    placed = _in_order(content, by_name, image_set.names)
    found = [name if name is not None else other for name, other in zip(by_name, placed, strict=True)]
    if not any(name is not None for name in found):
        raise BadInput(
            f"None of the {len(content):,} classes in {path} is a class of {image_set.id}; "
            f"its classes are named like {image_set.names[0]!r}."
        )
    if other := [f"{name} = {key}" for name, key in zip(image_set.names, placed, strict=True) if key is not None]:
        notes.append(f"{len(other)} classes were matched by their place in the file: {some(other)}.")
    shared = {key for key, n in Counter(key for key in found if key is not None).items() if n > 1}
    if shared:
        places = [f"{key} ({', '.join(str(i) for i, k in enumerate(found) if k == key)})" for key in sorted(shared)]
        notes.append(f"{len(shared)} names belong to several classes, which share a list: {some(places)}.")
    if unused := [name for name in content if name not in set(found)]:
        notes.append(f"{len(unused)} classes of the file are not in this set: {some(unused)}.")
    return Matched(tuple(None if key is None else content[key] for key in found), tuple(notes))


def _spelled(content: Lists, key: str, name: str) -> str | None:
    spelled = [spelling for spelling in spellings(key, name) if spelling in content]
    return next((spelling for spelling in spelled if content[spelling]), spelled[0] if spelled else None)


def _dataset(content: dict[str, Lists], image_set: ImageSet, notes: list[str]) -> Lists:
    """The part of a nested file that is about this image set: by its name, else the one that knows most classes."""

    def plain(text: str) -> str:
        return re.sub(r"[^a-z0-9]", "", text.lower())

    own = {plain(image_set.id), plain(Path(image_set.id).name), plain(image_set.id.removeprefix("wds_"))}
    named = [dataset for dataset in content if plain(dataset) in own]
    known = {
        dataset: sum(_spelled(lists, k, n) is not None for k, n in zip(image_set.keys, image_set.names, strict=True))
        for dataset, lists in content.items()
    }
    chosen = named[0] if named else max(known, key=lambda dataset: known[dataset])
    notes.append(f"The file holds {len(content)} datasets; {chosen} was used.")
    return content[chosen]


def _by_index(content: Lists, path: Path, image_set: ImageSet) -> Matched:
    if len(content) != len(image_set.keys):
        raise BadInput(
            f"{path} lists {len(content):,} classes by index, but {image_set.id} has {len(image_set.keys):,}; "
            "name the classes, or use the file of this set."
        )
    note = f"The file has no class names: its {len(content):,} lists were taken in label order."
    return Matched(tuple(content[str(index)] for index in range(len(content))), (note,))


def _in_order(content: Lists, by_name: Sequence[str | None], names: Sequence[str]) -> list[str | None]:
    """For classes that were not found: the entry at their place, if the file is in label order.

    Files made from names hold equal names once (ImageNet's 1,000 classes have 998 names), so places are counted over
    different names.
    """
    entries, different = list(content), list(dict.fromkeys(names))
    if len(entries) != len(different) or None not in by_name:
        return [None] * len(by_name)
    place = {name: index for index, name in enumerate(different)}
    agree = [entries[place[name]] == key for name, key in zip(names, by_name, strict=True) if key is not None]
    if 2 * len(agree) < len(names) or not all(agree):
        return [None] * len(by_name)
    return [None if key is not None else entries[place[name]] for name, key in zip(names, by_name, strict=True)]


def some(names: Sequence[str]) -> str:
    """The first few of many, for a note."""
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
