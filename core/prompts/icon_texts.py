"""The project's own sentences and phrases about the icons (``assets/prompts``), matched to the classes of a set."""

from __future__ import annotations

import json
from functools import cache

from core.errors import BadInput
from core.icons.concepts import IconConcept, concepts
from core.paths import ASSETS
from core.text.spelling import spellings
from core.types import Classes

ASSETS = ASSETS / "prompts"


@cache
def icon_lists(file: str) -> dict[str, tuple[str, ...]]:
    """One committed file: icon key -> its texts."""
    content = json.loads((ASSETS / file).read_text(encoding="utf-8"))
    return {key: tuple(listed) for key, listed in content.items()}


def icons_of(image_set: Classes, *, need: str) -> list[IconConcept]:
    """The icon concept of every class, by key or name.

    Args:
        need: what a person can do when a class is no icon, as the second half of a sentence.

    Raises:
        BadInput: a class is not a concept of the icon world.
    """
    by_name = {text: concept for concept in concepts() for text in (concept.name, concept.key)}
    found = []
    for key, name in zip(image_set.keys, image_set.names, strict=True):
        concept = next((by_name[spelling] for spelling in spellings(key, name) if spelling in by_name), None)
        if concept is None:
            raise BadInput(f"Tailscope brings such texts for the icon world only, and {name!r} is not in it: {need}")
        found.append(concept)
    return found
