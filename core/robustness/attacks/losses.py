"""Losses that attacks climb, one value an image: larger is more wrong."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

Logits = Callable[[torch.Tensor], torch.Tensor]
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def cross_entropy(scores: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of class scores [n, c] with true classes [n]; flat where the softmax saturates."""
    return functional.cross_entropy(scores, y, reduction="none")


def margin(scores: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Best other score minus the true one (Carlini and Wagner, arXiv 1608.04644); above 0 is wrong, never flat."""
    true = scores.gather(1, y[:, None])[:, 0]
    others = scores.scatter(1, y[:, None], -torch.inf)
    return others.amax(1) - true


def dlr(scores: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Difference of logits ratio (Croce and Hein, arXiv 2003.01690, eq. 4): the margin over (best − third best).

    Free of the scale of the logits; with two classes there is no third and the margin itself is given.
    """
    if scores.shape[1] < 3:
        return margin(scores, y)
    best = scores.topk(3, dim=1).values
    return margin(scores, y) / (best[:, 0] - best[:, 2] + 1e-12)


LOSSES: dict[str, Loss] = {"ce": cross_entropy, "margin": margin, "dlr": dlr}


def climb(
    logits: Logits, x: torch.Tensor, y: torch.Tensor, loss: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradient of every image's own loss at x, the losses [n], and the scores [n, c]."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        scores = logits(x)
        values = LOSSES[loss](scores, y)
        (gradient,) = torch.autograd.grad(values.sum(), x)
    return gradient, values.detach(), scores.detach()
