"""What a corruption run found, as records: accuracy with intervals, CE against a named reference, head against tail."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from core.errors import UnknownName
from core.frequency import sources
from core.frequency.choice import ICON_REFERENCE
from core.frequency.sources import Frequency
from core.robustness.corruptions.metrics import (
    ALEXNET,
    Reference,
    corruption_error,
    mean_over,
    relative_corruption_error,
)
from core.robustness.corruptions.registry import BENCHMARK, IN_MEMORY, PACKAGE, SEVERITIES, library_version
from core.robustness.corruptions.run import CLEAN, NOT_USED, Condition, Outcome, errors
from core.robustness.records import Record, record
from core.robustness.tail_first import tail_first
from core.stats.intervals import Tag, mean, wilson
from core.types import Interval

ALEXNET_ID = "alexnet"
"""What a person types for AlexNet's published errors."""

ALL = "all corruptions"
PARTS: tuple[Tag, ...] = ("head", "torso", "tail")


def default_reference(image_set_id: str, keys: Sequence[str]) -> str | None:
    """The reference that fits a set: the icon world's own model, AlexNet for ImageNet's classes, or none.

    Args:
        keys: the set's class keys; 1,000 WordNet ids are ImageNet's.
    """
    if image_set_id.startswith("icons"):
        return ICON_REFERENCE
    wnids = len(keys) == 1000 and all(key[:1] == "n" and key[1:].isdecimal() for key in keys)
    return ALEXNET_ID if wnids else None


def reference_of(outcome: Outcome) -> Reference:
    """A measured model as the reference, on the same images and seeds."""
    means = {name: mean_over(of.values()) for name, of in errors(outcome).items()}
    clean = outcome.error(CLEAN) if CLEAN in outcome.said else math.nan
    return Reference(outcome.model, clean, means, outcome.severities)


def records(
    outcomes: Mapping[str, Outcome],
    *,
    set_id: str,
    seed: int,
    made: str = IN_MEMORY,
    reference: Reference | None = None,
    frequency: Frequency = None,
) -> list[Record]:
    """Per model: one record a condition, and one over all corruptions.

    Every record of a corruption holds its ``ce`` and ``relative_ce`` over the severities run, in percent of the
    reference; the last record ``mce`` and ``relative_mce`` over the benchmark's corruptions that were run (the latter
    over the ``relative_over`` of them that the reference suffers from), and how much of their clean accuracy head and
    tail keep. ``flip`` is the share of images answered otherwise than when clean.

    Args:
        made: how the pictures were made; in memory, the package's version is recorded beside it.
        reference: whose errors are 100 percent; it must have been measured at the same severities.
    """
    found: list[Record] = []
    about = {"source": made}
    if made == IN_MEMORY:
        about["library"] = f"{PACKAGE} {library_version()}"
    for outcome in outcomes.values():
        if reference is not None and reference.severities != outcome.severities:
            reference = None  # a sum over other severities would be another measure
        groups = sources.groups(outcome.model, outcome.keys, outcome.names, frequency=frequency)
        more = {**about, "frequency": groups.source} if groups.tags else about
        found += _of_model(outcome, reference, groups.tags, more, set=set_id, seed=seed)
    return found


