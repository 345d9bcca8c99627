"""Prompt strategies: from a name to the finished sentences of every class.

A strategy is one entry of a registry. Apart from the named ones, a person can give templates with a slot (one a line)
or a prompt file. Knows nothing of models; changing the strategy never touches an image.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from core.errors import BadInput, UnknownName, UnreadableData
from core.spelling import spellings
from core.types import ImageSet, PromptSet

_SLOT = re.compile(r"\{[^{}]*\}")
_SLOTS = ("{}", "{c}", "{class}")
_MAX_TEMPLATES = 1_000
_MAX_CHARACTERS = 2_000
_MAX_FILE = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Strategy:
    """One named way of making sentences: id, title, one line of help, and the function that makes them."""

    id: str
    title: str
    help: str
    build: Callable[[ImageSet], PromptSet]


_STRATEGIES: dict[str, Strategy] = {}


def register(strategy: Strategy) -> None:
    """Make a strategy available by its id."""
    _STRATEGIES[strategy.id] = strategy


def strategies() -> list[Strategy]:
    """All named strategies, in the order in which they were registered."""
    return list(_STRATEGIES.values())


def prompt_set(strategy: str, image_set: ImageSet) -> PromptSet:
    """The sentences of every class of an image set under one strategy.

    Args:
        strategy: a strategy id; templates with a slot (``{}``, ``{c}`` or ``{class}``), one a line; or the path of a
            prompt file: JSON ``{class: [sentence, ...]}``, or text with one template a line.

    Raises:
        UnknownName: neither an id nor a template nor a file; the message suggests ids.
        BadInput: a template without a slot, or with different slots.
        UnreadableData: the prompt file is not what it should be.
    """
    if strategy in _STRATEGIES:
        return _STRATEGIES[strategy].build(image_set)
    if "{" in strategy:
        return _from_templates(strategy, parse_templates(strategy), image_set)
    if path := prompt_file(strategy):
        return _from_file(strategy, path, image_set)
    if not re.search(r"[/\\]|\.(json|txt)$", strategy) and re.search(r"\s", strategy.strip()):
        parse_templates(strategy)  # Words without a slot: a template that lacks one, not a misspelt id.
    close = get_close_matches(strategy, _STRATEGIES, n=3, cutoff=0.4) or list(_STRATEGIES)
    raise UnknownName(
        f"No prompt strategy or file is called {strategy!r}; did you mean {' or '.join(close)}? "
        "A template needs a slot, for example 'a photo of a {c}.'."
    )


def prompt_file(strategy: str) -> Path | None:
    """The existing file that this strategy would read, or None; servers check it against their data roots first."""
    if strategy in _STRATEGIES or "{" in strategy or "\0" in strategy or len(strategy) > 4096:
        return None
    path = Path(strategy).expanduser()
    try:
        return path if path.is_file() else None
    except OSError:
        return None


def parse_templates(text: str) -> tuple[str, ...]:
    """The templates of a text, one a line, blank lines left out; raises BadInput naming the line that cannot be used.

    A slot may occur several times, but one template keeps to one spelling of it.
    """
    templates = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not templates:
        raise BadInput("There is no template; type at least one line with a slot, for example 'a photo of a {c}.'.")
    if len(templates) > _MAX_TEMPLATES:
        raise BadInput(f"{len(templates):,} templates are too many; use at most {_MAX_TEMPLATES:,}.")
    for template in templates:
        if len(template) > _MAX_CHARACTERS:
            raise BadInput(f"A template has {len(template):,} characters; use at most {_MAX_CHARACTERS:,}.")
        slots = dict.fromkeys(_SLOT.findall(template))
        if unknown := [slot for slot in slots if slot not in _SLOTS]:
            raise BadInput(
                f"Template {template!r} has the unknown slot {unknown[0]}; write {{c}} where the class goes."
            )
        if not slots:
            raise BadInput(f"Template {template!r} has no slot; write {{c}} where the class name goes.")
        if len(slots) > 1:
            raise BadInput(f"Template {template!r} mixes the slots {' and '.join(slots)}; use one of them.")
    return templates


def fill(template: str, name: str) -> str:
    """The template with the class name, verbatim, in every slot."""
    return _SLOT.sub(lambda _: name, template)


def ensemble_templates() -> tuple[str, ...]:
    """The 80 ImageNet templates of the CLIP authors, from open_clip's own metadata, with ``{}`` slots."""
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    return tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)


