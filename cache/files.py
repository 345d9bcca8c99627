"""Files that are whole or absent, and ``.npy`` files that are distrusted until they have been checked."""

from __future__ import annotations

import hashlib
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cache.keys import from_json, to_json

_DIGEST_BYTES = 32


class Damaged(Exception):
    """A file is not what was written; ``str(error)`` gives the reason in words."""


@contextmanager
def whole(path: Path, *, temporary: str = ".tmp") -> Iterator[BinaryIO]:
    """A file to write that gets its name only when it is complete and on the disk.

    Until then it has the ending ``temporary`` as well; one writer at a time has the same.
    """
    unfinished = path.with_name(path.name + temporary)
    try:
        with open(unfinished, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def set_aside(path: Path, damaged: Path) -> None:
    """Give a damaged file the name ``damaged``, replacing an earlier one; nothing if it is gone already."""
    with suppress(FileNotFoundError):
        os.replace(path, damaged)


def map_matrix(path: Path) -> np.ndarray:
    """The matrix of a ``.npy`` file, memory-mapped and read-only; Damaged if there is none in it."""
    try:
        matrix = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # a damaged header makes NumPy raise nearly anything
        raise Damaged(f"it is not a readable .npy file ({error})") from None
    if matrix.ndim != 2:
        raise Damaged(f"it is not a matrix but has shape {list(matrix.shape)}")
    return matrix


def write_shard(path: Path, array: np.ndarray, note: Any) -> None:
    """Write a matrix of numbers and a JSON note as one file.

    It is a ``.npy`` file followed by the note and a SHA-256 of all before: readers of ``.npy`` ignore what follows the
    array, and array, note and checksum arrive in one rename.
    """
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise ValueError(f"a shard is a matrix of numbers, not {array.dtype.name} of shape {list(array.shape)}")
    npy = io.BytesIO()
    np.lib.format.write_array(npy, native, allow_pickle=False)
    body = npy.getvalue() + to_json(note)
    # A worker that was taken for lost may still be writing this shard while another one does.
    with whole(path, temporary=f".{secrets.token_hex(4)}.tmp") as file:
        file.write(body)
        file.write(hashlib.sha256(body).digest())


def read_shard(path: Path) -> tuple[np.ndarray, Any]:
    """Array and note of a shard; FileNotFoundError, or Damaged if a single bit differs from what was written."""
    data = path.read_bytes()
    body, checksum = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != checksum:
        raise Damaged("its checksum differs")
    file = io.BytesIO(body)
    try:
        array = np.lib.format.read_array(file, allow_pickle=False)
        note = from_json(file.read())
    except Exception as error:  # a file with a right checksum that was not written here
        raise Damaged(f"it is not a shard ({error})") from None
    if array.ndim != 2:
        raise Damaged(f"it is not a matrix but has shape {list(array.shape)}")
    return array, note


def _sync_folder(folder: Path) -> None:
    # Without this a rename may be lost in a power cut, though the file itself is on the disk.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