def _of_model(
    outcome: Outcome, reference: Reference | None, tags: Mapping[str, Tag], about: Mapping[str, str], **where: Any
) -> Iterator[Record]:
    named = {**where, "prompts": outcome.prompts, "reference": reference.name if reference else None}
    part = np.array([tags.get(key, "") for key in outcome.keys])[outcome.labels]
    relative = _relative(outcome, reference)
    for condition in outcome.said:
        right = outcome.right(condition)
        more = {**_parts(outcome, condition, part), "flip": _changed(outcome, condition), **about}
        if condition[0] is not None:
            more |= relative[condition[0]]
        yield record(
            outcome.model, condition=condition[0] or "clean", right=int(right.sum()), n=len(right),
            severity=condition[1] or None, more=more, **named,
        )  # fmt: skip
    share = _over_all(outcome)
    averaged = [of for name, of in relative.items() if name in BENCHMARK]
    suffered = [of["relative_ce"] for of in averaged if not math.isnan(of["relative_ce"])]
    more = {
        "mce": mean_over(of["ce"] for of in averaged),
        "relative_mce": mean_over(suffered),
        "relative_over": len(suffered),
        "complete": set(relative) >= set(BENCHMARK) and outcome.severities == SEVERITIES,
        "corruptions": list(relative),
        "severities": list(outcome.severities),
        **_head_and_tail(outcome, tags),
        **about,
    }
    used = int(np.all([said != NOT_USED for said in outcome.said.values()], axis=0).sum())
    yield Record(
        outcome.model, condition=ALL, n=used, acc1=share.value, low=share.low, high=share.high, more=more, **named
    )


def _relative(outcome: Outcome, reference: Reference | None) -> dict[str, dict[str, float]]:
    clean = outcome.error(CLEAN) if CLEAN in outcome.said else math.nan
    found = {}
    for name, of in errors(outcome).items():
        theirs = reference.errors.get(name, math.nan) if reference else math.nan
        found[name] = {
            "ce": corruption_error(of, theirs),
            "relative_ce": relative_corruption_error(of, clean, theirs, reference.clean if reference else math.nan),
        }
    return found


def _parts(outcome: Outcome, condition: Condition, part: np.ndarray) -> dict[str, Any]:
    used = outcome.said[condition] != NOT_USED
    right = outcome.said[condition] == outcome.labels
    found: dict[str, Any] = {}
    for name in PARTS:
        rows = used & (part == name)
        share = wilson(int(right[rows].sum()), int(rows.sum()))
        found |= {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high, f"{name}_n": int(rows.sum())}
    return found


def _changed(outcome: Outcome, condition: Condition) -> float:
    clean, said = outcome.said.get(CLEAN), outcome.said[condition]
    if clean is None:
        return math.nan
    both = (clean != NOT_USED) & (said != NOT_USED)
    return float((clean[both] != said[both]).mean()) if both.any() else math.nan


def _over_all(outcome: Outcome) -> Interval:
    """Mean accuracy over corruptions with an interval that resamples classes: one image is in all conditions."""
    accuracy = outcome.class_accuracy(outcome.corrupted)
    n = np.bincount(outcome.labels, minlength=len(accuracy))
    held = np.isfinite(accuracy)
    return mean(np.repeat(accuracy[held], n[held]), clusters=np.repeat(np.flatnonzero(held), n[held]))


def _head_and_tail(outcome: Outcome, tags: Mapping[str, Tag]) -> dict[str, float]:
    if CLEAN not in outcome.said:
        return {}
    clean, after = outcome.class_accuracy([CLEAN]), outcome.class_accuracy(outcome.corrupted)
    found = tail_first(clean, after, outcome.keys, tags)
    if found is None:
        return {}
    named: dict[str, Interval] = {"kept_gap": found.kept_gap, "drop_gap": found.drop_gap}
    for part in ("head", "tail"):
        named |= {f"{part}_kept": found.kept[part], f"{part}_drop": found.drop[part]}
    return {
        f"{name}{end}": getattr(one, side)
        for name, one in named.items()
        for end, side in (("", "value"), ("_low", "low"), ("_high", "high"))
    }


def reference_named(name: str | None) -> Reference | None:
    """AlexNet's published errors when they are asked for; None when the reference is a model to be measured.

    Raises:
        UnknownName: the name is neither.
    """
    if name is None:
        return None
    if name.lower() in (ALEXNET_ID, "alexnet-published"):
        return ALEXNET
    if "," not in name and ":" not in name:
        raise UnknownName(
            f"There is no reference {name!r}: give {ALEXNET_ID} (published errors, for ImageNet), {ICON_REFERENCE}, or "
            "any model."
        )
    return None
