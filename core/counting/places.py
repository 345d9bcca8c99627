"""Where captions lie: paths, folders, globs and URLs as files on an Arrow file system."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.datasets.io.addresses import is_url, locate
from core.datasets.io.roots import inside
from core.errors import BadInput, UnreadableData
from core.opening import open_regular

_GLOB = re.compile(r"[*?\[]")
_END = 1 << 16
MOST_FILES = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """One file: its address (absolute path or URL), bytes, and a digest that changes when it does."""

    uri: str
    size: int
    stamp: str

    @property
    def name(self) -> str:
        """The last part of the address, without its query."""
        bare = self.uri.partition("?")[0] if is_url(self.uri) else self.uri
        return bare.rstrip("/").rpartition("/")[2]


def fixed_part(path: str) -> str:
    """The folder of a path before its first wildcard; the path itself without one."""
    if not _GLOB.search(path):
        return path
    folder, slash, _ = _GLOB.split(path, maxsplit=1)[0].rpartition("/")
    return folder or slash or "."


def find(captions: str, *, roots: Sequence[Path] | None = None) -> list[Place]:
    """Every file that a path, folder, glob or URL means, in order of address; hidden files are left alone.

    Args:
        roots: folders that local files, links followed, must lie in; None for no limit.

    Raises:
        BadInput: nothing is there, or more files than can be planned. UnreadableData: it cannot be listed.
        PathRefused: a file lies outside ``roots``.
    """
    from pyarrow import ArrowException, fs

    text = captions.strip()
    if not text or "\0" in text:
        raise BadInput("No captions were named; give the path, glob or URL of a file or folder.")
    uri = text if is_url(text) else os.path.abspath(os.path.expanduser(text))
    system, path = locate(uri)
    local = isinstance(system, fs.LocalFileSystem)
    if local and roots is not None:
        inside(fixed_part(path), roots)
    prefix = uri[: len(uri) - len(path)] if uri.endswith(path) else uri.partition("://")[0] + "://"
    try:
        # A file may have brackets in its name: what exists is meant literally.
        found = system.get_file_info(path)
        if found.type == fs.FileType.NotFound and _GLOB.search(path):
            listed = system.get_file_info(fs.FileSelector(fixed_part(path), recursive=True, allow_not_found=True))
            pattern = re.compile(_translate(path))
            infos = [info for info in listed if pattern.fullmatch(info.path)]
        elif found.type == fs.FileType.Directory:
            infos = system.get_file_info(fs.FileSelector(path, recursive=True))
        else:
            infos = [found] if found.type == fs.FileType.File else []
            path = path.rpartition("/")[0]
    except (OSError, ArrowException) as error:
        raise UnreadableData(f"{captions} cannot be listed: {str(error)[:160]}.") from error
    base = re.split(r"[*?\[]", path, maxsplit=1)[0].rpartition("/")[0] if _GLOB.search(path) else path
    files = [info for info in infos if info.type == fs.FileType.File and not _hidden(info.path, base)]
    if not files:
        raise BadInput(f"No file is at {captions}; give the path, glob or URL of captions.")
    if len(files) > MOST_FILES:
        raise BadInput(f"{captions} means {len(files):,} files; count at most {MOST_FILES:,} in one run.")
    if local and roots is not None:
        for info in files:
            inside(info.path, roots)
    query = "?" + uri.partition("?")[2] if is_url(uri) and not path.endswith(uri) and "?" in uri else ""
    places = [_place(info, prefix, query, local=local) for info in files]
    return sorted(places, key=lambda place: place.uri)


def _translate(pattern: str) -> str:
    """A shell glob as a regular expression: ``*`` and ``?`` stay within one folder, ``**`` crosses them."""
    parts = [part for part in re.split(r"(\*\*/?|\*|\?|\[[^\]/]+\])", pattern) if part]
    known = {"**": ".*", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        known.get(part) or (_one_of(part[1:-1]) if part[0] == "[" and part[-1] == "]" else re.escape(part))
        for part in parts
    )


def _one_of(inside: str) -> str:
    negated = "^" if inside[0] in "!^" else ""
    inside = inside[1:] if negated else inside
    return f"[{negated}" + re.sub(r"([\\\[\]&~|^])", r"\\\1", inside) + "]"


def _hidden(path: str, base: str) -> bool:
    inside = path[len(base) :] if path.startswith(base) else path
    return any(part[:1] in (".", "_") for part in inside.split("/") if part)


def _place(info: Any, prefix: str, query: str, *, local: bool) -> Place:
    size = max(0, info.size or 0)
    changed = info.mtime_ns if info.mtime is not None else 0
    facts = f"{info.path} {size} {changed}".encode("utf-8", "surrogateescape")
    if local:
        facts += _ends(Path(info.path), size)
    return Place(prefix + info.path + query, size, hashlib.sha256(facts).hexdigest()[:32])


def _ends(path: Path, size: int) -> bytes:
    """Digest of the first and last bytes of a local file: a clock alone misses a quick rewrite."""
    try:
        with open_regular(path) as file:
            ends = file.read(_END)
            file.seek(max(0, size - _END))
            return hashlib.sha256(ends + file.read(_END)).digest()
    except (UnreadableData, OSError):
        return b""
