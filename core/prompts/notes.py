"""What a prompt set lost on its way to the model: classes without sentences, and sentences that are not read whole.

A text tower reads a fixed number of tokens. Sentences that name their class, or say what is particular to it, only
after that are one and the same sentence to the model; no finding about them is a finding about their words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from core.prompts.matching import count, some
from core.types import PromptSet, Reading, TextEncoder

_SPECIAL_TOKENS = 8


def read_of(encoder: TextEncoder, prompts: PromptSet) -> Reading:
    """How much of the sentences a model reads."""
    longest = encoder.context_length
    # A token is at least one byte, so most sentences need no tokenizer.
    texts = {text for listed in prompts.sentences for text in listed}
    long = [text for text in texts if len(text.encode("utf-8", "replace")) + _SPECIAL_TOKENS > longest]
    cut = {text for text, n in zip(long, encoder.token_counts(long), strict=True) if n > longest}
    classes = tuple(i for i, listed in enumerate(prompts.sentences) if any(text in cut for text in listed))
    return Reading(
        sentences=sum(map(len, prompts.sentences)),
        cut=sum(text in cut for listed in prompts.sentences for text in listed),
        context_length=longest,
        cut_classes=classes,
        alike=_alike(encoder, prompts, classes) if cut else (),
    )


def _alike(encoder: TextEncoder, prompts: PromptSet, classes: Sequence[int]) -> tuple[int, ...]:
    """Classes whose sentences are written differently from another class's, but read the same."""
    flat = sorted({text for index in classes for text in prompts.sentences[index]})
    read = dict(zip(flat, encoder.as_read(flat), strict=True))
    groups: dict[tuple[tuple[int, ...], ...], list[int]] = defaultdict(list)
    for index in classes:
        groups[tuple(sorted(read[text] for text in prompts.sentences[index]))].append(index)
    differ = [g for g in groups.values() if len({tuple(sorted(prompts.sentences[i])) for i in g}) > 1]
    return tuple(sorted(index for group in differ for index in group))


def reading_of(stored: Mapping[str, Any]) -> Reading:
    """A reading as it was written to JSON; an empty one where none was."""
    given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in stored.items()}
    return Reading(**given)


def notes_on(prompts: PromptSet | None, reading: Reading, names: Sequence[str]) -> tuple[str, ...]:
    """Everything that a person should know of the prompts behind an answer, one sentence each."""
    told = list(prompts.notes) if prompts is not None else []
    if reading.cut:
        told.append(f"{_cut(reading)}, in {_classes(reading.cut_classes, names)}.")
    if reading.alike:
        told.append(
            f"{count(len(reading.alike), 'class differs', 'classes differ')} from another only after what the model "
            f"reads, so it cannot tell them apart: {some([names[i] for i in reading.alike], 20)}."
        )
    return tuple(told)


def unread(reading: Reading, classes: int) -> str:
    """Why nothing can be concluded about the classes of an answer; empty where it can.

    Args:
        classes: how many there are; from half of them that read alike on, scores are chance.
    """
    if not reading.alike or 2 * len(reading.alike) < classes:
        return ""
    return (
        f"{_cut(reading)}, and {len(reading.alike):,} of {classes:,} classes differ only after that, so the model "
        "cannot tell them apart"
    )


def content_unread(reading: Reading) -> str:
    """Why nothing can be concluded about the content of sentences: half of them or more are not read whole."""
    return _cut(reading) if reading.cut and 2 * reading.cut >= reading.sentences else ""


def _cut(reading: Reading) -> str:
    return (
        f"{reading.cut:,} of {count(reading.sentences, 'sentence', 'sentences')} "
        f"{'is' if reading.cut == 1 else 'are'} cut at the {reading.context_length} tokens that the model reads"
    )


def _classes(indices: Sequence[int], names: Sequence[str]) -> str:
    if len(indices) == len(names):
        return f"all {count(len(names), 'class', 'classes')}"
    listed = some([names[i] for i in indices], 20)
    return f"{len(indices):,} of {count(len(names), 'class', 'classes')}: {listed}"
