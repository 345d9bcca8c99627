"""Few-shot curves over compositions: after a few images of every object, what is predicted of pairs never trained on?

For CLIP-family and supervised models alike (the comparison of arXiv 2403.18525), on cached vectors: unit image vectors
of the former, logits over all their classes of the latter. Nothing is encoded anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from core.analysis import few_shot_head
from core.composition import measure, sets
from core.composition.answers import directions
from core.composition.pairs import CompositionSet
from core.composition.probe import fit, over_objects
from core.errors import BadInput
from core.evaluation import evaluate
from core.prompts import prompt_set
from core.robustness.records import Record
from core.runtime import estimates
from core.runtime.estimates import Estimate
from core.runtime.machine import cores
from core.stats.format import percent
from core.stats.shots import shuffled_ranks
from core.supervised import answers as supervised
from core.supervised import ask
from core.supervised.names import PROMPTS, is_supervised
from core.types import ImageSet, Interval, Lens, Progress, Report, silent

Head = Literal["zero-shot", "two probes", "mixed"]
GROUPS = ("held out", "trained", "other set")
WHAT = ("composition", "object", "attribute")
SHOTS = (1, 2, 4, 8)
SEEDS = (0, 1, 2)
CONDITION = "few-shot composition"


@dataclass(frozen=True, eq=False)
class Shown:
    """Images with their pair.

    Attributes:
        vectors: float32 [m, d]; pairs: int [m, 2], attribute and object; own: bool [m], of the set that trains.
        candidates: int [c, 2], the compositions chosen among; texts: their unit text vectors [c, d], or None.
    """

    vectors: np.ndarray
    pairs: np.ndarray
    own: np.ndarray
    candidates: np.ndarray
    texts: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class FewShotPoint:
    """One head after k images of every object, on one group of test images.

    Attributes:
        head: ``zero-shot`` (k is 0), ``two probes`` or ``mixed``; group: ``held out`` compositions, other images of
            ``trained`` ones, or of the ``other set``; what: the composition, or one of its parts.
        accuracy: correct of all test images over all seeds, with a bootstrap over objects; low_seed, high_seed: range
            over seeds.
        n: test images of one seed, on average; pictures: trained on; objects: tested; seeds.
    """

    head: Head
    k: int
    group: str
    what: str
    accuracy: Interval
    low_seed: float
    high_seed: float
    n: int
    pictures: int
    objects: int
    seeds: int


def few_shot(
    shown: Shown, *, shots: Sequence[int] = SHOTS, seeds: Sequence[int] = SEEDS, report: Report = silent
) -> list[FewShotPoint]:
    """Train on k images of every object and test on compositions that none of them shows.

    For a seed the compositions of every object are shuffled and the larger half of them may train. k images of an
    object (fewer where it has fewer) are drawn from those; the compositions of the other half, and other sets, only
    ever test, so that every k is tested on the same images. *two probes*: multinomial logistic regressions of attribute
    and of object; the composition with the largest sum of both log probabilities is predicted. *mixed*: the linear
    head of ``few_shot_head`` over all compositions, started at their texts and mixed with them in equal parts.

    Raises:
        BadInput: no object has two compositions.
    """
    own = np.flatnonzero(shown.own)
    most, objects = max(shots), int(shown.candidates[:, 1].max()) + 1
    code, label_of = _codes(shown)
    tallies: dict[tuple[Head, int, str, str], list[np.ndarray]] = {}
    pictures: dict[int, list[int]] = {}
    total, done = len(seeds) * len(shots), 0
    for seed in seeds:
        trains = _may_train(code[own], shown.pairs[own, 1], seed)
        pool = own[trains]
        if trains.all():
            raise BadInput("Few-shot over compositions needs objects with two compositions or more.")
        ranks = shuffled_ranks(shown.pairs[pool, 1], seed)
        tests = {"held out": own[~trains], "trained": pool[ranks >= most], "other set": np.flatnonzero(~shown.own)}
        tests = {group: rows for group, rows in tests.items() if len(rows)}

        def count(head: Head, k: int, predicted: dict[str, np.ndarray], tests: dict[str, np.ndarray] = tests) -> None:
            for group, rows in tests.items():
                said, true = shown.candidates[predicted[group]], shown.pairs[rows]
                right = {"object": said[:, 1] == true[:, 1], "attribute": said[:, 0] == true[:, 0]}
                right["composition"] = right["object"] & right["attribute"]
                for what, hit in right.items():
                    tally = np.stack([np.bincount(true[:, 1], w, objects) for w in (hit, np.ones(len(hit)))])
                    tallies.setdefault((head, k, group, what), []).append(tally)

        if shown.texts is not None:
            count("zero-shot", 0, {group: _nearest(shown.vectors[rows], shown.texts) for group, rows in tests.items()})
        for k in shots:
            chosen = pool[ranks < k]
            pictures.setdefault(k, []).append(len(chosen))
            report(Progress(done, total, f"{k} images an object, seed {seed}"))
            score = _two_probes(shown, chosen)
            count("two probes", k, {group: score(shown.vectors[rows]) for group, rows in tests.items()})
            if shown.texts is not None:
                trained = few_shot_head.train(
                    shown.vectors[chosen], label_of[code[chosen]], shown.texts,
                    shots=-(-len(chosen) // len(shown.texts)), seed=seed,
                    report=_within(report, done, total),
                )  # fmt: skip
                weights = few_shot_head.ALPHA * trained + (1 - few_shot_head.ALPHA) * shown.texts
                count("mixed", k, {group: _nearest(shown.vectors[rows], weights) for group, rows in tests.items()})
            done += 1
    report(Progress(total, total, "Done"))
    return [
        FewShotPoint(
            head, k, group, what, found.accuracy, found.low_seed, found.high_seed, found.n,
            round(float(np.mean(pictures.get(k, [0])))), found.objects, len(seeds),
        )
        for (head, k, group, what), each in tallies.items()
        for found in [over_objects(np.stack(each))]
    ]  # fmt: skip


def _within(report: Report, done: int, total: int) -> Report:
    return lambda progress: report(Progress(done, total, progress.message))


def _codes(shown: Shown) -> tuple[np.ndarray, np.ndarray]:
    """A number for every image's composition, and from that number to the candidate."""
    width = int(shown.candidates[:, 1].max()) + 1
    label_of = np.full((int(shown.candidates[:, 0].max()) + 1) * width, -1)
    label_of[shown.candidates[:, 0] * width + shown.candidates[:, 1]] = np.arange(len(shown.candidates))
    return shown.pairs[:, 0] * width + shown.pairs[:, 1], label_of


