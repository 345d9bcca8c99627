"""Matrices of vectors on disk: shards while they are made, one memory-mapped ``.npy`` when complete.

The file names are the index; there is no second list that could disagree. Of a key the folder holds

    KEY.npy             the complete matrix: whole, or not there
    KEY.json            its SHA-256, shape and what its maker noted, compressed when it is long; named before KEY.npy
    KEY.shards/         pieces of a matrix in the making, each with its own SHA-256
    KEY.index/          what was derived from the complete matrix, such as an index for searching it
    KEY.*.damaged       what failed a check (the latest), set aside
    KEY.lock            an OS file lock: it dies with the process that holds it
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import BaseFileLock, FileLock, Timeout

from cache import CacheError
from cache.files import (
    Damaged,
    atomic_folder,
    atomic_write,
    file_version,
    map_matrix,
    read_shard,
    set_aside,
    write_bytes,
    write_shard,
)
from cache.keys import file_digest, sealed, to_json, unsealed

_KEY = re.compile(r"[0-9A-Za-z_-]{1,100}")
_SIDECAR_LIMIT = 1 << 30
"""Bytes of a sidecar as JSON; a maker that notes more is refused before its shards are gone."""
_COMPRESSED_ABOVE = 1 << 16
_GZIP = b"\x1f\x8b"

_verified: dict[str, tuple[int, int, int, int]] = {}
"""Which version of each matrix file this process has compared with its checksum; shared by all stores."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is stored of one key: bytes on disk, rows and dim (so far), and what the maker of a complete one noted."""

    key: str
    bytes: int
    rows: int
    dim: int
    dtype: str
    complete: bool
    meta: Mapping[str, Any]


