"""Atomic writes, and ``.npy`` files that are verified by checksum.

Every file that Tailscope names is written by ``atomic_write``. Until it has its name it is called
``NAME.<16 hex digits>.tmp`` and locked by its writer, so that ``remove_orphans`` can tell a file in the making from one
that a kill left behind.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from cache.keys import digest, file_digest, from_json, root, sealed, to_json, unsealed

REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
"""Numbers of the errors by which a disk refuses a write."""

_DIGEST_BYTES = 32
_UNFINISHED = re.compile(r".+\.[0-9a-f]{16}\.tmp")


class Damaged(Exception):
    """A file is not what was written; ``str(error)`` gives the reason in words."""


@contextmanager
def atomic_write(path: Path) -> Iterator[io.BufferedRandom]:
    """A file to write (and read) that gets its name only when it is complete and on the disk.

    ``file.name`` is its path until then; it is unique, so that any number of writers may write the same path: the last
    one to finish wins. Whatever ends the writer early leaves ``path`` as it was.
    """
    file = _create_unfinished(path)
    unfinished = Path(file.name)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException as error:
        unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in REFUSALS and error.filename is None:
            error.filename = os.fspath(path)  # what writes or syncs an open file does not know its name
        raise
    _sync_folder(path.parent)


@contextmanager
def resumable_write(path: Path, *, busy: Callable[[], None]) -> Iterator[io.BufferedRandom]:
    """``atomic_write`` for a file that takes long: a stopped writer leaves ``NAME.part``, where the next one goes on.

    One writer at a time: ``busy`` is called about twice a second while another one writes, and may raise. What is in
    the file of an earlier writer is for the caller to check. A disk that refuses gets its space back.
    """
    part = path.with_name(f"{path.name}.part")
    file = _sole_writer(part, busy)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(part, path)
    except OSError as error:
        if error.errno in REFUSALS:
            part.unlink(missing_ok=True)
            error.filename = error.filename or os.fspath(path)
        raise
    _sync_folder(path.parent)


def _sole_writer(part: Path, busy: Callable[[], None]) -> io.BufferedRandom:
    while True:
        file = open(part, "r+b", opener=lambda path, flags: os.open(path, flags | os.O_CREAT, 0o600))  # noqa: SIM115
        try:
            while not _lock(file.fileno()):
                busy()
                time.sleep(0.5)
            # Whoever had it may have finished or removed it meanwhile.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.stat(part), os.fstat(file.fileno())):
                    return file
        except BaseException:
            file.close()
            raise
        file.close()


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file or nothing (``atomic_write``)."""
    with atomic_write(path) as file:
        file.write(data)


def remove_orphans(folder: Path) -> list[Path]:
    """Delete what writers and makers that were killed left below a folder; returns what was deleted.

    What a living process still writes is locked by it and stays, on whichever machine it runs as far as the file
    system carries locks.
    """
    removed = []
    for parent, folders, names in os.walk(folder):
        unfinished = [name for name in (*folders, *names) if _UNFINISHED.fullmatch(name)]
        folders[:] = [name for name in folders if name not in unfinished]
        for path in (Path(parent, name) for name in unfinished):
            if _is_abandoned(path):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
                removed.append(path)
    return sorted(removed)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A folder to fill (created 0700) that gets its name only when it is complete; ``path`` must not exist then.

    OSError when another maker was faster. Whatever ends the maker early leaves nothing behind.
    """
    unfinished = unfinished_path(path)
    unfinished.mkdir(mode=0o700)
    descriptor = os.open(unfinished, os.O_RDONLY)
    try:
        _lock(descriptor)
        yield unfinished
        os.fsync(descriptor)
        os.replace(unfinished, path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)
    _sync_folder(path.parent)


def unfinished_path(path: Path) -> Path:
    """A name that nobody else uses, under which something is made that will be renamed to ``path``."""
    return path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")


def _create_unfinished(path: Path) -> io.BufferedRandom:
    while True:
        file = open(unfinished_path(path), "x+b")  # noqa: SIM115 (its user closes it)
        _lock(file.fileno())
        # Somebody who removes orphans may have come between the creation and the lock.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(file.name), os.fstat(file.fileno())):
                return file
        file.close()


def _lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; False when another process has it, or where there are no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_abandoned(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


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


def file_version(path: Path | int) -> tuple[int, int, int, int]:
    """Device, inode, size and time of change (ns) of a path or open file: differs whenever the content may."""
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns


def remembered_digest(path: Path, *, kind: str) -> str:
    """SHA-256 of a whole file, 64 hex characters: computed once for its path, size, time of change and inode.

    Args:
        kind: folder of the cache in which it is remembered.
    """
    real = path.resolve()
    status = real.stat()
    state = [str(real), status.st_size, status.st_mtime_ns, status.st_ino]
    memory = root() / kind / f"{digest(state)}.txt"
    with suppress(OSError, ValueError):
        known = unsealed(memory.read_bytes(), name=memory.stem)
        if isinstance(known, str):
            return known
    found = file_digest(real)
    with suppress(OSError):  # computed again next time
        memory.parent.mkdir(mode=0o700, exist_ok=True)
        write_bytes(memory, sealed(found, name=memory.stem))
    return found


def seal(file: io.BufferedRandom, *, name: str) -> None:
    """Append the SHA-256 of a file's content and name to it; readers of ``.npy`` ignore what follows the array."""
    file.seek(0)
    checksum = hashlib.file_digest(file, "sha256")
    checksum.update(name.encode())
    file.seek(0, os.SEEK_END)
    file.write(checksum.digest())


