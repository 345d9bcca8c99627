"""Corruption error, flip probability and top-5 distance, as published for ImageNet-C and ImageNet-P.

Formulas: Hendrycks and Dietterich, ICLR 2019 (arXiv 1903.12261), section 3, and their evaluation code for what a
sequence is compared with. Errors are fractions; everything relative to a reference is in percent, so that the
reference itself scores 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

TOP = 5


@dataclass(frozen=True, slots=True)
class Reference:
    """The classifier whose errors are 100 percent.

    Attributes:
        name: what to print beside every relative figure.
        clean: its error without corruption, a fraction.
        errors: corruption -> its error, averaged over ``severities``.
    """

    name: str
    clean: float
    errors: Mapping[str, float]
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)


ALEXNET = Reference(
    "AlexNet as published (ImageNet-C JPEG files, 1,000 classes)",
    0.4348,
    {
        "gaussian_noise": 0.886428,
        "shot_noise": 0.894468,
        "impulse_noise": 0.922640,
        "defocus_blur": 0.819880,
        "glass_blur": 0.826268,
        "motion_blur": 0.785948,
        "zoom_blur": 0.798360,
        "snow": 0.866816,
        "frost": 0.826572,
        "fog": 0.819324,
        "brightness": 0.564592,
        "contrast": 0.853204,
        "elastic_transform": 0.646056,
        "pixelate": 0.717840,
        "jpeg_compression": 0.606500,
    },
)
"""Errors of AlexNet on ImageNet-C, mean over severities: hendrycks/robustness issue 10, in the order AugMix uses them.

Other accounts of AlexNet differ: imagenet-testbed's own run of the same files is up to 4.4 points worse, and its
"mCE" of AlexNet therefore 102.3. Which reference was used belongs beside every figure.
"""


def corruption_error(errors: Mapping[int, float], reference: float) -> float:
    """CE of one corruption: sum of errors over severities over the reference's sum, in percent.

    Args:
        errors: severity -> error, a fraction; reference: the reference's mean error over the same severities.
    """
    mean = _mean(errors.values())
    return 100 * mean / reference if reference > 0 else math.nan


def relative_corruption_error(
    errors: Mapping[int, float], clean: float, reference: float, reference_clean: float
) -> float:
    """Relative CE: rise of the error above the clean one over the reference's rise, in percent.

    NaN when the reference does not suffer from this corruption.
    """
    rise = reference - reference_clean
    return 100 * (_mean(errors.values()) - clean) / rise if rise > 0 else math.nan


def mean_over(values: Iterable[float]) -> float:
    """mCE, relative mCE, mFR, mT5D: the plain mean over corruptions or perturbations; NaN if one is undefined."""
    return _mean(values)


def flips(said: np.ndarray, *, noise: bool) -> np.ndarray:
    """Where a sequence flips, bool [sequences, frames - 1]; their mean is the flip probability FP of a perturbation.

    Args:
        said: int [sequences, frames], predicted class of every frame.
        noise: compare with the first frame (noise frames do not follow from one another) instead of the one before.
    """
    said = np.asarray(said)
    return said[:, 1:] != (said[:, :1] if noise else said[:, :-1])


def relative_to(value: float, reference: float) -> float:
    """FR from FP, or standardised T5D: a value over the reference's, in percent; NaN when that is zero."""
    return 100 * value / reference if reference > 0 else math.nan


def top5_distance(top: np.ndarray, *, noise: bool) -> float:
    """Unstandardised T5D of one perturbation: how far the five best classes move between frames, 0 to 15.

    The sum over the first ranking's five best of the difference of their ranks in both, where every rank below five
    counts as the sixth; averaged over pairs of frames, then over sequences.

    Args:
        top: int [sequences, frames, 5], the five best classes by falling score.
        noise: as in ``flips``.
    """
    top = np.asarray(top)
    if top.shape[-1] != TOP:
        raise ValueError(f"T5D needs the five best classes, not {top.shape[-1]}")
    after = top[:, 1:]
    before = np.broadcast_to(top[:, :1], after.shape) if noise else top[:, :-1]
    same = before[..., :, None] == after[..., None, :]  # [s, f - 1, rank before, rank after]
    moved = np.where(same.any(-1), same.argmax(-1), TOP)
    return float(np.abs(moved - np.arange(TOP)).sum(-1).mean())


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found) if found else math.nan
