"""What the machine refuses (disk, memory, locks) in one sentence that says what to do."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, Timeout

from cache import CacheError
from core.errors import StorageFault, TailscopeError
from core.types import Progress, Report

FAULTS = (OSError, MemoryError, CacheError, sqlite3.OperationalError)
"""What ``in_words`` has sentences for, beside the errors that are sentences already."""

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_KEPT = "What was finished is kept; run the same again to go on."


def in_words(error: BaseException, *, folder: Path | None = None) -> TailscopeError | None:
    """The sentence for a fault of the environment; None when the error is something else.

    Args:
        folder: where the work was writing, for errors that do not say it themselves.
    """
    if isinstance(error, TailscopeError):
        return error
    if isinstance(error, CacheError):
        return StorageFault(str(error))
    if isinstance(error, MemoryError):
        return StorageFault(f"This machine has too little memory left: close something, or use a smaller set. {_KEPT}")
    if isinstance(error, sqlite3.OperationalError):
        if "locked" in str(error) or "busy" in str(error):
            return StorageFault(f"Another process has locked the cache database; wait for it to end. {_KEPT}")
        if "full" in str(error):
            return StorageFault(f"{_no_space(folder)} {_KEPT}")
        return StorageFault(f"The cache database cannot be used ({error}). {_KEPT}")
    if isinstance(error, OSError) and error.errno is not None:
        place = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else folder
        if error.errno in _NO_SPACE:
            return StorageFault(f"{_no_space(folder or (place and place.parent))} {_KEPT}")
        where = f"{place} cannot be used" if place else "A file cannot be used"
        return StorageFault(f"{where}: {(error.strerror or str(error)).lower()}. {_KEPT}")
    return None


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raise what the disk or the memory refuses within as StorageFault, naming this folder."""
    try:
        yield
    except (OSError, MemoryError, CacheError) as error:
        fault = in_words(error, folder=folder)
        if fault is None:
            raise
        raise fault from error


@contextmanager
def waiting_for(lock: BaseFileLock, report: Report, message: str) -> Iterator[None]:
    """Hold a lock among processes; while another one has it, report ``message`` and stay able to stop."""
    while True:
        try:
            lock.acquire(timeout=0.5)
            break
        except Timeout:
            report(Progress(message=message))
    try:
        yield
    finally:
        lock.release()


def require_space(folder: Path, size: int, what: str) -> None:
    """StorageFault unless ``size`` bytes are free where ``folder`` is (or will be)."""
    free = free_bytes(folder)
    if free is not None and free < size:
        raise StorageFault(
            f"{what} needs {_in_units(size)} in {folder}, and {_in_units(free)} are free there: "
            "make room, or set TAILSCOPE_CACHE to a folder on another disk."
        )


def free_bytes(folder: Path) -> int | None:
    """Bytes that are free where a folder is or will be; None when the system does not tell."""
    for place in (folder, *folder.absolute().parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return None


def _no_space(folder: Path | None) -> str:
    if folder is None:
        return "There is no space left on the disk: make room."
    free = free_bytes(folder)
    left = "" if free is None else f" ({_in_units(free)} free, or a quota or limit is reached)"
    return f"There is no space left for {folder}{left}: make room."


def _in_units(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.0f} kB"
