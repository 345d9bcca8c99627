"""Perceptual hashes: 64 bits that survive rescaling and recompression of a picture.

The DCT hash of pHash (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010): a dozen
lines on SciPy, so that no further package is needed for them.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from cache import keys
from core.errors import ReadFailed, UnreadableData
from core.evaluation.evaluate import results
from core.runtime.content import pictures_digest
from core.types import ImageSet, Progress, Report

_SIDE, _LOW = 32, 8


def perceptual_hash(picture: Image.Image) -> np.uint64:
    """64 bits: which of the 8 x 8 lowest frequencies of a 32 x 32 grey copy lie above their median."""
    from scipy.fft import dctn

    grey = np.asarray(picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), np.float64)
    low = dctn(grey, norm="ortho")[:_LOW, :_LOW].ravel()
    # The first term is the mean brightness: it takes no part in the median, and its own bit says nothing.
    above = low > np.median(low[1:])
    return np.packbits(above).view(np.uint64)[0]


def hashes_of(image_set: ImageSet, *, report: Report) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of all pictures that can be read, from the cache or computed now: uint64 [m] and their indices [m]."""
    key = f"phash:{keys.digest([1, pictures_digest(image_set)])}"
    stored = results().get_arrays(key)
    if stored is None:
        found, rows = [], []
        image_set.prepare(report)
        for row in range(len(image_set.labels)):
            if row % 64 == 0:
                report(Progress(row, len(image_set.labels), f"Hashing the pictures of {image_set.id}"))
            try:
                found.append(perceptual_hash(image_set.image(row)))
                rows.append(row)
            except ReadFailed:
                raise
            except UnreadableData:
                continue
        stored = {"hashes": np.array(found, np.uint64), "rows": np.array(rows, np.int64)}
        results().put_arrays(key, stored)
    return stored["hashes"], stored["rows"]


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Bits that differ between hashes, elementwise with broadcasting."""
    return np.bitwise_count(np.bitwise_xor(a, b))