def _from_templates(
    strategy: str, templates: Sequence[str], image_set: ImageSet, notes: tuple[str, ...] = ()
) -> PromptSet:
    sentences = tuple(tuple(fill(template, name) for template in templates) for name in image_set.names)
    return PromptSet(strategy, sentences, notes=notes)


def _of_dataset(image_set: ImageSet) -> PromptSet:
    if not image_set.templates:
        raise BadInput(f"{image_set.id} brings no templates of its own; use simple, ensemble or a template you type.")
    return _from_templates("dataset", parse_templates("\n".join(image_set.templates)), image_set)


def _from_file(strategy: str, path: Path, image_set: ImageSet) -> PromptSet:
    try:
        if path.stat().st_size > _MAX_FILE:
            raise UnreadableData(f"{path} is larger than {_MAX_FILE >> 20} MB; a prompt file holds sentences only.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableData(f"{path} cannot be read as UTF-8 text ({error}); save it as such.") from None
    if path.suffix.lower() != ".json":
        return _from_templates(strategy, parse_templates(text), image_set)
    return _from_sentences(strategy, _read_sentences(text, path), image_set)


def _read_sentences(text: str, path: Path) -> dict[str, tuple[str, ...]]:
    """The checked content of a JSON prompt file."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) != len(pairs):
            raise UnreadableData(f"{path} names a class twice; merge its sentences.")
        return content

    try:
        content = json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise UnreadableData(f"{path} is nested too deeply for a prompt file.") from None
    except ValueError as error:
        raise UnreadableData(f"{path} is not valid JSON: {error}.") from None
    if not isinstance(content, dict):
        raise UnreadableData(f'{path} must hold one object {{"class": ["sentence", ...]}}.')
    for name, listed in content.items():
        if not isinstance(listed, list) or not all(map(_is_sentence, listed)):
            raise UnreadableData(f"{path}: class {name!r} must have a list of non-empty sentences.")
    # Released files keep stray line breaks inside sentences; a tokenizer sees them as spaces anyway.
    return {name: tuple(" ".join(line.split()) for line in listed) for name, listed in content.items()}


def _is_sentence(line: Any) -> bool:
    # JSON can smuggle in half characters (lone surrogates), which no tokenizer can encode.
    return isinstance(line, str) and bool(line.strip()) and not re.search("[\ud800-\udfff]", line)


def _from_sentences(strategy: str, listed: dict[str, tuple[str, ...]], image_set: ImageSet) -> PromptSet:
    sentences, missing, used = [], [], set()
    for key, name in zip(image_set.keys, image_set.names, strict=True):
        found = next((spelling for spelling in spellings(key, name) if listed.get(spelling)), None)
        if found is None:
            missing.append(name)
        used.add(found)
        sentences.append(listed[found] if found is not None else (name,))
    if len(missing) == len(sentences):
        raise BadInput(
            f"None of the {len(listed):,} classes in {strategy} is a class of {image_set.id}; "
            f"its classes are named like {image_set.names[0]!r}."
        )
    notes = []
    if missing:
        notes.append(f"{len(missing)} classes have no sentences and use their bare name: {_some(missing)}.")
    if unused := [name for name in listed if name not in used]:
        notes.append(f"{len(unused)} classes of the file are not in this set: {_some(unused)}.")
    return PromptSet(strategy, tuple(sentences), notes=tuple(notes))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


register(
    Strategy(
        "class",
        "Class name",
        "The bare class name and nothing else.",
        lambda image_set: _from_templates("class", ("{}",), image_set),
    )
)
register(
    Strategy(
        "simple",
        "One template",
        "One sentence a class: a photo of a {c}.",
        lambda image_set: _from_templates("simple", ("a photo of a {}.",), image_set),
    )
)
register(
    Strategy(
        "ensemble",
        "80 templates",
        "The 80 ImageNet templates of CLIP: vectors are normalised, averaged per class and normalised again.",
        lambda image_set: _from_templates("ensemble", ensemble_templates(), image_set),
    )
)
register(
    Strategy(
        "dataset",
        "The set's own templates",
        "The templates that came with the image set, averaged like the 80.",
        _of_dataset,
    )
)
