"""Small pictures of open image sets, named by digest and index, so that a browser may keep them for ever.

Only sets that were opened in this process can be seen, by number and never by path.
"""

from __future__ import annotations

import io
from threading import Lock

from PIL import Image

from core.errors import ImagesMissing, UnknownName
from core.memory import BUDGET
from core.runtime.content import pictures_digest
from core.runtime.held import Held
from core.types import ImageSet

SIZES = (192, 640)
"""Longest side in pixels of a gallery thumbnail and of an enlarged picture."""

_A_PICTURE = 256
"""Bytes that a set takes for each of its pictures: an id, a label, where it lies."""

_open: Held[str, ImageSet] = Held(256 << 20, at_least=8)
_made: Held[tuple[str, int, int], bytes] = Held(48 << 20)
_locks = [Lock() for _ in range(32)]


def publish(image_set: ImageSet) -> None:
    """Let the pictures of this set be fetched by their digest, while it is among the last that were looked at."""
    _open.put(pictures_digest(image_set), image_set, _A_PICTURE * len(image_set.labels))


def url(image_set: ImageSet, index: int, *, size: int = SIZES[0]) -> str:
    """Address of one picture, relative to the server's root."""
    return f"thumbs/{pictures_digest(image_set)}/{size}/{index}.webp"


def encode(picture: Image.Image, size: int) -> bytes:
    """WebP bytes of a picture no larger than ``size``; small drawings stay exact (lossless, never enlarged)."""
    small = max(picture.size) <= SIZES[0]
    scale = size / max(picture.size)
    if not small and scale < 1:
        sides = [max(1, round(side * scale)) for side in picture.size]
        picture = picture.resize((sides[0], sides[1]), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "WEBP", lossless=small, quality=80, method=2)
    return buffer.getvalue()


def thumbnail(pictures: str, index: int, size: int) -> bytes:
    """WebP bytes of one picture of an open set.

    Raises:
        UnknownName: no open set has pictures of this digest, or it has no such picture or size.
        ImagesMissing: the set holds vectors without pictures.
        UnreadableData: the picture cannot be decoded.
    """
    image_set = _open.get(pictures)
    if image_set is None or size not in SIZES or not 0 <= index < len(image_set.labels):
        raise UnknownName("No open image set has this picture; reload the page that shows it.")
    if not image_set.has_images:
        raise ImagesMissing(f"{image_set.id} holds embeddings without pictures.")
    key = pictures, index, size
    # Asked for several times at once, a picture is decoded once.
    with _locks[hash(key) % len(_locks)]:
        data = _made.get(key)
        if data is None:
            with BUDGET.keeping():
                data = encode(image_set.preview(index, 2 * size), size)
            _made.put(key, data, len(data))
    return data
