"""Memory of decoding: one budget for all threads, known from the header, in the order of asking."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import memory
from core.datasets import open_set
from core.datasets.io import picture
from core.datasets.io.picture import MAX_BYTES, MAX_PIXELS, safe_open
from core.errors import UnreadableData
from core.evaluation.embedding_run import EmbeddingRun
from core.memory import Budget
from core.runtime import thumbnails as thumbs
from core.runtime.content import pictures_digest
from core.runtime.held import Held
from core.types import ImageSet
from tests.fakes import FakeEncoder

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


def encoded(size: tuple[int, int] = (200, 100), format: str = "PNG", mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, format, **options)
    return buffer.getvalue()


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Budget]:
    """Set the budget of this process."""

    def set_to(most: int) -> Budget:
        found = Budget(most)
        monkeypatch.setattr(picture, "BUDGET", found)
        monkeypatch.setattr(thumbs, "BUDGET", found)
        monkeypatch.setattr("core.evaluation.embedding_run.BUDGET", found)
        monkeypatch.setattr(thumbs, "_made", Held(1 << 20))
        return found

    return set_to


@pytest.fixture
def photos(tmp_path: Path) -> ImageSet:
    """Sixteen pictures of 40,000 pixels each, of every format."""
    for number in range(16):
        format = FORMATS[number % len(FORMATS)]
        folder = tmp_path / "photos" / f"class{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:02}.{format.lower()}").write_bytes(encoded((200 + number, 200), format))
    return open_set(tmp_path / "photos")


@pytest.mark.parametrize("format", FORMATS)
def test_a_picture_that_alone_is_too_much_is_refused_before_it_is_decoded(
    budget: Callable[[int], Budget], monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    data = encoded((1000, 1000), format)
    found = budget(1 << 20)
    monkeypatch.setattr(picture, "_rgb", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(UnreadableData, match=r"photo cannot be read.* MiB of memory, and 1 MiB are allowed.*fewer"):
        safe_open(data, name="photo")
    assert found.used == found.peak == 0


def test_the_largest_picture_allowed_fits_the_budget_of_every_machine() -> None:
    dearest = max(
        picture._DECODING_ELSE, *picture._DECODING.values(), picture._DECODING["JPEG"] + picture._COEFFICIENTS
    )
    assert dearest * MAX_PIXELS + MAX_BYTES <= memory.USUAL


def test_freed_pictures_go_back_to_the_system() -> None:
    """glibc keeps what was freed in blocks of less than 32 MiB for the thread that had them."""
    assert Image.core.get_block_size() >= 32 << 20


@pytest.mark.parametrize("format", FORMATS)
def test_whatever_happens_all_of_it_is_given_back(budget: Callable[[int], Budget], format: str) -> None:
    found = budget(64 << 20)
    data = encoded((300, 300), format)
    assert safe_open(data).size == (300, 300)
    assert 0 < found.peak < 64 << 20
    with pytest.raises(UnreadableData):
        safe_open(data[: len(data) // 2])
    with found.keeping(), pytest.raises(UnreadableData):
        safe_open(data[: len(data) // 2])
    assert found.used == 0


def test_many_thumbnails_at_once_stay_within_the_budget(budget: Callable[[int], Budget], photos: ImageSet) -> None:
    found = budget(3 << 20)  # two or three of them
    thumbs.publish(photos)
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda index: thumbs.thumbnail(pictures_digest(photos), index, 192), range(16)))
    assert {max(Image.open(io.BytesIO(data)).size) for data in made} == {192}
    assert found.used == 0
    assert 1 << 19 < found.peak <= 3 << 20


def test_decoding_for_vectors_shares_the_budget(
    budget: Callable[[int], Budget], photos: ImageSet, tmp_path: Path
) -> None:
    from cache.matrices import MatrixStore

    found = budget(2 << 20)
    encoder = FakeEncoder()
    held = []

    def preprocess(image: Image.Image) -> np.ndarray:
        held.append(found.used)
        return FakeEncoder.preprocess(encoder, image)

    encoder.preprocess = preprocess
    run = EmbeddingRun(encoder, photos, MatrixStore(tmp_path / "m").writer("k", shards=1), lambda progress: None)
    run.compute([0], batch=4, workers=8)
    assert len(held) == 16
    assert min(held) >= 4 * 200 * 200  # the picture counts while it is being prepared
    assert found.peak <= 2 << 20
    assert found.used == 0


def test_the_same_picture_asked_for_at_once_is_decoded_once(
    budget: Callable[[int], Budget], photos: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget(64 << 20)
    opened = []
    real = picture._rgb
    monkeypatch.setattr(picture, "_rgb", lambda found: opened.append(1) or real(found))
    thumbs.publish(photos)
    start = threading.Barrier(8)

    def ask(_: int) -> bytes:
        start.wait(10)
        return thumbs.thumbnail(pictures_digest(photos), 0, 192)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(opened) == 1


def test_who_holds_a_picture_does_not_wait_for_itself() -> None:
    found = Budget(100)
    with found.keeping():
        for _ in range(5):
            with found.decoding(90) as keep:
                keep(60)
        assert found.used == 300
    assert found.used == 0
    with found.decoding(90) as keep:
        keep(60)
    assert found.used == 0


def test_a_large_picture_is_not_overtaken_for_ever() -> None:
    found, order = Budget(100), []
    first, second = threading.Event(), threading.Event()

    def large() -> None:
        with found.decoding(100):
            order.append("large")

    def small() -> None:
        with found.decoding(10):
            order.append("small")

    with found.decoding(50):
        waits = threading.Thread(target=lambda: (first.set(), large()))
        waits.start()
        assert first.wait(10)
        while not found._waiting:
            pass
        later = threading.Thread(target=lambda: (second.set(), small()))
        later.start()
        assert second.wait(10)
        while len(found._waiting) < 2:
            pass
        assert not order
    waits.join(10)
    later.join(10)
    assert order == ["large", "small"]
    assert found.used == 0


def test_a_jpeg_is_decoded_to_what_a_display_needs() -> None:
    data = encoded((4000, 3000), "JPEG")
    assert safe_open(data).size == (4000, 3000)
    assert safe_open(data, longest=350).size == (500, 375)
    assert safe_open(data, longest=380).size == (1000, 750)
    assert safe_open(encoded((4000, 3000), "PNG"), longest=350).size == (4000, 3000)
    assert safe_open(encoded((300, 200), "JPEG"), longest=350).size == (300, 200)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA"])
def test_transparency_is_put_on_white_as_a_whole_layer_would_be(mode: str) -> None:
    rng = np.random.default_rng(0)
    layer = Image.fromarray(rng.integers(0, 256, (700, 40, 4), np.uint8), "RGBA")
    source = layer.convert(mode) if mode != "P" else layer.convert("RGB").quantize(16)
    options = {"transparency": 3} if mode == "P" else {}
    buffer = io.BytesIO()
    source.save(buffer, "TIFF" if mode == "PA" else "PNG", **options)
    with Image.open(io.BytesIO(buffer.getvalue())) as opened:
        opaque = opened.convert("RGBA")
    whole = Image.alpha_composite(Image.new("RGBA", opaque.size, (255, 255, 255, 255)), opaque).convert("RGB")
    assert safe_open(buffer.getvalue()).tobytes() == whole.tobytes()
