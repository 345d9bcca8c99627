"""Up to four lenses side by side on the same images: what each achieves, and which differences are more than noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from core.errors import BadInput
from core.prompts.notes import unread
from core.stats.calibration import ReliabilityBin, ece, reliability
from core.stats.intervals import Tag, split
from core.stats.paired import class_difference, holm, mcnemar, pair
from core.types import Answer, FrequencyTable, Interval

MOST = 4


@dataclass(frozen=True, slots=True)
class Summary:
    """What one lens achieves; all accuracies are fractions.

    Attributes:
        acc1, acc5, mean_per_class_recall: overall; acc5 is None below five classes.
        head, torso, tail: mean accuracy of the classes of each part; NaN without known counts.
        frequency: the table that tells head from tail, empty for none.
        ece, reliability: calibration of the probability of the class said.
        margin: mean over images of the true class's cosine less the best other's.
        n: images used; n_images: images in the set.
    """

    acc1: float
    acc5: float | None
    mean_per_class_recall: float
    head: float
    torso: float
    tail: float
    frequency: str
    ece: float
    reliability: tuple[ReliabilityBin, ...]
    margin: float
    n: int
    n_images: int


@dataclass(frozen=True)
class Difference:
    """Lens b against lens a on the images both used.

    Attributes:
        delta: mean over classes of the difference in accuracy (b - a, a fraction), bootstrap over classes.
        b01, b10: images fixed (a wrong, b right) and broken (a right, b wrong).
        p, p_holm: exact McNemar over images, and the same adjusted for all pairs of the comparison.
        fixed, broken: int64, those images as rows of the image set, largest change of margin first.
        unread: lens id -> why its answer says nothing, for a lens whose sentences are cut before they differ.
    """

    a: str
    b: str
    n: int
    delta: Interval
    b01: int
    b10: int
    p: float
    p_holm: float
    fixed: np.ndarray
    broken: np.ndarray
    unread: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Every lens by its id, and every pair of them in the order given."""

    lenses: Mapping[str, Summary]
    pairs: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class ClassChange:
    """Accuracy of one class under two lenses, over the images both used; ``change`` is after - before."""

    key: str
    name: str
    before: float
    after: float
    change: float
    n: int


def compare(answers: Mapping[str, Answer], *, tables: Mapping[str, FrequencyTable] | None = None) -> Comparison:
    """Compare answers about the same images.

    Args:
        answers: lens id -> its answer; one to four.
        tables: lens id -> pretraining counts that tell its head from its tail, where known.

    Raises:
        BadInput: more than four lenses, or different images.
    """
    if not 1 <= len(answers) <= MOST:
        raise BadInput(f"{len(answers)} lenses cannot be compared; choose one to {MOST}.")
    found = [_difference(a, b, answers[a], answers[b]) for a, b in combinations(answers, 2)]
    p = [mcnemar(one["b01"], one["b10"]) for one in found]
    return Comparison(
        {id: summarise(answer, (tables or {}).get(id)) for id, answer in answers.items()},
        tuple(Difference(**one, p=q, p_holm=h) for one, q, h in zip(found, p, holm(p), strict=True)),
    )


def summarise(answer: Answer, table: FrequencyTable | None = None) -> Summary:
    """What one lens achieves."""
    tags = split(table, answer.keys, answer.names) if table else {}
    bins = reliability(answer.probability, answer.top[:, 0] == answer.labels)

    def part(tag: Tag) -> float:
        inside = [score.accuracy for score in answer.classes if score.n and tags.get(score.key) == tag]
        return float(np.mean(inside)) if inside else math.nan

    return Summary(
        acc1=answer.acc1,
        acc5=answer.acc5,
        mean_per_class_recall=answer.mean_per_class_recall,
        head=part("head"),
        torso=part("torso"),
        tail=part("tail"),
        frequency=table.name if table else "",
        ece=ece(bins),
        reliability=bins,
        margin=float(np.mean(answer.margin, dtype=np.float64)),
        n=len(answer.rows),
        n_images=answer.n_images,
    )


