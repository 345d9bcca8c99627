"""Image-caption retrieval from cached vectors, with CLIP_benchmark's metric names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.stats.blocks import in_blocks, take_top
from core.types import Report, silent

KS = (1, 5, 10)


def hits(
    images: np.ndarray,
    texts: np.ndarray,
    image_of_text: Sequence[int] | np.ndarray,
    *,
    ks: Sequence[int] = KS,
    report: Report = silent,
) -> dict[str, np.ndarray]:
    """Whether every query finds its match among the k nearest, by CLIP_benchmark's metric names.

    ``image_retrieval_recall@k``: bool [t], a caption whose image is among the k nearest images.
    ``text_retrieval_recall@k``: bool [n], an image with at least one of its captions among the k nearest captions. An
    image without a caption counts as missed, as in CLIP_benchmark; equal scores go to the lower index.

    Args:
        images: float16 or float32 [n, d] unit rows; texts: [t, d] unit rows.
        image_of_text: int [t], row of the image that each caption belongs to.
        ks: how many neighbours count; a k beyond the number of rows counts them all.
        report: called after every block; raises Stopped to end the work.
    """
    owners = np.asarray(image_of_text, np.int64)
    if owners.shape != (len(texts),) or (len(owners) and not 0 <= owners.min() <= owners.max() < len(images)):
        raise ValueError(f"image_of_text must hold {len(texts)} rows below {len(images)}")
    deepest = max(ks)
    nearest = _nearest(texts, images, deepest, report, "Finding the image of every caption")
    image_hits = nearest == owners[:, None]
    nearest = _nearest(images, texts, deepest, report, "Finding a caption of every image")
    text_hits = owners[nearest] == np.arange(len(images))[:, None]
    return {
        f"{name}@{k}": of[:, :k].any(1)
        for k in ks
        for name, of in (("image_retrieval_recall", image_hits), ("text_retrieval_recall", text_hits))
    }


def _nearest(queries: np.ndarray, rows: np.ndarray, k: int, report: Report, message: str) -> np.ndarray:
    """Indices int32 [q, k] of the rows with the highest cosine, by falling cosine."""
    rows = np.asarray(rows, np.float32)
    k = min(k, len(rows))
    found = np.empty((len(queries), k), np.int32)

    def search(part: slice) -> None:
        found[part] = take_top(np.asarray(queries[part], np.float32) @ rows.T, k)[0]

    in_blocks(len(queries), search, columns=len(rows), report=report, message=message)
    return found
