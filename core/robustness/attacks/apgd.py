"""APGD: projected gradient ascent that chooses its own step sizes."""

from __future__ import annotations

import torch

from core.robustness.attacks.losses import Logits, climb
from core.robustness.attacks.steps import Budget, draw, project


def apgd(
    logits: Logits,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    *,
    steps: int,
    rho: float,
    generator: torch.Generator,
    loss: str = "ce",
) -> torch.Tensor:
    """Auto-PGD in L-inf (Croce and Hein, arXiv 2003.01690, algorithm 1), one random start.

    Steps begin at twice the budget with momentum 0.75. At checkpoints the step of an image is halved, and the image
    goes back to its best point, when its loss rose in fewer than ``rho`` of the steps since the last one, or when
    neither step nor best loss changed since then. Where an image was broken its latest broken point is given, else
    the one of largest loss.
    """
    start = 2 * draw(torch.rand, x.shape, generator, x) - 1
    start = start / start.abs().amax((1, 2, 3), keepdim=True)
    at = project(x + budget * start, x, budget)
    gradient, value, scores = climb(logits, at, y, loss)
    best, best_value, best_gradient = at.clone(), value.clone(), gradient.clone()
    broken, broken_at = scores.argmax(1) != y, at.clone()
    size = torch.full((len(x), 1, 1, 1), 2.0, device=x.device)
    before, rose = at, torch.zeros(len(x), device=x.device)
    value_then, reduced_then = best_value.clone(), torch.ones(len(x), dtype=torch.bool, device=x.device)
    until, since = max(int(0.22 * steps), 1), 0
    last = value
    for step in range(steps):
        kept, momentum = at, 1.0 if step == 0 else 0.75
        ahead = project(at + size * budget * gradient.sign(), x, budget)
        at = project(at + momentum * (ahead - at) + (1 - momentum) * (at - before), x, budget)
        before = kept
        gradient, value, scores = climb(logits, at, y, loss)
        wrong = scores.argmax(1) != y
        broken_at[wrong] = at[wrong]
        broken |= wrong
        rose, last = rose + (value > last), value
        better = value > best_value
        best[better], best_gradient[better], best_value[better] = at[better], gradient[better], value[better]
        since += 1
        if since == until:
            stuck = ~reduced_then & (value_then >= best_value)
            halve = (rose <= rho * since) | stuck
            size[halve] /= 2
            at = torch.where(halve[:, None, None, None], best, at)
            gradient = torch.where(halve[:, None, None, None], best_gradient, gradient)
            reduced_then, value_then = halve, best_value.clone()
            rose, since = torch.zeros_like(rose), 0
            until = max(until - max(int(0.03 * steps), 1), max(int(0.06 * steps), 1))
    return torch.where(broken[:, None, None, None], broken_at, best)
