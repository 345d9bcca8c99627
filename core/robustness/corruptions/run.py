"""Models under corruptions: which conditions to ask, and what was said; every answer is kept, so a rerun resumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Protocol

import numpy as np
from PIL import Image

from core.errors import BadInput
from core.evaluation import embed, evaluate, looks
from core.evaluation.embedding_run import work_of
from core.robustness.corruptions.registry import BENCHMARK, IN_MEMORY, SEVERITIES, check
from core.robustness.corruptions.views import condition as in_words
from core.robustness.corruptions.views import corrupted
from core.robustness.sampling import balanced_rows
from core.runtime import estimates
from core.runtime.estimates import Estimate
from core.supervised import answers, ask
from core.supervised import names as supervised
from core.types import ImageEncoder, ImageSet, Progress, Report

Condition = tuple[str | None, int]
"""A corruption and its severity; ``CLEAN`` for none."""

CLEAN: Condition = (None, 0)
NOT_USED = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run measures.

    Attributes:
        per_class: images of every class, drawn by seed; None for all. seed: of the sample and of the corruptions.
        prompts: strategy of zero-shot models.
    """

    corruptions: tuple[str, ...] = BENCHMARK
    severities: tuple[int, ...] = SEVERITIES
    per_class: int | None = None
    seed: int = 0
    prompts: str = "simple"

    def __post_init__(self) -> None:
        for name in self.corruptions:
            for severity in self.severities:
                check(name, severity)
        if not self.corruptions or not self.severities:
            raise BadInput("Name at least one corruption and one severity.")
        if self.per_class is not None and self.per_class < 1:
            raise BadInput(f"{self.per_class} images of each class cannot be drawn; ask for at least one.")

    @property
    def conditions(self) -> list[Condition]:
        """The clean pictures, then every corruption at every severity."""
        return [CLEAN, *((name, severity) for name in self.corruptions for severity in self.severities)]


@dataclass(frozen=True)
class Outcome:
    """What one model said of the sample under every condition.

    Attributes:
        labels: int64 [n], true classes; said: condition -> int32 [n], class said, ``NOT_USED`` for unreadable images.
        prompts: the strategy, or ``supervised``; prompt_notes: what a person should know of the prompts.
    """

    model: str
    keys: Sequence[str]
    names: Sequence[str]
    labels: np.ndarray
    prompts: str
    said: dict[Condition, np.ndarray] = field(default_factory=dict)
    prompt_notes: tuple[str, ...] = ()

    def right(self, condition: Condition) -> np.ndarray:
        """Which used images are named correctly, bool [m]."""
        used = self.said[condition] != NOT_USED
        return self.said[condition][used] == self.labels[used]

    def error(self, condition: Condition) -> float:
        """Top-1 error, a fraction of the images used."""
        return 1 - float(self.right(condition).mean())

    @property
    def corrupted(self) -> list[Condition]:
        """The conditions but the clean one."""
        return [condition for condition in self.said if condition != CLEAN]

    @property
    def severities(self) -> tuple[int, ...]:
        """The severities asked of every corruption."""
        return tuple(sorted({severity for _, severity in self.corrupted}))

    def class_accuracy(self, conditions: Sequence[Condition]) -> np.ndarray:
        """Accuracy of every class, averaged over conditions, float [c]; NaN for classes without images."""
        each = []
        for condition in conditions:
            used = self.said[condition] != NOT_USED
            n = np.bincount(self.labels[used], minlength=len(self.keys))
            hits = np.bincount(self.labels[used][self.right(condition)], minlength=len(self.keys))
            each.append(np.divide(hits, n, out=np.full(len(n), np.nan), where=n > 0))
        return np.mean(each, axis=0)


class Source(Protocol):
    """Where the pictures of every condition come from.

    Attributes:
        id, keys, names: as of an image set. labels: int64 [n], the same images in every condition.
        conditions: the clean one first where there is one. made: how the pictures were made, in a few words.
    """

    @property
    def id(self) -> str: ...
    @property
    def keys(self) -> Sequence[str]: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def labels(self) -> np.ndarray: ...
    @property
    def conditions(self) -> Sequence[Condition]: ...
    @property
    def made(self) -> str: ...

    def view(self, condition: Condition) -> ImageSet:
        """The pictures of one condition; its labels are those of the source."""
        ...


