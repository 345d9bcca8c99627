"""Decoding a picture that nobody vouches for.

Only six formats are read, whatever the file is called; size is checked before a pixel is decoded; whatever a decoder
throws at a damaged file becomes one sentence.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from core.datasets.io.remote import Remote
from core.errors import UnreadableData
from core.opening import read_regular

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
MAX_PIXELS = 89_478_485  # Pillow's own limit: a quarter of a GiB as RGB
MAX_BYTES = 256 * 2**20

_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def safe_open(source: bytes | str | os.PathLike[str], *, name: str = "", max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode one picture to upright RGB.

    The first frame of an animation; EXIF orientation applied; transparency composited on white; 16-bit grey scaled to
    8 bits; CMYK and palettes converted.

    Args:
        source: encoded bytes, or the path of a regular file of at most 256 MiB.
        name: what to call the picture in an error; the file's name by default.
        max_pixels: width x height above which the picture is refused before decoding.

    Raises:
        UnreadableData: with the reason, whatever is wrong with the file.
    """
    if isinstance(source, bytes):
        data, name = source, name or "The picture"
    else:
        name = name or os.path.basename(os.fspath(source))
        data = read_bytes(source, name=name)
    if not data:
        raise UnreadableData(f"{name} cannot be read as a picture: it is empty.")
    try:
        return _decode(data, max_pixels)
    except UnreadableData as error:
        raise UnreadableData(f"{name} cannot be read as a picture: {error}") from error
    except Exception as error:  # Pillow's decoders raise anything at hostile bytes: struct.error, IndexError, warnings
        raise UnreadableData(f"{name} cannot be read as a picture: {_reason(error)}.") from error


def read_bytes(path: str | os.PathLike[str], *, name: str = "", limit: int = MAX_BYTES) -> bytes:
    """All bytes of a regular file of at most ``limit`` bytes; UnreadableData otherwise."""
    return read_regular(path, limit=limit, name=name)


def read_text(path: str | os.PathLike[str] | Remote, *, limit: int = 64 * 2**20) -> str:
    """A UTF-8 text file (a byte-order mark is dropped); UnreadableData when it is anything else."""
    behind = isinstance(path, Remote)
    name = path.name if behind else Path(path).name
    try:
        data = path.read_bytes(limit=limit) if behind else read_bytes(path, name=name, limit=limit)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableData(f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error


def _decode(data: bytes, max_pixels: int) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        width, height = picture.size
        if width * height > max_pixels:
            raise UnreadableData(f"{width} x {height} pixels are more than the {max_pixels:,} allowed.")
        picture.load()
        orientation = _orientation(picture)
        upright = _rgb(picture)
    return upright.transpose(_ORIENTATIONS[orientation]) if orientation in _ORIENTATIONS else upright


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a broken EXIF block says nothing about the pixels
        return 1


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):
        grey = np.asarray(picture).astype(np.uint32)
        return Image.fromarray(((grey + 128) // 257).astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):
        raise UnreadableData("its 32-bit pixels have no agreed range of brightness; save it with 8 or 16 bits.")
    if "transparency" in picture.info or picture.has_transparency_data:
        opaque = picture.convert("RGBA")
        white = Image.new("RGBA", opaque.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, opaque).convert("RGB")
    return picture.convert("RGB")


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return f"its content is none of {', '.join(FORMATS)}"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "it unpacks to more pixels than are allowed (a decompression bomb)"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if "truncated" in str(error).lower():
        return "the file is cut short"
    return f"it is damaged ({type(error).__name__}: {str(error)[:120] or 'no details'})"
