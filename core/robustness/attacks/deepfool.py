"""DeepFool in L-inf: the nearest decision boundary, found by walking from one linear picture of it to the next."""

from __future__ import annotations

import torch

from core.robustness.attacks.losses import Logits
from core.robustness.attacks.steps import Budget, project


def deepfool(
    logits: Logits, x: torch.Tensor, y: torch.Tensor, budget: Budget, *, steps: int, overshoot: float, candidates: int
) -> torch.Tensor:
    """The minimal change of ``nearest``, cut to the budget: an image whose boundary lies further away is not reached.

    The paper's released code counts such an image as right; so does this, unless the cut picture is wrong all the same.
    """
    return project(nearest(logits, x, y, budget, steps=steps, overshoot=overshoot, candidates=candidates), x, budget)


def nearest(
    logits: Logits, x: torch.Tensor, y: torch.Tensor, budget: Budget, *, steps: int, overshoot: float, candidates: int
) -> torch.Tensor:
    """Pixels just across the nearest boundary, in [0, 1], as far away as it takes (arXiv 1511.04599, L-inf form).

    Args:
        budget: only its proportions between channels count: they say what a change of each costs.
        overshoot: how far beyond the boundary of the linear picture; candidates: likeliest classes looked at.
    """
    cost = torch.as_tensor(budget, dtype=x.dtype, device=x.device).expand_as(x)
    cost = cost / cost.amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
    with torch.no_grad():
        scores = logits(x)
    order = scores.argsort(1, descending=True)[:, : min(candidates, scores.shape[1])]
    at, moved = x.clone(), torch.zeros_like(x)
    active = (scores.argmax(1) == y).nonzero()[:, 0]
    for _ in range(steps):
        if not len(active):
            break
        said, gaps, slopes = _linear(logits, at[active], order[active])
        still = said == y[active]  # an image that has crossed keeps its point
        active, gaps, slopes = active[still], gaps[still], slopes[still]
        if not len(active):
            break
        price = (slopes * cost[active][:, None]).abs().flatten(2).sum(2)
        distance = gaps.abs() / (price + 1e-8)
        rows, chosen = torch.arange(len(active), device=x.device), distance.argmin(1)
        # The small constant keeps an image that stands on the boundary moving, as in foolbox.
        length = (distance[rows, chosen] + 1e-4)[:, None, None, None]
        moved[active] += length * cost[active] * slopes[rows, chosen].sign()
        at[active] = (x[active] + (1 + overshoot) * moved[active]).clamp(0, 1)
    return at


def distance(adversarial: torch.Tensor, clean: torch.Tensor, unit: Budget) -> torch.Tensor:
    """Largest change of every image [n] in units (a budget of ε = 1)."""
    return ((adversarial - clean).abs() / unit).flatten(1).amax(1)


def _linear(logits: Logits, x: torch.Tensor, order: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Class said [n]; score of every other candidate minus the first one's [n, k - 1]; its gradient [n, k - 1, ...]."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        scores = logits(x)
        ranked = scores.gather(1, order)
        gaps = (ranked[:, 1:] - ranked[:, :1]).unbind(1)
        last = len(gaps) - 1
        slopes = [torch.autograd.grad(gap.sum(), x, retain_graph=k < last)[0] for k, gap in enumerate(gaps)]
    return scores.argmax(1), torch.stack(gaps, 1).detach(), torch.stack(slopes, dim=1)
