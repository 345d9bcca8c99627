"""Logit adjustment: take a model's preference for some classes out of its scores, and see whom that helps.

A class preferred whatever the picture shows is predicted too often. With log prior b and strength τ the class
predicted is argmax of scale · cosine - τ · b (Menon et al., arXiv 2007.07314). Three ways to the prior:

``counts``: pretraining counts, b = log(count + 1).
``label-free``: the stationary distribution of how predictions spread, from pseudo-labels (Frolic, arXiv 2410.19294).
``labelled``: the same from true labels of one half of the images, applied to the other half (the estimate of GLA, arXiv
2310.08106, without its temperature).

Everything works on cached vectors. The null deals the same priors to classes at random.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.analysis.group_change import GroupChange, group_changes, in_words, members, tally
from core.analysis.group_change import as_json as change_json
from core.datasets.coverage import require_classes
from core.errors import BadInput
from core.evaluation import evaluate, zeroshot
from core.prompts import prompt_set
from core.stats import intervals as stats
from core.stats.format import points
from core.stats.shots import shuffled_ranks
from core.types import Classifier, ImageSet, Interval, Lens, Progress, Report, silent

Method = Literal["counts", "label-free", "labelled"]
STRENGTHS = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
ROUNDS = 11
_FLOOR = 1e-12
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Null:
    """Change of one group's accuracy when the priors are dealt to classes at random.

    ``low`` and ``high``: the middle 95 % of the permutations; ``p``: share of them (the real one counted in) with a
    change at least as large as the real one.
    """

    group: str
    mean: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, eq=False)
class Adjustment:
    """What one prior does.

    Attributes:
        method, strength: see the module; unknown: classes without a count, which keep their scores.
        log_prior: float64 [c], mean 0 over the classes; of the two halves, their mean.
        predicted: int [m], the class predicted after; changes: head, torso and tail before and after.
        null: the same changes under random priors; permutations of them.
        sweep: strength -> group -> mean class accuracy.
        follows_counts: Spearman's ρ of an estimated log prior and the counts.
    """

    method: Method
    strength: float
    unknown: int
    log_prior: np.ndarray
    predicted: np.ndarray
    changes: tuple[GroupChange, ...]
    null: tuple[Null, ...]
    permutations: int
    sweep: Mapping[float, Mapping[str, float]]
    follows_counts: Interval


def count_prior(counts: Mapping[str, int], keys: Sequence[str]) -> np.ndarray:
    """log(count + 1) of every class less the mean of the known ones, float64 [c]; 0 where the count is unknown.

    Raises:
        BadInput: no class has a known count.
    """
    known = [key in counts for key in keys]
    if not any(known):
        raise BadInput("No class has a known count, so counts cannot adjust the scores; use the label-free method.")
    logs = np.log1p(np.array([counts.get(key, 0) for key in keys], np.float64))
    return np.where(known, logs - logs[known].mean(), 0.0)


def stationary(spread: np.ndarray, *, rounds: int = 1000, tolerance: float = 1e-9) -> np.ndarray:
    """The prior β = Sᵀβ, of sum 1, by power iteration.

    Args:
        spread: [c, c]; row k is the mean probability of every class over the images of class k; zero without images.
    """
    beta = np.full(len(spread), 1 / len(spread))
    for _ in range(rounds):
        after = spread.T @ beta
        after /= max(after.sum(), _FLOOR)
        if np.abs(after - beta).sum() < tolerance:
            return after
        beta = after
    return beta


def label_free_prior(vectors: np.ndarray, classifier: Classifier, *, report: Report = silent) -> np.ndarray:
    """Log prior float64 [c] by pseudo-labels, of mean 0.

    Every round predicts with the prior so far, leaves out images whose best two logits are within 1/c, and adds the log
    of the stationary distribution of the mean probabilities; it ends when that is nearly uniform, or after 11 rounds.
    """
    classes = _classes(classifier)
    total = np.zeros(classes)
    before = np.full(classes, 1 / classes)
    for number in range(ROUNDS):
        sums, n = np.zeros((classes, classes)), np.zeros(classes)
        for _, logits in _logits(vectors, classifier, report, f"Estimating the label bias, round {number + 1}"):
            logits -= total.astype(np.float32)
            best = np.partition(logits, classes - 2, axis=1)[:, -2:] if classes > 1 else np.zeros((len(logits), 2))
            sure = best[:, 1] - best[:, 0] > 1 / classes
            _add(sums, n, logits[sure], logits[sure].argmax(1))
        beta = stationary(sums / np.maximum(n, 1)[:, None])
        total += np.log(beta + _FLOOR)
        if np.abs(beta - before).sum() < 1e-3:
            break
        before = beta
    return total - total.mean()


def labelled_prior(vectors: np.ndarray, classifier: Classifier, labels: np.ndarray) -> np.ndarray:
    """Log prior float64 [c] from images with true labels [m], of mean 0."""
    classes = _classes(classifier)
    sums, n = np.zeros((classes, classes)), np.zeros(classes)
    for part, logits in _logits(vectors, classifier, silent, ""):
        _add(sums, n, logits, labels[part])
    log = np.log(stationary(sums / np.maximum(n, 1)[:, None]) + _FLOOR)
    return log - log.mean()


def adjust(
    vectors: np.ndarray,
    classifier: Classifier,
    labels: np.ndarray,
    *,
    keys: Sequence[str],
    counts: Mapping[str, int],
    method: Method = "counts",
    strength: float = 1.0,
    permutations: int = 100,
    seed: int = 0,
    report: Report = silent,
) -> Adjustment:
    """Adjust the scores of every image and compare head, torso and tail before and after.

    Args:
        vectors: [m, d], unit rows; labels: int [m], true classes; keys: of the classes [c].
        counts: pretraining counts by class key: the prior of ``counts``, and head and tail of every method.
        permutations: random priors of the null.

    Raises:
        BadInput: the method needs counts and there are none, or there is one class only.
    """
    if len(keys) < 2:
        raise BadInput("With one class there is nothing to adjust.")
    labels = np.asarray(labels)
    tags = stats.tags(counts)
    parts = [tags.get(key, "") for key in keys]
    # int [m]: which of the priors belongs to an image; only cross-fitting has two.
    half = np.zeros(len(labels), np.int64)
    if method == "counts":
        priors = count_prior(counts, keys)[None]
    elif method == "label-free":
        priors = label_free_prior(vectors, classifier, report=report)[None]
    else:
        half = shuffled_ranks(labels, seed) % 2
        rows = [np.flatnonzero(half != side) for side in (0, 1)]
        priors = np.stack([labelled_prior(vectors[inside], classifier, labels[inside]) for inside in rows])
    rng = np.random.default_rng(seed)
    deals = [np.arange(len(keys)), *(rng.permutation(len(keys)) for _ in range(permutations))]
    strengths = sorted({*STRENGTHS, strength})
    offsets = [step * priors for step in strengths] + [strength * priors[:, deal] for deal in deals[1:]]
    predicted = _predict(vectors, classifier, offsets, half, report)
    swept = dict(zip(strengths, predicted, strict=False))
    drawn = predicted[len(strengths) :]
    changes = group_changes(tally(labels, swept[0.0], swept[strength], len(keys)), parts)
    return Adjustment(
        method=method,
        strength=strength,
        unknown=sum(key not in counts for key in keys) if method == "counts" else 0,
        log_prior=priors.mean(0),
        predicted=swept[strength],
        changes=changes,
        null=tuple(_null(one, labels, swept[0.0], drawn, parts) for one in changes) if permutations else (),
        permutations=permutations,
        sweep={
            step: {one.group: _accuracy(labels, found, parts, one.group) for one in changes}
            for step, found in swept.items()
        },
        follows_counts=_follows(priors.mean(0), keys, counts) if method != "counts" else stats.UNDEFINED,
    )


def adjust_lens(
    lens: Lens,
    *,
    image_set: ImageSet,
    counts: Mapping[str, int],
    method: Method = "counts",
    strength: float = 1.0,
    permutations: int = 100,
    report: Report = silent,
) -> Adjustment:
    """``adjust`` on the cached vectors of an open image set under a lens."""
    require_classes(image_set)
    embeddings = evaluate.embeddings_for(lens, image_set=image_set, report=report)
    return adjust(
        embeddings.vectors,
        evaluate.classifier_for(lens, prompt_set(lens.prompts, image_set), report=report),
        np.asarray(image_set.labels)[embeddings.rows],
        keys=image_set.keys,
        counts=counts,
        method=method,
        strength=strength,
        permutations=permutations,
        report=report,
    )


def _classes(classifier: Classifier) -> int:
    return int(classifier.owners[-1]) + 1


def _logits(
    vectors: np.ndarray, classifier: Classifier, report: Report, message: str
) -> Iterator[tuple[slice, np.ndarray]]:
    """Scaled cosines float32 [b, c], block by block; a constant bias of the model changes no class."""
    for low in range(0, len(vectors), _BLOCK):
        part = slice(low, min(low + _BLOCK, len(vectors)))
        report(Progress(low, len(vectors), message))
        yield part, np.float32(classifier.scale) * zeroshot.similarities(vectors[part], classifier)


def _add(sums: np.ndarray, n: np.ndarray, logits: np.ndarray, owners: np.ndarray) -> None:
    """Add the softmax of these logits to the rows of their owners."""
    odds = np.exp(logits - logits.max(1, keepdims=True))
    np.add.at(sums, owners, odds / odds.sum(1, keepdims=True))
    n += np.bincount(owners, minlength=len(n))


def _predict(
    vectors: np.ndarray, classifier: Classifier, offsets: Sequence[np.ndarray], half: np.ndarray, report: Report
) -> np.ndarray:
    """Class predicted under each of the offsets [k, c], int32 [offsets, m]; ties go to the lower class."""
    found = np.empty((len(offsets), len(vectors)), np.int32)
    for part, logits in _logits(vectors, classifier, report, "Adjusting the scores"):
        for row, offset in enumerate(offsets):
            shift = offset.astype(np.float32)
            found[row, part] = (logits - (shift[half[part]] if len(shift) > 1 else shift)).argmax(1)
    return found


def _accuracy(labels: np.ndarray, predicted: np.ndarray, parts: Sequence[str], group: str) -> float:
    n = np.bincount(labels, minlength=len(parts))
    inside = members(parts, group) & (n > 0)
    return float((np.bincount(labels, predicted == labels, len(parts))[inside] / n[inside]).mean())


def _null(one: GroupChange, labels: np.ndarray, before: np.ndarray, drawn: np.ndarray, parts: Sequence[str]) -> Null:
    start = _accuracy(labels, before, parts, one.group)
    changes = np.array([_accuracy(labels, found, parts, one.group) - start for found in drawn])
    low, high = np.percentile(changes, (2.5, 97.5))
    at_least = int((changes >= one.change.value - 1e-12).sum())
    return Null(one.group, float(changes.mean()), float(low), float(high), (1 + at_least) / (1 + len(changes)))


def _follows(log_prior: np.ndarray, keys: Sequence[str], counts: Mapping[str, int]) -> Interval:
    known = np.array([key in counts for key in keys])
    return stats.spearman(log_prior[known], np.array([counts[key] for key in keys if key in counts], np.float64))


def headline(found: Adjustment) -> str:
    """What the adjustment does, in a sentence, and whether random priors would do the same."""
    by_group = {one.group: one for one in found.changes}
    told = [in_words(by_group[name]) for name in ("all", "head", "tail") if name in by_group]
    where = "tail" if "tail" in by_group else "all"
    null = next((one for one in found.null if one.group == where), None)
    by_chance = ""
    if null:
        middle = f"{points(null.low)} to {points(null.high)}"
        by_chance = f" Priors dealt at random change the {where} by {middle} points (p = {null.p:.3f})."
        if where == "all":
            by_chance = by_chance.replace("the all", "accuracy")
    return f"Adjusted by {found.method} at strength {found.strength:g}: {', '.join(told)}.{by_chance}"


def as_json(found: Adjustment) -> dict[str, Any]:
    """An adjustment as a JSON object; NaN stays for the writer to turn into null."""
    rho = found.follows_counts
    return {
        "method": found.method,
        "strength": found.strength,
        "classes_without_count": found.unknown,
        "groups": [change_json(one) for one in found.changes],
        "null": [
            {"group": one.group, "mean": one.mean, "low": one.low, "high": one.high, "p": one.p} for one in found.null
        ],
        "permutations": found.permutations,
        "sweep": [{"strength": step, **groups} for step, groups in found.sweep.items()],
        "log_prior_spearman_counts": {"value": rho.value, "low": rho.low, "high": rho.high},
    }
