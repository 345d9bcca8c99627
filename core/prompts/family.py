"""Name and family: ``a {c}, a kind of {family}``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.errors import UnknownName, UnreadableData
from core.prompts.files import bare, read_json, read_text
from core.prompts.icon_texts import icons_of
from core.prompts.matching import match_classes
from core.types import Classes, PromptSet


def of_icons(image_set: Classes) -> PromptSet:
    """The families of the icon world."""
    found = icons_of(image_set, need='give a JSON file {"class": "family"}, name-family:/path/to/families.json.')
    return _made(image_set, [concept.family for concept in found])


def of_file(image_set: Classes, path: str) -> PromptSet:
    """The families of a JSON file ``{class: family}``; a class without one uses its bare name."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise UnknownName(f"There is no file {path!r}; write name-family:/path/to/families.json.")
    content = read_json(file, read_text(file))
    if not isinstance(content, dict) or not all(word is None or isinstance(word, str) for word in content.values()):
        raise UnreadableData(f'{path} must hold one object {{"class": "family"}}.')
    words = [(word or "").strip() for word in content.values()]
    found = match_classes(list(content), image_set, filled=[bool(word) for word in words])
    families = [None if place is None else words[place] for place in found.places]
    if not any(families):
        raise UnreadableData(f"{path} has no family for any class of {image_set.id}.")
    return _made(image_set, families, found.notes)


def _made(image_set: Classes, families: Sequence[str | None], notes: Sequence[str] = ()) -> PromptSet:
    pairs = list(zip(image_set.names, families, strict=True))
    sentences = tuple((f"a {name}, a kind of {family}.",) if family else (name,) for name, family in pairs)
    without = bare([name for name, family in pairs if not family])
    return PromptSet("name-family", sentences, notes=(*without, *notes))
