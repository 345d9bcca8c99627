"""Pictures by fingerprint and number, and nothing else."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pytest
from PIL import Image

from core.datasets import derived
from core.errors import ImagesMissing, TailscopeError, UnknownName
from core.robustness.corruptions.perturbations import sequences
from core.runtime import thumbnails as thumbs
from core.runtime.held import Held, weight
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


def test_values_used_longest_ago_go_first() -> None:
    held: Held[str, int] = Held(10)
    for number, key in enumerate("abc"):
        held.put(key, number, 4)
    assert (held.get("a"), held.get("b"), held.get("c"), held.size) == (None, 1, 2, 8)
    held.get("b")
    held.put("d", 3, 4)
    assert (held.get("c"), held.get("b")) == (None, 1)
    held.put("b", 5, 2)
    assert (held.get("b"), held.size, len(held)) == (5, 6, 2)
    held.put("e", 6, 11)
    assert (held.get("e"), held.size, len(held)) == (None, 0, 0)
    few: Held[str, int] = Held(10, at_least=2)
    for number, key in enumerate("abc"):
        few.put(key, number, 100)
    assert (few.get("a"), few.get("b"), few.get("c")) == (None, 1, 2)


def test_what_many_threads_ask_for_at_once_is_made_once() -> None:
    held: Held[str, int] = Held(10)
    begun, go_on = threading.Event(), threading.Event()
    made: list[int] = []

    def make() -> int:
        made.append(1)
        begun.set()
        assert go_on.wait(60)
        return len(made)

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(held.get_or_make, "a", make, size=lambda _: 1) for _ in range(8)]
        assert begun.wait(60)
        go_on.set()
        assert [one.result() for one in asked] == [1] * 8
    with pytest.raises(ZeroDivisionError):
        held.get_or_make("b", lambda: 1 // 0, size=lambda _: 1)
    assert held.get_or_make("b", lambda: 7, size=lambda _: 1) == 7


def test_a_value_weighs_what_its_parts_do() -> None:
    numbers = np.zeros(10_000, np.float32)
    assert 40_000 <= weight(numbers) < 41_000
    assert 40_000 <= weight({"a": [numbers, numbers], "b": (numbers,)}) < 41_000
    assert weight([f"word {number}" for number in range(1_000)]) > 50_000
    assert 40_000 <= weight(pa.table({"x": numbers})) < 45_000
    assert weight(go.Figure(go.Scatter(x=numbers))) > 40_000


def test_sets_that_nobody_looks_at_any_more_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbs, "_open", Held(10 * 8 * thumbs._A_PICTURE, at_least=2))
    seen = [published(classes=2 + number, n=8) for number in range(30)]
    assert thumbs._open.size <= thumbs._open.most
    assert thumbs.thumbnail(seen[-1].fingerprint, 0, 192)
    assert thumbs.thumbnail(seen[20].fingerprint, 0, 192)
    with pytest.raises(UnknownName, match="reload the page"):
        thumbs.thumbnail(seen[0].fingerprint, 0, 192)
    thumbs.publish(seen[0])
    assert thumbs.thumbnail(seen[0].fingerprint, 0, 192)


@pytest.mark.slow
def test_pictures_made_ahead_share_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    images = FakeImageSet(classes=2, n=8)
    monkeypatch.setattr(images, "image", lambda index: Image.new("RGB", (300, 300), (index, 0, 0)))
    a_frame = sequences(images, "tilt", [0]).image(0)
    size = 4 * a_frame.width * a_frame.height
    held: Held = Held(100 * size)
    monkeypatch.setattr(derived, "_made", held)
    views = [sequences(images, "tilt", [row], frames=40) for row in range(8)]
    for view in views:
        view.prepare(lambda progress: None)
        assert held.size <= held.most
    assert len(held) == 100
    kept = views[-1].image(7)
    assert views[-1].image(7) is kept
    assert views[0].image(7) is not views[0].image(7)
    assert views[0].image(7).tobytes() == views[0].make(7).tobytes()
    too_many = sequences(images, "tilt", [0], frames=150)
    made = []
    real = too_many.make
    object.__setattr__(too_many, "make", lambda index: made.append(index) or real(index))
    too_many.prepare(lambda progress: None)
    assert len(made) == 101  # what would not be kept is not made ahead
