"""Decoding a picture that nobody vouches for.

Only six formats are read, whatever the file is called; pixels and memory are checked before a pixel is decoded
(``core.memory``); whatever a decoder throws at a damaged file becomes one sentence.
"""

from __future__ import annotations

import io
import logging
import os
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from core.datasets.io.metadata import SAMPLES, directory, require_small, require_small_directory
from core.datasets.io.remote import Remote
from core.datasets.sniff import ENOUGH, what_is
from core.errors import BadInput, ReadFailed, UnreadableData
from core.memory import BUDGET
from core.opening import read_regular

# Pillow writes to the log what this module says in its sentence.
logging.getLogger("PIL.TiffImagePlugin").addFilter(lambda record: "samples per pixel" not in record.getMessage())

# glibc keeps freed blocks of less than 32 MiB for the thread that had them: four threads that decoded one large picture
# after the other kept the memory of four.
Image.core.set_block_size(64 << 20)

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 89_478_485  # Pillow's own limit: a quarter of a GiB as RGB
MAX_BYTES = 256 * 2**20

_HELD = 4
"""Bytes a pixel of a finished picture in Pillow."""
_DECODING, _DECODING_ELSE = {"JPEG": 12, "WEBP": 20}, 16
"""Bytes a pixel that making it takes at most, by format; measured over modes, orientations and transparency."""
_COEFFICIENTS = 6
"""Bytes a pixel that libjpeg keeps of a file with several scans (progressive and others), whatever size is wanted."""
_STRIP = 256

_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def safe_open(
    source: bytes | str | os.PathLike[str], *, name: str = "", max_pixels: int = MAX_PIXELS, longest: int | None = None
) -> Image.Image:
    """Decode one picture to upright RGB.

    The first frame of an animation; EXIF orientation applied; transparency composited on white; 16-bit grey scaled to
    8 bits; CMYK and palettes converted.

    Args:
        source: encoded bytes, or the path of a regular file of at most 256 MiB.
        name: what to call the picture in an error; the file's name by default.
        max_pixels: width x height above which the picture is refused before decoding.
        longest: side in pixels that is enough; a larger JPEG may then come smaller, which costs less, but never smaller
            than this.

    Raises:
        UnreadableData: with the reason, whatever is wrong with the content.
        ReadFailed: the content may be fine, but the disk or the memory failed.
    """
    if isinstance(source, bytes):
        data, name = source, name or "The picture"
    else:
        name = name or os.path.basename(os.fspath(source))
        data = read_bytes(source, name=name)
    if not data:
        raise UnreadableData(f"{name} cannot be read as a picture: it is empty.")
    try:
        return _decode(data, max_pixels, longest)
    except UnreadableData as error:
        raise UnreadableData(f"{name} cannot be read as a picture: {error}") from error
    except BadInput:  # the budget itself
        raise
    except MemoryError as error:
        raise ReadFailed(f"{name} cannot be decoded: this machine has too little memory left.") from error
    except Exception as error:  # Pillow's decoders raise anything at hostile bytes: struct.error, IndexError, warnings
        raise UnreadableData(f"{name} cannot be read as a picture: {_reason(error, data)}.") from error


def read_bytes(path: str | os.PathLike[str], *, name: str = "", limit: int = MAX_BYTES) -> bytes:
    """All bytes of a regular file of at most ``limit`` bytes; UnreadableData otherwise, ReadFailed by the system."""
    return read_regular(path, limit=limit, name=name)


def read_text(path: str | os.PathLike[str] | Remote, *, limit: int = 64 * 2**20) -> str:
    """A UTF-8 text file (a byte-order mark is dropped); UnreadableData when it is anything else."""
    name = path.name if isinstance(path, Remote) else Path(path).name
    try:
        data = path.read_bytes(limit=limit) if isinstance(path, Remote) else read_bytes(path, name=name, limit=limit)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableData(f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error


def _decode(data: bytes, max_pixels: int, longest: int | None) -> Image.Image:
    require_small(data)
    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        width, height = picture.size
        if width * height > max_pixels:
            raise UnreadableData(f"{width} x {height} pixels are more than the {max_pixels:,} allowed.")
        if longest:
            picture.draft(None, (longest, longest))
        with BUDGET.decoding(len(data) + _needed(picture, width * height)) as keep:
            try:
                picture.load()
                orientation = _orientation(picture)
                upright = _rgb(picture)
            except MemoryError:
                if _can_allocate(_needed(picture, width * height)):
                    raise UnreadableData("it asks for more memory than its pixels need.") from None
                raise
            if orientation in _ORIENTATIONS:
                upright = upright.transpose(_ORIENTATIONS[orientation])
            keep(_HELD * upright.width * upright.height)
            return upright


def _needed(picture: Image.Image, pixels: int) -> int:
    """Bytes that decoding takes at most; ``pixels`` are those of the file, of which a JPEG may be decoded smaller."""
    whole = _COEFFICIENTS * pixels if picture.format == "JPEG" else 0
    return whole + _DECODING.get(picture.format or "", _DECODING_ELSE) * picture.width * picture.height


def _can_allocate(size: int) -> bool:
    try:
        np.empty(size, np.uint8)
    except MemoryError:
        return False
    return True


def _orientation(picture: Image.Image) -> int:
    try:
        require_small_directory(picture.info.get("exif") or b"")
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a broken EXIF block says nothing about the pixels
        return 1


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):
        grey = np.asarray(picture).astype(np.uint32)
        grey += 128
        grey //= 257
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):
        raise UnreadableData("its 32-bit pixels have no agreed range of brightness; save it with 8 or 16 bits.")
    if "transparency" in picture.info or picture.has_transparency_data:
        return _on_white(picture)
    return picture.convert("RGB")


def _on_white(picture: Image.Image) -> Image.Image:
    """The picture over white, a strip at a time: whole layers would take four times its memory."""
    flat = Image.new("RGB", picture.size)
    for top in range(0, picture.height, _STRIP):
        strip = picture.crop((0, top, picture.width, min(top + _STRIP, picture.height))).convert("RGBA")
        white = Image.new("RGBA", strip.size, (255, 255, 255, 255))
        flat.paste(Image.alpha_composite(white, strip).convert("RGB"), (0, top))
    return flat


def _reason(error: Exception, data: bytes = b"") -> str:
    if isinstance(error, MemoryError):
        return "this machine has too little memory left"
    if isinstance(error, Image.UnidentifiedImageError):
        found = what_is(data[:ENOUGH])
        if found in FORMATS:  # Pillow says only that nothing could open it
            return f"it is a {found} that is damaged, or of a kind that Pillow does not read{_details(found, data)}"
        told = f"; it is a {found}" if found else ""
        return f"its content is none of {', '.join(FORMATS)}{told}"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "it unpacks to more pixels than are allowed (a decompression bomb)"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if "truncated" in str(error).lower():
        return "the file is cut short"
    return f"it is damaged ({type(error).__name__}: {str(error)[:120] or 'no details'})"


def _details(found: str, data: bytes) -> str:
    """What is unusual about a picture that nothing can open: a PNG's checksum, the bands of a TIFF."""
    if found == "PNG" and len(data) >= 33 and zlib.crc32(data[12:29]) != int.from_bytes(data[29:33]):
        return " (the checksum of its header is wrong)"
    samples = directory(data).get(SAMPLES) if found == "TIFF" else None
    bands = samples.value if samples else 0
    return f" (it has {bands} bands; three, or four with transparency, are read)" if bands > 4 else ""