def _may_train(code: np.ndarray, objects: np.ndarray, seed: int) -> np.ndarray:
    """Whether the composition of every image is in the half of its object's that trains, bool [m]."""
    kinds, first = np.unique(code, return_index=True)
    of = objects[first]
    half = shuffled_ranks(of, seed) < (np.bincount(of)[of] + 1) // 2
    return half[np.searchsorted(kinds, code)]


def _nearest(vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    blocks = [(vectors[low : low + 2048] @ weights.T).argmax(1) for low in range(0, len(vectors), 2048)]
    return np.concatenate(blocks) if blocks else np.empty(0, np.int64)


def _two_probes(shown: Shown, chosen: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Vectors [m, d] to the predicted candidate [m]: the largest sum of log probabilities of attribute and object."""
    probes = []
    for part in range(2):
        values, labels = np.unique(shown.pairs[chosen, part], return_inverse=True)
        place = np.full(int(shown.candidates[:, part].max()) + 1, len(values))
        place[values] = np.arange(len(values))
        # One value alone needs no probe: it is predicted of everything.
        head = fit("linear", shown.vectors[chosen], labels) if len(values) > 1 else None
        probes.append((head, place[shown.candidates[:, part]], len(values)))

    def predicted(vectors: np.ndarray) -> np.ndarray:
        found = []
        for low in range(0, len(vectors), 2048):
            total = np.zeros((len(vectors[low : low + 2048]), len(shown.candidates)), np.float32)
            for head, columns, values in probes:
                logits = np.zeros((len(total), values), np.float32)
                if head is not None:
                    logits = vectors[low : low + 2048] @ head[0].T + head[1]
                logits -= logits.max(1, keepdims=True)
                logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
                # A value that no training image shows is less likely than every one that was shown.
                never = np.full((len(total), 1), logs.min() - 1, np.float32)
                total += np.concatenate([logs, never], 1)[:, columns]
            found.append(total.argmax(1))
        return np.concatenate(found) if found else np.empty(0, np.int64)

    return predicted


def shown_of(asked: measure.Question, model: str, *, report: Report = silent) -> Shown:
    """Vectors of any model, zero-shot or supervised, for the images of a question and its partner.

    The set with more images of every object trains. Texts are there for zero-shot models only.

    Raises:
        UnknownName, WeightsMissing, UnreadableData: as the model's weights are found.
    """
    images = [asked.images] if asked.partner is None else list(sets.with_partner(asked.images, asked.partner))
    own = int(np.argmax([int((one.labels >= 0).sum()) for one in images]))
    vectors, labels, mine = [], [], []
    for place, one in enumerate(images):
        embedded = _vectors(asked.lens, model, one, report)
        labels.append(one.labels[embedded[1]])
        used = labels[-1] >= 0
        vectors.append(np.asarray(embedded[0][used], np.float32))
        labels[-1] = labels[-1][used]
        mine.append(np.full(len(labels[-1]), place == own))
    candidates = images[0].compositions.pairs
    texts = None
    if not is_supervised(model):
        lens = Lens(model, asked.lens.image_set, asked.lens.prompts, precision=asked.lens.precision)
        texts = directions(evaluate.classifier_for(lens, prompt_set(lens.prompts, images[0]), report=report))
    return Shown(np.concatenate(vectors), candidates[np.concatenate(labels)], np.concatenate(mine), candidates, texts)


def _vectors(lens: Lens, model: str, images: CompositionSet, report: Report) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the pictures of a set and their rows in it."""
    parent: ImageSet = images.parent
    if is_supervised(model):
        found = supervised.logits_for(model, parent, report)
    else:
        own = Lens(model, parent.id, lens.prompts, precision=lens.precision)
        found = evaluate.embeddings_for(own, image_set=parent, report=report)
    return found.vectors, np.asarray(found.rows)


def estimate(asked: measure.Question, models: Sequence[str], *, report: Report = silent) -> Estimate | None:
    """How long ``points_of`` these models takes here; None where it is not known.

    Of vectors that are missing, which take longest; else of training the heads, once a run here has been timed.
    """
    wholes = [one.parent for one in (asked.images, asked.partner) if one is not None]
    if missing := ask.estimate(models, wholes, prompts=asked.lens.prompts, report=report):
        return missing
    rate = estimates.known(_work(asked.images))
    return Estimate(len(models) * len(SHOTS) * len(SEEDS), "draw of images", rate) if rate else None


def _work(images: CompositionSet) -> str:
    return f"few-shot heads over {len(images.compositions.pairs)} compositions, {cores()} cores"


def points_of(
    asked: measure.Question,
    model: str,
    *,
    shots: Sequence[int] = SHOTS,
    seeds: Sequence[int] = SEEDS,
    report: Report = silent,
) -> list[FewShotPoint]:
    """``few_shot`` of one model on the images of a question."""
    shown = shown_of(asked, model, report=report)
    training = estimates.measuring(report, _work(asked.images))
    return few_shot(shown, shots=tuple(shots), seeds=tuple(seeds), report=training)


def as_records(points: Sequence[FewShotPoint], asked: measure.Question, model: str) -> list[Record]:
    """The points as records of one model."""
    prompts = PROMPTS if is_supervised(model) else asked.lens.prompts
    return [
        Record(
            model, asked.lens.image_set, CONDITION, one.n, one.accuracy.value, one.accuracy.low, one.accuracy.high,
            prompts, more={**_about(one), "partner": asked.partner.id if asked.partner else ""},
        )
        for one in points
    ]  # fmt: skip


def _about(one: FewShotPoint) -> dict[str, Any]:
    found = asdict(one)
    return {name: value for name, value in found.items() if name not in ("accuracy", "n")} | {
        "interval": "bootstrap over objects"
    }


def headline(points: dict[str, Sequence[FewShotPoint]], group: str) -> str:
    """Composition accuracy on one group with most images an object, every model's best head, in one sentence."""
    told = []
    for label, each in points.items():
        own = [one for one in each if (one.group, one.what) == (group, "composition") and one.k]
        if own:
            best = max(own, key=lambda one: (one.k, one.accuracy.value))
            low, high = 100 * best.accuracy.low, 100 * best.accuracy.high
            told.append(f"{label} {percent(best.accuracy.value, 1)} (95 % CI {low:.1f}–{high:.1f}, {best.head})")
    where = {"held out": "compositions that were not trained on", "trained": "other images of trained compositions"}
    k = max((one.k for each in points.values() for one in each), default=0)
    return f"With {k} images an object, on {where.get(group, 'the other set')}: {'; '.join(told)}."
