"""Models under ImageNet-P style sequences: how often the answer flips while the picture hardly changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from core.errors import BadInput, UnreadableData
from core.robustness.corruptions.metrics import flips, mean_over, relative_to, top5_distance
from core.robustness.corruptions.perturbations import PERTURBATIONS, is_noise, sequences
from core.robustness.corruptions.registry import words
from core.robustness.corruptions.run import how_asked, within
from core.robustness.corruptions.videos import MADE, Videos
from core.robustness.records import Record
from core.robustness.sampling import balanced_rows
from core.stats.intervals import Tag, mean
from core.supervised import ask
from core.types import ImageSet, Progress, Report

ALL = "all perturbations"
IN_MEMORY = "in memory, not the ImageNet-P videos"
MOST_AT_ONCE = 200
"""Sequences by default: a class-balanced sample is thinned to this many, evenly."""


@dataclass(frozen=True)
class Watched:
    """What one model said of every frame: ``top`` perturbation -> int32 [s, frames, k], best classes first.

    ``labels`` int64 [s]: the true class of each sequence. ``made``: where the frames come from; ``skipped``: sequences
    with an unreadable frame, which are in neither.
    """

    model: str
    keys: Sequence[str]
    labels: np.ndarray
    prompts: str
    top: dict[str, np.ndarray] = field(default_factory=dict)
    made: str = IN_MEMORY
    skipped: int = 0


def watch(
    models: Sequence[str],
    image_set: ImageSet,
    *,
    perturbations: Sequence[str] = PERTURBATIONS,
    most: int = MOST_AT_ONCE,
    seed: int = 0,
    prompts: str = "simple",
    report: Report,
) -> dict[str, Watched]:
    """Ask every model about every frame of the same sequences, one picture of each of ``most`` classes.

    Raises:
        BadInput: no such perturbation, or nothing to perturb.
    """
    for name in perturbations:
        if name not in PERTURBATIONS:
            raise BadInput(f"There is no perturbation {name!r}; choose among {', '.join(PERTURBATIONS)}.")
    rows = balanced_rows(image_set.labels, 1, seed=seed)
    if not len(rows) or most < 1:
        raise BadInput(f"{image_set.id} holds no labelled images to make sequences of.")
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))]
    labels = np.asarray(image_set.labels)[rows]
    views = {name: partial(sequences, image_set, name, rows, seed=seed) for name in perturbations}
    return _watched(models, views, image_set, labels, prompts=prompts, made=IN_MEMORY, report=report)


def watch_videos(
    models: Sequence[str], found: Videos, *, prompts: str = "simple", report: Report
) -> dict[str, Watched]:
    """Ask every model about every frame of the videos of ImageNet-P; sequences with a frame missing are dropped.

    Raises:
        ExtraMissing: PyAV is not installed. UnreadableData: no sequence is whole.
    """
    views = {name: partial(found.view, name) for name in found.folders}
    return _watched(models, views, found, found.labels, prompts=prompts, made=MADE, report=report)


def _watched(
    models: Sequence[str],
    views: Mapping[str, Callable[[], ImageSet]],
    classes: ImageSet | Videos,
    labels: np.ndarray,
    *,
    prompts: str,
    made: str,
    report: Report,
) -> dict[str, Watched]:
    """Answers to the frames of every view, sequence after sequence, for the sequences that are whole in all of them."""
    tops: dict[str, dict[str, np.ndarray]] = {model: {} for model in models}
    whole, total, done = np.ones(len(labels), bool), len(models) * len(views), 0
    for name, make in views.items():
        view = make()
        for model in models:
            what = f"{model}: {words(name)} sequences"
            report(Progress(done, total, what))
            answer = ask.answer_for(model, view, prompts=prompts, report=within(report, done, total, what))
            top = np.full((len(view.labels), answer.top.shape[1]), -1, np.int32)
            top[answer.rows] = answer.top
            tops[model][name] = top.reshape(len(labels), -1, top.shape[1])
            whole &= (tops[model][name] >= 0).all((1, 2))
            done += 1
    if not whole.any():
        raise UnreadableData("No sequence is complete: each has a picture or a frame that cannot be read.")
    report(Progress(total, total, "Done"))
    return {
        model: Watched(
            model, tuple(classes.keys), labels[whole], how_asked(model, prompts),
            {name: top[whole] for name, top in found.items()}, made, int((~whole).sum()),
        )
        for model, found in tops.items()
    }  # fmt: skip


def records(
    watched: Mapping[str, Watched],
    *,
    set_id: str,
    seed: int,
    reference: str | None,
    tags: Mapping[str, Mapping[str, Tag]],
) -> list[Record]:
    """Per model and perturbation: accuracy over frames, flip probability ``flip`` and ``t5d``; then ``mfp`` over all.

    Intervals resample sequences. With a reference among the models also ``flip_rate`` (FR), ``mfr``, and T5D relative
    to it, ``relative_t5d`` and ``mt5d``, in percent. ``flip_head`` and ``flip_tail`` hold FP of those classes.
    """
    theirs = _measures(watched[reference]) if reference is not None and reference in watched else {}
    found: list[Record] = []
    more: dict[str, Any]
    for model, one in watched.items():
        part = np.array([tags.get(model, {}).get(key, "") for key in one.keys])[one.labels]
        own = _measures(one)
        named: dict[str, Any] = {"prompts": one.prompts, "reference": reference if theirs else None, "seed": seed}
        right = {name: (top[:, :, 0] == one.labels[:, None]).mean(1) for name, top in one.top.items()}
        for name, top in one.top.items():
            flipped = flips(top[:, :, 0], noise=is_noise(name)).mean(1)
            accuracy, flip = mean(right[name]), mean(flipped)
            more = {"flip": flip.value, "flip_low": flip.low, "flip_high": flip.high, "t5d": own[name][1]}
            more |= {f"flip_{tag}": _mean(flipped[part == tag]) for tag in ("head", "tail")}
            if name in theirs:
                more |= {
                    "flip_rate": relative_to(own[name][0], theirs[name][0]),
                    "relative_t5d": relative_to(own[name][1], theirs[name][1]),
                }
            more |= {"frames": top.shape[1], "source": one.made, "skipped_sequences": one.skipped}
            found.append(
                Record(
                    model, set_id, f"{name} sequence", len(top), accuracy.value, accuracy.low, accuracy.high,
                    more=more, **named,
                )
            )  # fmt: skip
        rates = found[-len(one.top) :]
        overall = mean(np.mean(list(right.values()), axis=0))
        more = {"mfp": mean_over(row.more["flip"] for row in rates), "perturbations": list(one.top)}
        more |= {f"mfp_{tag}": mean_over(row.more[f"flip_{tag}"] for row in rates) for tag in ("head", "tail")}
        if theirs:
            more |= {
                "mfr": mean_over(row.more["flip_rate"] for row in rates),
                "mt5d": mean_over(row.more["relative_t5d"] for row in rates),
            }
        found.append(
            Record(model, set_id, ALL, len(one.labels), overall.value, overall.low, overall.high, more=more, **named)
        )
    return found


def _measures(one: Watched) -> dict[str, tuple[float, float]]:
    """Perturbation -> flip probability and top-5 distance (NaN below five classes)."""
    found = {}
    for name, top in one.top.items():
        distance = top5_distance(top, noise=is_noise(name)) if top.shape[2] == 5 else float("nan")
        found[name] = (float(flips(top[:, :, 0], noise=is_noise(name)).mean()), distance)
    return found


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
