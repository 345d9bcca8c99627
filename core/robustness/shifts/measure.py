"""Models under distribution shift: which images each model gets right, on every shift and in distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from core.datasets.formats.tracks import reach_of
from core.datasets.subset import accepted_labels, matched
from core.errors import BadInput
from core.frequency import sources
from core.frequency.sources import Frequency
from core.robustness.metrics import frame_accuracy
from core.stats import intervals as stats
from core.supervised.ask import answer_for
from core.types import Answer, ImageSet, Interval, Progress, Report, Track, silent

CLEAN = "clean"
PARTS = ("head", "torso", "tail")


@dataclass(frozen=True)
class Measured:
    """One model on one shift, or on the set in distribution.

    Attributes:
        model, condition: what was asked; the condition ends in ``_pm0`` or ``_pm10`` (pm-k) for frames.
        prompts: strategy, or ``supervised``.
        share: accuracy with its interval; n: what it is a share of (images, or anchors for frames).
        rows: int64 [n], the images (anchors) behind it; right: bool [n], which are right; both empty when read back.
        inside: accuracy in distribution on the classes of this shift; inside_n: images behind that.
        parts: mean class accuracy of ``head``, ``torso`` and ``tail`` here, with ``id_`` before it in distribution, and
            with ``_low`` and ``_high`` after it the bounds of its interval (bootstrap over classes).
        reference_for: the shift's pictures were chosen by this very model's errors.
        images: fingerprint of the pictures asked.
        frequency: the counts that tell head from tail, empty without.
        prompt_notes: what a person should know of the prompts.
    """

    model: str
    condition: str
    prompts: str
    share: Interval
    n: int
    rows: np.ndarray
    right: np.ndarray
    inside: Interval
    inside_n: int
    parts: Mapping[str, float] = field(default_factory=dict)
    reference_for: bool = False
    images: str = ""
    frequency: str = ""
    prompt_notes: tuple[str, ...] = ()


def icon_shifts() -> list[str]:
    """Ids of the natural shifts of ``icons``, in the order in which they are shown."""
    from core.datasets.formats.icon_recipes import SHIFTS

    return list(SHIFTS)


def hits(answer: Answer, image_set: ImageSet) -> np.ndarray:
    """Which images of an answer are right, bool [m]: the class said is one of those that the picture shows."""
    if not image_set.accepted:
        return answer.top[:, 0] == answer.labels
    accepted = accepted_labels(image_set)
    said = zip(answer.rows.tolist(), answer.top[:, 0].tolist(), strict=True)
    return np.array([label in accepted[row] for row, label in said], bool)


def measure(
    model: str,
    reference: ImageSet,
    shift: ImageSet,
    *,
    prompts: str = "simple",
    frequency: Frequency = None,
    report: Report = silent,
) -> list[Measured]:
    """One model on one shift: one entry, or pm-0 and pm-k for frames.

    Args:
        reference: the set in distribution; its pictures in the shift's classes give the accuracy to compare with.
        frequency: counts for accuracies of head and tail.
    """
    within = matched(reference, shift)
    inside, shifted = (answer_for(model, one, prompts=prompts, report=report) for one in (within, shift))
    inside_right, right = hits(inside, within), hits(shifted, shift)
    share = stats.wilson(int(inside_right.sum()), len(inside_right))
    groups = sources.groups(model, reference.keys, reference.names, frequency=frequency)
    before = _parts(groups, within.keys, inside.labels, inside_right, before="id_")
    common: dict[str, Any] = {
        "model": model,
        "prompts": shifted.lens.prompts,
        "inside": share,
        "inside_n": len(inside_right),
        "reference_for": _is(model, shift.reference),
        "images": shift.fingerprint,
        "frequency": groups.source,
        "prompt_notes": shifted.prompt_notes,
    }
    if tracks := shift.tracks:
        return [
            replace(one, parts={**before, **_parts(groups, shift.keys, np.asarray(shift.labels)[one.rows], one.right)})
            for one in _frames(shift, tracks, shifted.rows, right, common)
        ]
    found, parts = stats.wilson(int(right.sum()), len(right)), _parts(groups, shift.keys, shifted.labels, right)
    return [
        Measured(
            condition=shift.id, share=found, n=len(right), rows=shifted.rows, right=right, parts={**before, **parts},
            **common,
        )
    ]  # fmt: skip


def measure_clean(
    model: str, reference: ImageSet, *, prompts: str = "simple", frequency: Frequency = None, report: Report = silent
) -> Measured:
    """One model on the set in distribution."""
    answer = answer_for(model, reference, prompts=prompts, report=report)
    right = hits(answer, reference)
    share = stats.wilson(int(right.sum()), len(right))
    groups = sources.groups(model, reference.keys, reference.names, frequency=frequency)
    parts = _parts(groups, reference.keys, answer.labels, right)
    return Measured(
        model, CLEAN, answer.lens.prompts, share, len(right), answer.rows, right, share, len(right), parts,
        images=reference.fingerprint, frequency=groups.source, prompt_notes=answer.prompt_notes,
    )  # fmt: skip


def board(
    asked: Sequence[str],
    reference: ImageSet,
    shifts: Sequence[ImageSet],
    *,
    prompts: str = "simple",
    frequency: Frequency = None,
    report: Report = silent,
) -> list[Measured]:
    """Every model on the set in distribution and on every shift, model after model.

    Args:
        asked: the models.
        frequency: counts for accuracies of head and tail.
        report: called before every cell; raises Stopped to end the work, which keeps the cells that were done.

    Raises:
        BadInput: a model or a shift is given twice, or a shift is the set in distribution.
    """
    ids = [shift.id for shift in shifts]
    if len(set(asked)) < len(asked) or len(set(ids)) < len(ids) or reference.id in ids:
        raise BadInput("Give every model and every shift once, and as a shift no set that is the one in distribution.")
    found: list[Measured] = []
    total = len(asked) * (len(shifts) + 1)
    for model in asked:
        for shift in (None, *shifts):
            done = len({(one.model, one.condition.partition("_pm")[0]) for one in found})

            def tell(progress: Progress, done: int = done, model: str = model, shift: ImageSet | None = shift) -> None:
                what = f"{model} on {shift.id if shift else reference.id}"
                inner = f", {progress.done:,} of {progress.total:,}" if progress.total else ""
                report(Progress(done, total, f"{what}{inner}"))

            tell(Progress())
            if shift is None:
                found.append(measure_clean(model, reference, prompts=prompts, frequency=frequency, report=tell))
            else:
                found += measure(model, reference, shift, prompts=prompts, frequency=frequency, report=tell)
    return found


def _frames(
    shift: ImageSet, tracks: Sequence[Track], rows: np.ndarray, right: np.ndarray, common: Mapping[str, Any]
) -> list[Measured]:
    """pm-0 and pm-k over the anchors that could be read; a neighbour that could not be is not counted."""
    id, k = shift.id, reach_of(shift)
    place = {row: at for at, row in enumerate(rows.tolist())}
    used = [track for track in tracks if track.anchor in place]
    near = [[(place[n], o) for n, o in zip(t.neighbours, t.offsets, strict=True) if n in place] for t in used]
    anchors = [place[track.anchor] for track in used]
    neighbours, offsets = ([[pair[side] for pair in listed] for listed in near] for side in (0, 1))
    found = frame_accuracy(right, anchors, neighbours, offsets=offsets, k=k)
    own = np.array([track.anchor for track in used], np.int64)
    first = right[anchors]
    both = first.copy()
    both[list(found.flipped)] = False
    return [
        Measured(condition=f"{id}_pm0", share=found.anchors, n=found.n, rows=own, right=first, **common),
        Measured(condition=f"{id}_pm{k}", share=found.all_near, n=found.n, rows=own, right=both, **common),
    ]


def _parts(
    groups: sources.Groups, keys: Sequence[str], labels: np.ndarray, right: np.ndarray, *, before: str = ""
) -> dict[str, float]:
    """Mean class accuracy of head, torso and tail; a class is where it is among all classes in distribution."""
    n = np.bincount(labels, minlength=len(keys))
    sums = np.bincount(labels, weights=right, minlength=len(keys))
    found: dict[str, float] = {}
    for part in PARTS if groups.tags else ():
        own = [label for label, key in enumerate(keys) if n[label] and groups.tags.get(key) == part]
        if own:
            share, name = stats.mean(sums[own] / n[own]), before + part
            found |= {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}
    return found


def _is(model: str, reference: str) -> bool:
    return bool(reference) and model.rpartition(":")[2] == reference.rpartition(":")[2]