def _difference(id_a: str, id_b: str, a: Answer, b: Answer) -> dict[str, Any]:
    paired = pair(a, b)
    change = np.abs(paired.margin_b - paired.margin_a)
    fixed, broken = (np.flatnonzero(mask) for mask in (paired.fixed, paired.broken))
    return {
        "a": id_a,
        "b": id_b,
        "n": len(paired.rows),
        "delta": class_difference(paired),
        "b01": len(fixed),
        "b10": len(broken),
        "fixed": paired.rows[fixed[np.argsort(-change[fixed], kind="stable")]],
        "broken": paired.rows[broken[np.argsort(-change[broken], kind="stable")]],
        "unread": {
            id: why for id, answer in ((id_a, a), (id_b, b)) if (why := unread(answer.reading, len(answer.keys)))
        },
    }


def class_changes(a: Answer, b: Answer) -> tuple[ClassChange, ...]:
    """Every class with shared images, from the largest loss to the largest gain, ties in label order."""
    paired = pair(a, b)
    classes = len(a.keys)
    n = np.bincount(paired.labels, minlength=classes)
    hits = [
        np.bincount(paired.labels, weights=said == paired.labels, minlength=classes)
        for said in (paired.said_a, paired.said_b)
    ]
    found = []
    for index in np.flatnonzero(n).tolist():
        before, after = (float(hit[index] / n[index]) for hit in hits)
        found.append(ClassChange(a.keys[index], a.names[index], before, after, after - before, int(n[index])))
    return tuple(sorted(found, key=lambda one: one.change))


def as_json(comparison: Comparison, image_ids: Sequence[str]) -> dict[str, Any]:
    """The comparison in the schema of ``python -m core compare``; NaN stays NaN for the writer to turn into null."""
    lenses = {}
    for id, one in comparison.lenses.items():
        lenses[id] = {name: getattr(one, name) for name in Summary.__dataclass_fields__ if name != "reliability"}
        lenses[id]["reliability"] = [
            {name: getattr(part, name) for name in ReliabilityBin.__dataclass_fields__} for part in one.reliability
        ]
    pairs = [
        {
            "a": one.a,
            "b": one.b,
            "n": one.n,
            "delta": one.delta.value,
            "low": one.delta.low,
            "high": one.delta.high,
            "mcnemar": {"b01": one.b01, "b10": one.b10, "p": one.p},
            "p_holm": one.p_holm,
            "unread": dict(one.unread),
            "fixed": [image_ids[row] for row in one.fixed],
            "broken": [image_ids[row] for row in one.broken],
        }
        for one in comparison.pairs
    ]
    return {"lenses": lenses, "pairs": pairs}


def headline(found: Difference, *, names: Mapping[str, str] | None = None) -> str:
    """One pair in one or two sentences: how much, how sure, what changed; noise is called noise.

    Args:
        names: lens id -> what to call it; the ids themselves by default.
    """
    a, b = ((names or {}).get(id, id) for id in (found.a, found.b))
    if found.unread:
        reasons = "; ".join(f"{(names or {}).get(id, id)}: {why}" for id, why in found.unread.items())
        return f"Nothing can be compared. {reasons}."
    flips = f"{found.b01:,} images fixed, {found.b10:,} broken"
    size = f"{_points(abs(found.delta.value))} points"
    if not found.b01 + found.b10:
        return f"{b} and {a} answer all {found.n:,} images alike."
    evidence = f"95 % CI {_points(found.delta.low)} to {_points(found.delta.high)}; {flips} of {found.n:,}"
    if math.isnan(found.delta.low):
        evidence = f"{flips} of {found.n:,}"
    sure = not math.isnan(found.delta.low) and (found.delta.low > 0 or found.delta.high < 0) and found.p_holm < 0.05
    p = f"p = {found.p_holm:.3f}" if found.p_holm >= 0.001 else "p < 0.001"
    if not sure:
        return f"No clear difference: {b} is {size} {_side(found.delta.value)} {a} ({evidence}), which may be noise."
    return f"{b} is {size} {_side(found.delta.value)} {a} ({evidence}; {p} after Holm)."


def _side(delta: float) -> str:
    return "above" if delta > 0 else "below" if delta < 0 else "from"


def _points(fraction: float) -> str:
    return f"{round(100 * fraction, 1) + 0.0:.1f}".replace("-", "−")
