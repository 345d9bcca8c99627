"""Occlusion and gradient maps of a linear scorer, whose parts are known, and of a real model by the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.analysis.picture_parts import picture_parts
from core.errors import BadInput
from core.supervised.scorer import Scorer
from tests.helpers.commands import MODEL, output

SIDE = 12


def linear() -> tuple[Scorer, np.ndarray]:
    """A scorer whose logits are weighted sums of the pixels."""
    weights = np.random.default_rng(0).normal(size=(2, 3, SIDE, SIDE)).astype(np.float32)
    scorer = Scorer(
        "linear", "none", ("a", "b"), ("a", "b"), torch.device("cpu"),
        lambda x: torch.einsum("nchw,kchw->nk", x, torch.from_numpy(weights)),
        lambda picture: np.asarray(picture, np.uint8), (1.0, 1.0, 1.0),
    )  # fmt: skip
    return scorer, weights


def test_the_maps_of_a_linear_scorer_are_its_weights_times_the_pixels() -> None:
    scorer, weights = linear()
    pixels = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    picture = Image.fromarray(pixels)
    x = pixels.transpose(2, 0, 1).astype(np.float64) / 255
    mean = x.mean((1, 2), keepdims=True)
    fall = (weights[1] * (x - mean)).sum(0).reshape(4, 3, 4, 3).sum((1, 3))
    found = picture_parts(scorer, picture, 1, cells=4)
    np.testing.assert_allclose(found.map, fall, atol=1e-4)
    assert found.logit == pytest.approx((weights[1] * x).sum(), rel=1e-4)
    by_hand = np.abs(weights[0] * x).sum(0).reshape(4, 3, 4, 3).mean((1, 3))
    np.testing.assert_allclose(picture_parts(scorer, picture, 0, method="gradient", cells=4).map, by_hand, rtol=1e-4)
    with pytest.raises(BadInput, match="does not fit"):
        picture_parts(scorer, picture, 0, cells=SIDE + 1)


def test_the_command_says_what_it_is(folder: Path) -> None:
    key = sorted(path.name for path in folder.iterdir())[0]
    found = output("explain", MODEL, str(folder), f"{key}/0.png", "--cells", "3", "--method", "gradient")
    assert np.array(found["map"]).shape == (3, 3)
    assert found["class"] == key
    assert "aid" in found["note"]
