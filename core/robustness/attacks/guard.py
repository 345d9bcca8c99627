"""Gradient masking: signs that an attack failed because it could not see, not because the model is robust."""

from __future__ import annotations

import torch

from core.robustness.attacks.losses import Logits, climb

SURE = 0.999


def signs(logits: Logits, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Class said [n], whether its softmax exceeds 0.999 [n], and whether the cross-entropy gradient is all zero [n]."""
    gradient, _, scores = climb(logits, x, y, "ce")
    saturated = scores.softmax(1).amax(1) > SURE
    return scores.argmax(1), saturated, (gradient == 0).flatten(1).all(1)
