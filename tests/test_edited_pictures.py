"""A picture edited in its middle, where no fingerprint looks, is another one to all that is kept of its set."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.datasets import open_set
from core.datasets.subset import renamed
from core.robustness.attacks.runner import identity
from core.robustness.corruptions.perturbations import sequences
from core.robustness.corruptions.views import severity_grid
from core.robustness.shifts.hashes import hashes_of, perceptual_hash
from core.runtime import thumbnails as thumbs
from core.runtime.content import digest_of, pictures_digest
from core.types import ImageSet, silent

MODEL = "icon-RN,icons-200k"
ROW = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for index in range(6):
        file = tmp_path / "set" / ("a", "b")[index % 2] / f"{index}.bmp"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(file)
    return tmp_path / "set"


def edit(folder: Path, image_set: ImageSet) -> None:
    """Turn the middle half of a picture white, without a change of size or ends."""
    file = folder / image_set.image_ids[ROW]
    data = bytearray(file.read_bytes())
    data[len(data) // 4 : -len(data) // 4] = b"\xff" * len(data[len(data) // 4 : -len(data) // 4])
    file.write_bytes(data)


def thumbnail(image_set: ImageSet) -> tuple[str, bytes]:
    thumbs.publish(image_set)
    return thumbs.url(image_set, ROW), thumbs.thumbnail(pictures_digest(image_set), ROW, thumbs.SIZES[0])


def frame(image_set: ImageSet) -> bytes:
    view = sequences(image_set, "brightness", [ROW])
    view.prepare(silent)
    return view.image(0).tobytes()


def grid(image_set: ImageSet) -> bytes:
    view = severity_grid(image_set, [ROW], corruptions=[])
    view.prepare(silent)
    return view.image(0).tobytes()


LOOKS: dict[str, Callable[[ImageSet], object]] = {
    "thumbnail": thumbnail,
    "thumbnail of a view": lambda found: thumbs.url(renamed(found, {"a": "other"}), 0),
    "thumbnail of a corrupted picture": lambda found: thumbs.url(severity_grid(found, [ROW], corruptions=[]), 0),
    "perturbed picture": frame,
    "corrupted picture": grid,
    "duplicates": lambda found: hashes_of(found, report=silent)[0].tolist(),
    "attack": lambda found: identity(MODEL, found, "simple"),
    "question of a page": digest_of,
}


@pytest.mark.parametrize("what", LOOKS)
def test_it_is_noticed(folder: Path, tmp_cache: Path, what: str) -> None:
    before = open_set(str(folder))
    first = LOOKS[what](before)
    again = open_set(str(folder))
    assert LOOKS[what](again) == first, "what did not change is the same"
    edit(folder, before)
    edited = open_set(str(folder), fresh=True)
    assert edited.fingerprint == before.fingerprint, "the edit is where no fingerprint looks"
    assert LOOKS[what](edited) != first
    if what == "duplicates":
        expected = [int(perceptual_hash(edited.image(row))) for row in range(6)]
        assert LOOKS[what](edited) == expected
    if what == "thumbnail":
        shown = np.asarray(Image.open(io.BytesIO(thumbnail(edited)[1])).convert("RGB"))
        np.testing.assert_array_equal(shown, np.asarray(edited.image(ROW)))


def test_sets_without_files_are_called_by_their_fingerprint() -> None:
    images = open_set("icons-composition")
    assert pictures_digest(images) == images.fingerprint
