"""Attacks that only ask for class scores: NES and SPSA guess the gradient from differences along random directions."""

from __future__ import annotations

from typing import Any

import torch

from core.robustness.attacks.losses import LOSSES, Logits
from core.robustness.attacks.steps import Budget, Draw, draw, project, signs

PIXELS_AT_ONCE = 1 << 22
"""Values of one forward pass: 340 pictures of 64 pixels, or 27 of 224."""


def nes(logits: Logits, x: torch.Tensor, y: torch.Tensor, budget: Budget, **settings: Any) -> torch.Tensor:
    """Natural evolution strategies with antithetic Gaussian directions (arXiv 1804.08598); settings as ``search``."""
    return search(logits, x, y, budget, make=torch.randn, **settings)


def spsa(logits: Logits, x: torch.Tensor, y: torch.Tensor, budget: Budget, **settings: Any) -> torch.Tensor:
    """Simultaneous perturbation with directions of ±1 (arXiv 1802.05666); settings as ``search``."""
    return search(logits, x, y, budget, make=signs, **settings)


@torch.no_grad()
def search(
    logits: Logits,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    *,
    make: Draw,
    alpha: float,
    steps: int,
    queries: int,
    sigma: float,
    generator: torch.Generator,
    loss: str = "margin",
) -> torch.Tensor:
    """Signed steps of ``alpha`` budgets along the estimated gradient; an image that is broken is asked no more.

    Args:
        queries: directions a step; each costs two forward passes.
        sigma: length of the differences, in pixels of [0, 1].
    """
    at, budget = x.clone(), torch.as_tensor(budget, dtype=x.dtype, device=x.device).expand_as(x)
    active = (logits(x).argmax(1) == y).nonzero()[:, 0]
    for _ in range(steps):
        if not len(active):
            break
        some = at[active]
        slope = estimate(
            logits, some, y[active], make=make, queries=queries, sigma=sigma, generator=generator, loss=loss
        )
        at[active] = project(some + alpha * budget[active] * slope.sign(), x[active], budget[active])
        active = active[logits(at[active]).argmax(1) == y[active]]
    return at


@torch.no_grad()
def estimate(
    logits: Logits,
    x: torch.Tensor,
    y: torch.Tensor,
    *,
    make: Draw,
    queries: int,
    sigma: float,
    generator: torch.Generator,
    loss: str = "margin",
) -> torch.Tensor:
    """Gradient of every image's loss, float32 [n, 3, h, w]: mean of u (f(x + σu) − f(x − σu)) / 2σ over directions."""
    total = torch.zeros_like(x)
    at_once = max(1, PIXELS_AT_ONCE // (2 * x.numel()))
    for first in range(0, queries, at_once):
        many = min(at_once, queries - first)
        u = draw(make, torch.Size((many, *x.shape)), generator, x)
        asked = torch.stack([x + sigma * u, x - sigma * u])  # [2, many, n, 3, h, w]
        values = LOSSES[loss](logits(asked.flatten(0, 2)), y.repeat(2 * many)).view(2, many, len(x))
        total += ((values[0] - values[1])[..., None, None, None] * u).sum(0)
    return total / (2 * sigma * queries)
