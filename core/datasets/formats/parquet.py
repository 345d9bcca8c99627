"""Hugging Face Parquet shards: pictures as bytes in an image column, classes in a label column."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from core.datasets.formats.columns import LABELS, as_text, by_name, class_labels
from core.datasets.formats.folders import SPLITS
from core.datasets.io.picture import MAX_BYTES
from core.datasets.io.roots import Files, problem
from core.datasets.listing import (
    Listing,
    by_class,
    empty_classes,
    file_ends,
    fingerprint,
    repeated_names,
    require_images,
    unique,
)
from core.datasets.names import Names, Naming, name_classes
from core.errors import UnreadableData
from core.opening import regular
from core.types import LeftOut

_IMAGES = ("image", "img", "picture", "photo", "jpg", "png", "webp", "bytes")
_LARGEST_GROUP = 2 << 30
_GROUPS_KEPT = 2
_SPLIT = re.compile(rf"({'|'.join(SPLITS)})(?![A-Za-z])")


def open_parquet(
    path: Path,
    *,
    id: str = "",
    names: Names = None,
    naming: Naming = "shown",
    roots: Sequence[Path] | None = None,
) -> Listing:
    """List Parquet shards with an image column (a struct of ``bytes`` and ``path``, or plain bytes).

    Of several splits (``test-00000-of-00009.parquet``, ``data/``, ``test/``) ``test`` comes first. Class names come
    from the ``ClassLabel`` in the schema. Only labels are read now; pictures when asked for, a row group at a time.

    Raises:
        UnreadableData: no shard has an image and a label column.
    """
    split, found = find_parquet(path)
    shards = Shards([file for file in found if not problem(file, roots)], roots)
    shards.left_out += [LeftOut(file.name, reason) for file in found if (reason := problem(file, roots))]
    ids, said = shards.survey()
    require_images(ids, str(path), shards.left_out, "Parquet shards need an image column and a column “label”.")
    listed = shards.classes
    if listed:
        keys, labels = unique(listed), np.array([int(text) for text in said], np.int64)
    else:
        keys, labels = by_class(said)
    readable, how = name_classes(keys, names, naming=naming, released=listed)
    part = f" of the split {split}" if split else ""
    note = (
        f"Detected {len(shards.files):,} Parquet shards{part}: pictures from column “{shards.image}”, class from "
        f"column “{shards.label}”. {how} {repeated_names(readable)}"
    )
    return Listing(
        id=id or str(path),
        kind="parquet",
        keys=keys,
        names=readable,
        labels=labels,
        image_ids=ids,
        source=shards.read,
        fingerprint=shards.fingerprint(ids, labels, keys),
        note=note.strip(),
        left_out=(*shards.left_out, *empty_classes(keys, labels)),
    )


def find_parquet(path: Path) -> tuple[str, list[Path]]:
    """The split to read (empty if there are none) and its Parquet files in order: of a file, or of a folder's files."""
    if path.is_file():
        return "", [path]
    folders = [path, path / "data", path / "default", *(path / split for split in SPLITS)]
    for folder in folders:
        if folder.is_dir() and (files := sorted(filter(Path.is_file, folder.glob("[!.]*.parquet")))):
            splits = {file: match[1] for file in files if (match := _SPLIT.match(file.name))}
            split = next((split for split in SPLITS if split in splits.values()), "")
            chosen = [file for file in files if splits.get(file) == split] if split else files
            return split or (folder.name if folder.name in SPLITS else ""), chosen
    return "", []


def image_column(schema: Any) -> str:
    """The column with encoded pictures: a struct with ``bytes``, or a binary column of a known name; else empty."""
    import pyarrow.types as kinds

    structs = [
        field.name
        for field in schema
        if kinds.is_struct(field.type) and any(_is_binary(inner.type) for inner in field.type if inner.name == "bytes")
    ]
    binary = [field.name for field in schema if _is_binary(field.type)]
    return by_name(structs, _IMAGES) or (structs[0] if structs else "") or by_name(binary, _IMAGES)


def _is_binary(type: Any) -> bool:
    import pyarrow.types as kinds

    return kinds.is_binary(type) or kinds.is_large_binary(type)


