"""WaffleCLIP's result: mean and standard deviation over seeds, the band of what random words achieve."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from core.evaluate import evaluate
from core.prompts.waffle import SEEDS
from core.types import Answer, ImageSet, Lens, Progress, Report


@dataclass(frozen=True, slots=True)
class Band:
    """Top-1 accuracy (fractions) of every seed, their mean and sample standard deviation (NaN for one seed)."""

    values: tuple[float, ...]
    mean: float
    sd: float


def waffle_answers(
    lens: Lens, *, seeds: int = SEEDS, image_set: ImageSet | None = None, report: Report | None = None
) -> list[Answer]:
    """The answers of the first ``seeds`` seeds under the lens's model and images, each from the cache or computed."""
    answers = []
    for seed in range(seeds):

        def told(progress: Progress, seed: int = seed) -> None:
            if report:
                report(replace(progress, message=f"Random words, seed {seed + 1} of {seeds}: {progress.message}"))

        answers.append(evaluate(replace(lens, prompts=f"waffle:{seed}"), report=told, image_set=image_set))
    return answers


def band(values: list[float]) -> Band:
    """Mean and standard deviation of one figure over seeds."""
    return Band(
        tuple(values), float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    )
