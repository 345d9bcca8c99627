"""Curation of one's own set: near-duplicates within it, outliers of its classes, the command and the view."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from core.cli.app import app
from core.datasets import open_set
from core.robustness.records import read_records
from core.robustness.shifts import curation
from core.robustness.shifts.overlap import Pair
from core.runtime.jobs import Engine
from tests.helpers.pages import answered, galleries, opened, words
from tests.tiny import save


def picture_of(seed: int) -> Image.Image:
    """Smooth random patches."""
    grid = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(grid).resize((64, 64), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A random model and a folder: one picture is there twice within a class, one under two classes, recompressed."""
    root = tmp_path_factory.mktemp("curation")
    for name, key, seed in (
        *((f"{at}", "red", at) for at in range(6)),
        *((f"{at}", "blue", at) for at in range(100, 106)),
    ):
        (root / "set" / key).mkdir(parents=True, exist_ok=True)
        picture_of(seed).save(root / "set" / key / f"{name}.png")
    picture_of(3).save(root / "set" / "red" / "copy.jpg", quality=90)
    picture_of(4).resize((80, 80)).save(root / "set" / "blue" / "stray.jpg", quality=90)
    return f"local-dir:{save(root / 'model')}", root / "set"


def test_every_pair_within_a_set_is_found_once(world: tuple[str, Path], tmp_path: Path) -> None:
    model, root = world
    done = CliRunner().invoke(app, ["robustness", "curate", model, str(root), "--json"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert {frozenset((one["image"], one["other"])) for one in found["pairs"]} == {
        frozenset(("red/3.png", "red/copy.jpg")), frozenset(("red/4.png", "blue/stray.jpg")),
    }  # fmt: skip
    assert len(found["pairs"]) == 2
    assert found["pairs"][0]["class"] != found["pairs"][0]["other_class"]
    assert (found["n"], found["checked"]) == (14, 14)
    assert "2 near-duplicate pairs among 14 pictures, 1 of them with different classes" in (
        CliRunner().invoke(app, ["robustness", "curate", model, str(root)], catch_exceptions=False).stdout
    )
    out = tmp_path / "o.json"
    arguments = ["robustness", "overlap", model, str(root), "--against", str(root), "--out", str(out)]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    assert [row.n for row in read_records(out)] == [14, 4, 10]


def test_distances_agree_with_means_taken_one_by_one() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.r_[np.repeat([0, 1, 3], [12, 9, 8]), 4]  # class 2 has no picture, class 4 one
    own, nearest = curation.distances(vectors, labels, 5)
    for at in range(30):
        means = {}
        for key in range(5):
            rows = [row for row in range(30) if labels[row] == key and row != at]
            if rows:
                mean = vectors[rows].astype(float).mean(0)
                means[key] = float(vectors[at] @ mean / np.linalg.norm(mean))
        assert nearest[at] == max(means, key=means.__getitem__)
        assert own[at] == pytest.approx(means[labels[at]], abs=1e-6) if labels[at] != 4 else np.isnan(own[at])


def test_the_modified_z_score_by_hand() -> None:
    values = np.array([0.9, 0.8, 0.7, 0.6, 0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.3])
    labels = np.array([0] * 5 + [1] * 5 + [2])
    scores = curation.modified_z(values, labels, 3, fewest=5)
    # Median 0.7, distances 0.2 0.1 0 0.1 0.6, so a MAD of 0.1.
    assert scores[:5] == pytest.approx([1.349, 0.6745, 0, -0.6745, -4.047])
    assert np.isnan(scores[5:]).all()


def test_the_view_shows_the_pictures(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    icons = open_set("icons")
    a, b, c = icons.image_ids[0], icons.image_ids[1], icons.image_ids[-1]
    found = curation.Curation(
        (Pair(a, b, 0.99, 1), Pair(a, c, 0.97, 4)), (Pair(a, c, 0.97, 4),),
        (curation.Outlier(c, icons.keys[-1], 0.2, -5.0, icons.keys[0]),), 11_720, 11_720,
    )  # fmt: skip
    monkeypatch.setattr(curation, "curate", lambda *_, **__: found)
    monkeypatch.setattr("core.evaluation.evaluate.evaluate", answered)
    page = opened("shifts", **{"shifts-view": "curation"})
    assert not page.exception
    assert "2 near-duplicate pairs among 11,720 pictures, 1 of them with different classes; 1 outlier" in words(page)
    pairs, outliers = galleries(page)
    assert [[item["id"] for item in group["items"]] for group in pairs["groups"]] == [[a, c], [a, b]]
    assert [item["id"] for item in outliers["groups"][0]["items"]] == [c]
