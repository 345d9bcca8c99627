"""Bench rows of large image sets: finding neighbours, and answering from a matrix on disk."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from core.bench import Row, paired

_QUESTIONS = 20


def _vectors(n: int, dim: int, *, groups: int = 2000) -> np.ndarray:
    """Unit vectors float32 [n, dim] in groups, as images come: group centre and noise of the same length."""
    rng = np.random.default_rng(0)
    centres, vectors = rng.standard_normal((groups, dim), np.float32), np.empty((n, dim), np.float32)
    for start in range(0, n, 1 << 16):
        part = vectors[start : start + (1 << 16)]
        part[:] = centres[rng.integers(0, groups, len(part))] + rng.standard_normal(part.shape, np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


def search() -> list[Row]:
    """The 10 nearest of a million vectors, against one BLAS matrix-vector product of that size."""
    from core.evaluation.zeroshot import neighbours

    n, d = 1_000_000, 256
    vectors = np.random.default_rng(0).standard_normal((n, d), dtype=np.float32)
    query = vectors[0]
    ratio = paired(lambda: neighbours(vectors, 0, 10), lambda: vectors @ query, repeat=3)
    return [Row("search_1e6", ratio, "<=", 3.0, "one float32 BLAS product of 1,000,000 x 256", n)]


def against_faiss() -> list[Row]:
    """Exact search against faiss's exact index, one question at a time, at 130,500 and a million vectors."""
    return [_against_flat("search_1e5_vs_faiss", 130_500, 512), _against_flat("search_1e6_vs_faiss", 1_000_000, 256)]


def _against_flat(name: str, n: int, dim: int) -> Row:
    against = f"faiss IndexFlatIP, {n:,} x {dim}, one question at a time"
    if find_spec("faiss") is None:
        return Row(name, None, "<=", 1.5, against, 0, "faiss-cpu is not installed")
    import faiss

    from core.evaluation.similar import Search
    from core.runtime.machine import threads

    vectors = _vectors(n, dim)
    faiss.omp_set_num_threads(threads())
    flat, ours = faiss.IndexFlatIP(dim), Search(vectors)
    flat.add(vectors)
    rows = range(0, n, n // _QUESTIONS)
    ratio = paired(
        lambda: [ours.nearest(row, 10) for row in rows],
        lambda: [flat.search(vectors[row : row + 1], 11) for row in rows],
    )
    return Row(name, ratio, "<=", 1.5, against, n)


def through_index() -> list[Row]:
    """A question through the index that takes over above a million vectors, against exact search, both from disk."""
    name, n, dim = "search_1e6_index", 1_000_000, 256
    against = f"exact search, {n:,} x {dim} float16 in 2,000 groups, memory-mapped"
    if find_spec("faiss") is None:
        return [Row(name, None, "<=", 0.2, against, 0, "faiss-cpu is not installed")]
    from cache.matrices import MatrixStore
    from core.evaluation.similar import Search
    from core.evaluation.similar_index import built

    with tempfile.TemporaryDirectory() as folder:
        vectors = _on_disk(Path(folder, "vectors.npy"), n, dim)
        index = built(vectors, MatrixStore(Path(folder, "store")), "bench")
        exact, through = Search(vectors), Search(vectors, index)
        rows = range(0, n, n // _QUESTIONS)
        ratio = paired(
            lambda: [through.nearest(row, 10) for row in rows], lambda: [exact.nearest(row, 10) for row in rows]
        )
    return [Row(name, ratio, "<=", 0.2, f"{against}; recall@10 {index.recall:.3f}", n)]


def from_disk() -> list[Row]:
    """All answers of a million images from their float16 matrix on disk, against a product of resident float32."""
    from core.evaluation.zeroshot import build_classifier, classify

    n, dim, classes = 1_000_000, 256, 290
    rng = np.random.default_rng(0)
    classifier = build_classifier(rng.standard_normal((classes, dim), np.float32), np.arange(classes), scale=100.0)
    labels = rng.integers(0, classes, n)
    with tempfile.TemporaryDirectory() as folder:
        mapped = _on_disk(Path(folder, "vectors.npy"), n, dim)
        resident = np.asarray(mapped, np.float32)
        out = np.empty((8192, classes), np.float32)

        def product() -> None:
            for start in range(0, n, 8192):
                part = resident[start : start + 8192]
                np.matmul(part, classifier.weights.T, out=out[: len(part)])

        ratio = paired(lambda: classify(mapped, classifier, labels), product)
    return [Row("answers_1e6_from_disk", ratio, "<=", 4.0, f"float32 BLAS products, {n:,} x {dim} x {classes}", n)]


def _on_disk(path: Path, n: int, dim: int) -> np.ndarray:
    np.save(path, _vectors(n, dim).astype(np.float16))
    return np.load(path, mmap_mode="r", allow_pickle=False)