def is_sealed(path: Path) -> bool:
    """Whether a file is what was sealed under its name, read in full once per process and version of the file."""
    version = file_version(path)
    known = _sealed.get(str(path))
    if known is None or known[0] != version:
        known = _sealed[str(path)] = version, _has_own_checksum(path)
    return known[1]


def forget_checks(path: Path) -> None:
    """Have the next ``is_sealed`` read the file again."""
    _sealed.pop(str(path), None)


_sealed: dict[str, tuple[tuple[int, int, int, int], bool]] = {}


def _has_own_checksum(path: Path) -> bool:
    left = path.stat().st_size - _DIGEST_BYTES
    checksum = hashlib.sha256()
    with path.open("rb") as file:
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            checksum.update(block)
            left -= len(block)
        plain = checksum.digest()  # as earlier versions sealed, without the name
        checksum.update(path.name.encode())
        return left == 0 and file.read() in (checksum.digest(), plain)


def write_checksums(folder: Path, names: Iterable[str]) -> None:
    """Note the SHA-256 of these files of a folder beside them; the last step of making it."""
    write_bytes(folder / CHECKSUMS, to_json({name: file_digest(folder / name) for name in sorted(names)}))


def require_checksum(path: Path) -> bool:
    """Compare a file with the checksum noted beside it, once per process and version of the file.

    Returns:
        False when none is known.

    Raises:
        Damaged: it differs. OSError: one of the two cannot be read.
    """
    version = file_version(path)
    known = _compared.get(str(path))
    if known is None or known[0] != version:
        noted = _checksums(path.parent).get(path.name)
        if noted is not None and file_digest(path) != noted:
            raise Damaged("its checksum differs")
        known = _compared[str(path)] = version, noted is not None
    return known[1]


CHECKSUMS = "checksums.json"
_compared: dict[str, tuple[tuple[int, int, int, int], bool]] = {}


def _checksums(folder: Path) -> dict[str, str]:
    try:
        known = from_json((folder / CHECKSUMS).read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Damaged(f"{CHECKSUMS} beside it cannot be read ({error})") from error
    if not isinstance(known, dict):
        raise Damaged(f"{CHECKSUMS} beside it holds no checksums")
    return known


def write_shard(path: Path, array: np.ndarray, note: object, *, name: str) -> None:
    """Write a matrix of numbers and a JSON note as one file.

    It is a ``.npy`` file followed by the note and a SHA-256 of all before and of ``name``, so that one in the place of
    another is noticed: readers of ``.npy`` ignore what follows the array, and all arrives in one rename.
    """
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise ValueError(f"a shard is a matrix of numbers, not {array.dtype.name} of shape {list(array.shape)}")
    npy = io.BytesIO()
    np.lib.format.write_array(npy, native, allow_pickle=False)
    body = npy.getvalue() + to_json(note)
    with atomic_write(path) as file:
        file.write(body)
        file.write(hashlib.sha256(body + name.encode()).digest())


def read_shard(path: Path, *, name: str) -> tuple[np.ndarray, Any]:
    """Array and note of a shard; FileNotFoundError, or Damaged if a single bit differs from what was written."""
    data = path.read_bytes()
    body, checksum = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if hashlib.sha256(body + name.encode()).digest() != checksum:
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
