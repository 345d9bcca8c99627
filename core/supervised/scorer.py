"""Class scores of raw pixels that gradients flow through: what attacks and live corruption work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import normalize

from core.evaluation.evaluate import classifier_for, encoders
from core.prompts import prompt_set
from core.supervised import answers
from core.supervised.model import project
from core.supervised.names import PROMPTS, canonical, is_supervised
from core.types import Classifier, ImageSet, Lens


@dataclass(frozen=True)
class Scorer:
    """A classifier of pixels with the normalisation inside.

    Attributes:
        id: model; prompts: strategy, or ``supervised``; keys, names: its classes [c], in logit order.
        logits: float32 [n, 3, h, w] in [0, 1] on ``device`` -> float32 [n, c]; differentiable.
        pixels: RGB picture -> uint8 [h, w, 3] of the model's size.
        std: what the three channels are divided by inside (the factor between pixel and normalised ε).
    """

    id: str
    prompts: str
    keys: tuple[str, ...]
    names: tuple[str, ...]
    device: torch.device
    logits: Callable[[torch.Tensor], torch.Tensor]
    pixels: Callable[[Image.Image], np.ndarray]
    std: tuple[float, ...]

    def batch(self, pictures: list[Image.Image]) -> torch.Tensor:
        """Pictures as float32 [n, 3, h, w] in [0, 1] on the model's device."""
        stacked = torch.from_numpy(np.stack([self.pixels(picture) for picture in pictures]))
        return stacked.to(self.device).permute(0, 3, 1, 2).float().div_(255)


def scorer_for(model: str, image_set: ImageSet, prompts: str = "simple") -> Scorer:
    """Any classifier over the classes of a set, in float32; ``prompts`` is of no account to a supervised one."""
    if is_supervised(model):
        return _supervised(model, image_set)
    return zero_shot_scorer(Lens(model, image_set.id, prompts), image_set)


def zero_shot_scorer(lens: Lens, image_set: ImageSet) -> Scorer:
    """The lens's model with fixed text weights, in float32 (half precision saturates and hides gradients)."""
    lens = replace(lens, precision="float32")
    encoder = encoders().get(lens.model, "float32")
    classifier = classifier_for(lens, prompt_set(lens.prompts, image_set))
    score = _class_scores(classifier, encoder.device)

    def logits(pixels: torch.Tensor) -> torch.Tensor:
        vectors = normalize(encoder.image_features(pixels), dim=-1)
        return classifier.scale * score(vectors) + classifier.bias

    return Scorer(
        lens.model, lens.prompts, tuple(image_set.keys), tuple(image_set.names), encoder.device, logits,
        encoder.preprocess, encoder.std,
    )  # fmt: skip


def _class_scores(classifier: Classifier, device: torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
    """Unit vectors [n, d] -> aggregated cosines [n, c]."""
    weights = torch.from_numpy(np.ascontiguousarray(classifier.weights)).to(device)
    owners = torch.from_numpy(np.asarray(classifier.owners)).to(device)
    classes = int(owners[-1]) + 1
    if classifier.aggregation == "max":

        def strongest(vectors: torch.Tensor) -> torch.Tensor:
            index = owners.expand(len(vectors), -1)
            empty = torch.full((len(vectors), classes), -torch.inf, device=device)
            return empty.scatter_reduce(1, index, vectors @ weights.T, "amax")

        return strongest
    if classifier.aggregation == "similarity":
        sums = torch.zeros(classes, weights.shape[1], device=device).index_add_(0, owners, weights)
        weights = sums / torch.bincount(owners, minlength=classes)[:, None]
    return lambda vectors: vectors @ weights.T


def _supervised(model: str, image_set: ImageSet) -> Scorer:
    """A supervised classifier over the classes of a set; errors of ``answers.answer_for``."""
    loaded = answers.pool().get(canonical(model), "float32")
    index = torch.from_numpy(loaded.columns(image_set)).to(loaded.device)
    return Scorer(
        loaded.id, PROMPTS, tuple(image_set.keys), tuple(image_set.names), loaded.device,
        lambda pixels: project(loaded.logits(pixels), index), loaded.preprocess, loaded.std,
    )  # fmt: skip
