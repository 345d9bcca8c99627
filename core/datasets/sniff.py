"""What a file is by its first bytes, whatever it is called."""

from __future__ import annotations

ENOUGH = 512
"""Bytes that ``what_is`` needs to see."""

_TAR_MARK = 257
_MARKS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "BigTIFF"),
    (b"MM\0+", "BigTIFF"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstandard"),
    (b"7z\xbc\xaf\x27\x1c", "7-zip"),
    (b"Rar!", "rar"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x93NUMPY", "NumPy array"),
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow"),
    (b"SQLite format 3\0", "SQLite"),
    (b"\x89HDF\r\n", "HDF5"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\1\0", "Windows icon"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"version https://git-lfs", "Git LFS pointer (the file itself was not fetched)"),
)
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF"}
COMPRESSED = frozenset({"gzip", "bzip2", "xz", "zstandard", "zip", "7-zip", "rar"})


def what_is(data: bytes) -> str:
    """Name of a well-known format that these first bytes belong to; empty when none is recognised."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "MP4 or QuickTime")
    if data[_TAR_MARK : _TAR_MARK + 5] == b"ustar":
        return "tar"
    if data[:2] == b"BM" and data[6:10] == bytes(4):  # a text may begin with the two letters
        return "BMP"
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "web page (HTML), as a failed download leaves it"
    if text.startswith((b"<svg", b"<?xml")):
        return "SVG or XML"
    return ""
