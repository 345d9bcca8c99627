"""Sentences from templates with a slot, and the strategies that are nothing but templates."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.errors import BadInput
from core.types import ImageSet, PromptSet

SIMPLE = "a photo of a {}."
_SLOT = re.compile(r"\{[^{}]*\}")
_SLOTS = ("{}", "{c}", "{class}")
_MAX_TEMPLATES = 1_000
_MAX_CHARACTERS = 2_000


def parse_templates(text: str) -> tuple[str, ...]:
    """The templates of a text, one a line, blank lines left out; raises BadInput naming the line that cannot be used.

    A slot may occur several times, but one template keeps to one spelling of it.
    """
    templates = tuple(_unquoted(line.strip()) for line in text.splitlines() if line.strip())
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


def _unquoted(line: str) -> str:
    """The line without one pair of quotes around all of it."""
    return line[1:-1].strip() if len(line) > 1 and line[0] == line[-1] and line[0] in "\"'" else line


def fill(template: str, name: str) -> str:
    """The template with the class name, verbatim, in every slot."""
    return _SLOT.sub(lambda _: name, template)


def ensemble_templates() -> tuple[str, ...]:
    """The 80 ImageNet templates of the CLIP authors, from open_clip's own metadata, with ``{}`` slots."""
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    return tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)


def from_templates(strategy: str, templates: Sequence[str], image_set: ImageSet) -> PromptSet:
    """The same templates for every class, averaged as embeddings."""
    return PromptSet(strategy, tuple(tuple(fill(t, name) for t in templates) for name in image_set.names))


def of_dataset(image_set: ImageSet) -> PromptSet:
    """The templates that came with the set; BadInput when it has none."""
    if not image_set.templates:
        raise BadInput(f"{image_set.id} brings no templates of its own; use simple, ensemble or a template you type.")
    return from_templates("dataset", parse_templates("\n".join(image_set.templates)), image_set)
