"""The sentence that opens a page: what the numbers say, computed, with its n and its interval.

Plain text; whoever shows it escapes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from core.analysis.curve import Curve
from core.frequency.choice import place
from core.models.names import model_name
from core.prompts.notes import unread
from core.stats.format import percent, points, span
from core.types import Answer, ClassAnswer, Interval


def counted(count: int) -> str:
    """How often a concept was counted: ``never counted``, ``counted once``, ``counted 1,234 times``."""
    return {0: "never counted", 1: "counted once", 2: "counted twice"}.get(count, f"counted {count:,} times")


def overall(answer: Answer) -> str:
    """What the model does on the whole set, and how many concepts it never gets right."""
    judged = [score for score in answer.classes if score.n]
    never = sum(score.accuracy == 0 for score in judged)
    if why := unread(answer.reading, len(answer.keys)):
        return f"These accuracies of {model_name(answer.lens.model)} mean nothing: {why}."
    return (
        f"{percent(answer.acc1)} of {len(answer.rows):,} images are classified correctly. "
        f"{never:,} of the {len(judged):,} concepts {'is' if never == 1 else 'are'} never recognised."
    )


def concept(answer: Answer, index: int) -> str:
    """One concept: in how many of its images it is recognised."""
    score = answer.classes[index]
    if not score.n:
        return f"“{score.name}” has no images in this set, so its accuracy is unknown."
    right = round(score.accuracy * score.n)
    return f"“{score.name}” is recognised in {right} of {score.n} images ({percent(score.accuracy)})."


def concept_evidence(answer: Answer, index: int, count: int | None) -> str:
    """Its interval, how often it was counted and where (by the lens's counts), and its most common wrong prediction."""
    score = answer.classes[index]
    if not score.n:
        return ""
    told = [f"95 % CI {span(Interval(score.accuracy, score.low, score.high))}."]
    if count is not None:
        told.append(f"{counted(count).capitalize()} in {place(answer.lens.model, answer.lens.frequency)}.")
    rival = common_error(answer, index)
    if rival and (rival[1] > 1 or round(score.accuracy * score.n) >= score.n - 1):  # not every mistake another one
        told.append(f"Most often predicted as “{answer.names[rival[0]]}” ({rival[1]}×).")
    return " ".join(told)


def common_error(answer: Answer, index: int) -> tuple[int, int] | None:
    """The class most often said wrongly for this class and how often, or None when nothing was wrong."""
    return next(iter(confused_with(answer, index, most=1)), None)


def confused_with(answer: Answer, index: int, *, most: int = 6) -> list[tuple[int, int]]:
    """The classes predicted in place of this one and how often each, most often first, ties in label order."""
    predicted = answer.top[answer.labels == index, 0]
    counts = np.bincount(predicted[predicted != index], minlength=1)
    order = np.argsort(-counts, kind="stable")[:most]
    return [(int(other), int(counts[other])) for other in order if counts[other]]


def several(answer: Answer, indices: Sequence[int]) -> str:
    """A selection of concepts taken together."""
    scores = [answer.classes[index] for index in indices if answer.classes[index].n]
    if not scores:
        return f"None of the {len(indices)} selected concepts has images in this set."
    right, n = sum(round(score.accuracy * score.n) for score in scores), sum(score.n for score in scores)
    worst = min(scores, key=lambda score: (score.accuracy, score.name))
    return (
        f"The {len(scores)} selected concepts are recognised in {right:,} of {n:,} images ({percent(right / n)}); "
        f"hardest is “{worst.name}” ({percent(worst.accuracy)})."
    )


def tail(found: Curve) -> str:
    """How much worse the tail fares than the head; or why there are none."""
    groups = found.groups
    if not found.rows or not groups.tags or math.isnan(found.tail.value) or math.isnan(found.head.value):
        why = groups.reason or "too few concepts of this set have a known count"
        return f"No tail can be told from a head: {why}."
    rare = "concepts that were never counted" if groups.never_counted else "rarest fifth of concepts"
    where = f", counted in {found.counted_in}" if found.counted_in else ""
    return (
        f"Top-1 accuracy is {percent(found.tail.value)} on the {rare} and {percent(found.head.value)} on the most "
        f"frequent fifth{where}."
    )


def published_overall(answer: ClassAnswer, title: str) -> str:
    """What a published model achieves on a whole set, and on how many concepts it fails.

    Args:
        title: the image set in words.
    """
    values = [score.accuracy for score in answer.classes]
    overall = (
        f"is correct on {percent(answer.acc1)} of the images of {title}"
        if answer.acc1 is not None
        else (f"reaches {percent(answer.mean_per_class_recall)} per concept on {title}, on average")
    )
    failed = sum(value < 0.1 for value in values)
    return (
        f"{model_name(answer.lens.model)} {overall}; {failed:,} of {len(values):,} concepts are recognised less than "
        "10 % of the time."
    )


def published_concept(answer: ClassAnswer, index: int, title: str) -> str:
    """One concept under one published model, with its interval where the number of images is known."""
    score = answer.classes[index]
    judged = f" (95 % CI {span(Interval(score.accuracy, score.low, score.high))}; n = {score.n:,})" if score.n else ""
    often = f"{percent(score.accuracy)} of the time on {title}{judged}"
    return f"{model_name(answer.lens.model)} recognises “{score.name}” {often}."


def published_several(answer: ClassAnswer, indices: Sequence[int]) -> str:
    """A selection of concepts under one published model."""
    scores = [answer.classes[index] for index in indices]
    mean = sum(score.accuracy for score in scores) / len(scores)
    worst = min(scores, key=lambda score: (score.accuracy, score.name))
    return (
        f"{model_name(answer.lens.model)} recognises the {len(scores)} selected concepts {percent(mean)} of the time "
        f"on average; hardest is “{worst.name}” ({percent(worst.accuracy)})."
    )


def tail_note(found: Curve) -> str:
    """The sizes, counts and interval behind ``tail``; empty where no tail can be told from a head."""
    groups = found.groups
    if not found.rows or not groups.tags or math.isnan(found.tail.value) or math.isnan(found.head.value):
        return ""
    n = groups.sizes["tail"][0]
    rare = f"{n:,} concepts never counted" if groups.never_counted else f"rarest fifth: {groups.told('tail')}"
    gap = points(found.head.value - found.tail.value, 0)
    return f"A gap of {gap} points · {rare}, 95 % CI {span(found.tail)} · most frequent fifth: {groups.told('head')}"
