"""FGSM and the iterative attacks made of it: BIM, MIM, DIM, PGD. One loop, four ways to find the direction; noise."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from core.robustness.attacks.losses import Logits, climb

Budget = torch.Tensor | float
Draw = Callable[..., torch.Tensor]
"""Random numbers of a shape by a generator: ``torch.rand``, ``torch.randn``."""


def project(x: torch.Tensor, clean: torch.Tensor, budget: Budget) -> torch.Tensor:
    """The nearest pixels within ``budget`` of ``clean`` and within [0, 1]."""
    return torch.minimum(torch.maximum(x, clean - budget), clean + budget).clamp(0, 1)


def fgsm(logits: Logits, x: torch.Tensor, y: torch.Tensor, budget: Budget, *, loss: str = "ce") -> torch.Tensor:
    """Fast gradient sign method: one step of the whole budget along the sign of the gradient (arXiv 1412.6572)."""
    return bim(logits, x, y, budget, alpha=1.0, steps=1, loss=loss)


def bim(
    logits: Logits, x: torch.Tensor, y: torch.Tensor, budget: Budget, *, alpha: float, steps: int, loss: str = "ce"
) -> torch.Tensor:
    """Basic iterative method: ``steps`` signed steps of ``alpha`` budgets, projected after each (arXiv 1607.02533)."""
    return _walk(x, x, budget, alpha, steps, lambda at: climb(logits, at, y, loss)[0])


def pgd(
    logits: Logits,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    *,
    alpha: float,
    steps: int,
    generator: torch.Generator,
    loss: str = "ce",
) -> torch.Tensor:
    """Projected gradient descent: BIM from a uniformly random point of the budget (arXiv 1706.06083)."""
    start = x + budget * (2 * draw(torch.rand, x.shape, generator, x) - 1)
    return _walk(start.clamp(0, 1), x, budget, alpha, steps, lambda at: climb(logits, at, y, loss)[0])


def mim(
    logits: Logits,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    *,
    alpha: float,
    steps: int,
    decay: float,
    loss: str = "ce",
) -> torch.Tensor:
    """Momentum iterative method: gradients of L1 norm one are summed with decay (arXiv 1710.06081, algorithm 1)."""
    return _walk(x, x, budget, alpha, steps, _with_momentum(lambda at: climb(logits, at, y, loss)[0], decay))


def dim(
    logits: Logits,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    *,
    alpha: float,
    steps: int,
    decay: float,
    smallest: float,
    probability: float,
    generator: torch.Generator,
    loss: str = "ce",
) -> torch.Tensor:
    """Diverse inputs: MIM whose gradients are often taken through a shrunk and padded picture (arXiv 1803.06978).

    Args:
        smallest: least size of the shrunk picture, as a share; probability: how often it is shrunk at all. Size and
            place are drawn once a step for the whole batch.
    """

    def direction(at: torch.Tensor) -> torch.Tensor:
        change = _diversity(at, smallest, probability, generator)
        return climb(lambda pixels: logits(change(pixels)), at, y, loss)[0]

    return _walk(x, x, budget, alpha, steps, _with_momentum(direction, decay))


def noise(
    logits: Logits, x: torch.Tensor, y: torch.Tensor, budget: Budget, *, generator: torch.Generator
) -> torch.Tensor:
    """Every value moved by the whole budget, up or down at random: what a change that knows no model breaks."""
    return (x + budget * draw(signs, x.shape, generator, x)).clamp(0, 1)


def signs(shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """-1 or 1 with equal chance, float32."""
    return torch.randint(0, 2, shape, generator=generator).float() * 2 - 1


def draw(make: Draw, shape: torch.Size, generator: torch.Generator, like: torch.Tensor) -> torch.Tensor:
    """Random numbers of a seed, the same on every device."""
    return make(shape, generator=generator).to(like.device)


def _walk(
    start: torch.Tensor,
    clean: torch.Tensor,
    budget: Budget,
    alpha: float,
    steps: int,
    direction: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    at = start
    for _ in range(steps):
        at = project(at + alpha * budget * direction(at).sign(), clean, budget)
    return at


def _with_momentum(
    direction: Callable[[torch.Tensor], torch.Tensor], decay: float
) -> Callable[[torch.Tensor], torch.Tensor]:
    summed: torch.Tensor | float = 0.0

    def gathered(at: torch.Tensor) -> torch.Tensor:
        nonlocal summed
        gradient = direction(at)
        size = gradient.abs().sum((1, 2, 3), keepdim=True).clamp_min(torch.finfo(gradient.dtype).tiny)
        summed = decay * summed + gradient / size
        return summed

    return gathered


def _diversity(
    x: torch.Tensor, smallest: float, probability: float, generator: torch.Generator
) -> Callable[[torch.Tensor], torch.Tensor]:
    height, width = x.shape[-2:]
    least = int(width * smallest)
    if least >= width:
        return lambda pixels: pixels
    size = int(torch.randint(least, width, (1,), generator=generator))
    high = max(1, round(size * height / width))
    top = int(torch.randint(0, max(1, height - high), (1,), generator=generator))
    left = int(torch.randint(0, width - size, (1,), generator=generator))
    if float(torch.rand(1, generator=generator)) >= probability:
        return lambda pixels: pixels

    def shrunk(pixels: torch.Tensor) -> torch.Tensor:
        small = functional.interpolate(pixels, size=(high, size), mode="bilinear", align_corners=False)
        return functional.pad(small, (left, width - size - left, top, height - high - top))

    return shrunk
