"""Small pictures of open image sets, named by set fingerprint and index, so that a browser may keep them for ever.

Only sets that were opened in this process can be seen, by number and never by path.
"""

from __future__ import annotations

import io
from functools import lru_cache
from threading import Lock

from PIL import Image

from core.errors import ImagesMissing, UnknownName
from core.types import ImageSet

SIZES = (192, 640)
"""Longest side in pixels of a gallery thumbnail and of an enlarged picture."""

_open: dict[str, ImageSet] = {}
_lock = Lock()


def publish(image_set: ImageSet) -> None:
    """Let the pictures of this set be fetched by its fingerprint."""
    with _lock:
        _open[image_set.fingerprint] = image_set


def url(image_set: ImageSet, index: int, *, size: int = SIZES[0]) -> str:
    """Address of one picture, relative to the server's root."""
    return f"thumbs/{image_set.fingerprint}/{size}/{index}.webp"


def encode(picture: Image.Image, size: int) -> bytes:
    """WebP bytes of a picture no larger than ``size``; small drawings stay exact (lossless, never enlarged)."""
    small = max(picture.size) <= SIZES[0]
    if not small:
        picture = picture.copy()
        picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "WEBP", lossless=small, quality=80, method=2)
    return buffer.getvalue()


@lru_cache(maxsize=4096)
def thumbnail(fingerprint: str, index: int, size: int) -> bytes:
    """WebP bytes of one picture of an open set.

    Raises:
        UnknownName: no open set has this fingerprint, or it has no such picture or size.
        ImagesMissing: the set holds vectors without pictures.
        UnreadableData: the picture cannot be decoded.
    """
    image_set = _open.get(fingerprint)
    if image_set is None or size not in SIZES or not 0 <= index < len(image_set.labels):
        raise UnknownName("No open image set has this picture; reload the page that shows it.")
    if not image_set.has_images:
        raise ImagesMissing(f"{image_set.id} holds embeddings without pictures.")
    return encode(image_set.image(index), size)
