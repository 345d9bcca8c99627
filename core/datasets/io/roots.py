"""Which folders a server may read for a browser: the rule of ``TAILSCOPE_DATA_ROOTS``.

The command line runs with its user's own rights and asks nothing of this module.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from core.datasets.io.addresses import is_url
from core.datasets.io.remote import Remote
from core.errors import PathRefused, ReadFailed, UnreadableData

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
    if is_url(os.fspath(path)):
        raise PathRefused(
            f"{os.fspath(path)[:80]!a} is an address, and a server reads only the folders that it was told to. "
            "Addresses of image sets are opened by the command line (python -m core embed, evaluate), and s3:// and "
            f"gs:// without options by a server on localhost; else mount the set and give its path inside {VARIABLE}."
        )
    resolved = resolve(path)
    if any(resolved.is_relative_to(root) for root in roots):
        return resolved
    listed = ", ".join(map(str, roots)) or "none"
    raise PathRefused(
        f"{os.fspath(path)} lies outside the folders that this server may read ({listed}). "
        f"Start the server with {VARIABLE} naming the folder, or use the command line."
    )


def resolve(path: str | os.PathLike[str]) -> Path:
    """Absolute path with ``~`` and every symbolic link followed; PathRefused for what is no path."""
    text = os.fspath(path)
    try:
        if not text.strip():
            raise ValueError("it is empty")
        if any(unicodedata.category(character) == "Cc" for character in text):
            raise ValueError("it holds control characters")
        text.encode()
        return Path(os.path.realpath(os.path.expanduser(text)))
    except (OSError, RuntimeError, ValueError) as error:
        shown = ascii(text[:80])
        raise PathRefused(f"{shown} is not a usable path ({error}). Give the path of a folder or file.") from error


def problem(path: str | os.PathLike[str] | Remote, roots: Sequence[Path] | None) -> str:
    """Why a file inside a set may not be read, or nothing: its links lead outside ``roots`` (None = no limit).

    What lies behind an address was allowed or refused with the address.
    """
    try:
        if roots is not None and not isinstance(path, Remote):
            inside(path, roots)
    except PathRefused:
        return "it lies outside the folders the server may read"
    return ""


class Files:
    """Files that a list names, found relative to the list and never outside what may be read.

    Args:
        file: the list; paths in it are relative to its folder.
        roots: folders that absolute paths and links must stay in; None for no limit.
        absolute: whether the list may hold absolute paths at all.

    Raises:
        PathRefused: the list itself lies outside ``roots``.
    """

    def __init__(self, file: Path, roots: Sequence[Path] | None, *, absolute: bool) -> None:
        if roots is not None:
            inside(file, roots)
        self._base, self._roots, self._absolute = file.parent, roots, absolute
        self._folders: dict[str, str] = {}

    def path(self, listed: str) -> str:
        """Where a listed file is, as text."""
        return os.path.join(self._base, listed)

    def size(self, listed: str) -> int:
        """Bytes of a listed file; UnreadableData with the reason when it may or can not be read."""
        try:
            listed.encode()
            if os.path.isabs(listed) and not self._absolute:
                raise UnreadableData("an absolute path; this layout names files relative to its own folder")
            if not os.path.isabs(listed) and os.path.normpath(listed).split(os.sep, 1)[0] == os.pardir:
                raise UnreadableData("a path that climbs out of its folder; write it in full, or move the list")
            status = os.lstat(self.path(listed))
            if stat.S_ISLNK(status.st_mode):
                if reason := problem(self.path(listed), self._roots):
                    raise UnreadableData(reason)
                status = os.stat(self.path(listed))
        except OSError as error:
            raise ReadFailed((error.strerror or str(error)).lower()) from error
        except ValueError as error:
            raise UnreadableData("not a usable path") from error
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableData("not a regular file")
        if reason := self._folder_problem(os.path.dirname(self.path(listed))):
            raise UnreadableData(reason)
        return status.st_size

    def _folder_problem(self, folder: str) -> str:
        if folder not in self._folders:
            self._folders[folder] = problem(folder, self._roots)
        return self._folders[folder]
