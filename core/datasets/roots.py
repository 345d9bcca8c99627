"""Which folders a server may read for a browser: the rule of ``TAILSCOPE_DATA_ROOTS``.

The command line runs with its user's own rights and asks nothing of this module.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from core.errors import PathRefused

VARIABLE = "TAILSCOPE_DATA_ROOTS"


def allowed_roots(*, local: bool = True) -> tuple[Path, ...]:
    """Folders whose content may be read, symbolic links resolved.

    Args:
        local: the server is reached through localhost only. With ``TAILSCOPE_DATA_ROOTS`` unset that allows the home
            folder, and nothing otherwise. Set, it holds folders separated by ``:`` (``;`` on Windows) for both.
    """
    listed = os.environ.get(VARIABLE)
    if listed is not None:
        return tuple(Path(text).expanduser().resolve() for text in listed.split(os.pathsep) if text.strip())
    return (Path.home().resolve(),) if local else ()


def check_path(path: str | os.PathLike[str], *, local: bool = True) -> Path:
    """The path with every link resolved, if a browser may ask for it.

    Raises:
        PathRefused: it leads outside the allowed folders, or is no path at all.
    """
    return inside(path, allowed_roots(local=local))


def inside(path: str | os.PathLike[str], roots: Sequence[Path]) -> Path:
    """The path with every link resolved, if it lies in one of these folders; PathRefused otherwise."""
    resolved = resolve(path)
    if any(resolved.is_relative_to(root) for root in roots):
        return resolved
    listed = ", ".join(map(str, roots)) or "none"
    raise PathRefused(
        f"{os.fspath(path)} lies outside the folders that this server may read ({listed}). "
        f"Start it with {VARIABLE} naming the folder, or use the command line."
    )


def resolve(path: str | os.PathLike[str]) -> Path:
    """Absolute path with ``~`` and every symbolic link followed; PathRefused for what is no path."""
    text = os.fspath(path)
    try:
        if not text.strip():
            raise ValueError("it is empty")
        text.encode()
        return Path(os.path.realpath(os.path.expanduser(text)))
    except (OSError, RuntimeError, ValueError) as error:
        shown = ascii(text[:80])
        raise PathRefused(f"{shown} is not a usable path ({error}). Give the path of a folder or file.") from error
