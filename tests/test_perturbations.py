"""Perturbation sequences: deterministic, slow where they should be, and an image set of their own."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from core.errors import BadInput
from core.robustness.corruptions.perturbations import FRAMES, PERTURBATIONS, frame, sequences
from tests.fakes import FakeImageSet

NOISE = ("gaussian_noise", "shot_noise")


def picture() -> Image.Image:
    rng = np.random.default_rng(2)
    return Image.fromarray(rng.integers(40, 210, (6, 6, 3), dtype=np.uint8)).resize((48, 40), Image.Resampling.BICUBIC)


def shown(name: str, index: int, seed: int = 1) -> np.ndarray:
    return np.asarray(frame(picture(), name, index, seed=seed), float)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_frames_repeat_by_seed_and_keep_the_size(name: str) -> None:
    assert shown(name, 9).shape == (40, 48, 3)
    assert np.array_equal(shown(name, 9), shown(name, 9))
    assert not np.array_equal(shown(name, 9), shown(name, 2))


@pytest.mark.parametrize("name", [name for name in PERTURBATIONS if name not in NOISE])
def test_neighbouring_frames_are_closer_than_the_ends(name: str) -> None:
    assert np.abs(shown(name, 15) - shown(name, 16)).mean() < np.abs(shown(name, 0) - shown(name, FRAMES - 1)).mean()


@pytest.mark.parametrize("name", NOISE)
def test_noise_starts_clean_and_stays_as_far_from_the_first_frame(name: str) -> None:
    away = [np.abs(shown(name, index) - shown(name, 0)).mean() for index in (5, 30)]
    assert np.abs(shown(name, 0) - np.asarray(picture())).max() <= 1
    assert away[0] == pytest.approx(away[1], rel=0.1)


@pytest.mark.parametrize("name", ["translate", "rotate", "tilt", "brightness"])
def test_the_middle_frame_of_a_sweep_is_the_picture_itself(name: str) -> None:
    assert np.abs(shown(name, 15) - np.asarray(picture(), float)).max() <= 1


def test_translation_moves_by_the_published_share_of_the_side() -> None:
    moved, still = shown("translate", 30), np.asarray(picture(), float)
    step = 20 / 224 * 40  # pixels of a 40-pixel side: 3.57, so between 3 and 4
    between = (1 - step % 1) * still[:, :40] + (step % 1) * np.roll(still, 1, axis=1)[:, :40]
    assert np.abs(moved[:, 8:40] - np.roll(between, 3, axis=1)[:, 8:40]).mean() < 1.5


def test_sequences_are_an_image_set_frame_after_frame() -> None:
    images = FakeImageSet()
    view = sequences(images, "rotate", [5, 1], frames=4)
    assert view.labels.tolist() == [5] * 4 + [1] * 4
    assert len(set(view.image_ids)) == 8
    assert view.fingerprint != sequences(images, "rotate", [5, 1], frames=4, seed=1).fingerprint
    assert view.image(0).size == (8, 8)


def test_unknown_perturbations_and_single_frames_are_refused() -> None:
    with pytest.raises(BadInput, match="no perturbation"):
        frame(picture(), "melt", 0, seed=0)
    with pytest.raises(BadInput, match="two frames"):
        frame(picture(), "rotate", 0, seed=0, frames=1)