class InMemory:
    """The conditions of a plan, made of the pictures of an image set.

    Raises:
        BadInput: the set holds no labelled image.
    """

    made = IN_MEMORY

    def __init__(self, image_set: ImageSet, plan: Plan) -> None:
        self.rows = balanced_rows(image_set.labels, plan.per_class, seed=plan.seed)
        if not len(self.rows):
            raise BadInput(f"{image_set.id} holds no labelled images, so accuracy under corruption has no meaning.")
        self.id, self.keys, self.names = image_set.id, image_set.keys, image_set.names
        self.labels = np.asarray(image_set.labels)[self.rows]
        self.conditions = plan.conditions
        self._images, self._seed = image_set, plan.seed

    def view(self, condition: Condition) -> ImageSet:
        """The sample under one condition."""
        return corrupted(self._images, *condition, seed=self._seed, rows=self.rows)


def run(models: Sequence[str], source: Source, plan: Plan, *, report: Report) -> dict[str, Outcome]:
    """Ask every model about every condition on the same images.

    A corruption's pictures are made once for all models. Stopping between or within conditions loses no answer.

    Raises:
        BadInput, ExtraMissing: a condition cannot be made; ImagesMissing, WeightsMissing: something must be fetched.
    """
    models = list(dict.fromkeys(models))
    found = {
        model: Outcome(model, tuple(source.keys), tuple(source.names), source.labels, how_asked(model, plan.prompts))
        for model in models
    }
    total, done = len(models) * len(source.conditions), 0
    for _, conditions in groupby(source.conditions, key=lambda condition: condition[0]):
        views = {condition: source.view(condition) for condition in conditions}
        for model in models:
            for condition, view in views.items():
                what = in_words(*condition)
                report(Progress(done, total, f"{model}: {what}"))
                answer = ask.answer_for(model, view, prompts=plan.prompts, report=within(report, done, total, what))
                said = np.full(len(source.labels), NOT_USED, np.int32)
                said[answer.rows] = answer.top[:, 0]
                found[model].said[condition] = said
                found[model] = replace(found[model], prompt_notes=answer.prompt_notes)
                done += 1
    report(Progress(done, total, "Done"))
    return found


def estimate(models: Sequence[str], source: Source, *, report: Report) -> Estimate | None:
    """How long these models take here for the pictures that they have not embedded yet; None for none.

    Each condition at the rate of its latest run, else at that of a calibration on pictures of all conditions.
    """
    views = [source.view(condition) for condition in source.conditions]

    def mixed(index: int) -> Image.Image:
        return views[index % len(views)].image(index // len(views))

    parts = []
    for model in dict.fromkeys(models):
        encoder: ImageEncoder = (
            answers.pool().get(supervised.canonical(model), "float32")
            if supervised.is_supervised(model)
            else evaluate.encoders().get(model)
        )
        missing = [(view, embed.left_to_embed(encoder, view, evaluate.matrices())) for view in views]
        mean = 0.0
        for view, left in missing:
            rate = estimates.known(work_of(encoder, view))
            if left and rate is None:
                mean = mean or looks.calibrate(encoder, mixed, len(views) * len(source.labels), report=report)
                rate = mean
            parts.append(Estimate(left, "picture", rate or 1.0))
    return estimates.total(parts)


def how_asked(model: str, prompts: str) -> str:
    """The strategy as records name it: classifiers without a text tower have none."""
    return supervised.PROMPTS if supervised.is_supervised(model) else prompts


def within(report: Report, done: int, total: int, what: str) -> Report:
    """Reports of one answer, told as part of the whole run."""
    return lambda progress: report(Progress(done, total, f"{what}: {progress.message}"))


def errors(outcome: Outcome) -> dict[str, dict[int, float]]:
    """Corruption -> severity -> error of one model, for the conditions that were asked."""
    found: dict[str, dict[int, float]] = {}
    for name, severity in outcome.said:
        if name is not None:
            found.setdefault(name, {})[severity] = outcome.error((name, severity))
    return found
