"""The pictures that a model holds to be alike: exact up to a million vectors, through an index beyond.

Every page that looks for neighbours asks ``Search``; it alone knows whether an index answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from cache.matrices import MatrixStore
from core.errors import UnreadableData
from core.evaluation import embed, evaluate
from core.evaluation.similar_index import Index, built, opened
from core.evaluation.zeroshot import neighbours
from core.stats.blocks import in_blocks
from core.stats.format import percent
from core.types import Embeddings, ImageSet, Lens, Progress, Report, silent

EXACT_ROWS = 1_000_000
"""Up to so many vectors one question is answered exactly: half a second at 512 numbers on two cores."""

EXACT_PAIRS = 10_000_000_000
"""Up to so many cosines (questions times vectors) many questions are answered exactly: minutes."""

INSTALL = "pip install faiss-cpu"


@dataclass(frozen=True, slots=True)
class Search:
    """Nearest rows among unit vectors, by cosine.

    Attributes:
        vectors: float16 or float32 [n, d], unit rows, possibly memory-mapped.
        index: answers in place of all products; None for exact search.
        note: how it searches, one sentence for the page; empty when there is nothing to say.
    """

    vectors: np.ndarray
    index: Index | None = None
    note: str = ""

    def nearest(self, row: int, k: int) -> np.ndarray:
        """The k rows nearest to a row, itself left out, nearest first: int64 [k]."""
        if self.index is None:
            return neighbours(self.vectors, row, k)[0]
        return self.index.nearest(self.vectors, np.array([row]), k)[0]

    def nearest_of_many(self, rows: np.ndarray, k: int, *, report: Report = silent) -> np.ndarray:
        """The k rows nearest to every one of these rows, itself left out, in any order: int64 [q, k]."""
        k = min(k, len(self.vectors) - 1)
        near = np.empty((len(rows), k), np.int64)
        message = "Asking the neighbours"
        if (index := self.index) is not None:

            def look_up(part: slice) -> None:
                near[part] = index.nearest(self.vectors, rows[part], k)

            in_blocks(len(rows), look_up, columns=index.candidates, rows=256, report=report, message=message)
            return near
        whole = np.asarray(self.vectors, np.float32)

        def multiply(part: slice) -> None:
            cosines = whole[rows[part]] @ whole.T
            cosines[np.arange(len(cosines)), rows[part]] = -np.inf
            near[part] = np.argpartition(-cosines, k - 1, axis=1)[:, :k]

        if k > 0:
            in_blocks(len(rows), multiply, columns=len(whole), rows=1024, report=report, message=message)
        return near


def search_for(lens: Lens, *, image_set: ImageSet, questions: int = 1, report: Report) -> tuple[Embeddings, Search]:
    """Vectors of an open image set under the lens's model, and the way to look for neighbours among them."""
    embeddings = evaluate.embeddings_for(lens, image_set=image_set, report=report)
    return embeddings, search_in(embeddings, evaluate.matrices(), questions=questions, report=report)


def vector_of(lens: Lens, *, image_set: ImageSet, index: int, report: Report) -> tuple[np.ndarray | None]:
    """The vector of one picture under the lens's model, float32 [d], in a tuple; None for one that cannot be read.

    It is taken from the cache where the set is embedded; else this picture alone is embedded.
    """
    encoder, row = evaluate.encoders().get(lens.model, lens.precision), np.array([index])
    if embed.left_to_embed(encoder, image_set, evaluate.matrices()):
        report(Progress(message="Embedding this picture"))
        try:
            return (encoder.encode_images([encoder.preprocess(image_set.image(index))])[0],)
        except UnreadableData:
            return (None,)
    vectors = embed.embed_sample(encoder, image_set, evaluate.matrices(), row, report=report).vectors
    return (np.asarray(vectors[0], np.float32) if len(vectors) else None,)


def search_in(embeddings: Embeddings, store: MatrixStore, *, questions: int = 1, report: Report = silent) -> Search:
    """The way to look for neighbours among these vectors: exact, or through an index opened or built now.

    An index is built once a matrix and kept beside it; call this from a job.

    Args:
        questions: how many rows will be asked about.
        report: called between the steps of building; raises Stopped to end it.
    """
    n = len(embeddings.vectors)
    if n <= EXACT_ROWS and n * questions <= EXACT_PAIRS:
        return Search(embeddings.vectors)
    if find_spec("faiss") is None:
        return Search(embeddings.vectors, note=f"Exact search among {n:,} vectors; faster with {INSTALL}.")
    index = opened(store, embeddings.key, embeddings.vectors.shape)
    if index is None:
        index = built(embeddings.vectors, store, embeddings.key, report=report)
    return Search(embeddings.vectors, index, f"Through an index that finds {percent(index.recall)} of the ten nearest.")
