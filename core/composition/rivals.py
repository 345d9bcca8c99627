"""Classifiers without prompts on compositions: they know objects only, so they are compared on the object.

The comparison of arXiv 2403.18525, CLIP against supervised models: accuracy on the object of never-seen pairs of
attribute and object, against accuracy in distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from core.composition.generalisation import Generalisation, ModelResult, generalisation
from core.composition.pairs import CompositionSet
from core.composition.records import interval_of
from core.composition.scores import by_group
from core.datasets.subset import Subset
from core.frequency import sources
from core.frequency.sources import Frequency
from core.robustness.records import Record, record
from core.stats.intervals import wilson
from core.supervised.answers import answer_for
from core.supervised.names import PROMPTS
from core.types import ImageSet, Interval, Report, silent


def objects_of(images: CompositionSet) -> Subset:
    """The pictures of a composition set with their objects for classes."""
    found = images.compositions
    rows = np.flatnonzero(images.labels >= 0)
    return Subset(
        id=f"{images.id}#objects", parent=images.parent, rows=rows, keys=found.objects, names=found.object_names,
        labels=found.pairs[images.labels[rows], 1], fingerprint=images.fingerprint, left_out=images.left_out,
        note=f"Predicted over the {len(found.objects):,} objects. {images.note}",
    )  # fmt: skip


def object_records(
    model: str,
    images: CompositionSet,
    *,
    known_set: ImageSet | None = None,
    frequency: Frequency = None,
    report: Report = silent,
) -> list[Record]:
    """One record, ``object``: how often a supervised classifier names the object, with its accuracy in distribution.

    Args:
        model: canonical name of a supervised classifier. known_set: open set of accuracy in distribution.
        frequency: counts of the objects, for head, torso and tail.

    Raises:
        BadInput: the classifier knows none of the objects.
    """
    objects = objects_of(images)
    answer = answer_for(model, objects, report)
    right = answer.top[:, 0] == answer.labels
    more = {"chance": 1 / len(objects.keys), "counted": "the object, of all objects; the model reads no attribute"}
    if known_set is not None:
        inside = answer_for(model, known_set, report)
        share = wilson(int((inside.top[:, 0] == inside.labels).sum()), len(inside.labels))
        more["known"] = {"set": known_set.id, "n": len(inside.labels), **asdict(share)}
    groups = sources.groups(model, objects.keys, objects.names, frequency=frequency)
    if groups.tags:
        more |= {"frequency": groups.source, **by_group(answer.labels, right, groups.tags, objects.keys)}
    return [record(model, images.id, "object", right=int(right.sum()), n=len(right), prompts=PROMPTS, more=more)]


def effective_records(rows: Sequence[Record], condition: str) -> list[Record]:
    """Effective compositional generalisation of every model: accuracy beyond the common line on accuracy known.

    Args:
        rows: records of models on one set; condition: ``composition``, or ``object``, which supervised models have too.

    Returns:
        one record a model, ``effective composition`` or ``effective object``: ``residual`` with its interval as
        fractions, and the models that the line is fitted to; none below three models.
    """
    own = [row for row in rows if row.condition == condition and _known(row, rows)]
    fitted = fit(own, rows)
    if fitted.fit is None:
        return []
    models = [row.model for row in own]
    return [
        replace(
            row,
            condition=f"effective {condition}",
            more={"residual": asdict(off), "known": _known(row, rows), "line": models},
        )
        for row, off in zip(own, fitted.residual, strict=True)
    ]


def fit(own: Sequence[Record], rows: Sequence[Record]) -> Generalisation:
    """The common line of these records on the accuracies in distribution among ``rows``."""
    found = []
    for row in own:
        known = _known(row, rows)
        if known:
            inside = interval_of(known)
            found.append(ModelResult(row.model, inside, Interval(row.acc1, row.low, row.high)))
    return generalisation(found)


def _known(row: Record, rows: Sequence[Record]) -> dict[str, float] | None:
    """Accuracy in distribution of a row's model: zero-shot records hold it once, beside ``composition``."""
    same = (one for one in rows if (one.model, one.set, one.prompts) == (row.model, row.set, row.prompts))
    return row.more.get("known") or next((one.more["known"] for one in same if one.more.get("known")), None)
