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

from core.datasets.cells import plain, same_spelling, single_labels
from core.datasets.choices import FOLDER, Choices
from core.datasets.conventions import SPLITS
from core.datasets.format import Opening
from core.datasets.headings import by_name, class_labels, label_columns
from core.datasets.io.addresses import short
from core.datasets.io.parquet import read_column, read_values, refuse_fault
from core.datasets.io.picture import MAX_BYTES
from core.datasets.io.roots import Files, problem
from core.datasets.levels import folders_of, in_split_order, same_split, split_name, split_rank
from core.datasets.listing import Listing, by_class, file_ends, fingerprint, make_listing, require_images, unique
from core.errors import BadInput, UnreadableData
from core.memory import BUDGET
from core.opening import regular
from core.stats.format import many
from core.types import LeftOut

_IMAGES = ("image", "img", "picture", "photo", "jpg", "png", "webp", "bytes")
_GROUPS_KEPT = 2
_SPLIT = re.compile(rf"({'|'.join(SPLITS)})(?![A-Za-z])", re.IGNORECASE)


def open_parquet(path: Path, how: Opening) -> Listing:
    """List Parquet shards with an image column (a struct of ``bytes`` and ``path``, or plain bytes).

    Of several splits (``test-00000-of-00009.parquet``, ``data/``, ``test/``) the first of test, val and train whose
    rows have labels is taken. Class names come from the ``ClassLabel`` in the schema of every shard. Only labels are
    read now; pictures when asked for, a row group at a time.

    Raises:
        UnreadableData: no shard has an image and a label column, or no row has a usable label.
        BadInput: the column or split that was asked for is not there.
    """
    splits = _asked_splits(path, find_splits(path), how.choices)
    passed: list[str] = []
    for split, found in splits:
        refused = {file: reason for file in found if (reason := problem(file, how.roots))}
        shards = Shards([file for file in found if file not in refused], how)
        shards.left_out += [LeftOut(file.name, reason, images=0) for file, reason in refused.items()]
        ids, texts = shards.survey()
        if ids or split == splits[-1][0]:
            break
        passed.append(f"The split {split} has no labels and was passed over.")
    require_images(ids, str(path), shards.left_out, "Parquet shards need an image column and a column “label”.")
    listed = shards.classes
    told: list[str] = []
    if listed:
        keys, labels = unique(listed), np.array([int(text) for text in texts], np.int64)
    else:
        if how.naming != "released":
            texts, told = same_spelling(texts)
        keys, labels = by_class(texts)
    part = f" of the split {split}" if split else ""
    others = [name for name, _ in find_splits(path) if name != split]
    note = [
        f"Detected {many(len(shards.files), 'Parquet shard')}{part}: pictures from column “{shards.image}”, class from "
        f"column “{shards.label}”.",
        *passed,
        f"Other splits: {', '.join(others)} (--split)." if others else "",
        f"Also possible: --label-column {' or '.join(shards.others[:3])}." if shards.others else "",
        *told,
    ]
    return make_listing(
        Listing,
        how,
        kind="parquet",
        keys=keys,
        labels=labels,
        own=listed,
        image_ids=ids,
        source=shards.read,
        holder=shards.holder,
        fingerprint=shards.fingerprint(ids, labels, keys),
        note=note,
        left_out=shards.left_out,
    )


def find_parquet(path: Path) -> list[Path]:
    """The Parquet files of the split that comes first: of a file, or of a folder's files."""
    splits = find_splits(path)
    return splits[0][1] if splits else []


def find_splits(path: Path) -> list[tuple[str, list[Path]]]:
    """Splits, test first, and the Parquet files of each in order; one without a name where nothing tells them apart."""
    if path.is_file():
        return [("", [path])]
    for folder in (path, path / "data", path / "default"):
        named = in_split_order(folders_of(folder)) if folder.is_dir() else []
        if files := _files(folder):
            splits: dict[str, list[Path]] = {}
            for file in files:
                match = _SPLIT.match(file.name)
                splits.setdefault(match[1] if match else "", []).append(file)
            ordered = sorted(splits, key=lambda name: (split_rank(split_name(name)), name))
            return [(name, splits[name]) for name in ordered if name or len(ordered) == 1] or [("", files)]
        if found := [(name, files) for name in named if (files := _files(folder / name))]:
            return found
    return []


def _files(folder: Path) -> list[Path]:
    return sorted(filter(Path.is_file, folder.glob("[!.]*.parquet"))) if folder.is_dir() else []


