"""CuPL: several sentences a class, written by a language model; Pratt et al., 2023.

For the icon world the sentences are the project's own (``assets/prompts/README.md``): base takes the first three of a
concept, in which its name comes earliest, full all six. For other sets the released files are read from a person's
path (``cupl-full:/path.json``).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.errors import UnknownName
from core.prompts.files import from_file
from core.prompts.icon_texts import icon_lists, icons_of
from core.prompts.templates import ensemble_templates, from_templates
from core.types import Classes, PromptSet

BASE = 3
"""Sentences of an icon concept that belong to the base variant."""
FILE = "icons-cupl.json"


def base(image_set: Classes, path: str = "") -> PromptSet:
    """The first three icon sentences of every class, or the whole file given."""
    return _written("cupl-base", image_set, path, BASE)


def full(image_set: Classes, path: str = "") -> PromptSet:
    """All icon sentences of every class, or the whole file given."""
    return _written("cupl-full", image_set, path, None)


def both(image_set: Classes, path: str = "") -> PromptSet:
    """The 80 templates and the full sentences in one flat mean: each sentence weighs the same, as in the release."""
    written = _written("cupl-both", image_set, path, None)
    templates = from_templates("ensemble", ensemble_templates(), image_set)
    pooled = tuple((*one, *other) for one, other in zip(templates.sentences, written.sentences, strict=True))
    return replace(written, sentences=pooled)


def _written(id: str, image_set: Classes, path: str, count: int | None) -> PromptSet:
    if not path:
        found = icons_of(image_set, need=f"give the path of a CuPL file, {id}:/path/to/prompts.json.")
        return PromptSet(id, tuple(icon_lists(FILE)[concept.key][:count] for concept in found))
    file = Path(path).expanduser()
    if not file.is_file():
        raise UnknownName(f"There is no prompt file {path!r}; write {id}:/path/to/prompts.json.")
    return from_file(id, file, image_set)
