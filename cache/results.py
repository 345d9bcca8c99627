"""Small values whose loss costs a recomputation: prompt vectors, answers, JSON. The only importer of diskcache.

Policy: at most ``size_limit`` bytes (512 MiB unless told otherwise); beyond it the values *stored* longest ago go
first (least-recently-stored, ten at a time). Reading does not refresh a value, so that reads never write.

diskcache unpickles what a tampered database tells it to (CVE-2025-69872), follows any path in it, and returns truncated
values. The Disk here is closed: string keys, bytes values, value files inside the folder, all else refused; and every
value carries its own digest. Whatever is wrong with a value, it reads as absent.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import sqlite3
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import diskcache
import numpy as np
from diskcache.core import MODE_BINARY, MODE_RAW

from cache import CacheError
from cache.files import file_version
from cache.keys import from_json, to_json

T = TypeVar("T")

_DIGEST_BYTES = 32
_VALUE_FILE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val")
_PASSING = {  # troubles of the moment, after which the database is as good as before
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}

PATIENCE = 10
"""Seconds for which a database that another process has locked is waited for."""

_LEAST_FREE = 1 << 20
"""Bytes that a database needs beside it, about."""


@dataclass(frozen=True, slots=True)
class ResultsInfo:
    """How much is stored: values, bytes on disk, the limit in bytes, and where."""

    values: int
    bytes: int
    limit: int
    folder: Path


IN_USE = "Another process is writing to it"
"""In the message of an error that passes once that process ends; nothing may be deleted from under it."""

_read = threading.local()
"""Which version of a value's file this thread read last; None where the database holds the value itself."""


class _Refused(Exception):
    """A row that this module did not write."""


class _ClosedDisk(diskcache.Disk):
    """String keys, bytes values, files inside the folder; never a pickle."""

    def put(self, key: object) -> tuple[str, bool]:
        if not isinstance(key, str):
            raise TypeError(f"keys are strings, not {type(key).__name__}")
        return key, True

    def get(self, key: object, raw: object) -> str:
        if not (raw and isinstance(key, str)):
            raise _Refused("its key is not a string")
        return key

    def store(self, value: object, read: bool, key: object = diskcache.UNKNOWN) -> tuple[int, int, str | None, Any]:
        if read or not isinstance(value, bytes):
            raise TypeError(f"values are bytes, not {type(value).__name__}")
        return super().store(value, read, key)

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:
        if mode == MODE_RAW and isinstance(value, bytes):
            return value
        if mode == MODE_BINARY and (path := self._inside(filename)) is not None:
            _read.version = file_version(path)
            return path.read_bytes()
        raise _Refused(f"its storage mode {mode!r} or file {filename!r} is not one that Tailscope writes")

    def remove(self, file_path: object) -> None:
        if self._inside(file_path) is not None:
            super().remove(file_path)

    def _inside(self, filename: object) -> Path | None:
        """The value file of this name, or None for a name that leaves the folder, by dots or by links."""
        if not (isinstance(filename, str) and _VALUE_FILE.fullmatch(filename)):
            return None
        path = Path(self._directory, filename)
        return path if path.resolve() == Path(self._directory).resolve() / filename else None


class _Cache(diskcache.Cache):
    @property
    def _sql_retry(self) -> Callable[..., sqlite3.Cursor]:
        """Statements that are tried again while the database is locked: for PATIENCE, not for a minute."""

        def execute(statement: str, *values: object) -> sqlite3.Cursor:
            until = time.monotonic() + PATIENCE
            while True:
                try:
                    return self._sql(statement, *values)
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) or time.monotonic() > until:
                        raise
                    time.sleep(0.01)

        return execute


