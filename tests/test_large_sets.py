"""Pages over sets with many pictures: galleries are paged, and a picture's neighbours come from the one search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.evaluation import evaluate
from core.evaluation.similar import Search
from core.runtime.jobs import Engine
from core.types import Embeddings
from tests.helpers.pages import MODEL, Stub, answered, galleries, opened, words

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

    def searched(lens, *, report):
        return found, Search(vectors, note="Through an index that finds 97 % of the ten nearest.")

    monkeypatch.setattr("pages.ui.detail.search_for", Stub(searched))
    app = opened(model=MODEL, set=str(photos), concept="class0", image="class0/100.png")
    app.run()
    alike = galleries(app)[-1]["groups"][0]["items"]
    # Rows go by class: 0, 2, 4 ... then 1, 3, 5 ...; picture 100 is row 50.
    assert {item["id"] for item in alike} == {f"class0/{2 * row:03d}.png" for row in (47, 48, 49, 51, 52, 53)}
    assert "Through an index that finds 97 %" in words(app)
