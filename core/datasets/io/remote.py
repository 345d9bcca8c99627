"""Image sets behind an address: a folder listed once, files read by ranges. Nothing is trusted but what was listed.

A ``Remote`` answers what the readers of tars ask of a ``Path``. What a store does not deliver ends the work
(``DownloadFailed``): a picture that was not sent is not a damaged picture.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from core.datasets.io.addresses import CREDENTIALS, locate, short
from core.errors import BadInput, DownloadFailed, TailscopeError, UnknownName, UnreadableData

WINDOW, SMALL = 1 << 20, 1 << 13
AT_ONCE = 8
_MOST_FILES = 100_000
_TEXTS = ("classnames.txt", "zeroshot_classification_templates.txt", "dataset_type.txt")
_SECRET = re.compile(r"[^:/?#]+://[^/?#@]*:[^/?#@]*@")


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """What was found at an address.

    Attributes:
        files: bytes by path; folders: paths; read: (path, start, size) -> those bytes, fewer at the end.
    """

    uri: str
    top: str
    files: dict[str, int]
    folders: frozenset[str]
    read: Callable[[str, int, int], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Remote:
    """A file or folder of a tree, in the manner of a ``Path``."""

    tree: Tree
    path: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0] or self.name

    @property
    def parent(self) -> Remote:
        return Remote(self.tree, self.path.rpartition("/")[0])

    @property
    def size(self) -> int:
        """Bytes, as listed."""
        return self.tree.files[self.path]

    def __truediv__(self, name: str) -> Remote:
        return Remote(self.tree, f"{self.path}/{name}")

    def __str__(self) -> str:
        return self.tree.uri if self.path == self.tree.top else self.name

    def is_file(self) -> bool:
        return self.path in self.tree.files

    def files(self) -> list[Remote]:
        """Files directly in this folder."""
        return [Remote(self.tree, path) for path in self.tree.files if path.rpartition("/")[0] == self.path]

    def fetch(self, start: int, size: int) -> bytes:
        """These bytes, fewer at the end of the file; DownloadFailed when the store does not deliver."""
        with _asked(f"{self.name} of {self.tree.uri} cannot be read", DownloadFailed, "The work can be taken up again"):
            size = max(0, min(size, self.size - start))
            data = self.tree.read(self.path, start, size)
            if len(data) > size:
                raise OSError("the store sends whole files where a range was asked for")
            return data

    def read_bytes(self, *, limit: int) -> bytes:
        """All bytes of a file of at most ``limit``; UnreadableData otherwise."""
        if not self.is_file() or self.size > limit:
            why = f"larger than {limit / 2**20:.4g} MiB" if self.is_file() else "not there"
            raise UnreadableData(f"{self.name} cannot be read: it is {why}.")
        return self.fetch(0, self.size)

    def open(self) -> Windows:
        """For walking the headers of a tar."""
        return Windows(self)


class Ranged(io.RawIOBase):
    """A file of which parts are fetched when they are read.

    Attributes:
        size: bytes of all of it.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size, self._at = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, self.size)[whence])
        return self._at


class Windows(Ranged):
    """A file read in windows of a MiB, or of 8 KiB once it is walked in longer steps than that."""

    def __init__(self, file: Remote) -> None:
        super().__init__(file.size)
        self._file, self._start, self._held = file, 0, b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= WINDOW:
            raise tarfile.ReadError("a header of more than 1 MiB")
        end = self._start + len(self._held)
        if not self._start <= self._at <= self._at + size <= end and self._at < self.size:
            window = SMALL if self._at > end + WINDOW else WINDOW
            self._start, self._held = self._at, self._file.fetch(self._at, max(size, window))
        data = self._held[self._at - self._start :][:size] if self._at >= self._start else b""
        self._at += len(data)
        return data


def open_address(uri: str, *, fresh: bool = False) -> Remote:
    """The folder or tar at an address; listed once in a process, or again when ``fresh``.

    Raises:
        UnknownName: nothing is there. UnreadableData: it cannot be listed. What ``addresses.locate`` raises.
    """
    if _SECRET.match(uri):
        raise BadInput(f"An address of images must not hold a password: it would be stored with answers. {CREDENTIALS}")
    if fresh:
        _tree.cache_clear()
    tree = _tree(uri)
    return Remote(tree, tree.top)


@lru_cache(maxsize=8)
def _tree(uri: str) -> Tree:
    from pyarrow import fs

    from core.datasets.conventions import SPLITS

    shown = ascii(uri[:200])[1:-1]
    with _asked(f"{shown} cannot be listed", UnreadableData, CREDENTIALS):
        system, top = locate(uri)
        top = top.rstrip("/")
        found = system.get_file_info(top) if top else None
        if found is None or found.type == fs.FileType.NotFound:
            raise UnknownName(f"Nothing is at {shown}. {CREDENTIALS}")
        files: dict[str, int] = {}
        folders = {top} if found.type == fs.FileType.Directory else set()
        if folders:
            _list(system, top, files, folders)
            for split in SPLITS:
                if f"{top}/{split}" in folders:
                    _list(system, f"{top}/{split}", files, set())
                    if any(path.startswith(f"{top}/{split}/") and path.endswith(".tar") for path in files):
                        break
        else:
            _add(files, top, found.size)
        above = top.rpartition("/")[0] if top in files else top
        if above.rpartition("/")[2] in SPLITS:
            above = above.rpartition("/")[0]
        if above not in folders:  # a tar, or a split, lies below the lists that belong to it
            paths = [f"{above}/{text}" for text in _TEXTS]
            for path, info in zip(paths, system.get_file_info(paths), strict=True):
                if info.type == fs.FileType.File:
                    _add(files, path, info.size)
        return Tree(uri, top, files, frozenset(folders), _reader(system))


def _list(system: Any, folder: str, files: dict[str, int], folders: set[str]) -> None:
    """Put what lies directly in a folder into ``files`` and ``folders``."""
    from pyarrow import fs

    infos = system.get_file_info(fs.FileSelector(folder))
    if len(infos) > _MOST_FILES:
        raise UnreadableData(f"{folder} holds {len(infos):,} files; at most {_MOST_FILES:,} are read from one address.")
    for info in infos:
        where, _, name = info.path.rstrip("/").rpartition("/")
        if where.strip("/") != folder.strip("/") or name in ("", ".", ".."):
            continue  # a page that lists files may name any place
        if info.type == fs.FileType.Directory:
            folders.add(f"{folder}/{name}")
        elif info.type == fs.FileType.File:
            _add(files, f"{folder}/{name}", info.size)


def _add(files: dict[str, int], path: str, size: int | None) -> None:
    if size is None or size < 0:
        raise UnreadableData(f"the store does not tell how large {path.rpartition('/')[2]} is; fetch the set instead")
    files[path] = size


def _reader(system: Any) -> Callable[[str, int, int], bytes]:
    """Ranged reads from any thread: fsspec's own for its drivers, whose open files are for one thread at a time."""
    from pyarrow import fs

    if isinstance(system, fs.PyFileSystem):
        driver = system.handler.fs
        return lambda path, start, size: driver.cat_file(path, start=start, end=start + size) if size else b""
    opened = lru_cache(maxsize=64)(system.open_input_file)
    return lambda path, start, size: opened(path).read_at(size, start)


@contextmanager
def _asked(what: str, kind: type[TailscopeError], advice: str) -> Iterator[None]:
    try:
        yield
    except TailscopeError:
        raise
    except Exception as error:  # every driver has exceptions of its own
        raise kind(f"{what}: {short(error)}. {advice.rstrip('.')}.") from error