class Shards:
    """The Parquet files of one set.

    Attributes:
        files: readable files, in order; left_out: files, row groups and rows that cannot be used.
        image, label: columns in use; classes: names of the label's indices, empty when labels are names themselves.
    """

    def __init__(self, files: Sequence[Path], roots: Sequence[Path] | None) -> None:
        self.files = list(files)
        self.left_out: list[LeftOut] = []
        self.image = self.label = ""
        self.classes: list[str] = []
        self._roots = roots
        self._rows = np.empty((0, 3), np.int32)  # file, row group, row in it
        self._groups: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._lock = Lock()

    def survey(self) -> tuple[list[str], list[str]]:
        """Read all labels: ``file/row`` and class (an index as text, or a name) of every usable row."""
        import pyarrow as pa

        ids: list[str] = []
        said: list[str] = []
        rows: list[tuple[int, int, int]] = []
        for number, path in enumerate(self.files):
            try:
                self._survey_file(number, path, ids, said, rows)
            except (OSError, pa.ArrowException, UnreadableData) as error:
                self.left_out.append(LeftOut(path.name, f"not a shard of this set ({str(error)[:120]})"))
        self._rows = np.array(rows, np.int32).reshape(-1, 3)
        return ids, said

    def _survey_file(
        self, number: int, path: Path, ids: list[str], said: list[str], rows: list[tuple[int, int, int]]
    ) -> None:
        import pyarrow.parquet as pq

        with pq.ParquetFile(regular(path)) as file:
            schema = file.schema_arrow
            image = image_column(schema)
            label = by_name([field.name for field in schema if field.name != image], LABELS)
            if not image or not label:
                raise UnreadableData("it has no image column" if label else "it has no label column")
            if not self.image:
                self.image, self.label = image, label
                self.classes = class_labels(schema).get(label, [])
            if (image, label) != (self.image, self.label):
                raise UnreadableData("its columns differ from those of the first shard")
            first = 0
            for group in range(file.num_row_groups):
                facts = file.metadata.row_group(group)
                if facts.total_byte_size > _LARGEST_GROUP:
                    self.left_out.append(LeftOut(f"{path.name}, row group {group}", "larger than 2 GiB unpacked"))
                else:
                    values = file.read_row_group(group, columns=[label])[label].to_pylist()
                    for row, value in enumerate(values):
                        self._take(f"{path.stem}/{first + row}", value, (number, group, row), ids, said, rows)
                first += facts.num_rows

    def _take(self, id: str, value: Any, where: tuple[int, int, int], ids: list, said: list, rows: list) -> None:
        text = as_text(value)
        known = text.isdecimal() and int(text) < len(self.classes) if self.classes else bool(text)
        if not known:
            self.left_out.append(LeftOut(id, f"its label {text[:40]!r} is no class" if text else "no label"))
            return
        ids.append(id)
        said.append(text)
        rows.append(where)

    def read(self, index: int) -> bytes | Path:
        """Encoded picture at this index, or the path the row gives instead; UnreadableData with the reason."""
        file, group, row = map(int, self._rows[index])
        value = self._column(file, group)[row].as_py()
        data, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
        if data is not None:
            if len(data) > MAX_BYTES:
                raise UnreadableData("The picture is larger than 256 MiB.")
            return data
        if not path:
            raise UnreadableData("The row holds neither bytes nor the path of a picture.")
        files = Files(self.files[file], self._roots, absolute=False)
        files.size(path)
        return Path(files.path(path))

    def _column(self, file: int, group: int) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with self._lock:  # the first thread reads the row group, the others find it
            if (file, group) not in self._groups:
                try:
                    with pq.ParquetFile(regular(self.files[file])) as opened:
                        column = opened.read_row_group(group, columns=[self.image])[self.image]
                except (OSError, pa.ArrowException) as error:
                    raise UnreadableData(f"{self.files[file].name} cannot be read: {str(error)[:120]}.") from error
                self._groups[file, group] = column
                while len(self._groups) > _GROUPS_KEPT:
                    self._groups.popitem(last=False)
            self._groups.move_to_end((file, group))
            return self._groups[file, group]

    def fingerprint(self, ids: Sequence[str], labels: np.ndarray, keys: Sequence[str]) -> str:
        """Digest of the set; the sizes and ends (with the footers) of the shards stand for the pictures."""
        shards = [f"{file.name} {file.stat().st_size}" for file in self.files]
        ends = [hashlib.sha256(file_ends(file)).hexdigest() for file in self.files]
        return fingerprint(ids, np.zeros(0), labels, [*keys, *shards, *ends], lambda index: b"")
