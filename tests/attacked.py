"""A zero-shot head small enough to attack in a test: a conv tower, unit vectors, fixed text weights."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

SIZE, CLASSES, SCALE = 16, 12, 30.0


class ToyHead(nn.Module):
    """float32 [n, 3, 16, 16] in [0, 1] -> scaled cosines [n, 12]; normalisation inside, no noise, fixed seed."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.tower = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.GELU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.GELU(),
            nn.Flatten(), nn.Linear(16 * 16, 24),
        )  # fmt: skip
        for value in self.parameters():
            value.data = torch.randn(value.shape, generator=generator) * (0.3 if value.ndim == 1 else 0.25)
            value.requires_grad_(False)
        text = normalize(torch.randn(CLASSES, 24, generator=generator), dim=-1)
        self.register_buffer("text", text)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return SCALE * normalize(self.tower((x - 0.5) / 0.25), dim=-1) @ self.text.T


def pictures(n: int = 24, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth random pictures with some pixels at the ends of [0, 1], and the classes the head gives them."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.uniform(-0.1, 1.1, (n, 3, 4, 4)).astype(np.float32))
    x = nn.functional.interpolate(coarse, size=SIZE, mode="bilinear").clamp(0, 1)
    with torch.no_grad():
        return x, ToyHead()(x).argmax(1)
