"""WaffleCLIP's result: mean and standard deviation over seeds, the band of what random words achieve."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from core.evaluation.evaluate import evaluate
from core.prompts import prompt_file, strategy_id
from core.prompts.notes import content_unread
from core.prompts.waffle import SEEDS
from core.stats.format import percent, points
from core.types import Answer, ImageSet, Lens, Progress, Reading, Report, silent


@dataclass(frozen=True, slots=True)
class Band:
    """Top-1 accuracy (fractions) of every seed, their mean and sample standard deviation (NaN for one seed)."""

    values: tuple[float, ...]
    mean: float
    sd: float


def waffle_answers(lens: Lens, *, image_set: ImageSet, seeds: int = SEEDS, report: Report = silent) -> list[Answer]:
    """The answers of the first ``seeds`` seeds under the lens's model and images, each from the cache or computed."""
    answers = []
    for seed in range(seeds):

        def told(progress: Progress, seed: int = seed) -> None:
            report(replace(progress, message=f"Random words, seed {seed + 1} of {seeds}: {progress.message}"))

        answers.append(evaluate(replace(lens, prompts=f"waffle:{seed}"), report=told, image_set=image_set))
    return answers


def band(values: list[float]) -> Band:
    """Mean and standard deviation of one figure over seeds."""
    return Band(
        tuple(values), float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    )


def is_written(strategy: str) -> bool:
    """Whether a strategy's sentences describe each class in its own words, so that random words are its null."""
    return strategy_id(strategy) in ("cupl-base", "cupl-full", "cupl-both", "dclip", "waffle") or (
        prompt_file(strategy) is not None and not strategy.startswith(("real:", "name-family:"))
    )


def against(label: str, acc1: float, found: Band, reading: Reading | None = None) -> str:
    """One lens held against the band, in words; a band of one seed has no spread and decides nothing.

    Args:
        reading: how much of the lens's sentences the model reads; content that is not read is not judged.
    """
    if reading is not None and (why := content_unread(reading)):
        return f"{label}: {why}, so a comparison with random words tells nothing."
    gap = 100 * (acc1 - found.mean)
    null = f"{points(found.mean)} ± {points(found.sd, 2)} % of random words ({len(found.values)} seeds)"
    start = f"{label}: {percent(acc1, 1)}"
    if not abs(gap) > 100 * found.sd:
        return f"{start} lies inside the {null}: its content adds nothing that shows."
    if gap < 0:
        return f"{start} is {-gap:.1f} points below the {null}: its sentences do worse than words without meaning."
    return f"{start} is {gap:.1f} points above the {null}."
