"""Opening files that nobody vouches for: regular files only, of a bounded size, and never a wait for a pipe.

A pipe would hold up whoever opens it until somebody writes to it, a device may never end. Libraries that open a path
themselves are given one that ``regular`` has looked at; everything else is opened here.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import ReadFailed, UnreadableData
from core.memory import BUDGET, json_cost

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: str | os.PathLike[str], *, name: str = "") -> BinaryIO:
    """A regular file opened for reading, links followed.

    Args:
        name: what to call the file in an error; its path by default.

    Raises:
        UnreadableData: it is a pipe, device, socket or folder. ReadFailed: it is missing, or may not be read now.
    """
    name = name or os.fspath(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as error:
        # A socket cannot be opened at all: the system's own words for that name no cause.
        if (mode := _mode(path)) is not None and not stat.S_ISREG(mode):
            raise UnreadableData(f"{name} cannot be read: {_irregular(mode)}.") from error
        kind = ReadFailed if isinstance(error, OSError) else UnreadableData
        raise kind(f"{name} cannot be read: {_reason(error)}.") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise UnreadableData(f"{name} cannot be read: {_irregular(mode)}.")
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def regular(path: str | os.PathLike[str]) -> Path:
    """The path, for a library that opens it by itself; errors of ``open_regular``."""
    open_regular(path).close()
    return Path(path)


def read_regular(path: str | os.PathLike[str], *, limit: int, name: str = "") -> bytes:
    """All bytes of a regular file of at most ``limit`` bytes; errors of ``open_regular``, and for a larger file."""
    name = name or os.fspath(path)
    with open_regular(path, name=name) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            data = file.read(limit + 1) if size <= limit else b""
        except (OSError, MemoryError) as error:
            raise ReadFailed(f"{name} cannot be read: {_reason(error)}.") from error
    if size > limit or len(data) > limit:
        raise UnreadableData(f"{name} cannot be read: it is larger than {limit / 2**20:.4g} MiB.")
    return data


def read_object(path: str | os.PathLike[str], *, limit: int) -> dict[str, Any]:
    """The JSON object in a small file; UnreadableData for anything else, nesting beyond Python's stack included."""
    return parse_object(read_regular(path, limit=limit), name=os.fspath(path))


def parse_object(data: bytes | str, *, name: str) -> dict[str, Any]:
    """The JSON object in ``data``; UnreadableData for anything else."""
    value = parse_json(data, name=name)
    if not isinstance(value, dict):
        raise UnreadableData(f"{name} cannot be read: it holds no JSON object.")
    return value


def parse_json(data: bytes | str, *, name: str, **hooks: Any) -> Any:
    """The JSON value in a text that nobody vouches for.

    Args:
        name: what errors call the text.
        hooks: ``object_pairs_hook`` and the like of ``json.loads``.

    Raises:
        UnreadableData: it is no JSON or no UTF-8, is nested beyond Python's stack, or holds a number of absurd length.
        TooLarge: it would take more memory than is allowed, which is known before it is parsed.
    """
    with BUDGET.reading(json_cost(data), name):
        try:
            return json.loads(data, **hooks)
        except RecursionError as error:
            raise UnreadableData(f"{name} cannot be read: its JSON is nested too deeply.") from error
        except UnicodeDecodeError as error:
            raise UnreadableData(f"{name} cannot be read: it is not JSON in UTF-8 (byte {error.start}).") from error
        except ValueError as error:
            reason = " ".join(str(error).split())[:200]
            raise UnreadableData(f"{name} cannot be read: it is not JSON ({reason}).") from error


def open_zip(file: BinaryIO, *, name: str) -> zipfile.ZipFile:
    """A zip archive opened for reading, once it is clear that the list of its members fits into memory.

    Raises:
        UnreadableData: it is no zip archive, is damaged. TooLarge: so is the list of its members.
    """
    try:
        BUDGET.require(_MEMBER * _directory_size(file) // _LEAST_ENTRY, f"{name} cannot be read: its list", "split it")
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise UnreadableData(f"{name} cannot be read: it is no sound zip archive ({str(error)[:120]}).") from error


def _directory_size(file: BinaryIO) -> int:
    """Bytes of a zip's central directory, as its end tells; 0 where there is no such end."""
    length = file.seek(0, os.SEEK_END)
    file.seek(max(0, length - _ZIP_END))
    tail = file.read(_ZIP_END)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        return 0
    (size,) = struct.unpack_from("<I", tail, at + 12)
    if size == 0xFFFFFFFF and at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
        (where,) = struct.unpack_from("<Q", tail, at - 12)
        file.seek(min(where, length))
        (size,) = struct.unpack_from("<Q", file.read(56).ljust(56), 40)
    return min(size, length)


_ZIP_END = (1 << 16) + 64
_LEAST_ENTRY, _MEMBER = 46, 800
"""Bytes of a member in a zip's list at least, and in Python's at most."""


def _mode(path: str | os.PathLike[str]) -> int | None:
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):
        return None


def _irregular(mode: int) -> str:
    kind = next((words for test, words in _KINDS if test(mode)), "something else")
    return f"it is {kind}, not a regular file"


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "this machine has too little memory left"
    reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
    return (reason or type(error).__name__).rstrip(".")