class MatrixStore:
    """Matrices [rows, dim] by content key in one folder (created 0700), shared by threads and processes.

    Attributes:
        damaged: one sentence for everything this store found damaged and set aside, oldest first.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.damaged: list[str] = []

    def open(self, key: str) -> np.ndarray | None:
        """The complete matrix, memory-mapped and read-only, or None while there is none.

        Length, shape and dtype are compared with the sidecar, and the checksum once per process and version of the
        file. A matrix that does not fit is set aside and reported in ``damaged``, so that its maker makes it again.
        """
        found = self._load(key)
        return None if found is None else found[0]

    def meta(self, key: str) -> dict[str, Any]:
        """What the maker of a complete matrix noted with it; KeyError while there is none."""
        found = self._load(key)
        if found is None:
            raise KeyError(key)
        return found[1]["meta"]

    def version(self, key: str) -> str | None:
        """SHA-256 of the complete matrix, checked as by ``open``, and which making of it this is; None without one.

        A matrix that was made again has another version, so that nothing made from a damaged one passes for sound.
        """
        found = self._load(key)
        return None if found is None else f"{found[1]['sha256']}:{found[1].get('made', '')}"

    def begun(self, key: str) -> int:
        """Rows of a matrix in the making that are on the disk, unchecked."""
        rows = 0
        for path in self._shards(key):
            with suppress(FileNotFoundError, Damaged):
                rows += len(map_matrix(path))
        return rows

    def entries(self) -> list[Entry]:
        """What is stored, complete or in the making, sorted by key."""
        keys = {path.name.partition(".")[0] for path in self.folder.iterdir() if path.suffix != ".lock"}
        return [self._entry(key) for key in sorted(keys) if _KEY.fullmatch(key)]

    def verify(self, key: str) -> str | None:
        """Read all that is stored of a key against its checksums; None if it is sound, else the problem in words.

        What is damaged is set aside, so that the next run makes it again; sound shards stay.
        """
        known = len(self.damaged)
        for suffix in (".npy", ".json"):
            _verified.pop(str(self.path(key, suffix)), None)
        self._load(key)
        for path in self._shards(key):
            self.load_shard(key, path)
        return " ".join(sentence for sentence in self.damaged[known:] if key in sentence) or None

    def verify_all(self) -> dict[str, str]:
        """The problem of every key that has one (see ``verify``)."""
        problems = {entry.key: self.verify(entry.key) for entry in self.entries()}
        return {key: problem for key, problem in problems.items() if problem}

    def remove(self, key: str) -> None:
        """Delete everything of a key; CacheError while a job holds its lock. Open memory maps stay readable."""
        try:
            with self.lock(key).acquire(timeout=0):
                for path in self._files(key):
                    if path.is_dir():
                        shutil.rmtree(path)
                    else:
                        path.unlink(missing_ok=True)
        except Timeout:
            raise CacheError(f"{key} is being written right now; stop that job first, then remove it.") from None

    def lock(self, key: str) -> BaseFileLock:
        """The lock of a key among threads and processes: ``with store.lock(key): ...``; not reentrant.

        The system releases it when its holder dies. Who must stay able to stop while waiting takes it by
        ``acquire(timeout=0.2)`` in a loop (``filelock.Timeout``) or ``acquire(cancel_check=...)``.
        """
        return FileLock(self.path(key, ".lock"))

    def writer(self, key: str, *, shards: int) -> ShardWriter:
        """Makes a matrix of ``shards`` pieces and takes up the sound ones of an earlier run; hold ``lock(key)``.

        Which rows a piece holds must follow from key and ``shards`` alone. Pieces of another count are discarded.
        """
        return ShardWriter(self, key, shards)

    def helper(self, key: str, *, shards: int) -> ShardWriter:
        """Makes single pieces for the process that holds ``lock(key)``, from any machine that sees this folder.

        It clears nothing away and must not ``finish``. CacheError when the holder's folder is not to be seen here.
        """
        return ShardWriter(self, key, shards, holder=False)

    def put_beside(self, key: str, name: str, arrays: Mapping[str, np.ndarray], note: object) -> None:
        """Keep what was derived from a complete matrix (an index) beside it: all of it or nothing; it leaves with it.

        ``arrays`` are matrices of numbers, ``note`` is JSON.
        """
        final = self.path(key, f".{name}")
        with atomic_folder(final) as made:
            for own, array in arrays.items():
                write_shard(made / f"{own}.npy", array, note, name=f"{key}.{name}/{own}")
            shutil.rmtree(final, ignore_errors=True)

    def beside(self, key: str, name: str) -> tuple[dict[str, np.ndarray], Any] | None:
        """Arrays and note kept beside a matrix, or None; damaged ones are deleted and reported."""
        folder = self.path(key, f".{name}")
        try:
            found = {path.stem: read_shard(path, name=f"{key}.{name}/{path.stem}") for path in sorted(folder.iterdir())}
        except FileNotFoundError:
            return None
        except Damaged as damage:
            shutil.rmtree(folder, ignore_errors=True)
            self.damaged.append(f"The {name} of {key} was deleted and will be made again: {damage}.")
            return None
        notes = [note for _, note in found.values()]
        return ({own: array for own, (array, _) in found.items()}, notes[0]) if notes else None

    def remove_beside(self, key: str) -> None:
        """Delete what was derived from the matrix of a key; the shards of one in the making stay."""
        for path in self._files(key):
            if path.is_dir() and path.suffix not in (".shards", ".tmp"):
                shutil.rmtree(path, ignore_errors=True)

    def path(self, key: str, suffix: str) -> Path:
        """Where a file of this key is; ValueError for a key that could leave the folder."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not a matrix key: letters, digits, - and _ only")
        return self.folder / (key + suffix)

    def load_shard(self, key: str, path: Path) -> tuple[np.ndarray, Any] | None:
        """Array and note of a shard of this key; None if it is absent or was damaged and set aside."""
        try:
            return read_shard(path, name=f"{key}/{path.stem}")
        except FileNotFoundError:
            return None
        except Damaged as damage:
            set_aside(path, self.path(key, ".shard.damaged"))
            self.damaged.append(f"Shard {path.stem} of {key} was set aside and will be computed again: {damage}.")
            return None

    def _load(self, key: str) -> tuple[np.ndarray, dict[str, Any]] | None:
        try:
            try:
                return self._map(key)
            except Damaged:
                return self._map(key)  # somebody may have been replacing matrix and sidecar just then
        except FileNotFoundError:
            return None
        except Damaged as damage:
            self._set_matrix_aside(key, str(damage))
            return None

    def _map(self, key: str, *, check: bool = True) -> tuple[np.ndarray, dict[str, Any]]:
        """Matrix and sidecar; FileNotFoundError without a matrix, Damaged if the two do not fit."""
        path = self.path(key, ".npy")
        version = file_version(path)
        size = version[2]
        sidecar = self._sidecar(key)
        if size != sidecar["bytes"]:
            raise Damaged(f"it has {size} bytes instead of {sidecar['bytes']}")
        matrix = map_matrix(path)
        if [*matrix.shape, matrix.dtype.name] != [sidecar["rows"], sidecar["dim"], sidecar["dtype"]]:
            raise Damaged(f"it is {matrix.dtype.name} of shape {list(matrix.shape)}, not what its sidecar says")
        if check and _verified.get(str(path)) != version:
            if file_digest(path) != sidecar["sha256"]:
                raise Damaged("its checksum differs")
            _verified[str(path)] = version
        return matrix, sidecar

    def _sidecar(self, key: str) -> dict[str, Any]:
        path = self.path(key, ".json")
        try:
            version = file_version(path)
            with path.open("rb") as plain:
                compressed = plain.read(len(_GZIP)) == _GZIP
                plain.seek(0)
                with gzip.open(plain) if compressed else plain as file:
                    data = file.read(_SIDECAR_LIMIT + 1)
            if len(data) > _SIDECAR_LIMIT:
                raise Damaged(f"its sidecar is larger than {_SIDECAR_LIMIT >> 20} MiB")
            sidecar = unsealed(data, name=key, known=_verified.get(str(path)) == version)
            kinds = [type(sidecar[name]) for name in ("sha256", "bytes", "rows", "dim", "dtype", "meta")]
        except FileNotFoundError:
            raise Damaged("its sidecar is missing") from None
        except (ValueError, TypeError, KeyError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise Damaged(f"its sidecar cannot be read ({error})") from None
        if kinds != [str, int, int, int, str, dict]:
            raise Damaged("its sidecar has fields of the wrong type")
        _verified[str(path)] = version
        return sidecar

    def _set_matrix_aside(self, key: str, reason: str) -> None:
        for suffix in (".npy", ".json"):
            set_aside(self.path(key, suffix), self.path(key, suffix + ".damaged"))
        self.remove_beside(key)
        self.damaged.append(f"The matrix {key} was set aside and will be computed again: {reason}.")

    def _entry(self, key: str) -> Entry:
        size = 0
        for path in [inner for outer in self._files(key) for inner in (outer, *outer.glob("*"))]:
            with suppress(FileNotFoundError):
                size += 0 if path.is_dir() else path.stat().st_size
        with suppress(FileNotFoundError, Damaged):
            matrix, sidecar = self._map(key, check=False)
            rows, dim = matrix.shape
            return Entry(key, size, rows, dim, matrix.dtype.name, complete=True, meta=sidecar["meta"])
        rows, dim, dtype = 0, 0, ""
        for path in self._shards(key):
            with suppress(FileNotFoundError, Damaged):
                shard = map_matrix(path)
                rows, dim, dtype = rows + len(shard), shard.shape[1], shard.dtype.name
        return Entry(key, size, rows, dim, dtype, complete=False, meta={})

    def _files(self, key: str) -> Iterator[Path]:
        return (path for path in self.folder.glob(f"{key}.*") if path.suffix != ".lock")

    def _shards(self, key: str) -> list[Path]:
        return sorted(self.path(key, ".shards").glob("*.npy"))


class ShardWriter:
    """The pieces of one matrix in the making; see ``MatrixStore.writer`` and ``MatrixStore.helper``."""

    def __init__(self, store: MatrixStore, key: str, shards: int, *, holder: bool = True) -> None:
        if shards < 1:
            raise ValueError(f"a matrix has at least one shard, not {shards}")
        self._store, self._key, self.shards = store, key, shards
        self.folder = store.folder
        self._folder = store.path(key, ".shards")
        if not holder:
            if not self._folder.is_dir():
                raise CacheError(f"{self._folder} is not to be seen here: the store is not shared with this machine.")
            return
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for path in self._folder.iterdir():
            if not path.name.endswith(f"-of-{shards:05d}.npy"):
                path.unlink()

    def has(self, index: int) -> bool:
        """Whether piece ``index`` is there and sound (its checksum is read)."""
        return self._store.load_shard(self._key, self._path(index)) is not None

    def write(self, index: int, array: np.ndarray, note: object = None) -> None:
        """Keep piece ``index``: numbers [r, dim], r may be 0, and a JSON note such as which rows had to be left out."""
        write_shard(self._path(index), array, note, name=f"{self._key}/{self._path(index).stem}")

    def read(self, index: int) -> np.ndarray:
        """The array of a piece; CacheError if it is absent or damaged."""
        return self._load(index)[0]

    def note(self, index: int) -> Any:
        """The note of a piece; CacheError if it is absent or damaged."""
        return self._load(index)[1]

    def finish(self, meta: Mapping[str, Any]) -> np.ndarray:
        """Join the pieces in order into the complete matrix with ``meta`` (a JSON object) and delete them.

        It replaces an earlier matrix of the key. Returns the matrix, memory-mapped. CacheError if a piece is absent or
        damaged, if width or dtype differ, or if ``meta`` is too long to be read back.
        """
        if len(to_json(dict(meta))) > _SIDECAR_LIMIT - (1 << 16):
            raise CacheError(f"What is to be noted with {self._key} is longer than {_SIDECAR_LIMIT >> 20} MiB.")
        kinds = [(shard.shape, shard.dtype) for shard in map(self.read, range(self.shards))]
        if len({(shape[1], dtype) for shape, dtype in kinds}) != 1:
            raise CacheError(f"The shards of {self._key} differ in width or dtype; remove them and run again.")
        rows, dim, dtype = sum(shape[0] for shape, _ in kinds), kinds[0][0][1], kinds[0][1]
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": dtype.str, "fortran_order": False, "shape": (rows, dim)})
        sha256 = hashlib.sha256()
        path = self._store.path(self._key, ".npy")
        with atomic_write(path) as file:
            for chunk in self._chunks(header.getvalue()):
                sha256.update(chunk)
                file.write(chunk)
            sidecar = {"sha256": sha256.hexdigest(), "made": secrets.token_hex(8), "bytes": file.tell()}
            sidecar |= {"rows": rows, "dim": dim}
            about = sealed({**sidecar, "dtype": dtype.name, "meta": dict(meta)}, name=self._key)
            # An earlier matrix does not fit the new sidecar; until the new one has its name the shards hold all.
            path.unlink(missing_ok=True)
            self._store.remove_beside(self._key)
            write_bytes(
                self._store.path(self._key, ".json"),
                gzip.compress(about, mtime=0) if len(about) > _COMPRESSED_ABOVE else about,
            )
        _verified[str(path)] = file_version(path)
        shutil.rmtree(self._folder, ignore_errors=True)
        matrix = self._store.open(self._key)
        if matrix is None:
            raise CacheError(f"The matrix {self._key} could not be read back after it was written; run again.")
        return matrix

    def put_beside(self, name: str, arrays: Mapping[str, np.ndarray], note: object) -> None:
        """Keep what was noted while the matrix was made beside it (``MatrixStore.put_beside``); after ``finish``."""
        self._store.put_beside(self._key, name, arrays, note)

    def _chunks(self, header: bytes) -> Iterator[bytes]:
        yield header
        for index in range(self.shards):
            yield self.read(index).tobytes()

    def _path(self, index: int) -> Path:
        if not 0 <= index < self.shards:
            raise IndexError(f"shard {index} of {self.shards}")
        return self._folder / f"{index:05d}-of-{self.shards:05d}.npy"

    def _load(self, index: int) -> tuple[np.ndarray, Any]:
        loaded = self._store.load_shard(self._key, self._path(index))
        if loaded is None:
            raise CacheError(f"Shard {index} of {self._key} is missing or damaged; run again to compute it.")
        return loaded
