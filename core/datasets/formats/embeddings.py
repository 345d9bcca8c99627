"""Precomputed image embeddings in clip-retrieval's layout: ``img_emb/*.npy`` and ``metadata/*.parquet``."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

import numpy as np

from cache import keys as cache_keys
from core.datasets.formats.columns import PATHS, by_name, read_columns
from core.datasets.formats.table import classes_of
from core.datasets.io.roots import Files, problem
from core.datasets.listing import (
    Listing,
    by_class,
    empty_classes,
    file_ends,
    fingerprint,
    repeated_names,
    require_images,
)
from core.datasets.names import Names, Naming, name_classes
from core.errors import UnreadableData
from core.opening import regular
from core.types import LeftOut

_BLOCK = 1 << 16
_UNIT = 1e-2  # half precision rounds a norm by less


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddedImages(Listing):
    """An ImageSet of vectors whose pictures may be absent.

    Attributes:
        dim: length of a vector.
        text_vectors: memory-mapped caption vectors, one array a file, empty without ``text_emb``.
    """

    dim: int
    parts: Sequence[np.ndarray]
    rows: np.ndarray
    unit: bool
    text_vectors: Sequence[np.ndarray] = ()

    @cached_property
    def vectors(self) -> np.ndarray:
        """Unit vectors [n, dim] in the order of ``image_ids``, float16 or float32, memory-mapped.

        One file of unit vectors is mapped as it is; anything else is joined and normalised into the cache once.
        """
        whole = len(self.parts) == 1 and len(self.rows) == len(self.parts[0])
        if whole and self.unit and self.parts[0].dtype in (np.float16, np.float32):
            return self.parts[0]
        file = cache_keys.root() / "joined" / f"{self.fingerprint}.npy"
        if not file.exists():
            self._join(file)
        return np.load(file, mmap_mode="r", allow_pickle=False)

    def _join(self, target: Path) -> None:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".part", dir=target.parent)
        os.close(handle)
        try:
            kind = np.float16 if self.parts[0].dtype == np.float16 else np.float32
            joined = np.lib.format.open_memmap(name, mode="w+", dtype=kind, shape=(len(self.rows), self.dim))
            starts = np.cumsum([0, *map(len, self.parts)])
            for part, start, stop in zip(self.parts, starts[:-1], starts[1:], strict=True):
                first, last = np.searchsorted(self.rows, [start, stop])
                for block in range(first, last, _BLOCK):
                    end = min(block + _BLOCK, last)
                    chosen = np.asarray(part[self.rows[block:end] - start], np.float32)
                    joined[block:end] = chosen / np.linalg.norm(chosen, axis=1, keepdims=True)
            joined.flush()
            os.replace(name, target)
        finally:
            Path(name).unlink(missing_ok=True)


def open_embeddings(
    path: Path,
    *,
    id: str = "",
    names: Names = None,
    naming: Naming = "shown",
    roots: Sequence[Path] | None = None,
) -> EmbeddedImages:
    """List a clip-retrieval folder.

    The class of a row is a metadata column with a known name, else the folder of its path. Pictures are there when the
    first path leads to a file. Rows without class, or whose vector is zero or not finite, are left out.

    Raises:
        UnreadableData: vectors and metadata do not belong together, or no row can be used.
    """
    left_out: list[LeftOut] = []
    parts = _arrays(path / "img_emb", roots)
    said, paths, column = _metadata(path / "metadata", sum(map(len, parts)), roots)
    good, unit = _check(parts)
    files = Files(path / "metadata", roots, absolute=True)
    has_images = _is_there(files, next((text for text in paths if text), ""))
    rows, classes = [], []
    for row, name in enumerate(said):
        if not good[row]:
            left_out.append(LeftOut(f"row {row}", "its vector is zero or not finite"))
        elif not name:
            left_out.append(LeftOut(paths[row] or f"row {row}", "no class"))
        else:
            rows.append(row)
            classes.append(name)
    require_images(rows, str(path), left_out, "Every row needs a class in the metadata.")
    keys, labels = by_class(classes)
    readable, how = name_classes(keys, names, naming=naming)
    ids = [paths[row] or f"row/{row}" for row in rows]
    if len(set(ids)) < len(ids):
        ids = [f"{row}/{PurePath(paths[row]).name}" for row in rows]
    source = f"class from column “{column}”" if column else "class from the folder of the path"
    pictures = "" if has_images else " Its pictures are not on this disk."
    note = (
        f"Detected {len(rows):,} precomputed embeddings of {parts[0].shape[1]} dimensions (clip-retrieval), {source}. "
        f"{how}{pictures} {repeated_names(readable)}"
    )
    chosen = np.array(rows, np.int64)
    shapes = [f"{file.name} {file.stat().st_size}" for file in _numbered(path / "img_emb", ".npy")]
    return EmbeddedImages(
        id=id or str(path),
        kind="embeddings",
        keys=keys,
        names=readable,
        labels=labels,
        image_ids=ids,
        source=lambda index: _picture(files, paths[rows[index]]),
        fingerprint=fingerprint(
            ids, chosen, labels, [*keys, *shapes, *(_digest(part) for part in parts)], lambda index: b""
        ),
        note=note.strip(),
        left_out=(*left_out, *empty_classes(keys, labels)),
        has_images=has_images,
        dim=parts[0].shape[1],
        parts=parts,
        rows=chosen,
        unit=unit,
        text_vectors=_arrays(path / "text_emb", roots) if (path / "text_emb").is_dir() else (),
    )


def _numbered(folder: Path, suffix: str) -> list[Path]:
    """Files in the order of the last number in their names: ``img_emb_2`` before ``img_emb_10``."""
    files = [file for file in folder.glob(f"[!.]*{suffix}") if file.is_file()]

    def number(file: Path) -> int:
        digits = re.findall(r"[0-9]{1,18}", file.stem)
        return int(digits[-1]) if digits else -1

    return sorted(files, key=lambda file: (number(file), file.name))


def _arrays(folder: Path, roots: Sequence[Path] | None) -> list[np.ndarray]:
    found = []
    for file in _numbered(folder, ".npy"):
        try:
            if reason := problem(file, roots):
                raise ValueError(reason)
            array = np.load(regular(file), mmap_mode="r", allow_pickle=False)
            if array.ndim != 2 or array.dtype.kind != "f" or not array.shape[1]:
                raise ValueError(f"it holds {array.dtype} of shape {array.shape}, not rows of floats")
            if found and array.shape[1] != found[0].shape[1]:
                raise ValueError(f"its vectors have {array.shape[1]} numbers, those before {found[0].shape[1]}")
        except Exception as error:  # numpy parses the header with ast: hostile ones raise anything
            raise UnreadableData(f"{folder.name}/{file.name} holds no embeddings: {str(error)[:160]}.") from error
        if len(array):
            found.append(array)
    if not found:
        raise UnreadableData(f"{folder} holds no vectors.")
    return found


def _metadata(folder: Path, vectors: int, roots: Sequence[Path] | None) -> tuple[list[str], list[str], str]:
    """Class and path (empty if there is none) of every row, and the column the classes come from."""
    said: list[str] = []
    paths: list[str] = []
    column = ""
    for file in _numbered(folder, ".parquet"):
        if reason := problem(file, roots):
            raise UnreadableData(f"{folder.name}/{file.name} cannot be read: {reason}.")
        columns = read_columns(file)
        where = by_name(columns.values, PATHS)
        classes, column = classes_of(columns, where)
        said += classes
        paths += columns.values[where] if where else [""] * columns.rows
    if len(said) != vectors:
        raise UnreadableData(
            f"{folder.parent.name} holds {vectors:,} vectors but {len(said):,} rows of metadata; "
            "each img_emb/*.npy needs its metadata/*.parquet."
        )
    return said, paths, column


def _check(parts: Sequence[np.ndarray]) -> tuple[np.ndarray, bool]:
    """Which rows have a finite length above zero, and whether all of those have length one."""
    lengths = np.concatenate(
        [
            np.linalg.norm(np.asarray(part[first : first + _BLOCK], np.float32), axis=1)
            for part in parts
            for first in range(0, len(part), _BLOCK)
        ]
    )
    good = np.isfinite(lengths) & (lengths > 0)
    return good, bool(np.all(np.abs(lengths[good] - 1) < _UNIT))


def _is_there(files: Files, path: str) -> bool:
    try:
        return bool(path) and files.size(path) >= 0
    except UnreadableData:
        return False


def _picture(files: Files, path: str) -> Path:
    if not path:
        raise UnreadableData("The metadata gives no path of this picture.")
    files.size(path)
    return Path(files.path(path))


def _digest(part: np.ndarray) -> str:
    return hashlib.sha256(file_ends(part.filename)).hexdigest()
