"""Encoded pictures and tar members for tests of image sets."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image


def encoded(
    colour: tuple[int, int, int] = (200, 30, 60), *, size: tuple[int, int] = (8, 6), form: str = "PNG"
) -> bytes:
    """A flat picture as the bytes of a file."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, form)
    return buffer.getvalue()


def write_tree(root: Path, files: Mapping[str, bytes | str]) -> Path:
    """Write files by relative path, with their folders; a path that ends with / is an empty folder."""
    for name, content in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def write_tar(path: Path, members: Mapping[str, bytes | str]) -> Path:
    """Write a tar of these members in this order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    """Every path below a folder with its size and time of change: equal before and after = nothing was written."""
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in sorted(root.rglob("*"))}