class Results:
    """Bytes, JSON or arrays by string key in one folder (created 0700), shared by threads and processes.

    Attributes:
        problems: one sentence for everything that could not be read or kept, oldest first.
    """

    def __init__(self, folder: str | os.PathLike[str], *, size_limit: int = 512 << 20) -> None:
        self.folder = Path(folder)
        self.size_limit = size_limit
        self.problems: list[str] = []
        self._lock = threading.Lock()
        self._cache: diskcache.Cache | None = None
        self._verified: dict[str, tuple[int, int, int, int]] = {}
        try:
            self._cache = self._open()
        except Exception as error:
            if _is_passing(error):
                reason = getattr(error, "strerror", None) or error  # an OSError would name the folder again
                advice = _advice(error, self.folder)
                raise CacheError(f"The cache folder {self.folder} cannot be used: {reason}.{advice}") from error
            self._start_empty(self._cache, error)

    def get(self, key: str) -> bytes | None:
        """The value, or None if there is none that is whole."""
        name = key.encode()
        _read.version = None
        stored = self._attempt(key, lambda cache: cache.get(key))
        if stored is None:
            return None
        checksum, value = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        version = _read.version
        if version is not None and self._verified.get(key) == version:
            return value
        if checksum != _checksum(name, value):
            self.problems.append(f"The cached value {key} was damaged and will be computed again.")
            return None
        if version is not None:
            self._verified[key] = version
        return value

    def put(self, key: str, value: bytes) -> None:
        """Keep a value; one that cannot be kept (full disk, above limit / 8) is reported in ``problems``."""
        if not isinstance(value, bytes):
            raise TypeError(f"values are bytes, not {type(value).__name__}")
        if len(value) > self.size_limit // 8:
            self.problems.append(f"The value {key} was not kept: {len(value)} bytes are too many for the cache.")
            return
        stored = _checksum(key.encode(), value) + value
        self._attempt(key, lambda cache: cache.set(key, stored))

    def get_json(self, key: str) -> Any:
        """The value as JSON, or None if there is none that is strict JSON."""
        return self._decode(key, from_json)

    def put_json(self, key: str, value: object) -> None:
        """Keep a JSON value other than None (``keys.to_json`` says what that is)."""
        self.put(key, to_json(value))

    def get_arrays(self, key: str) -> dict[str, np.ndarray] | None:
        """The arrays kept under a key, or None."""
        return self._decode(key, _unpack)

    def put_arrays(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep arrays of any shape and any dtype but object, named by Python identifiers, as an ``.npz`` file."""
        self.put(key, _pack(arrays))

    def info(self) -> ResultsInfo:
        """How much is stored."""
        count = self._attempt("count", len) or 0
        size = self._attempt("size", lambda cache: cache.volume()) or 0
        return ResultsInfo(count, size, self.size_limit, self.folder)

    def clear(self) -> None:
        """Delete all values, with the files that killed writers left behind.

        CacheError, and nothing is deleted, while another process has locked the database.
        """
        if self._attempt("clear", lambda cache: cache.clear()) is None and self._attempt("count", len) != 0:
            why = self.problems[-1] if self.problems else "the database cannot be opened."
            raise CacheError(f"The cached answers in {self.folder} were not cleared: {why}")
        for path in self.folder.glob("??/??/*.val"):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close this thread's connection; the next use opens it again."""
        if self._cache is not None:
            self._cache.close()

    def _open(self) -> diskcache.Cache:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _Cache(
            str(self.folder),
            timeout=PATIENCE,
            disk=_ClosedDisk,
            size_limit=self.size_limit,
            eviction_policy="least-recently-stored",
            cull_limit=10,
            statistics=0,
            tag_index=0,
        )

    def _attempt(self, what: str, use: Callable[[diskcache.Cache], T]) -> T | None:
        """Use the database; whatever goes wrong is reported, costs the value and never reaches the caller."""
        cache = self._cache
        if cache is None:
            return None
        try:
            return use(cache)
        except _Refused as error:
            self.problems.append(f"The cached value {what} was refused and will be computed again: {error}.")
        except Exception as error:
            # A closed connection is opened again: the old one may look at a file that was deleted meanwhile.
            cache.close()
            if _is_passing(error) and Path(self.folder, diskcache.core.DBNAME).exists():
                reason = f"{error or type(error).__name__}.{_advice(error, self.folder)}"
                self.problems.append(f"The cache could not be used for {what}: {reason}")
            else:
                self._start_empty(cache, error)
        return None

    def _start_empty(self, broken: diskcache.Cache | None, error: Exception) -> None:
        """Rename the broken folder (replacing an earlier one) and begin anew, once for all threads that notice."""
        with self._lock:
            if self._cache is not broken:
                return
            aside = self.folder.with_name(self.folder.name + ".damaged")
            shutil.rmtree(aside, ignore_errors=True)
            try:
                with suppress(FileNotFoundError):
                    os.replace(self.folder, aside)
                self._cache = self._open()
            except Exception as again:
                raise CacheError(f"The cache folder {self.folder} cannot be renewed: {again}.") from error
            self.problems.append(f"The result cache was broken ({error}) and begun anew; the old one is {aside.name}.")

    def _decode(self, key: str, decode: Callable[[bytes], T]) -> T | None:
        value = self.get(key)
        if value is None:
            return None
        try:
            return decode(value)
        except Exception as error:  # a zip or .npy reader raises nearly anything on bytes that are neither
            self.problems.append(f"The cached value {key} could not be read and will be computed again: {error}.")
            return None


def _is_passing(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return isinstance(error, diskcache.Timeout | OSError)
    return code & 0xFF in _PASSING


def _advice(error: Exception, folder: Path) -> str:
    if "locked" in str(error) or isinstance(error, diskcache.Timeout):
        return f" {IN_USE}: wait until that ends, then run the same again."
    with suppress(OSError):
        if shutil.disk_usage(folder).free < _LEAST_FREE:  # which SQLite also calls an I/O error
            return " The disk is full: make room, or set TAILSCOPE_CACHE to a folder on another one."
    return " Set TAILSCOPE_CACHE to a folder that can be written."


def _checksum(name: bytes, value: bytes) -> bytes:
    # The name is part of it, so that a value under another value's name is noticed too.
    found = hashlib.sha256(hashlib.sha256(name).digest())
    found.update(value)
    return found.digest()


def _pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            if not name.isidentifier():
                raise ValueError(f"{name!r} is not an array name: a Python identifier is needed")
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
    return file.getvalue()


def _unpack(value: bytes) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(value)) as archive:
        # Written uncompressed: more inside than outside is a zip bomb.
        if sum(member.file_size for member in archive.infolist()) > len(value):
            raise ValueError("it unpacks to more than it holds")
        arrays = {}
        for name in archive.namelist():
            with archive.open(name) as member:
                arrays[name.removesuffix(".npy")] = np.lib.format.read_array(member, allow_pickle=False)
        return arrays
