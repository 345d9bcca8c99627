"""The files of a release wherever they lie: a folder, a clone, a zip or a tar archive. Nothing is unpacked to disk."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from core.datasets.io.tars import BROKEN, Header
from core.errors import UnreadableData
from core.opening import open_regular, open_zip, read_regular, regular
from core.published.reading import MAX_FILE_BYTES

MAX_TOTAL_BYTES = 2 * 2**30
MAX_MEMBERS = 200_000
MAX_ARCHIVE_BYTES = 16 * 2**30
"""Unpacked size of everything in a tar archive, which must be read through to reach what follows."""
_BROKEN = (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, OSError, *BROKEN)
_TARS: tuple[Literal["r:"], Literal["r:gz"], Literal["r:bz2"]] = ("r:", "r:gz", "r:bz2")
"""Kinds of tar archives; unpacking xz may take any memory that the archive asks for."""
FOLDERS = frozenset(
    (
        "search_counts", "zero_shot_evaluations", "retrieval_evaluations", "t2i_evaluations", "misalignment_metrics",
        "let_it_wag_datasets",
    )
)  # fmt: skip


def read_files(path: Path) -> Iterator[tuple[str, bytes | str]]:
    """Every JSON file of the used families: its path relative to the release, and its bytes or why it was not read.

    Raises:
        UnreadableData: nothing of the release lies at the path, or the archive is broken.
    """
    if path.is_dir():
        yield from _folder(path)
    elif not path.exists():
        raise UnreadableData(f"There is nothing at {path}. Give a folder, a clone or an archive of the release.")
    elif zipfile.is_zipfile(regular(path)):
        yield from _guarded(_zip(path), path)
    else:
        yield from _guarded(_tar(path), path)


def relative(path: str) -> str | None:
    """The part of a path that starts at a folder of the release; None for other files and anything with ``..``."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if ".." in parts or not path.endswith(".json"):
        return None
    start = next((index for index, part in enumerate(parts) if part in FOLDERS), None)
    return None if start is None else "/".join(parts[start:])


def _folder(path: Path) -> Iterator[tuple[str, bytes | str]]:
    root = path if path.name not in FOLDERS else path.parent
    if not any((root / name).is_dir() for name in FOLDERS):
        inner = [child for child in sorted(root.iterdir()) if child.is_dir() and not child.name.startswith(".")]
        root = next((child for child in inner if any((child / name).is_dir() for name in FOLDERS)), root)
    if not any((root / name).is_dir() for name in FOLDERS):
        raise UnreadableData(
            f"{path} holds none of the release's folders (search_counts, zero_shot_evaluations …). "
            "Give the folder of a clone, or an archive of it."
        )
    real = root.resolve()
    total = 0
    for folder in sorted(FOLDERS):
        for file in sorted((root / folder).rglob("*.json")):
            name = file.relative_to(root).as_posix()
            if not file.resolve().is_relative_to(real):
                yield name, "a link that leads out of the folder"
            elif not file.is_file():
                yield name, "not a plain file"
            elif (size := file.stat().st_size) > MAX_FILE_BYTES or (total := total + size) > MAX_TOTAL_BYTES:
                yield name, "too large"
            else:
                try:
                    yield name, read_regular(file, limit=MAX_FILE_BYTES)
                except UnreadableData as error:
                    yield name, str(error)


def _zip(path: Path) -> Iterator[tuple[str, bytes | str]]:
    with open_regular(path) as opened, open_zip(opened, name=path.name) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise UnreadableData(f"{path.name} has {len(members):,} members, more than any release.")
        budget = MAX_TOTAL_BYTES
        for member in members:
            if (name := relative(member.filename)) is None or member.is_dir():
                continue
            if member.flag_bits & 1:
                yield name, "encrypted"
                continue
            with archive.open(member) as file:
                content = file.read(min(MAX_FILE_BYTES, budget) + 1)
            budget -= min(len(content), budget)
            yield name, content if len(content) <= MAX_FILE_BYTES and budget else "too large"


def _tar(path: Path) -> Iterator[tuple[str, bytes | str]]:
    budget, through = MAX_TOTAL_BYTES, 0
    with _open_tar(path) as archive:
        for index, member in enumerate(archive):
            through += member.size
            if index > MAX_MEMBERS or through > MAX_ARCHIVE_BYTES:
                raise UnreadableData(f"{path.name} is larger than any copy of the release; it was not read further.")
            if (name := relative(member.name)) is None or member.isdir():
                continue
            if not member.isfile():
                yield name, "not a plain file"
                continue
            if member.size > MAX_FILE_BYTES or member.size > budget:
                yield name, "too large"
                continue
            budget -= member.size
            file = archive.extractfile(member)
            yield name, file.read(MAX_FILE_BYTES + 1) if file else "not a plain file"


def _open_tar(path: Path) -> tarfile.TarFile:
    reasons = set()
    for mode in _TARS:
        try:
            return tarfile.open(path, mode, tarinfo=Header)
        except _BROKEN as error:
            reasons.add(str(error))
    why = next((f" ({reason})" for reason in reasons if "header of" in reason), "")
    raise UnreadableData(f"{path.name} is neither a folder nor a zip or tar (.tar, .gz, .bz2) archive{why}.")


def _guarded(files: Iterator[tuple[str, bytes | str]], path: Path) -> Iterator[tuple[str, bytes | str]]:
    found = False
    try:
        for item in files:
            found = True
            yield item
    except _BROKEN as error:
        raise UnreadableData(f"{path.name} is damaged or not an archive that can be read: {error}.") from error
    if not found:
        raise UnreadableData(f"{path.name} holds none of the release's files (search_counts/… and so on).")