def _asked_splits(path: Path, splits: list[tuple[str, list[Path]]], choices: Choices) -> list[tuple[str, list[Path]]]:
    if not choices.split:
        return splits
    found = [(name, files) for name, files in splits if name == choices.split]
    found = found or [(name, files) for name, files in splits if same_split(choices.split, name)]
    if not found:
        listed = ", ".join(name for name, _ in splits if name) or "none"
        raise BadInput(f"{path} has no split {choices.split!r}; its splits: {listed}.")
    return found


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


def _is_binary(type: object) -> bool:
    import pyarrow.types as kinds

    return kinds.is_binary(type) or kinds.is_large_binary(type) or kinds.is_binary_view(type)


def _no_label(schema: Any, image: str) -> str:
    listed = ", ".join(f"{field.name} ({field.type})" for field in schema if field.name != image)
    return f"it has no label column; its columns are {listed[:120] or 'none'}: choose one with --label-column"


def _largest_group() -> int:
    """Bytes that the pictures of a row group may unpack to: what is kept of them leaves room for decoding."""
    return BUDGET.most // 2


class Shards:
    """The Parquet files of one set.

    Attributes:
        files: readable files, in order; left_out: files, row groups and rows that cannot be used.
        image, label: columns in use; others: columns that could hold classes as well.
        classes: names of the label's indices, of all shards; empty when labels are names themselves.
    """

    def __init__(self, files: Sequence[Path], how: Opening) -> None:
        self.files = list(files)
        self.left_out: list[LeftOut] = []
        self.image = self.label = ""
        self.others: list[str] = []
        self.classes: list[str] = []
        self._how = how
        self._rows = np.empty((0, 3), np.int32)  # file, row group, row in it
        self._groups: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._lock = Lock()

    def survey(self) -> tuple[list[str], list[str]]:
        """Read all labels: ``file/row`` and class (an index into ``classes`` as text, or a name) of every usable row.

        Raises:
            BadInput: the column that was asked for is in no shard.
            UnreadableData: the first shard holds labels that are no single classes.
        """
        import pyarrow as pa

        ids: list[str] = []
        texts: list[str] = []
        rows: list[tuple[int, int, int]] = []
        for number, path in enumerate(self.files):
            try:
                self._survey_file(number, path, ids, texts, rows)
            except (OSError, pa.ArrowException, UnicodeDecodeError, UnreadableData) as error:
                refuse_fault(error, path.name)
                self.left_out.append(LeftOut(path.name, f"not a shard of this set ({short(error)})", images=0))
        self._rows = np.array(rows, np.int32).reshape(-1, 3)
        return ids, texts

    def _survey_file(
        self, number: int, path: Path, ids: list[str], texts: list[str], rows: list[tuple[int, int, int]]
    ) -> None:
        import pyarrow.parquet as pq

        with pq.ParquetFile(regular(path)) as file:
            schema = file.schema_arrow
            image = self._image_column(schema)
            lists = class_labels(schema)
            label, others = self._label_column([field.name for field in schema if field.name != image], lists)
            if not image or not label:
                raise UnreadableData("it has no image column" if label else _no_label(schema, image))
            if not self.image:
                self.image, self.label, self.others = image, label, others
            if (image, label) != (self.image, self.label):
                raise UnreadableData("its columns differ from those of the first shard")
            place = self._places(lists.get(label, []))
            groups, where, first = [], [], 0
            for group in range(file.num_row_groups):
                facts = file.metadata.row_group(group)
                if facts.total_byte_size > _largest_group():
                    item = f"{path.name}, row group {group}"
                    reason = f"larger than {_largest_group() / 2**20:,.0f} MiB unpacked (half of TAILSCOPE_MEMORY)"
                    self.left_out.append(LeftOut(item, reason, images=facts.num_rows))
                else:
                    groups.append(group)
                    where += [(f"{path.stem}/{first + row}", (number, group, row)) for row in range(facts.num_rows)]
                first += facts.num_rows
        values = read_values(path, [label], groups=groups)[label]
        cells, odd = plain(values)
        if not place:
            cells, several = single_labels(cells)
            odd = odd | several
        if values and len(odd) == len(values):
            kind, first_reason = schema.field(label).type, next(iter(odd.values()))
            raise UnreadableData(f"column “{label}” ({kind}) holds no single class in any row: {first_reason}")
        for row, (text, (id, at)) in enumerate(zip(cells, where, strict=True)):
            if place and text not in place:
                reason = odd.get(row) or (f"its label {text[:40]!r} is no class" if text else "no label")
            else:
                reason = odd.get(row) or ("" if text else "no label")
            if reason:
                self.left_out.append(LeftOut(id, reason))
                continue
            ids.append(id)
            texts.append(place[text] if place else text)
            rows.append(at)

    def _places(self, listed: list[str]) -> dict[str, str]:
        """Label in this shard (its own index, or a name) -> place in the list of all shards; nothing without a list.

        Raises:
            UnreadableData: the lists of two shards differ and a name in them is not unique.
        """
        if not listed:
            if self.classes:
                raise UnreadableData("it has no list of class names, but the first shard has one")
            return {}
        if not self.classes:
            self.classes = list(listed)
        elif listed != self.classes:
            if len(set(listed)) < len(listed) or len(set(self.classes)) < len(self.classes):
                raise UnreadableData("its list of class names differs from that of the first shard and repeats names")
            self.classes += [name for name in listed if name not in self.classes]
        same = listed == self.classes[: len(listed)]
        at = {name: place for place, name in reversed(list(enumerate(self.classes)))}
        found = {name: str(at[name]) for name in listed}
        return found | {str(i): str(i if same else at[name]) for i, name in enumerate(listed)}

    def _image_column(self, schema: Any) -> str:
        asked = self._how.choices.path_column
        if asked and asked not in schema.names:
            raise BadInput(f"There is no column “{asked[:80]}”; the columns are {', '.join(schema.names[:20])}.")
        return asked or image_column(schema)

    def _label_column(self, names: Sequence[str], lists: dict[str, list[str]]) -> tuple[str, list[str]]:
        """The column with classes and the others that could be it; empty when there is none."""
        asked = self._how.choices.label_column
        if asked:
            if asked == FOLDER and asked not in names:
                raise BadInput("The pictures lie in Parquet shards: there is no folder to take the class from.")
            if asked not in names:
                raise BadInput(f"There is no column “{asked[:80]}”; the columns are {', '.join(names[:20])}.")
            return asked, []
        found = label_columns(names)
        known = [name for name in found if name in lists] or found or [name for name in names if name in lists]
        if not found and len(known) > 1:
            listed = ", ".join(known[:5])
            raise UnreadableData(f"several columns hold classes ({listed}): choose one with --label-column")
        best = found[0] if found else known[0] if known else ""
        return best, [name for name in dict.fromkeys([*known, *found]) if name != best]

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
        files = Files(self.files[file], self._how.roots, absolute=False)
        files.size(path)
        return Path(files.path(path))

    def holder(self, index: int) -> Path:
        """The shard that holds the picture at this index."""
        return self.files[int(self._rows[index][0])]

    def _column(self, file: int, group: int) -> Any:
        import pyarrow as pa

        with self._lock:  # the first thread reads the row group, the others find it
            if (file, group) not in self._groups:
                try:
                    column = read_column(self.files[file], self.image, group, most=_largest_group())
                except (OSError, MemoryError, pa.ArrowException) as error:
                    refuse_fault(error, self.files[file].name)
                    raise UnreadableData(
                        f"{self.files[file].name} cannot be read ({short(error)}); copy it anew."
                    ) from error
                self._groups[file, group] = column
                BUDGET.cache(column.nbytes)
                self._forget_groups()
            self._groups.move_to_end((file, group))
            return self._groups[file, group]

    def _forget_groups(self) -> None:
        while len(self._groups) > _GROUPS_KEPT or (
            len(self._groups) > 1 and sum(kept.nbytes for kept in self._groups.values()) > _largest_group()
        ):
            BUDGET.cache(-self._groups.popitem(last=False)[1].nbytes)

    def __del__(self) -> None:
        for column in self._groups.values():
            BUDGET.cache(-column.nbytes)

    def fingerprint(self, ids: Sequence[str], labels: np.ndarray, keys: Sequence[str]) -> str:
        """Digest of the set; the sizes and ends (with the footers) of the shards stand for the pictures."""
        shards = [f"{file.name} {file.stat().st_size}" for file in self.files]
        ends = [hashlib.sha256(file_ends(file)).hexdigest() for file in self.files]
        return fingerprint(ids, np.zeros(0), labels, [*keys, *shards, *ends], lambda index: b"")
