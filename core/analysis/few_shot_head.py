"""A linear head trained on a few or on retrieved pictures, mixed with the zero-shot head: what it fixes and breaks.

REAL-Linear (Parashar et al., arXiv 2401.12425, after cross-modal adaptation, arXiv 2301.06267): the head starts at the
text vectors and is trained on image and text vectors together; the mean of both heads' weights is what predicts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.analysis.group_change import GroupChange, group_changes, in_words, tally
from core.analysis.group_change import as_json as change_json
from core.datasets.coverage import require_classes
from core.errors import BadInput
from core.evaluation import evaluate, zeroshot
from core.prompts import prompt_set
from core.stats import intervals as stats
from core.stats.shots import TEST, pool, shuffled_ranks
from core.types import ImageSet, Lens, Progress, Report, silent

if TYPE_CHECKING:
    import torch

SHOTS = (1, 2, 4, 8)
ALPHA = 0.5
BATCH, RATE, DECAY, WARM_UP, EPOCHS, MOST_STEPS = 32, 1e-4, 0.01, 50, 10, 32_000
SCALE = 100.0
"""The factor on cosines in the loss (e^4.60517), as published; it is not learned."""
Head = Literal["mixed", "alone"]


@dataclass(frozen=True)
class HeadPoint:
    """One number of pictures a class.

    Attributes:
        shots: pictures a class (fewer where a class has fewer); pictures: of all classes, on average over seeds.
        head: ``mixed`` with the zero-shot head, or ``alone``.
        changes: against the zero-shot head on the same test images, mean over seeds.
        seeds: group -> accuracy of every seed.
    """

    shots: int
    pictures: int
    head: Head
    changes: tuple[GroupChange, ...]
    seeds: Mapping[str, tuple[float, ...]]


def train(
    vectors: np.ndarray, labels: np.ndarray, texts: np.ndarray, *, shots: int, seed: int, report: Report = silent
) -> np.ndarray:
    """Weights float32 [c, d] of a linear head without bias that starts at the text vectors.

    Cross-entropy of 100 · x Wᵀ over batches of 32 images and 32 texts; AdamW, rate 1e-4 rising from 1e-5 over 50 steps
    and falling by a cosine, weight decay 0.01; min(32,000, 10 · shots · c / 32) steps.

    Args:
        vectors: [m, d], unit rows; labels: int [m]; texts: [c, d], unit text vector of every class.
    """
    import torch

    x, y = torch.from_numpy(np.asarray(vectors, np.float32)), torch.from_numpy(np.asarray(labels, np.int64))
    t = torch.from_numpy(np.asarray(texts, np.float32))
    weights = t.clone().requires_grad_()
    optimiser = torch.optim.AdamW([weights], lr=RATE, weight_decay=DECAY)
    steps = max(1, min(MOST_STEPS, EPOCHS * shots * len(texts) // BATCH))
    draws = torch.Generator().manual_seed(seed)
    images, words = _batches(len(x), draws), _batches(len(t), draws)
    for step in range(steps):
        if step % 100 == 0:
            report(Progress(step, steps, f"Training a head on {len(x):,} pictures, seed {seed}"))
        optimiser.param_groups[0]["lr"] = _rate(step, steps)
        i, w = next(images), next(words)
        logits = SCALE * torch.cat([x[i], t[w]]) @ weights.T
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(logits, torch.cat([y[i], w])).backward()
        optimiser.step()
    return weights.detach().numpy()


def _rate(step: int, steps: int) -> float:
    if step < WARM_UP:
        return RATE * step / WARM_UP if step else RATE / 10
    return 0.5 * RATE * (1 + float(np.cos(np.pi * (step - WARM_UP) / max(steps, 1))))


def _batches(n: int, draws: torch.Generator) -> Iterator[torch.Tensor]:
    """Endless batches of indices, every item once an epoch."""
    import torch

    while True:
        order = torch.randperm(n, generator=draws)
        # As published the last, smaller batch of an epoch is dropped, unless it is the only one.
        for low in range(0, max(n - BATCH, 0) + 1, BATCH):
            yield order[low : low + BATCH]


def heads(
    vectors: np.ndarray,
    labels: np.ndarray,
    texts: np.ndarray,
    *,
    parts: Sequence[str],
    support: tuple[np.ndarray, np.ndarray] | None = None,
    only: Sequence[str] = (),
    shots: Sequence[int] = SHOTS,
    seeds: Sequence[int] = (0, 1, 2),
    alpha: float = ALPHA,
    report: Report = silent,
) -> list[HeadPoint]:
    """Train heads for several numbers of pictures and seeds and compare each with the zero-shot head.

    Args:
        vectors: test images [m, d], unit rows; labels: int [m]; texts: unit text vectors [c, d].
        parts: head, torso or tail of every class [c], or empty.
        support: vectors and labels of other (retrieved) pictures; without, up to half of a class's own pictures train
            and only the others test.
        only: parts whose classes get pictures; all classes by default.
        alpha: weight of the trained head in the mixture.

    Raises:
        BadInput: no class gets a picture.
    """
    labels = np.asarray(labels)
    gets = np.array([not only or part in only for part in parts])
    total, done = len(shots) * len(seeds), 0
    zero, most = _predicted(vectors, texts), max(shots)
    tallies: dict[tuple[int, Head], list[np.ndarray]] = {}
    pictures: dict[int, list[int]] = {}
    for seed in seeds:
        if support is None:
            x, y = vectors, labels
            places = pool(labels, most=most, seed=seed)
            tests = places == TEST
        else:
            x, y = support[0], np.asarray(support[1])
            places, tests = shuffled_ranks(y, seed), np.ones(len(labels), bool)
        for k in shots:
            chosen = (places >= 0) & (places < k) & gets[y]
            if not chosen.any():
                raise BadInput("No class has a picture to train on: a class needs two, or pictures of another set.")

            def told(progress: Progress, done: int = done) -> None:
                report(replace(progress, message=f"Head {done + 1} of {total}: {progress.message}"))

            trained = train(x[chosen], y[chosen], texts, shots=k, seed=seed, report=told)
            pictures.setdefault(k, []).append(int(chosen.sum()))
            variants: dict[Head, np.ndarray] = {"mixed": alpha * trained + (1 - alpha) * texts, "alone": trained}
            for head, weights in variants.items():
                found = tally(labels[tests], zero[tests], _predicted(vectors[tests], weights), len(texts))
                tallies.setdefault((k, head), []).append(found)
            done += 1
    return [
        HeadPoint(k, round(float(np.mean(pictures[k]))), head, *_over_seeds(np.stack(found), parts))
        for (k, head), found in tallies.items()
    ]


def _predicted(vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    blocks = (vectors[low : low + 4096] for low in range(0, len(vectors), 4096))
    parts = [(np.asarray(block, np.float32) @ weights.T).argmax(1) for block in blocks]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _over_seeds(
    tallies: np.ndarray, parts: Sequence[str]
) -> tuple[tuple[GroupChange, ...], dict[str, tuple[float, ...]]]:
    """Changes of the mean tally [seeds, 5, c], and the accuracy of every seed by group."""
    by_seed = [group_changes(one, parts) for one in tallies]
    return group_changes(tallies.mean(0), parts), {
        one.group: tuple(found[place].after.value for found in by_seed) for place, one in enumerate(by_seed[0])
    }


def heads_of_lens(
    lens: Lens,
    *,
    image_set: ImageSet,
    counts: Mapping[str, int],
    support: ImageSet | None = None,
    only: Sequence[str] = (),
    shots: Sequence[int] = SHOTS,
    seeds: Sequence[int] = (0, 1, 2),
    alpha: float = ALPHA,
    report: Report = silent,
) -> list[HeadPoint]:
    """``heads`` on the cached vectors of an open image set, or trained on those of another set of the same classes.

    Raises:
        BadInput: the sets share no class.
    """
    require_classes(image_set)
    classifier = evaluate.classifier_for(lens, prompt_set(lens.prompts, image_set), report=report)
    # Sentences of unequal number make one unit vector a class, whatever the strategy's own aggregation.
    texts = zeroshot.build_classifier(classifier.weights, classifier.owners, scale=1.0).weights
    vectors, labels = _embedded(lens, image_set, report)
    other = None
    if support is not None:
        x, own = _embedded(lens, support, report)
        place = {key: index for index, key in enumerate(image_set.keys)}
        label_of = np.array([place.get(key, -1) for key in support.keys])
        known = label_of[own] >= 0
        if not known.any():
            raise BadInput(f"{support.id} and {image_set.id} have no class in common; their class keys must be equal.")
        other = (x[known], label_of[own[known]])
    tags = stats.tags(counts)
    parts = [tags.get(key, "") for key in image_set.keys]
    if only and not set(only) & set(parts):
        raise BadInput(f"No class is known to be {' or '.join(only)}: give counts with --frequency.")
    return heads(
        vectors, labels, texts, parts=parts, support=other, only=only, shots=shots, seeds=seeds, alpha=alpha,
        report=report,
    )  # fmt: skip


def _embedded(lens: Lens, image_set: ImageSet, report: Report) -> tuple[np.ndarray, np.ndarray]:
    found = evaluate.embeddings_for(lens, image_set=image_set, report=report)
    return np.asarray(found.vectors, np.float32), np.asarray(image_set.labels)[found.rows]


def headline(points: Sequence[HeadPoint]) -> str:
    """The mixed head with most pictures, in a sentence."""
    best = max((one for one in points if one.head == "mixed"), key=lambda one: one.shots)
    changes = {one.group: one for one in best.changes}
    told = ", ".join(in_words(changes[name]) for name in ("all", "head", "tail") if name in changes)
    whole = changes["all"]
    return (
        f"A head trained on up to {best.shots} pictures a class and mixed with the zero-shot head: {told}; "
        f"{whole.fixed:,} images fixed, {whole.broken:,} broken of {whole.n:,}."
    )


def as_json(point: HeadPoint) -> dict[str, Any]:
    """A point as a JSON object."""
    return {
        "shots": point.shots,
        "pictures": point.pictures,
        "head": point.head,
        "groups": [change_json(one) for one in point.changes],
        "seeds": {group: list(values) for group, values in point.seeds.items()},
    }
