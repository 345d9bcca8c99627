"""Corruptions repeat by seed, disturb nobody else's random numbers, and a corrupted set is an image set."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
from PIL import Image

from core.errors import BadInput, ExtraMissing, UnreadableData
from core.evaluation import embed
from core.robustness.corruptions import registry as corruptions
from core.robustness.corruptions.registry import BENCHMARK, CORRUPTIONS, corrupt, framed, image_seed, words
from core.robustness.corruptions.views import corrupted, severity_grid
from core.robustness.sampling import balanced_rows
from tests.fakes import FakeEncoder, FakeImageSet

pytest.importorskip("imagecorruptions")


def picture(width: int = 40, height: int = 32) -> Image.Image:
    rng = np.random.default_rng(5)
    smooth = Image.fromarray(rng.integers(0, 255, (5, 5, 3), dtype=np.uint8))
    return smooth.resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.slow
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_seed_gives_the_same_pixels_and_numpy_is_left_as_it_was(name: str) -> None:
    original = picture()
    np.random.seed(11)
    expected = np.random.get_state()[1].tolist()
    first = np.asarray(corrupt(original, name, 3, seed=7))
    np.random.random(3)
    again = np.asarray(corrupt(original, name, 3, seed=7))
    np.random.seed(11)
    corrupt(original, name, 3, seed=8)
    assert np.random.get_state()[1].tolist() == expected
    assert first.shape == (32, 40, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, np.asarray(original))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gaussian_noise", "impulse_noise", "glass_blur", "frost"])
def test_another_seed_gives_other_pixels(name: str) -> None:
    assert np.any(np.asarray(corrupt(picture(), name, 3, seed=1)) != np.asarray(corrupt(picture(), name, 3, seed=2)))


def test_threads_get_what_one_thread_gets() -> None:
    names = ["gaussian_noise", "snow", "fog", "impulse_noise"] * 3
    alone = [np.asarray(corrupt(picture(), name, 2, seed=3)) for name in names]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda name: np.asarray(corrupt(picture(), name, 2, seed=3)), names))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("name", ["gaussian_noise", "defocus_blur", "contrast", "jpeg_compression", "fog"])
def test_severity_moves_a_picture_further_away(name: str) -> None:
    original = np.asarray(picture(64, 64), float)
    away = [np.abs(np.asarray(corrupt(picture(64, 64), name, s, seed=1), float) - original).mean() for s in (1, 3, 5)]
    assert away == sorted(away)


def test_benchmark_frames_are_cropped_and_small_pictures_kept_whole() -> None:
    assert framed(picture(500, 375)).size == (224, 224)
    assert framed(picture(224, 224)).size == (224, 224)
    assert framed(picture(32, 50)).size == (32, 50)
    with pytest.raises(UnreadableData, match="too elongated"):
        framed(picture(20, 200))


@pytest.mark.parametrize(("name", "severity"), [("rain", 1), ("fog", 0), ("fog", 6)])
def test_unknown_conditions_are_refused_in_a_sentence(name: str, severity: int) -> None:
    with pytest.raises(BadInput, match=r"no corruption|does not exist"):
        corrupt(picture(), name, severity, seed=0)


def test_a_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(corruptions, "version", absent)
    with pytest.raises(ExtraMissing, match="pip install imagecorruptions-imaug"):
        corrupted(FakeImageSet(), "fog", 1)


def test_the_order_is_the_papers_and_seeds_differ_by_image_and_corruption() -> None:
    assert BENCHMARK[0] == "gaussian_noise"
    assert BENCHMARK[-1] == "jpeg_compression"
    assert (len(BENCHMARK), len(CORRUPTIONS)) == (15, 19)
    assert len({image_seed(0, name, id) for name in ("fog", "snow") for id in ("a", "b")}) == 4
    assert words("jpeg_compression") == "JPEG compression"


def test_a_corrupted_set_keeps_labels_and_ids_and_has_a_fingerprint_of_its_own() -> None:
    images = FakeImageSet()
    views = [corrupted(images, name, s, seed=seed) for name, s, seed in (("fog", 1, 0), ("fog", 2, 0), ("fog", 1, 1))]
    views += [corrupted(images, "snow", 1), corrupted(images, None), corrupted(images, "fog", 1, rows=[4, 2])]
    assert len({view.fingerprint for view in views} | {images.fingerprint}) == 7
    assert views[0].fingerprint == corrupted(images, "fog", 1).fingerprint
    assert list(views[0].image_ids) == images.image_ids
    assert views[0].labels.tolist() == images.labels.tolist()
    assert list(views[-1].image_ids) == [images.image_ids[4], images.image_ids[2]]
    assert "in memory" in views[0].id
    assert views[0].details(0) == {"condition": "fog 1"}


def test_vectors_of_a_corrupted_set_are_cached_like_any_other(tmp_cache) -> None:
    from core.evaluation.evaluate import matrices

    encoder, view = FakeEncoder(), corrupted(FakeImageSet(n=12), "contrast", 2)
    first = embed.embed_images(encoder, view, matrices(), report=lambda _: None)
    again = embed.embed_images(encoder, corrupted(FakeImageSet(n=12), "contrast", 2), matrices(), report=lambda _: None)
    assert encoder.images_encoded == 12
    assert np.array_equal(first.vectors, again.vectors)


def test_a_grid_is_a_few_pictures_clean_and_under_everything() -> None:
    images = FakeImageSet()
    grid = severity_grid(images, [3, 9], corruptions=("fog", "contrast"))
    assert len(grid.labels) == 2 * (1 + 2 * 5)
    assert grid.conditions[:6] == ["clean", "clean", "fog 1", "fog 1", "fog 2", "fog 2"]
    assert grid.labels[:4].tolist() == images.labels[[3, 9, 3, 9]].tolist()
    assert len(set(grid.image_ids)) == 22
    assert np.array_equal(np.asarray(grid.image(1)), np.asarray(images.image(9)))


def test_a_balanced_sample_has_the_same_share_of_every_class() -> None:
    labels = np.array([0] * 10 + [1] * 3 + [2] * 1 + [-1] * 4)
    rows = balanced_rows(labels, 3, seed=1)
    assert np.bincount(labels[rows]).tolist() == [3, 3, 1]
    assert rows.tolist() == balanced_rows(labels, 3, seed=1).tolist() != balanced_rows(labels, 3, seed=2).tolist()
    assert len(balanced_rows(labels, None)) == 14
