"""Precomputed image embeddings in clip-retrieval's layout: ``img_emb/*.npy`` and ``metadata/*.parquet``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import BinaryIO

import numpy as np

from cache import keys as cache_keys
from cache.files import atomic_write, file_version, is_sealed, remembered_digest, seal
from core.datasets.cells import same_spelling
from core.datasets.format import Opening
from core.datasets.formats.columns import read_columns
from core.datasets.headings import PATHS, by_name
from core.datasets.io.roots import Files, problem
from core.datasets.labels import classes_of
from core.datasets.listing import Listing, by_class, file_ends, fingerprint, make_listing, require_images
from core.datasets.sniff import what_is
from core.errors import ReadFailed, UnreadableData
from core.faults import require_space, writing
from core.opening import open_regular, regular
from core.types import LeftOut

_BLOCK = 1 << 26  # bytes that are read at a time
_LONGEST = 1 << 16  # numbers in a vector
_PICKLED = "it holds Python objects, not numbers, which are not read from other people's files"
_UNIT = 1e-2  # half precision rounds a norm by less


@dataclass(frozen=True, kw_only=True)
class SavedRows:
    """Rows of floats in a ``.npy`` file of somebody else.

    They are read and not mapped: a mapped file that its owner cuts short ends the process that looks at it.

    Attributes:
        shape: rows and numbers in each.
        offset: bytes before the first number.
        by_column: the file holds column after column.
        version: ``file_version`` of the file when it was listed.
    """

    file: Path
    shape: tuple[int, int]
    dtype: np.dtype
    offset: int
    by_column: bool
    version: tuple[int, ...]

    def __len__(self) -> int:
        return self.shape[0]

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """The rows [any, dim] in order, 64 MiB at a time, each block after the number of its first row.

        Raises:
            UnreadableData: the file is not the one that was listed, or ends early. ReadFailed: it cannot be read now.
        """
        n, dim = self.shape
        step = max(1, _BLOCK // (dim * self.dtype.itemsize))
        with open_regular(self.file) as file:
            for first in range(0, n, step):
                if file_version(file.fileno()) != self.version:
                    raise self._changed()
                rows = min(step, n - first)
                if self.by_column:
                    starts = [column * n + first for column in range(dim)]
                    yield first, np.stack([self._read(file, start, rows) for start in starts], axis=1)
                else:
                    yield first, self._read(file, first * dim, rows * dim).reshape(rows, dim)

    def _read(self, file: BinaryIO, start: int, count: int) -> np.ndarray:
        size = count * self.dtype.itemsize
        try:
            file.seek(self.offset + start * self.dtype.itemsize)
            data = file.read(size)
        except OSError as error:
            raise ReadFailed(f"{self.file} cannot be read: {error.strerror or error}.") from error
        if len(data) < size:
            raise self._changed()
        return np.frombuffer(data, self.dtype)

    def _changed(self) -> UnreadableData:
        return UnreadableData(f"{self.file} was changed while it was in use; open the image set again.")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class EmbeddedImages(Listing):
    """An ImageSet of vectors whose pictures may be absent.

    Attributes:
        dim: length of a vector.
    """

    dim: int
    parts: Sequence[SavedRows]
    rows: np.ndarray
    unit: bool

    @cached_property
    def vectors(self) -> np.ndarray:
        """Unit vectors [n, dim] in the order of ``image_ids``, float16 or float32, memory-mapped from the cache.

        They are copied there once, joined, and normalised unless they are one file of unit vectors.
        """
        file = cache_keys.root() / "joined" / f"{self.fingerprint}.npy"
        if not (file.exists() and is_sealed(file)):
            self._join(file)
        return np.load(file, mmap_mode="r", allow_pickle=False)

    def _join(self, target: Path) -> None:
        kind = np.dtype(np.float16 if self.parts[0].dtype == np.float16 else np.float32)
        shape = (len(self.rows), self.dim)
        require_space(target.parent, len(self.rows) * self.dim * kind.itemsize, f"Copying the vectors of {self.id}")
        with writing(target.parent):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with atomic_write(target) as file:
                header = {"descr": kind.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for block in self._unit_blocks(kind):
                    file.write(block.tobytes())
                seal(file, name=target.name)

    def _unit_blocks(self, kind: np.dtype) -> Iterator[np.ndarray]:
        """Unit vectors of this type, block by block, in the order of ``image_ids``."""
        as_they_are = self.unit and len(self.parts) == 1 and self.parts[0].dtype == kind
        start = 0
        for part in self.parts:
            for first, block in part.blocks():
                low, high = np.searchsorted(self.rows, [start + first, start + first + len(block)])
                chosen = block[self.rows[low:high] - start - first]
                if not as_they_are:
                    chosen = chosen.astype(np.float32)
                    chosen /= np.linalg.norm(chosen, axis=1, keepdims=True)
                yield chosen.astype(kind, copy=False)
            start += len(part)


def open_embeddings(path: Path, how: Opening) -> EmbeddedImages:
    """List a clip-retrieval folder.

    The class of a row is a metadata column with a known name, else the folder of its path. Pictures are there when the
    first path leads to a file. Rows without class, or whose vector is zero or not finite, are left out.

    Raises:
        UnreadableData: vectors and metadata do not belong together, or no row can be used.
    """
    left_out: list[LeftOut] = []
    arrays = _numbered(path / "img_emb", ".npy")
    parts = _arrays(arrays, how.roots)
    if not any(map(len, parts)):
        raise UnreadableData(f"{path / 'img_emb'} holds no vectors.")
    texts, paths, source, odd, told = _metadata(path, dict(zip(arrays, map(len, parts), strict=True)), how)
    if how.naming != "released":
        texts, merged = same_spelling(texts)
        told = [*told, *merged]
    parts = [part for part in parts if len(part)]
    good, unit = _check(parts)
    files = Files(path / "metadata", how.roots, absolute=True)
    has_images = _is_there(files, next((text for text in paths if text), ""))
    rows, classes = [], []
    for row, name in enumerate(texts):
        if not good[row]:
            left_out.append(LeftOut(f"row {row}", "its vector is zero or not finite"))
        elif not name:
            left_out.append(LeftOut(paths[row] or f"row {row}", odd.get(row, "no class")))
        else:
            rows.append(row)
            classes.append(name)
    require_images(classes, str(path), left_out, "Every row needs a class in the metadata.")
    keys, labels = by_class(classes)
    ids = [paths[row] or f"row/{row}" for row in rows]
    if len(set(ids)) < len(ids):
        ids = [f"{row}/{PurePath(paths[row]).name}" for row in rows]
    detected = f"Detected {len(rows):,} precomputed embeddings of {parts[0].shape[1]} dimensions (clip-retrieval)"
    chosen = np.array(rows, np.int64)
    shapes = [f"{file.name} {file.stat().st_size}" for file in arrays]
    contents = [remembered_digest(part.file, kind="vectors") for part in parts]
    return make_listing(
        EmbeddedImages,
        how,
        kind="embeddings",
        keys=keys,
        labels=labels,
        image_ids=ids,
        source=lambda index: _picture(files, paths[rows[index]]),
        fingerprint=fingerprint(ids, chosen, labels, [*keys, *shapes, *contents], lambda index: b""),
        note=(f"{detected}, {source}.", *told),
        after="" if has_images else "Its pictures are not on this disk.",
        left_out=left_out,
        has_images=has_images,
        dim=parts[0].shape[1],
        parts=parts,
        rows=chosen,
        unit=unit,
    )


def _numbered(folder: Path, suffix: str) -> list[Path]:
    """Files in the order of the last number in their names: ``img_emb_2`` before ``img_emb_10``."""
    files = [file for file in folder.glob(f"[!.]*{suffix}") if file.is_file()]
    return sorted(files, key=lambda file: (_number(file), file.name))


def _arrays(files: Sequence[Path], roots: Sequence[Path] | None) -> list[SavedRows]:
    """The arrays of these files, of which the header is read; UnreadableData for one that does not fit the others."""
    found: list[SavedRows] = []
    for file in files:
        try:
            if reason := problem(file, roots):
                raise ValueError(reason)
            if (kind := what_is(file_ends(file))) != "NumPy array":
                raise ValueError(_no_array(kind))
            version = file_version(regular(file))
            array = np.load(file, mmap_mode="r", allow_pickle=False)  # for its header: no page of it is looked at
            if array.ndim != 2 or array.dtype.kind != "f" or not array.shape[1]:
                raise ValueError(f"it holds {array.dtype} of shape {array.shape}, not rows of floats")
            if array.shape[1] > _LONGEST:
                raise ValueError(f"its vectors have {array.shape[1]:,} numbers, more than {_LONGEST:,}")
            if found and array.shape[1] != found[0].shape[1]:
                raise ValueError(f"its vectors have {array.shape[1]} numbers, those before {found[0].shape[1]}")
        except Exception as error:  # numpy parses the header with ast: hostile ones raise anything
            reason = _PICKLED if re.search("pickle|Python objects", str(error)) else str(error)[:200].rstrip(".")
            raise UnreadableData(f"{file.parent.name}/{file.name} holds no embeddings: {reason}.") from error
        by_column = not array.flags.c_contiguous
        found.append(
            SavedRows(
                file=file,
                shape=array.shape,
                dtype=array.dtype,
                offset=array.offset,
                by_column=by_column,
                version=version,
            )
        )
    return found


def _no_array(kind: str) -> str:
    if kind:
        return f"it is a {kind}, not a .npy file"
    return (
        "it is not a .npy file, as it does not begin with NumPy's header; bytes of np.memmap or tofile have neither "
        "shape nor type: load them with both and write them with np.save"
    )


def _metadata(
    path: Path, vectors: Mapping[Path, int], how: Opening
) -> tuple[list[str], list[str], str, dict[int, str], list[str]]:
    """Class and path (empty if there is none) of every row, where the classes come from, odd rows and what to say.

    Every file of vectors has its own metadata, by the number in their names.
    """
    texts: list[str] = []
    paths: list[str] = []
    odd: dict[int, str] = {}
    source, told, choices = "", [], how.choices
    for array, file in _pairs(path, vectors):
        shown = f"metadata/{file.name}"
        if reason := problem(file, how.roots):
            raise UnreadableData(f"{shown} cannot be read: {reason}.")
        columns = read_columns(file, choices)
        if columns.rows != vectors[array]:
            raise UnreadableData(
                f"img_emb/{array.name} holds {vectors[array]:,} vectors but {columns.rows:,} rows of metadata are in "
                f"{shown}; each img_emb/*.npy needs the metadata/*.parquet that was written with it."
            )
        where = by_name(columns.values, [choices.path_column] if choices.path_column else PATHS)
        try:
            classes = classes_of(columns, where, choices, verbatim=True)
        except UnreadableData as error:
            raise UnreadableData(f"{shown}: {error}") from error
        names = classes.listed
        odd |= {len(texts) + row: reason for row, reason in classes.odd.items()}
        texts += [names[int(text)] if text else "" for text in classes.texts] if names else classes.texts
        paths += columns.values[where] if where else [""] * columns.rows
        source = source or classes.source
        if classes.source != source:
            raise UnreadableData(f"{shown}: {classes.source}, but {source} in the files before; use --label-column.")
        told = [classes.also] if classes.also else []
    return texts, paths, source, odd, told


def _pairs(path: Path, arrays: Mapping[Path, int]) -> list[tuple[Path, Path]]:
    """Each file of vectors with its metadata: by the number in their names, the only two files together.

    Raises:
        UnreadableData: a file has no partner of its number.
    """
    metadata = _numbered(path / "metadata", ".parquet")
    if not metadata:
        rows = sum(arrays.values())
        raise UnreadableData(
            f"{path.name} holds {rows:,} vectors but 0 rows of metadata; each img_emb/*.npy needs its "
            "metadata/*.parquet."
        )
    by_number = {_number(file): file for file in metadata}
    numbers = [_number(file) for file in arrays]
    if len(arrays) == len(metadata) == 1 and -1 in (*numbers, *by_number):
        return [(next(iter(arrays)), metadata[0])]
    if len(by_number) < len(metadata) or len(set(numbers)) < len(numbers) or set(numbers) != set(by_number):
        listed = ", ".join(file.name for file in arrays)[:120], ", ".join(file.name for file in metadata)[:120]
        raise UnreadableData(
            f"The vectors ({listed[0]}) and the metadata ({listed[1]}) of {path.name} do not belong together by the "
            "numbers in their names; each img_emb/*.npy needs the metadata/*.parquet of its number."
        )
    return [(array, by_number[_number(array)]) for array in arrays]


def _number(file: Path) -> int:
    digits = re.findall(r"[0-9]{1,18}", file.stem)
    return int(digits[-1]) if digits else -1


def _check(parts: Sequence[SavedRows]) -> tuple[np.ndarray, bool]:
    """Which rows have a finite length above zero, and whether all of those have length one."""
    lengths = np.concatenate(
        [np.linalg.norm(block.astype(np.float32), axis=1) for part in parts for _, block in part.blocks()]
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
