"""What corruption records say, in sentences: computed, with n and interval. Plain text; whoever shows it escapes it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from core.robustness.corruptions.perturbation_run import ALL as ALL_SEQUENCES
from core.robustness.corruptions.records import ALL
from core.robustness.corruptions.registry import BENCHMARK, words
from core.robustness.records import Record
from core.robustness.tail_first import verdict
from core.stats.format import percent, points, span
from core.stats.intervals import wilson
from core.supervised.names import PROMPTS, known_as
from core.types import Interval

TABLE = "corruptions"
MEASURES = ("accuracy", "points lost", "error against the reference")


def of_model(records: Sequence[Record], model: str, prompts: str) -> list[Record]:
    """One model's records under one strategy; a supervised classifier has none to differ by."""
    return [one for one in records if one.model == model and one.prompts in (prompts, PROMPTS)]


def cells(records: Sequence[Record]) -> dict[tuple[str, int], Record]:
    """Corruption and severity -> record, in the order measured; sequences and totals are left out."""
    return {(one.condition, one.severity): one for one in records if one.severity is not None}


def total(records: Sequence[Record]) -> Record | None:
    """The record over all corruptions, None when there is none."""
    return next((one for one in records if one.condition == ALL), None)


def clean(records: Sequence[Record]) -> Record | None:
    """The record of the pictures as they are."""
    return next((one for one in records if one.condition == "clean"), None)


def headline(records: Sequence[Record]) -> str | None:
    """What corruptions cost on average; None when nothing was measured."""
    whole, before = total(records), clean(records)
    if whole is None:
        return None
    if before is None:
        return f"Under corruptions {percent(whole.acc1)} of the images are classified correctly, on average."
    return f"Corruptions cut accuracy from {percent(before.acc1)} to {percent(whole.acc1)}, on average."


def evidence(records: Sequence[Record]) -> str:
    """Model, conditions, interval and n behind ``headline``, and whether the tail breaks first."""
    whole = total(records)
    if whole is None:
        return ""
    told = (
        f"{known_as(whole.model)}, {len(whole.more['corruptions'])} corruptions at {len(whole.more['severities'])} "
        f"severities (95 % CI {span(Interval(whole.acc1, whole.low, whole.high))}; sample of n = {whole.n:,})."
    )
    return " ".join(filter(None, (told, tail_sentence(whole))))


def tail_sentence(whole: Record) -> str | None:
    """Does the tail break first? By the share of its own clean accuracy that each part keeps; None when unknown."""
    if "kept_gap" not in whole.more or math.isnan(_number(whole, "kept_gap")):
        return None
    gap = Interval(*(_number(whole, f"kept_gap{end}") for end in ("", "_low", "_high")))
    opening = {
        "tail": "The tail breaks first",
        "head": "The head breaks first",
        "neither": "Head and tail lose about the same share",
    }
    kept = " and ".join(f"the {part} keeps {percent(_number(whole, f'{part}_kept'))}" for part in ("head", "tail"))
    low, value, high = (points(end, 0, plus=True) for end in (gap.low, gap.value, gap.high))
    told = f"{value} points, 95 % CI {low} to {high}"
    return f"{opening[verdict(gap)]}: of its clean accuracy {kept} (head minus tail {told})."


def sequences_sentence(records: Sequence[Record]) -> str | None:
    """How often answers flip along sequences; None when none were measured."""
    whole = next((one for one in records if one.condition == ALL_SEQUENCES), None)
    if whole is None:
        return None
    parts = [
        f"{percent(_number(whole, f'mfp_{part}'))} in the {part}"
        for part in ("head", "tail")
        if not math.isnan(_number(whole, f"mfp_{part}"))
    ]
    return (
        f"From frame to frame {known_as(whole.model)} changes its mind {percent(_number(whole, 'mfp'))} of the time "
        f"(mFP over {len(whole.more['perturbations'])} perturbations, {whole.n:,} sequences each"
        f"{': ' + ', '.join(parts) if parts else ''})."
    )


def value(record: Record, measure: str, *, before: Record | None, reference: Mapping[tuple[str, int], Record]) -> float:
    """One cell of the heat map as a fraction: accuracy, points lost against clean, or error over the reference's."""
    if measure == MEASURES[0]:
        return record.acc1
    if measure == MEASURES[1]:
        return before.acc1 - record.acc1 if before else math.nan
    other = None if record.severity is None else reference.get((record.condition, record.severity))
    return (1 - record.acc1) / (1 - other.acc1) if other is not None and other.acc1 < 1 else math.nan


def along_severity(records: Sequence[Record], part: str, corruption: str | None) -> dict[int, Interval]:
    """Severity (0 = clean) -> accuracy of the head or tail under one corruption, or averaged over the benchmark's.

    The interval of an average is that of a single condition (Wilson): the same images are in all of them, so adding up
    conditions would promise more than there is.
    """
    chosen: dict[int, list[Record]] = {}
    before = clean(records)
    if before is not None:
        chosen[0] = [before]
    for (name, severity), one in cells(records).items():
        if name == corruption or (corruption is None and name in BENCHMARK):
            chosen.setdefault(severity, []).append(one)
    found = {}
    for severity, ones in sorted(chosen.items()):
        n = int(ones[0].more.get(f"{part}_n") or 0)
        if not n:
            continue
        share = float(np.mean([_number(one, part) for one in ones]))
        found[severity] = wilson(share * n, n)
    return found


def worst(records: Sequence[Record], before: Record | None) -> str | None:
    """Which corruption costs most and least, averaged over severities."""
    by: dict[str, list[float]] = {}
    for (name, _), one in cells(records).items():
        by.setdefault(name, []).append(one.acc1)
    if len(by) < 2 or before is None:
        return None
    lost = {name: before.acc1 - float(np.mean(each)) for name, each in by.items()}
    most, least = max(lost, key=lost.__getitem__), min(lost, key=lost.__getitem__)
    told = f"{words(most)} costs most ({100 * lost[most]:.0f} points), {words(least)} least ({100 * lost[least]:.0f})."
    return told[:1].upper() + told[1:]


def _number(record: Record, name: str) -> float:
    found = record.more.get(name)
    return math.nan if found is None else float(found)
