"""DCLIP, classification by description: a class scores the mean of its cosines with described sentences.

Menon and Vondrick, 2023. The prefix rule is the release's own, oddities included: a descriptor that starts with the
letter a reads "which is". The files are ``{class: [descriptor, ...]}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from core.errors import UnknownName
from core.prompts.files import bare, match, read_lists
from core.prompts.icon_texts import icon_lists, icons_of
from core.prompts.matching import count, some
from core.types import Classes, PromptSet

FILE = "icons-descriptors.json"


def of_icons(image_set: Classes) -> PromptSet:
    """The project's own descriptors of the icons."""
    found = icons_of(image_set, need="give the path of a DCLIP file, dclip:/path/to/descriptors.json.")
    return _described(image_set, [icon_lists(FILE)[concept.key] for concept in found], stop=".")


def of_file(image_set: Classes, path: str) -> PromptSet:
    """The descriptors of a file; a class with an empty list gets one empty descriptor, as in the release."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise UnknownName(f"There is no descriptor file {path!r}; write dclip:/path/to/descriptors.json.")
    found = match(read_lists(file), file, image_set)
    # Only the release's ImageNet sentences end with a full stop.
    return _described(image_set, found.lists, stop="." if "imagenet" in image_set.id.lower() else "", notes=found.notes)


def sentence(name: str, descriptor: str, *, stop: str = "") -> str:
    """One descriptor as the release writes it: ``{name}, which is/has {descriptor}``."""
    if descriptor.startswith("a"):
        joined = f"which is {descriptor}"
    elif descriptor.startswith(("has", "often", "typically", "may", "can")):
        joined = f"which {descriptor}"
    elif descriptor.startswith("used"):
        joined = f"which is {descriptor}"
    else:
        joined = f"which has {descriptor}"
    return f"{name}, {joined}".rstrip() + stop


def _described(
    image_set: Classes, lists: Iterable[Sequence[str] | None], *, stop: str, notes: tuple[str, ...] = ()
) -> PromptSet:
    sentences: list[tuple[str, ...]] = []
    unknown, empty = [], []
    for name, listed in zip(image_set.names, lists, strict=True):
        if listed is None:
            unknown.append(name)
            sentences.append((name,))
            continue
        if not listed:
            empty.append(name)
        sentences.append(tuple(sentence(name, descriptor, stop=stop) for descriptor in listed or ("",)))
    have = "class has an empty list and gets", "classes have an empty list and get"
    told = (f"{count(len(empty), *have)} one empty descriptor: {some(empty)}.",) if empty else ()
    return PromptSet("dclip", tuple(sentences), "similarity", (*bare(unknown), *told, *notes))
