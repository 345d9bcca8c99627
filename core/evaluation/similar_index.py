"""An index over millions of unit vectors: inverted lists of four-bit codes (faiss), whose best are re-ranked exactly.

faiss narrows a question down to a few hundred candidates from codes of half a byte a number; their cosines then come
from the vectors themselves (inverted lists: Sivic and Zisserman, "Video Google", 2003; codes of residuals as in Jégou
et al., "Product Quantization for Nearest Neighbor Search", 2011, scalar here). How many lists are looked through
follows from the recall that was measured. The index is kept as plain checksummed arrays and put together anew:
faiss's own files would have to be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from cache.matrices import MatrixStore
from core.runtime.machine import threads
from core.types import Progress, Report, silent

RECALL_AIM = 0.95
"""Share of the ten nearest that must be found on average, measured against exact search."""

NAME, SCHEMA = "index", 1
_ARRAYS = {"centres", "sizes", "ids", "codes", "ranges"}
_K, _PROBES = 10, 200  # neighbours and questions of the measurement
_CANDIDATES = (256, 1024, 4096)
_PER_LIST, _ROUNDS = 48, 8  # vectors of the sample for each list, rounds of k-means
_ADDED = 1 << 16


class Inverted(Protocol):
    """What is used of ``faiss.IndexIVFScalarQuantizer``, which carries no types.

    Attributes:
        nlist: inverted lists; nprobe: how many of them a search looks at; code_size: bytes a vector.
        invlists, sq: the lists and the quantiser in faiss's own classes.
    """

    nlist: int
    nprobe: int
    ntotal: int
    code_size: int
    is_trained: bool
    invlists: Any
    sq: Any

    def add(self, vectors: np.ndarray) -> None: ...
    def train(self, vectors: np.ndarray) -> None: ...
    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass(frozen=True, slots=True)
class Index:
    """An index in memory: d / 2 + 8 bytes a vector.

    Attributes:
        faiss: ``faiss.IndexIVFScalarQuantizer`` under inner product, with ``nprobe`` set.
        candidates: how many rows are re-ranked exactly.
        recall: share of the ten nearest found, mean over 200 rows of the matrix, against exact search.
    """

    faiss: Inverted
    candidates: int
    recall: float

    def nearest(self, vectors: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
        """The k rows nearest to these rows, themselves left out, nearest first: int64 [q, k]."""
        questions = np.ascontiguousarray(vectors[rows], np.float32)
        _, found = self.faiss.search(questions, min(max(self.candidates, k + 1), len(vectors)))
        near = np.empty((len(rows), k), np.int64)
        for place, (row, ids) in enumerate(zip(rows, found, strict=True)):
            ids = np.sort(ids[(ids >= 0) & (ids != row)])
            cosines = np.asarray(vectors[ids], np.float32) @ questions[place]
            best = ids[np.argsort(-cosines, kind="stable")[:k]]
            # Lists that hold fewer than k vectors between them: any others will do as well as none.
            near[place] = best if len(best) == k else _padded(best, int(row), k)
        return near


def built(vectors: np.ndarray, store: MatrixStore, key: str, *, report: Report = silent) -> Index:
    """Build the index of a matrix and keep it beside it.

    Args:
        vectors: float16 or float32 [n, d], unit rows.
        report: called between steps of a few seconds; raises Stopped to end the work.
    """
    import faiss

    n, dim = vectors.shape
    lists = lists_for(n)
    sample = _sample(vectors, min(n, lists * _PER_LIST))
    centres: np.ndarray | None = None
    for done in range(_ROUNDS):
        report(Progress(done, _ROUNDS, f"Index of {n:,} vectors: finding {lists:,} groups"))
        means = faiss.Kmeans(dim, lists, niter=1, spherical=True, seed=0, min_points_per_centroid=1)
        means.train(sample, init_centroids=centres)
        centres = means.centroids
    assert centres is not None  # there is at least one round
    index = _empty(centres)
    report(Progress(0, n, f"Index of {n:,} vectors: learning codes"))
    index.train(sample)
    for start in range(0, n, _ADDED):
        report(Progress(start, n, f"Index of {n:,} vectors: filing"))
        index.add(np.ascontiguousarray(vectors[start : start + _ADDED], np.float32))
    tuned = _tuned(index, vectors, report)
    arrays = {"centres": centres, **_arrays(index)}
    note = {"schema": SCHEMA, "nprobe": index.nprobe, "candidates": tuned.candidates, "recall": tuned.recall}
    store.put_beside(key, NAME, arrays, note)
    return tuned


def opened(store: MatrixStore, key: str, shape: tuple[int, int]) -> Index | None:
    """The index kept beside a matrix of this shape, or None when it must be built."""
    import faiss

    found = store.beside(key, NAME)
    if found is None or found[1].get("schema") != SCHEMA:
        return None
    arrays, note = found
    if set(arrays) != _ARRAYS:
        return None
    n, dim = shape
    index = _empty(arrays["centres"])
    sizes, ids, codes = arrays["sizes"][:, 0], arrays["ids"][:, 0], arrays["codes"]
    fits = arrays["centres"].shape == (len(sizes), dim) and arrays["ranges"].size == 2 * dim
    if not (fits and codes.shape == (n, index.code_size) and sizes.min() >= 0 and sizes.sum() == n):
        return None
    if codes.dtype != np.uint8 or not np.array_equal(np.sort(ids), np.arange(n)):
        return None
    faiss.copy_array_to_vector(np.ascontiguousarray(arrays["ranges"][:, 0], np.float32), index.sq.trained)
    index.is_trained, index.ntotal = True, n
    ends = np.cumsum(sizes)
    for number, (size, end) in enumerate(zip(sizes, ends, strict=True)):
        if size:
            own = np.ascontiguousarray(ids[end - size : end], np.int64)
            bits = np.ascontiguousarray(codes[end - size : end], np.uint8)
            index.invlists.add_entries(number, int(size), faiss.swig_ptr(own), faiss.swig_ptr(bits))
    index.nprobe = int(np.clip(note["nprobe"], 1, len(sizes)))
    return Index(index, int(note["candidates"]), float(note["recall"]))


def lists_for(n: int) -> int:
    """Inverted lists of n vectors: the power of two at or above twice the square root, at most 65,536."""
    return int(min(65536, 2 ** np.ceil(np.log2(2 * np.sqrt(n)))))


def _empty(centres: np.ndarray) -> Inverted:
    import faiss

    faiss.omp_set_num_threads(threads())  # torch's too: they share one OpenMP
    lists, dim = centres.shape
    quantiser = faiss.IndexFlatIP(dim)
    quantiser.add(np.ascontiguousarray(centres, np.float32))
    bits = faiss.ScalarQuantizer.QT_4bit
    return faiss.IndexIVFScalarQuantizer(quantiser, dim, lists, bits, faiss.METRIC_INNER_PRODUCT, True)


def _arrays(index: Inverted) -> dict[str, np.ndarray]:
    import faiss

    lists = index.invlists
    sizes = np.array([lists.list_size(number) for number in range(index.nlist)], np.int64)
    used = np.flatnonzero(sizes)
    ids = [faiss.rev_swig_ptr(lists.get_ids(int(i)), int(sizes[i])).copy() for i in used]
    codes = [faiss.rev_swig_ptr(lists.get_codes(int(i)), int(sizes[i]) * index.code_size).copy() for i in used]
    return {
        "sizes": sizes[:, None],
        "ids": np.concatenate(ids)[:, None],
        "codes": np.concatenate(codes).reshape(-1, index.code_size),
        "ranges": faiss.vector_to_array(index.sq.trained)[:, None],
    }


def _tuned(index: Inverted, vectors: np.ndarray, report: Report) -> Index:
    """The index with as few candidates and lists as reach the recall aimed at; with all of both if none do."""
    rng = np.random.default_rng(1)
    rows = np.sort(rng.choice(len(vectors), min(_PROBES, len(vectors)), replace=False))
    report(Progress(message="Index: exact neighbours to measure it by"))
    exact = _exact(vectors, rows, _K)

    def recall(candidates: int, nprobe: int) -> Index:
        report(Progress(message=f"Index: measuring {nprobe:,} of {index.nlist:,} lists"))
        index.nprobe = nprobe
        near = Index(index, candidates, 0.0).nearest(vectors, rows, exact.shape[1])
        hits = [len(np.intersect1d(a, b)) for a, b in zip(near, exact, strict=True)]
        return Index(index, candidates, float(np.mean(hits) / exact.shape[1]))

    for candidates in _CANDIDATES:
        found = recall(candidates, index.nlist)
        if found.recall >= RECALL_AIM:
            break
    nprobe = 1
    while nprobe < index.nlist:
        fewer = recall(found.candidates, nprobe)
        if fewer.recall >= min(RECALL_AIM, found.recall):
            return fewer
        nprobe *= 2
    index.nprobe = index.nlist
    return found


def _exact(vectors: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    questions, k = np.asarray(vectors[rows], np.float32), min(k, len(vectors) - 1)
    best, near = np.full((len(rows), k), -np.inf, np.float32), np.zeros((len(rows), k), np.int64)
    for start in range(0, len(vectors), _ADDED):
        cosines = questions @ np.asarray(vectors[start : start + _ADDED], np.float32).T
        here = np.arange(start, start + cosines.shape[1])
        cosines[rows[:, None] == here] = -np.inf
        scores, ids = np.hstack([best, cosines]), np.hstack([near, np.broadcast_to(here, cosines.shape)])
        kept = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        best, near = np.take_along_axis(scores, kept, 1), np.take_along_axis(ids, kept, 1)
    return near


def _sample(vectors: np.ndarray, size: int) -> np.ndarray:
    rows = np.sort(np.random.default_rng(0).choice(len(vectors), size, replace=False))
    return np.ascontiguousarray(vectors[rows], np.float32)


def _padded(best: np.ndarray, row: int, k: int) -> np.ndarray:
    others = np.setdiff1d(np.arange(k + 1 + len(best)), np.append(best, row))
    return np.concatenate([best, others[: k - len(best)]])
