"""What was measured as records: the rows of ``python -m core composition`` and of the committed table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from core.composition import measure
from core.composition.compact import THRESHOLDS
from core.composition.probe import SHOTS, as_json
from core.composition.scores import PARTS, by_group, errors, right, shares
from core.evaluation import evaluate
from core.frequency import sources
from core.frequency.sources import Frequency
from core.robustness.records import Record, record
from core.stats.intervals import wilson
from core.types import ImageSet, Interval, Lens, Report, silent

TABLE = "composition"
"""The committed table; docs/COMPOSITION.md has the command that writes it."""


def as_records(
    asked: measure.Question,
    *,
    known_set: ImageSet | None = None,
    frequency: Frequency = None,
    shots: tuple[int, ...] = SHOTS,
    seeds: tuple[int, ...] = (0, 1, 2),
    report: Report = silent,
) -> list[Record]:
    """All conditions of one model on one composition set.

    ``composition``, ``object``, ``attribute``, each also given the other and as a mean: over the compositions present
    in the set. ``seen``, ``never seen``: over those of the set and its partner. ``additivity``, ``disentanglement``,
    ``soft rank``, ``captions`` and ``probe`` carry their figures beside an ``acc1`` of null or of the probe.
    ``attribute exchanged``: retrieval with a picture and words.

    Args:
        known_set: open set of accuracy in distribution (objects by their names alone), recorded as ``known``.
        frequency: counts of the objects; ``composition`` and ``object`` hold accuracies of head, torso and tail.
        shots: images a class of the probes; empty for none.
    """
    head = (asked.lens.model, asked.lens.image_set)
    prompts = {"prompts": asked.lens.prompts}
    measured = measure.measure(asked, report=report)
    found = measured.found
    about: dict[str, Any] = {"candidates": len(found.pairs), "unmatched": len(asked.images.compositions.left_out)}
    if known_set is not None:
        about["known"] = known(
            Lens(asked.lens.model, known_set.id, asked.lens.prompts, precision=asked.lens.precision), known_set, report
        )
    kinds = errors(found)
    about["errors"] = {name: getattr(kinds, name) for name in kinds.__slots__}
    objects = asked.images.compositions
    groups = sources.groups(asked.lens.model, objects.objects, objects.object_names, frequency=frequency)
    rows = []
    more: dict[str, Any]
    for condition, share in shares(found).items():
        more = {"chance": share.chance}
        if condition == "composition":
            more |= about
        elif condition in PARTS:
            more["counted"] = PARTS[condition][1]
        if condition in ("composition", "object") and groups.tags:
            more |= {
                "frequency": groups.source,
                **by_group(found.object, right(found, condition), groups.tags, objects.objects),
            }
        rows.append(record(*head, condition, right=share.right, n=share.n, more=more, **prompts))
    rows += _seen(asked, measured.sides)
    vectors = measured.embedded
    for what, fit in vectors.additive.items():
        more = {"vectors": what, "r2": fit.r2, "r2_adjusted": fit.adjusted, "factors": fit.factors}
        rows.append(_unscored(*head, "additivity", fit.n, more, **prompts))
    for what, kept in vectors.disentangled.items():
        more = {"vectors": what, **asdict(kept)}
        del more["n"]
        rows.append(_unscored(*head, "disentanglement", kept.n, more, **prompts))
    for what, rank in vectors.soft_rank.items():
        more = {"vectors": what, "thresholds": THRESHOLDS, "values": rank.values, "shares": rank.shares,
                "dimensions": rank.dimensions}  # fmt: skip
        rows.append(_unscored(*head, "soft rank", rank.n, more, **prompts))
    swap = vectors.retrieved
    if swap.n:
        more = {
            "chance": swap.chance, "object": asdict(swap.object), "attribute": asdict(swap.attribute),
            "counted": "the nearest other picture to image - attribute + attribute shows the wanted pair",
        }  # fmt: skip
        pair = swap.pair
        rows.append(
            Record(*head, "attribute exchanged", swap.n, pair.value, pair.low, pair.high, asked.lens.prompts, more=more)
        )
    if asked.captions and (tied := measured.association):
        more = {
            "nmi": tied.nmi, "captions": tied.captions, "pmi_pearson": asdict(tied.pearson),
            "pmi_spearman": asdict(tied.spearman), "pairs": len(tied.n), "never": list(tied.never),
            "counts": asked.captions.name,
        }  # fmt: skip
        rows.append(_unscored(*head, "captions", int(tied.n.sum()), more, **prompts))
    if shots:
        for point in measure.probes(asked, shots=shots, seeds=seeds, report=report):
            accuracy = point.accuracy
            rows.append(
                Record(*head, "probe", point.n, accuracy.value, accuracy.low, accuracy.high, seed=seeds[0],
                       prompts="probe", more=as_json(point))
            )  # fmt: skip
    return rows


def known(lens: Lens, image_set: ImageSet, report: Report = silent) -> dict[str, Any]:
    """Accuracy in distribution: the set's own classes by their names, with its interval."""
    answer = evaluate.evaluate(lens, image_set=image_set, report=report)
    share = wilson(int((answer.top[:, 0] == answer.labels).sum()), len(answer.labels))
    return {"set": lens.image_set, "n": len(answer.labels), **asdict(share)}


def _seen(asked: measure.Question, shown: measure.SeenSides) -> list[Record]:
    rows = []
    partner = asked.partner_lens.image_set if asked.partner else ""
    for side in ("seen", "never seen"):
        for what, gap in shown.gaps.items():
            share, n = (gap.seen, gap.n_seen) if side == "seen" else (gap.unseen, gap.n_unseen)
            if not n:
                continue
            more = {
                "what": what, "partner": partner, "candidates": len(shown.found.pairs), "raw": asdict(gap.raw),
                "matched": asdict(gap.matched), "within": asdict(gap.within), "strata": gap.strata,
                "unmatched_images": gap.unmatched, "interval": "bootstrap over objects",
            }  # fmt: skip
            condition = side if what == "composition" else f"{side} {what}"
            rows.append(
                Record(asked.lens.model, asked.lens.image_set, condition, n, share.value, share.low, share.high,
                       asked.lens.prompts, reference=asked.pictures.name if asked.pictures else None, more=more)
            )  # fmt: skip
    return rows


def _unscored(model: str, image_set: str, condition: str, n: int, more: Mapping[str, Any], *, prompts: str) -> Record:
    nan = float("nan")
    return Record(model, image_set, condition, n, nan, nan, nan, prompts, more=more)


def interval_of(figure: Mapping[str, float | None]) -> Interval:
    """An interval as it was written; null reads as NaN."""
    value, low, high = (figure[name] for name in ("value", "low", "high"))
    return Interval(*(np.nan if end is None else float(end) for end in (value, low, high)))
