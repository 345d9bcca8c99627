"""What a person should know of the prompts behind records of robustness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from core.evaluation.evaluate import notes_of
from core.robustness.records import Record
from core.supervised.names import PROMPTS
from core.types import ImageSet, Lens


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
            asked = row.prompts != PROMPTS
            known[key] = list(notes_of(Lens(row.model, image_set.id, row.prompts), image_set)) if asked else []
        told.append(replace(row, more={**row.more, "prompt_notes": known[key]}))
    return told
