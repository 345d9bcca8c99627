"""What a person made and nothing can recompute: plain JSON files, written atomically, never evicted or cleared."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock

from cache import CacheError
from cache.files import write_bytes
from cache.keys import root, sealed, unsealed

_MOST_BYTES = 64 << 20


def place(kind: str, name: str) -> Path:
    """Where a value of this kind and name (letters, digits, ``-`` and ``_``) is kept."""
    return root() / "kept" / kind / f"{name}.json"


def read(path: Path) -> Any:
    """The value of a file, None without one.

    Raises:
        CacheError: it is damaged; it was set aside, where it can be looked at, so that the next value starts afresh.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES >> 20} MiB")
        return unsealed(data, name=path.name)
    except FileNotFoundError:
        return None
    except ValueError as error:
        aside = set_aside(path)
        raise CacheError(f"{path} cannot be read and was set aside as {aside.name} ({str(error)[:120]}).") from error


def write(path: Path, value: object) -> None:
    """Keep a JSON value (``keys.to_json`` says what that is)."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_bytes(path, sealed(value, name=path.name))


def lock(path: Path) -> FileLock:
    """Held while a kept file is read, changed and written."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return FileLock(path.with_name(path.name + ".lock"))


def set_aside(path: Path) -> Path:
    """Rename a damaged file to a name that nothing has, and return it: what was set aside before stays."""
    for number in count(1):
        aside = path.with_suffix(".damaged" if number == 1 else f".damaged-{number}")
        if not aside.exists():
            with suppress(FileNotFoundError):  # another reader noticed it too
                os.replace(path, aside)
            return aside
    raise AssertionError("unreachable")
