"""One way to ask any classifier, zero-shot or supervised, what it sees on an image set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from core.evaluation.evaluate import evaluate, notes_of
from core.models import registry as models
from core.robustness.records import Record
from core.supervised import answers as supervised
from core.types import Answer, ImageSet, Lens, Report, silent


def answer_for(model: str, image_set: ImageSet, *, prompts: str = "simple", report: Report = silent) -> Answer:
    """The answer of ``model`` on ``image_set``, from the cache or computed now.

    Args:
        model: an open_clip name as in ``core.models.registry``, or a supervised classifier.
        image_set: an open set.
        prompts: strategy of a zero-shot model.
    """
    if supervised.is_supervised(model):
        return supervised.answer_for(model, image_set, report)
    return evaluate(Lens(model, image_set.id, prompts), report=report, image_set=image_set)


def answer_of(lens: Lens, image_set: ImageSet, *, report: Report = silent) -> Answer:
    """The answer of the lens's model on an open set, under the lens's prompts."""
    return answer_for(lens.model, image_set, prompts=lens.prompts, report=report)


def with_prompt_notes(rows: Sequence[Record], image_set_of: Callable[[Record], ImageSet]) -> list[Record]:
    """Records with what a person should know of their prompts, under ``prompt_notes``; none for supervised models.

    Args:
        image_set_of: the set whose classes the prompts of a record are about.
    """
    known: dict[tuple[str, str, str], list[str]] = {}
    told = []
    for row in rows:
        image_set = image_set_of(row)
        key = (row.model, image_set.id, row.prompts)
        if key not in known:
            asked = row.prompts != supervised.PROMPTS
            known[key] = list(notes_of(Lens(row.model, image_set.id, row.prompts), image_set)) if asked else []
        told.append(replace(row, more={**row.more, "prompt_notes": known[key]}))
    return told


def named(text: str) -> str:
    """The one spelling of any classifier's name; UnknownName for one that leads nowhere."""
    return supervised.canonical(text) if supervised.is_supervised(text.strip()) else models.canonical(text)
