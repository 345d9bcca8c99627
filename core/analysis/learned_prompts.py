"""Contexts learned on a few pictures of a set, kept as strategies and held against hand-written prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.analysis.group_change import GroupChange, group_changes, tally
from core.datasets.coverage import require_classes
from core.errors import BadInput
from core.evaluation import evaluate, zeroshot
from core.prompts import learned, prompt_set
from core.stats.shots import TEST, pool
from core.strict_json import write_json
from core.types import ImageSet, Lens, Progress, Report, silent

AGAINST = ("simple", "ensemble")


@dataclass(frozen=True, slots=True)
class Context:
    """One learned context: its strategy, seed, training pictures, mean loss by epoch, top-1 accuracy on the others."""

    strategy: str
    seed: int
    pictures: int
    losses: tuple[float, ...]
    acc1: float


@dataclass(frozen=True)
class LearnedPrompts:
    """Contexts by seed, and strategy -> what head, torso and tail gain over it on the test images, mean over seeds."""

    contexts: tuple[Context, ...]
    changes: Mapping[str, tuple[GroupChange, ...]]


def learn_contexts(
    lens: Lens,
    *,
    image_set: ImageSet,
    parts: Sequence[str],
    out: Path,
    shots: int = 4,
    seeds: Sequence[int] = (0, 1, 2),
    size: int = 4,
    epochs: int = 50,
    batch: int = 32,
    rate: float = 0.002,
    report: Report = silent,
) -> LearnedPrompts:
    """Learn a context for every seed on cached vectors, write it, and compare it on the images outside the pool.

    Args:
        parts: head, torso or tail of every class [c], or empty.
        out: ``NAME``: files are NAME-SEED.json. size: learned vectors.

    Raises:
        BadInput: no class has two images, or the model's text tower cannot be given vectors.
    """
    from core.models.learned_context import learn, with_placeholders

    require_classes(image_set)
    embeddings = evaluate.embeddings_for(lens, image_set=image_set, report=report)
    vectors = np.asarray(embeddings.vectors, np.float32)
    labels = np.asarray(image_set.labels)[embeddings.rows]
    encoder = evaluate.encoders().get(lens.model, lens.precision)
    features = encoder.in_context([with_placeholders(name, size) for name in image_set.names], size)
    classifiers = {id: evaluate.classifier_for(lens, prompt_set(id, image_set), report=report) for id in AGAINST}
    before = {id: zeroshot.predict(vectors, classifier) for id, classifier in classifiers.items()}
    contexts: list[Context] = []
    tallies: dict[str, list[np.ndarray]] = {id: [] for id in AGAINST}
    for number, seed in enumerate(seeds):

        def told(progress: Progress, number: int = number) -> None:
            report(replace(progress, message=f"Context {number + 1} of {len(seeds)}: {progress.message}"))

        places = pool(labels, most=shots, seed=seed)
        chosen, tests = places != TEST, places == TEST
        if not chosen.any():
            raise BadInput(f"No class of {image_set.id} has two images: one to learn from and one to test on.")
        context, losses = learn(
            features, encoder.start_context(size, seed), vectors[chosen], labels[chosen],
            scale=encoder.scale, epochs=epochs, batch=batch, rate=rate, seed=seed, report=told,
        )  # fmt: skip
        path = out.with_name(f"{out.name.removesuffix('.json')}-{seed}.json")
        write_json(
            {
                "kind": learned.KIND, "model": lens.model, "weights": encoder.fingerprint["weights"],
                "set": image_set.id, "images": image_set.fingerprint, "shots": shots, "pictures": int(chosen.sum()),
                "seed": seed, "epochs": epochs, "batch": batch, "rate": rate, "losses": losses,
                "context": context.tolist(),
            },
            path,
        )  # fmt: skip
        strategy = f"learned:{path}"
        classifier = evaluate.classifier_for(lens, prompt_set(strategy, image_set), report=report)
        after = zeroshot.predict(vectors[tests], classifier)
        for id, predicted in before.items():
            tallies[id].append(tally(labels[tests], predicted[tests], after, len(image_set.keys)))
        acc1 = float((after == labels[tests]).mean())
        contexts.append(Context(strategy, seed, int(chosen.sum()), tuple(losses), acc1))
    return LearnedPrompts(
        tuple(contexts), {id: group_changes(np.mean(found, axis=0), parts) for id, found in tallies.items()}
    )
