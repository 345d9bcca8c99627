"""Sentences from templates with a slot, and the strategies that are nothing but templates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import BadInput
from core.prompts.matching import count
from core.prompts.pasted import cleaned
from core.types import Classes, PromptSet

SIMPLE = "a photo of a {}."
VERBATIM = "verbatim:"
"""Before templates or the path of a text file: every line is taken as it stands."""
_SLOT = re.compile(r"\{[^{}]*\}")
_SLOTS = ("{}", "{c}", "{class}")
_MAX_TEMPLATES = 1_000
_MAX_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Templates:
    """Templates, and what a person should know of how they were read."""

    lines: tuple[str, ...]
    notes: tuple[str, ...] = ()


def parse_templates(text: str, *, verbatim: bool = False) -> Templates:
    """The templates of a text, one a line, blank lines skipped.

    Quotes, commas, brackets and code around pasted templates are removed, which the notes say; ``verbatim`` takes
    every line as it stands. A slot may occur several times, but one template keeps to one spelling of it.

    Raises:
        BadInput: a line cannot be used; the message names it.
    """
    written = [line.strip() for line in re.split(r"\r?\n", text) if line.strip()]
    listed, changes = (written, []) if verbatim else cleaned(written)
    templates = tuple(listed)
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
    if not changes:
        return Templates(templates)
    line, read = next((change for change in changes if change[1]), changes[0])
    example = f"{_cut(line)} is read as {_cut(read)}" if read else f"{_cut(line)} is skipped"
    note = (
        f"{count(len(changes), 'pasted line was', 'pasted lines were')} cleaned of quotes, commas or code around "
        f"the template ({example}); write {VERBATIM} before the templates to take them as they stand."
    )
    return Templates(templates, (note,))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def fill(template: str, name: str) -> str:
    """The template with the class name, verbatim, in every slot."""
    return _SLOT.sub(lambda _: name, template)


def ensemble_templates() -> tuple[str, ...]:
    """The 80 ImageNet templates of the CLIP authors, from open_clip's own metadata, with ``{}`` slots."""
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    return tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)


def from_templates(strategy: str, templates: Sequence[str] | Templates, image_set: Classes) -> PromptSet:
    """The same templates for every class, averaged as embeddings."""
    lines, notes = (templates.lines, templates.notes) if isinstance(templates, Templates) else (templates, ())
    return PromptSet(strategy, tuple(tuple(fill(t, name) for t in lines) for name in image_set.names), notes=notes)


def of_dataset(image_set: Classes) -> PromptSet:
    """The templates that came with the set; BadInput when it has none."""
    if not image_set.templates:
        raise BadInput(f"{image_set.id} brings no templates of its own; use simple, ensemble or a template you type.")
    return from_templates("dataset", parse_templates("\n".join(image_set.templates)), image_set)
