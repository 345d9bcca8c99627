"""Score matrices too large to hold: computed block by block, kept only as the best few of every row."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from core.types import Progress, Report, silent

_SCORES = 1 << 22  # Scores held per worker (16 MB): larger blocks leave the cache, smaller ones starve BLAS.


def in_blocks(
    n: int, work: Callable[[slice], None], *, columns: int, rows: int = 8192, report: Report = silent, message: str = ""
) -> None:
    """Run ``work`` on every block of ``n`` rows, several at a time, so that BLAS and the passes after it overlap.

    Args:
        columns: scores per row; a block has at most ``rows`` rows, fewer when its scores would not fit the cache.
        report: called after every block from this thread; when it raises, the remaining blocks are dropped.
    """
    step = max(1, min(rows, _SCORES // columns))
    blocks = [slice(low, min(low + step, n)) for low in range(0, n, step)]
    with ThreadPoolExecutor(max(1, min(len(blocks), os.cpu_count() or 1, 8))) as pool:
        try:
            for block, _ in zip(blocks, pool.map(work, blocks), strict=True):
                report(Progress(block.stop, n, message))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def take_top(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best columns of every row, int32 [b, k], and their scores, float32 [b, k], falling.

    Ties go to the lower column. The k winners in ``scores`` are overwritten with minus infinity. k passes of argmax
    are exact and, for small k, several times quicker than a partition of every row.
    """
    rows = np.arange(len(scores))
    top = np.empty((len(scores), k), np.int32)
    best = np.empty((len(scores), k), np.float32)
    for rank in range(k):
        top[:, rank] = column = scores.argmax(1)
        best[:, rank] = scores[rows, column]
        scores[rows, column] = -np.inf
    return top, best
