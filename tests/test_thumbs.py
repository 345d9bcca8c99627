"""Pictures by fingerprint and number, and nothing else."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from core.errors import ImagesMissing, TailscopeError, UnknownName
from core.runtime import thumbnails as thumbs
from tests.fakes import FakeImageSet


def published(**options: int) -> FakeImageSet:
    """A fake set that may be fetched."""
    images = FakeImageSet(**options)
    thumbs.publish(images)
    return images


def test_small_drawings_stay_exact_and_are_never_enlarged() -> None:
    images = published(classes=4, n=8)
    picture = Image.open(io.BytesIO(thumbs.thumbnail(images.fingerprint, 3, 640)))
    assert picture.size == (8, 8)
    assert picture.convert("RGB").getpixel((0, 0)) == (3, 0, 0)


def test_photos_are_made_smaller_in_proportion() -> None:
    picture = Image.open(io.BytesIO(thumbs.encode(Image.new("RGB", (800, 400)), 192)))
    assert picture.size == (192, 96)


@pytest.mark.parametrize(("index", "size"), [(-1, 192), (8, 192), (0, 191), (0, 4000)])
def test_what_does_not_exist_is_refused(index: int, size: int) -> None:
    images = published(classes=4, n=8)
    with pytest.raises(UnknownName):
        thumbs.thumbnail(images.fingerprint, index, size)


def test_sets_that_were_not_opened_are_refused() -> None:
    with pytest.raises(UnknownName):
        thumbs.thumbnail("../../etc/passwd", 0, 192)


def test_a_broken_picture_and_a_set_of_vectors_say_so() -> None:
    images = FakeImageSet(classes=2, n=7, broken=[5])
    thumbs.publish(images)
    with pytest.raises(TailscopeError, match="cut short"):
        thumbs.thumbnail(images.fingerprint, 5, 192)
    images = FakeImageSet(classes=2, n=9)
    images.has_images = False
    thumbs.publish(images)
    with pytest.raises(ImagesMissing):
        thumbs.thumbnail(images.fingerprint, 0, 192)


def test_addresses_name_what_they_show() -> None:
    images = FakeImageSet(classes=2, n=4)
    assert thumbs.url(images, 3) == f"thumbs/{images.fingerprint}/192/3.webp"
