"""Text vectors whose first words are learned: context optimisation with frozen towers.

CoOp (Zhou et al., arXiv 2109.01134): one context of k token vectors stands before every class name. As text it is
k placeholder words; their rows of the token embedding are replaced on their way into the text tower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from core.errors import BadInput
from core.models.clip_model import ClipModel, Tokenizer
from core.models.text_tower import trimmed_text_features
from core.stats.shots import shuffled_ranks
from core.types import Progress, Report, silent

PLACEHOLDER = "X"
START = "a photo of a"
BATCH, RATE, WARM_RATE, MOMENTUM, DECAY = 32, 0.002, 1e-5, 0.9, 5e-4


def with_placeholders(name: str, size: int) -> str:
    """The sentence of a class name under a context of so many vectors."""
    return f"{' '.join([PLACEHOLDER] * size)} {name}."


def text_function(
    model: ClipModel, tokenize: Tokenizer, texts: Sequence[str], size: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    """From a context [k, width] to the unit vectors [n, d] of texts that begin with k placeholders; differentiable.

    Raises:
        BadInput: the text tower has no table of token vectors, or its tokenizer splits the placeholders.
    """
    embedding = _embedding(model)
    tokens = tokenize(list(texts)).to(embedding.weight.device)
    inner = tokens[:, 1 : size + 1]
    if inner.shape[1] < size or not bool((inner == tokenize([PLACEHOLDER])[0, 1].item()).all()):
        raise BadInput(
            "This model's tokenizer does not read placeholder words one by one, so no context can be learned."
        )

    def features(context: torch.Tensor) -> torch.Tensor:
        def swap(_module: object, _inputs: object, rows: torch.Tensor) -> torch.Tensor:
            learned = context.to(rows.dtype).expand(len(rows), -1, -1)
            return torch.cat([rows[:, :1], learned, rows[:, size + 1 :]], dim=1)

        hook = embedding.register_forward_hook(swap)
        try:
            return trimmed_text_features(model, tokens).float()
        finally:
            hook.remove()

    return features


def _embedding(model: ClipModel) -> torch.nn.Embedding:
    tower = model.text if hasattr(model, "text") else model
    found = getattr(tower, "token_embedding", None)
    if not isinstance(found, torch.nn.Embedding):
        raise BadInput("This model's text tower shows no table of token vectors, so no context can be learned for it.")
    return found


def start_context(model: ClipModel, tokenize: Tokenizer, size: int, seed: int) -> torch.Tensor:
    """Where learning starts, float32 [k, width]: the words ``a photo of a`` for four vectors, else normal of 0.02."""
    embedding = _embedding(model)
    if size == len(START.split()):
        return embedding(tokenize([START]).to(embedding.weight.device))[0, 1 : size + 1].detach().float()
    draws = torch.Generator().manual_seed(seed)
    start = 0.02 * torch.randn(size, embedding.weight.shape[1], generator=draws)
    return start.to(embedding.weight.device)


def learn(
    features: Callable[[torch.Tensor], torch.Tensor],
    start: torch.Tensor,
    vectors: np.ndarray,
    labels: np.ndarray,
    *,
    scale: float,
    epochs: int,
    batch: int = BATCH,
    rate: float = RATE,
    seed: int = 0,
    report: Report = silent,
) -> tuple[np.ndarray, list[float]]:
    """Learn a context by cross-entropy of scale · cosine on image vectors; the towers stay as they are.

    SGD with momentum 0.9 and weight decay 5e-4; the rate is 1e-5 in the first epoch and then falls by a cosine.

    Args:
        features: of ``text_function``; start: [k, width]; vectors: [m, d], unit rows; labels: int [m].

    Returns:
        The context float32 [k, width], and the mean loss of every epoch.
    """
    context = start.clone().requires_grad_()
    optimiser = torch.optim.SGD([context], lr=rate, momentum=MOMENTUM, weight_decay=DECAY)
    x = torch.from_numpy(np.asarray(vectors, np.float32)).to(start.device)
    y = torch.from_numpy(np.asarray(labels, np.int64)).to(start.device)
    losses = []
    for epoch in range(epochs):
        optimiser.param_groups[0]["lr"] = WARM_RATE if not epoch else rate * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        order = torch.from_numpy(np.argsort(shuffled_ranks(np.zeros(len(y), np.int64), seed * 10_007 + epoch)))
        total = 0.0
        for part in order.to(start.device).split(batch):
            report(Progress(epoch, epochs, f"Learning a context on {len(x):,} pictures, seed {seed}"))
            loss = torch.nn.functional.cross_entropy(scale * x[part] @ features(context).T, y[part])
            (context.grad,) = torch.autograd.grad(loss, [context])
            optimiser.step()
            total += float(loss.detach()) * len(part)
        losses.append(total / len(x))
    return context.detach().cpu().numpy(), losses
