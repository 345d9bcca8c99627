"""Retrieval recall against the definition that CLIP_benchmark uses, written with a full sort."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from core.cli.app import app as cli
from core.evaluation.retrieval import hits
from core.runtime.jobs import Engine
from tests import tiny
from tests.helpers.pages import opened, words
from tests.pictures import encoded, write_tar, write_tree


def unit(rng: np.random.Generator, n: int) -> np.ndarray:
    rows = rng.normal(size=(n, 12)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_definition(images, texts, owners, k):
    scores = texts @ images.T
    positive = np.zeros(scores.shape, bool)
    positive[np.arange(len(texts)), owners] = True

    def share(scores, positive):
        nearest = np.argsort(-scores, axis=1)[:, :k]
        return np.take_along_axis(positive, nearest, 1).any(1).mean()

    return share(scores, positive), share(scores.T, positive.T)


def recalls(images, texts, owners):
    return {name: found.mean() for name, found in hits(images, texts, owners).items()}


def test_recall_equals_the_definition():
    rng = np.random.default_rng(0)
    images = unit(rng, 80)
    owners = rng.permutation(np.r_[np.arange(80), rng.integers(0, 80, 120)])
    texts = images[owners] + 1.2 * unit(rng, 200)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    found = recalls(images, texts, owners)
    for k in (1, 5, 10):
        image, text = by_definition(images, texts, owners, k)
        assert found[f"image_retrieval_recall@{k}"] == pytest.approx(image)
        assert found[f"text_retrieval_recall@{k}"] == pytest.approx(text)
    assert 0 < found["image_retrieval_recall@1"] < found["image_retrieval_recall@10"] < 1


def test_perfect_pairs_and_images_without_caption():
    images = np.eye(4, dtype=np.float16)
    found = recalls(images, images[:3], [0, 1, 2])
    assert found["image_retrieval_recall@1"] == 1
    assert found["text_retrieval_recall@1"] == 0.75
    assert found["text_retrieval_recall@5"] == 0.75


def test_captions_must_name_their_image():
    with pytest.raises(ValueError, match="below 2"):
        hits(np.eye(2), np.eye(2), [0, 2])


@pytest.mark.slow
def test_the_frequency_page_sets_retrieval_against_counts(
    page_engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path))
    captions = {"a": "a goldfish\na fish", "b": "a tench\n", "c": "two goldfish"}
    parts = {f"{key}.txt": text for key, text in captions.items()}
    parts |= {f"{key}.png": encoded((at, 0, 0)) for at, key in enumerate(captions)}
    write_tar(tmp_path / "coco" / "test" / "0.tar", parts)
    write_tree(tmp_path / "coco", {"test/nshards.txt": "1"})
    model, counts = f"local-dir:{tiny.save(tmp_path / 'model')}", "published:laion400m/integrated_tlemmatized_i0.7"
    app = opened("frequency", model=model, set=str(tmp_path / "coco"), frequency=counts)
    assert not app.exception, app.exception
    assert "Recall averages 100 % over" in words(app).replace("\u00a0", " ")
    app.session_state["all-concepts"] = True
    (table,) = [one.value for one in app.run().dataframe if "accuracy" in one.value]
    shown = dict(zip(table["concept"], table["n"], strict=True))
    assert (shown["goldfish"], shown["tench"]) == (2, 1)
    arguments = ["curve", model, str(tmp_path / "coco"), "--metric", "i2t_k=1", "--frequency", counts, "--json"]
    rows = json.loads(CliRunner().invoke(cli, arguments).stdout)["rows"]
    assert {("goldfish", 2), ("tench", 1)} <= {(row[0], row[3]) for row in rows}
