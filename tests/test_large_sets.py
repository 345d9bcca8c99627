"""Pages over sets with many pictures: galleries are paged, and a picture's neighbours come from the one search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from core.evaluation import evaluate
from core.evaluation.similar import Search
from core.evaluation.zeroshot import build_classifier
from core.runtime.estimates import Estimate
from core.runtime.jobs import Engine
from core.types import Embeddings
from tests.fakes import FakeEncoder
from tests.helpers.pages import MODEL, Stub, answered, figures, galleries, opened, settled, words

EACH = 130


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are made at once."""
    monkeypatch.setattr(evaluate, "evaluate", answered)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes of 130 pictures each."""
    folder = tmp_path / "photos"
    for index in range(2 * EACH):
        path = folder / f"class{index % 2}" / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (index % 250, 0, 0)).save(path)
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path))
    return folder


def test_the_pictures_of_one_concept_are_paged(photos: Path) -> None:
    app = opened(model=MODEL, set=str(photos), concept="class0")
    shown = [item["id"] for item in galleries(app)[0]["groups"][0]["items"]]
    assert len(shown) == 120
    assert not app.exception
    app = opened(model=MODEL, set=str(photos), concept="class0", verdict="wrong")
    wrong = galleries(app)[0]["groups"][0]["items"]
    assert 0 < len(wrong) < EACH
    assert {item["right"] for item in wrong} == {False}


def test_a_picture_is_shown_with_its_nearest(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    angles = np.arange(2 * EACH) / 100
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = Embeddings(vectors, np.arange(2 * EACH), (), "key")

    def searched(lens, *, image_set, report):
        return found, Search(vectors, note="Through an index that finds 97 % of the ten nearest.")

    def classifier(lens, *, image_set, report):
        return build_classifier(np.array([[0.0, 1.0], [1.0, 0.0]]), [0, 1], scale=10)

    alone = Stub(lambda lens, *, image_set, index, report: (vectors[index],))
    monkeypatch.setattr("pages.ui.detail.vector_of", alone)
    monkeypatch.setattr("pages.ui.detail.search_for", Stub(searched))
    slow = Stub(lambda lens, *, image_set, report: Estimate(2 * EACH, "picture", 10.0))
    monkeypatch.setattr("core.evaluation.looks.estimate", slow)
    monkeypatch.setattr("pages.ui.detail.classifier_of", Stub(classifier))
    app = opened(model=MODEL, set=str(photos), concept="class0", image="class0/100.png")
    settled(app)
    # The picture by itself is enough for its own rank and probability; the others wait to be wanted.
    assert "True class: rank 2 of 2, probability 1.8 %" in words(app)
    assert "About 26 s for 260 pictures on this machine" in words(app)
    settled(app.button(key="find-nearest").click().run())
    alike = galleries(app)[-1]["groups"][0]["items"]
    # Rows go by class: 0, 2, 4 ... then 1, 3, 5 ...; picture 100 is row 50.
    assert {item["id"] for item in alike} == {f"class0/{2 * row:03d}.png" for row in (47, 48, 49, 51, 52, 53)}
    assert "Through an index that finds 97 %" in words(app)
    # Row 50 lies at an angle of 0.5: its own class has sin 0.5, the other one cos 0.5.
    chart = figures(app)[-1]
    assert chart["layout"]["yaxis"]["ticktext"] == ["× 1. class1", "✓ 2. class0"]
    assert chart["data"][0]["text"] == ["  0.878 · 98.2%", "  0.479 · 1.8%"]
    assert "True class: rank 2 of 2, probability 1.8 %" in words(app)


class ByShade(FakeEncoder):
    """Pictures are alike as their red is alike; keeps the sizes of what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: set[tuple[int, int]] = set()

    def preprocess(self, picture: Image.Image) -> np.ndarray:
        self.sizes.add(picture.size)
        return np.asarray(picture.resize((1, 1)), np.uint8)[0, 0]

    def encode_images(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        angles = np.array([pixel[0] / 200 for pixel in batch])
        vectors = np.zeros((len(batch), self.dim), np.float32)
        vectors[:, 0], vectors[:, 1] = np.cos(angles), np.sin(angles)
        return vectors


@pytest.mark.parametrize("links", [("class0/000-link.png",), ("class1/zzz.png",), ("class0/000.png", "class0/001.png")])
def test_a_link_that_leads_out_is_neither_read_nor_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: tuple[str, ...]
) -> None:
    served = tmp_path / "served" / "photos"
    for index in range(40):
        path = served / f"class{index % 2}" / f"{index:03d}-own.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (5 * index, 0, 0)).save(path)
    Image.new("RGB", (13, 13), (100, 0, 0)).save(tmp_path / "secret.png")
    for link in links:
        (served / link).symlink_to(tmp_path / "secret.png")
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path / "served"))
    encoder = ByShade()
    encoder.fingerprint |= {"config": "c", "preprocessing": {}, "tokenizer": {}, "precision": "float32"}
    monkeypatch.setattr(evaluate, "encoders", lambda: SimpleNamespace(get=lambda *_: encoder))
    app = opened(model=MODEL, set=str(served), concept="class0", image="class0/020-own.png")
    alike = [item["id"] for item in galleries(app)[-1]["groups"][0]["items"]]
    own = [18, 19, 21, 22]
    assert {f"class{index % 2}/{index:03d}-own.png" for index in own} < set(alike)
    assert encoder.sizes == {(8, 8)}
