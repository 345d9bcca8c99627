"""Neighbours among image vectors: exact, and through an index that was measured against exact search."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from cache.matrices import MatrixStore
from core.errors import Stopped
from core.evaluation import similar, similar_index
from core.evaluation.similar import Search, search_in
from core.stats.format import percent
from core.types import Embeddings, Progress

needs_faiss = pytest.mark.skipif(find_spec("faiss") is None, reason="faiss-cpu is an optional extra")


def clustered(n: int, dim: int = 24, *, groups: int = 40, dtype: type = np.float16) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((groups, dim))
    vectors = centres[rng.integers(0, groups, n)] + 0.4 * rng.standard_normal((n, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(dtype)


def by_hand(vectors: np.ndarray, row: int, k: int) -> list[int]:
    cosines = vectors.astype(np.float64) @ vectors[row].astype(np.float64)
    return [int(other) for other in np.argsort(-cosines, kind="stable") if other != row][:k]


def embeddings(vectors: np.ndarray) -> Embeddings:
    return Embeddings(vectors, np.arange(len(vectors)), (), "key")


@pytest.fixture
def store(tmp_path: Path) -> MatrixStore:
    return MatrixStore(tmp_path / "embeddings")


def test_exact_neighbours_are_those_of_a_full_sort():
    vectors = clustered(300, dtype=np.float32)
    search = Search(vectors)
    for row in (0, 7, 299):
        assert search.nearest(row, 9).tolist() == by_hand(vectors, row, 9)
    many = search.nearest_of_many(np.array([0, 7, 299]), 9)
    assert [sorted(line) for line in many.tolist()] == [sorted(by_hand(vectors, row, 9)) for row in (0, 7, 299)]
    assert Search(vectors[:3]).nearest_of_many(np.array([1]), 9).tolist() in ([[0, 2]], [[2, 0]])
    assert Search(vectors[:1]).nearest_of_many(np.array([0]), 9).shape == (1, 0)


def test_small_matrices_are_searched_exactly(store):
    found = search_in(embeddings(clustered(300)), store)
    assert (found.index, found.note) == (None, "")


def test_large_ones_are_searched_exactly_and_say_so_without_faiss(store, monkeypatch):
    monkeypatch.setattr(similar, "EXACT_ROWS", 100)
    monkeypatch.setattr(similar, "find_spec", lambda name: None)
    found = search_in(embeddings(clustered(300)), store)
    assert found.index is None
    assert found.note == "Exact search among 300 vectors; faster with pip install faiss-cpu."


@needs_faiss
@pytest.mark.parametrize("questions", [1, 10_000])
def test_large_ones_are_searched_through_an_index_that_is_kept(store, monkeypatch, questions):
    monkeypatch.setattr(similar, "EXACT_ROWS", 1000 if questions == 1 else 10_000)
    monkeypatch.setattr(similar, "EXACT_PAIRS", 1_000_000)
    vectors = clustered(4000)
    said: list[Progress] = []
    first = search_in(embeddings(vectors), store, questions=questions, report=said.append)
    assert any("finding 128 groups" in progress.message for progress in said)
    rows = np.arange(0, 4000, 40)
    expected = [by_hand(vectors, row, 10) for row in rows]
    near = first.nearest_of_many(rows, 10)
    recall = np.mean([len(set(line) & set(true)) / 10 for line, true in zip(near.tolist(), expected, strict=True)])
    assert recall >= 0.9
    assert first.index.recall >= similar_index.RECALL_AIM
    assert f"finds {percent(first.index.recall)} of the ten nearest" in first.note
    assert not (near == rows[:, None]).any()
    monkeypatch.setattr(similar, "built", None)
    second = search_in(embeddings(vectors), MatrixStore(store.folder), questions=questions)
    np.testing.assert_array_equal(second.nearest_of_many(rows, 10), near)
    assert second.nearest(40, 10).tolist() == near[1].tolist()
    assert second.index.recall == first.index.recall
    assert second.index.faiss.nprobe < 128


@needs_faiss
def test_the_recall_aimed_at_is_reached_even_without_groups(store):
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((3000, 25)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = similar_index.built(vectors, store, "key")
    assert found.recall >= similar_index.RECALL_AIM
    assert found.faiss.nprobe >= 8


@needs_faiss
@pytest.mark.parametrize("damage", ["flip", "other matrix", "swap", "missing"])
def test_an_index_that_does_not_belong_to_its_matrix_is_not_used(store, damage):
    vectors = clustered(600)
    similar_index.built(vectors, store, "key")
    shape = vectors.shape
    if damage == "flip":
        path = store.folder / "key.index" / "codes.npy"
        data = bytearray(path.read_bytes())
        data[300] ^= 1
        path.write_bytes(data)
    elif damage == "other matrix":
        shape = (601, 24)
    else:
        arrays, note = store.beside("key", "index")
        if damage == "swap":
            arrays["ids"][0] = arrays["ids"][1]  # a checksum can be made anew
        else:
            del arrays["centres"]
        store.put_beside("key", "index", arrays, note)
    assert similar_index.opened(store, "key", shape) is None
    assert bool(store.damaged) == (damage == "flip")


@needs_faiss
def test_a_stopped_build_leaves_nothing(store):
    def report(progress: Progress) -> None:
        if "filing" in progress.message:
            raise Stopped("enough")

    with pytest.raises(Stopped):
        similar_index.built(clustered(600), store, "key", report=report)
    assert list(store.folder.iterdir()) == []


@needs_faiss
def test_an_index_leaves_other_computations_the_threads_they_were_given(store, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        similar_index.built(clustered(600), store, "key")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@needs_faiss
def test_the_index_leaves_with_its_matrix(store):
    similar_index.built(clustered(600), store, "key")
    assert [path.name for path in store.folder.iterdir()] == ["key.index"]
    store.remove("key")
    assert list(store.folder.glob("key.*")) in ([], [store.folder / "key.lock"])


def test_exact_search_needs_no_faiss(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)  # importing it fails
    assert not search_in(embeddings(clustered(300)), store).note
