"""Few-shot probes on cached vectors: how much do a few labelled images of an object help, and on which pairs?

Classes are objects. The support comes from one set, split from its test images by the seed; never-seen pairs, from
another set, only ever test. Nothing is encoded.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.errors import BadInput
from core.stats import intervals as stats
from core.stats.bootstrap import Resampler, interval, ratio
from core.stats.format import percent
from core.stats.shots import shuffled_ranks
from core.types import Interval, Progress, Report, silent

Method = Literal["nearest mean", "linear"]
METHODS: tuple[Method, ...] = ("nearest mean", "linear")
SHOTS = (1, 2, 4, 8, 16)
L2 = 1e-3
"""Weight of half the squared weights beside the mean cross-entropy; vectors are centred and scaled to mean square 1."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """Images for a probe: unit vectors [m, d], object index [m], and whether pretraining showed their pair, float [m]
    (1 seen, 0 never seen, NaN unknown)."""

    vectors: np.ndarray
    objects: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True, slots=True)
class ProbePoint:
    """One probe on one group of test images.

    Attributes:
        method, k: images a class; group: ``all`` (held-out images of the support's set), ``head``, ``torso``, ``tail``
            (parts of it), ``other set``; ``seen``, ``never seen`` in pretraining (pairs of both sets).
        accuracy: right of all test images over all seeds, with a bootstrap over objects; low_seed, high_seed: range
            over seeds.
        n: test images of one seed, on average; objects: with test images in the group; seeds.
    """

    method: Method
    k: int
    group: str
    accuracy: Interval
    low_seed: float
    high_seed: float
    n: int
    objects: int
    seeds: int


def probe(
    support: Vectors,
    other: Vectors | None = None,
    *,
    parts: Mapping[int, str] | None = None,
    shots: Sequence[int] = SHOTS,
    seeds: Sequence[int] = (0, 1, 2),
    methods: Sequence[Method] = METHODS,
    report: Report = silent,
) -> list[ProbePoint]:
    """Train on k images of every object and test on the images left and on another set.

    For a seed, every object's images are shuffled; the first max(shots) are the pool (k takes the first k of it), the
    others are test images. Objects with fewer than max(shots) + 1 images take no part.

    Args:
        other: test images of another set (never in the support).
        parts: object -> head, torso or tail.
        report: called between fits; raises Stopped.

    Raises:
        BadInput: fewer than two objects have enough images.
    """
    most = max(shots)
    usable = np.flatnonzero(np.bincount(support.objects) > most)
    if len(usable) < 2:
        raise BadInput(f"A probe with up to {most} images an object needs two objects with {most + 1} images or more.")
    both = [support] if other is None else [support, other]
    place = np.full(max(int(one.objects.max(initial=0)) for one in both) + 1, -1)
    place[usable] = np.arange(len(usable))
    mine, *others = (_kept(one, place) for one in both)
    part_of = np.array([(parts or {}).get(int(one), "") for one in usable])
    tallies: dict[tuple[Method, int, str], list[np.ndarray]] = {}
    total, done = len(seeds) * len(shots) * len(methods), 0
    for seed in seeds:
        rank = shuffled_ranks(mine.objects, seed)
        tests = _joined(Vectors(*(part[rank >= most] for part in (mine.vectors, mine.objects, mine.seen))), others)
        groups = _groups(tests, int((rank >= most).sum()), part_of)
        for k in shots:
            chosen = rank < k
            for method in methods:
                report(Progress(done, total, f"{method} probe, {k} images a class, seed {seed}"))
                weights, bias = fit(method, mine.vectors[chosen], mine.objects[chosen])
                right = (tests.vectors @ weights.T + bias).argmax(1) == tests.objects
                for group, members in groups.items():
                    tallies.setdefault((method, k, group), []).append(
                        _tally(tests.objects[members], right[members], len(usable))
                    )
                done += 1
    return [_point(*key, np.stack(found)) for key, found in tallies.items()]


def _kept(one: Vectors, place: np.ndarray) -> Vectors:
    kept = place[one.objects] >= 0
    return Vectors(np.asarray(one.vectors[kept], np.float32), place[one.objects[kept]], one.seen[kept])


def _joined(one: Vectors, others: Sequence[Vectors]) -> Vectors:
    sets = (one, *others)
    return Vectors(*(np.concatenate([getattr(s, name) for s in sets]) for name in ("vectors", "objects", "seen")))


def _groups(tests: Vectors, own: int, part_of: np.ndarray) -> dict[str, np.ndarray]:
    """Group -> bool [tests]; the first ``own`` are of the support's set. Empty groups are left out."""
    mine = np.arange(len(tests.objects)) < own
    part = part_of[tests.objects]
    groups = {"all": mine} | {name: mine & (part == name) for name in ("head", "torso", "tail")}
    groups |= {"other set": ~mine, "seen": tests.seen == 1, "never seen": tests.seen == 0}
    return {name: members for name, members in groups.items() if members.any()}


def _tally(objects: np.ndarray, right: np.ndarray, classes: int) -> np.ndarray:
    """Right and all test images of every object, float64 [2, o]."""
    return np.stack([np.bincount(objects, weights=right, minlength=classes), np.bincount(objects, minlength=classes)])


@dataclass(frozen=True, slots=True)
class OverObjects:
    """Accuracy over all seeds with a bootstrap over objects, its range over seeds, and how much was tested."""

    accuracy: Interval
    low_seed: float
    high_seed: float
    n: int
    objects: int


def over_objects(tallies: np.ndarray) -> OverObjects:
    """Accuracy from tallies [seeds, (correct, all), objects]; ``n`` is the test images of a seed, on average."""
    right, n = tallies.sum(0)
    tested = n > 0
    sums = Resampler.of(np.arange(int(tested.sum())), replicates=stats.RESAMPLES, seed=0).sums(
        np.column_stack([right[tested], n[tested]])
    )
    by_seed = tallies[:, 0].sum(1) / np.maximum(tallies[:, 1].sum(1), 1)
    return OverObjects(
        interval(float(right.sum() / n.sum()), ratio(sums[0], sums[1])), float(by_seed.min()), float(by_seed.max()),
        round(float(tallies[:, 1].sum(1).mean())), int(tested.sum()),
    )  # fmt: skip


def _point(method: Method, k: int, group: str, tallies: np.ndarray) -> ProbePoint:
    found = over_objects(tallies)
    return ProbePoint(
        method, k, group, found.accuracy, found.low_seed, found.high_seed, found.n, found.objects, len(tallies)
    )


def fit(method: Method, vectors: np.ndarray, objects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights [o, d] and bias [o] of a probe; the predicted class is argmax of ``v @ weights.T + bias``.

    ``nearest mean``: unit class means, so the largest cosine wins. ``linear``: scikit-learn's multinomial logistic
    regression (CLIP's linear probe), minimising mean cross-entropy + L2/2 |W|², with the same result every time.
    """
    vectors, classes = np.asarray(vectors, np.float32), int(objects.max()) + 1
    if method == "nearest mean":
        sums = np.zeros((classes, vectors.shape[1]), np.float32)
        np.add.at(sums, objects, vectors)
        return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12), np.zeros(classes, np.float32)
    return _logistic(vectors, objects, classes)


def _logistic(vectors: np.ndarray, objects: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    centre = vectors.mean(0)
    scale = np.float32(1 / max(float(np.sqrt(((vectors - centre) ** 2).mean())), 1e-12))
    # C weighs the sum of the losses against |W|²/2; of two classes scikit-learn fits the difference of their weights.
    c = (2 if classes == 2 else 1) / (L2 * len(vectors))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)  # one image a class is few-shot
        found = LogisticRegression(C=c, max_iter=1000).fit((vectors - centre) * scale, objects)
    weights, bias = found.coef_ * scale, found.intercept_
    if classes == 2:
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return weights.astype(np.float32), (bias - weights @ centre).astype(np.float32)


def as_json(point: ProbePoint) -> dict[str, object]:
    """A point as a flat JSON object."""
    return {
        "method": point.method, "k": point.k, "group": point.group, "n": point.n, "objects": point.objects,
        "seeds": point.seeds, "accuracy": point.accuracy.value, "low": point.accuracy.low,
        "high": point.accuracy.high, "low_seed": point.low_seed, "high_seed": point.high_seed,
    }  # fmt: skip


def headline(points: Sequence[ProbePoint], groups: Sequence[str]) -> str:
    """The linear probe with most images a class on these groups, in one sentence."""
    most = max(point.k for point in points)
    at_most = {point.group: point for point in points if (point.k, point.method) == (most, "linear")}
    told = [
        f"{percent(at_most[group].accuracy.value, 1)} on {group} ({at_most[group].n:,} images)"
        for group in groups
        if group in at_most
    ]
    return f"With {most} images a class a linear probe reaches {', '.join(told)}."
