"""What every image set on disk is once its layout has been read: a list, and a way to the bytes of one picture."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from core.datasets.format import Opening
from core.datasets.io.picture import read_bytes, safe_open
from core.datasets.names import name_classes
from core.datasets.plain import Plain
from core.errors import FileChanged, ReadFailed, UnreadableData
from core.opening import open_regular
from core.types import FileState, LeftOut, Report

_SAMPLED = 256
END = 1024
_SHOWN = 3


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Listing(Plain):
    """An ImageSet (see ``core.types``) whose pictures are encoded files or parts of files.

    Attributes:
        source: index -> encoded bytes or the path of the picture.
        holder: index -> the file on this disk that holds the picture where ``source`` gives its bytes; else None.
        extra: index -> what else is recorded of the picture.
        opened: when it was listed, in nanoseconds since the epoch: a file written later is no picture of this state.
    """

    id: str
    kind: str
    keys: Sequence[str]
    names: Sequence[str]
    labels: np.ndarray
    image_ids: Sequence[str]
    source: Callable[[int], bytes | Path]
    fingerprint: str
    note: str
    templates: Sequence[str] = ()
    left_out: Sequence[LeftOut] = ()
    has_images: bool = True
    extra: Callable[[int], Mapping[str, Any]] = field(default=lambda index: {})
    holder: Callable[[int], Path | None] = field(default=lambda index: None)
    opened: int = field(default_factory=time.time_ns)

    def image(self, index: int) -> Image.Image:
        """The picture at this index, upright RGB.

        Raises:
            UnreadableData: it cannot be decoded. FileChanged: its file was written after the set was opened.
        """
        return self._decoded(index)

    def preview(self, index: int, longest: int) -> Image.Image:
        """The same, decoded to fewer pixels where the format can."""
        return self._decoded(index, longest=longest)

    def _decoded(self, index: int, *, longest: int | None = None) -> Image.Image:
        source = self.source(index)
        picture = safe_open(source, name=self.image_ids[index], longest=longest)
        file = source if isinstance(source, Path) else self.holder(index)
        if file is not None and _written(file) > self.opened:
            raise FileChanged(f"{self.image_ids[index]} was written after the set was opened; open the set again.")
        return picture

    def state(self, index: int) -> FileState | None:
        """In which state the file of this picture is now, None where there is no file on this disk."""
        file = self.holder(index)
        if file is None and isinstance(source := self.source(index), Path):
            file = source
        if file is None:
            return None
        return state_of_file(file, lambda: self.source(index))

    def details(self, index: int) -> Mapping[str, Any]:
        """What else is recorded of this picture."""
        return self.extra(index)

    def prepare(self, report: Report) -> None:
        """Called before all pictures are read in order; encoded pictures need nothing."""


L = TypeVar("L", bound=Listing)


def state_of_file(file: Path, source: Callable[[], bytes | Path]) -> FileState:
    """The state of a file now, with the digest of what ``source`` gives of it; ReadFailed when it is not there."""
    try:
        status = os.stat(file)
    except OSError as error:
        raise ReadFailed(f"{file} cannot be read: {(error.strerror or str(error)).lower()}.") from error
    return FileState(status.st_size, status.st_ctime_ns, lambda: _digest(source()))


def _digest(source: bytes | Path) -> str:
    return hashlib.sha256(read_bytes(source) if isinstance(source, Path) else source).hexdigest()[:32]


def make_listing(
    made: type[L],
    how: Opening,
    *,
    keys: Sequence[str],
    labels: np.ndarray,
    own: Sequence[str] = (),
    note: Iterable[str],
    after: str = "",
    left_out: Iterable[LeftOut],
    **fields: Any,
) -> L:
    """A listing whose classes are named as ``how`` says, with classes without pictures among what was skipped.

    Args:
        made: ``Listing`` or a kind of it; fields: its fields that are not named here.
        own: names that the set itself gives its classes.
        note: sentences for the note in front of the one on the names; after: one behind it. Empty ones do not count.
    """
    names, told = name_classes(keys, how.names, naming=how.naming, own=own, released=own)
    return made(
        id=how.id,
        keys=keys,
        names=names,
        labels=labels,
        note=" ".join(filter(None, (*note, told, after, repeated_names(names)))),
        left_out=(*left_out, *empty_classes(keys, labels)),
        **fields,
    )


def _written(file: Path) -> int:
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return 0  # gone since it was read


def fingerprint(
    image_ids: Sequence[str],
    sizes: np.ndarray,
    labels: np.ndarray,
    keys: Sequence[str],
    ends: Callable[[int], bytes],
    *,
    at_once: int = 1,
) -> str:
    """Digest of what the images are and which class each belongs to; readable names are not part of it.

    Args:
        sizes: int64 [n], bytes of each picture (or of what stands for it).
        ends: index -> first and last KB of the picture; asked for up to 256 evenly spaced pictures.
        at_once: how many of those to ask for at a time.

    Returns:
        32 hex characters.
    """
    digest = hashlib.sha256()
    for part in (*keys, "", *image_ids):
        digest.update(part.encode())
        digest.update(b"\0")
    digest.update(np.asarray(sizes, np.int64).tobytes())
    digest.update(np.asarray(labels, np.int64).tobytes())
    n = len(image_ids)
    sampled = np.unique(np.linspace(0, max(n - 1, 0), min(n, _SAMPLED)).astype(int)).tolist()
    with ThreadPoolExecutor(at_once) as pool:
        for data in (pool.map if at_once > 1 else map)(ends, sampled):
            digest.update(hashlib.sha256(data).digest())
    return digest.hexdigest()[:32]


def file_ends(path: str | os.PathLike[str], offset: int = 0, size: int | None = None) -> bytes:
    """First and last KB of a file, or of ``size`` bytes of it from ``offset``; nothing when it cannot be read."""
    try:
        with open_regular(path) as file:
            length = os.fstat(file.fileno()).st_size - offset if size is None else size
            file.seek(offset)
            head = file.read(min(END, length))
            file.seek(offset + max(length - END, 0))
            return head + file.read(min(END, length))
    except (UnreadableData, OSError, ValueError):
        return b""


def by_class(values: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Distinct values as class keys, whole numbers in numeric order and anything else sorted, and the labels [n]."""
    keys = in_order(set(values))
    index = {key: label for label, key in enumerate(keys)}
    return keys, np.fromiter((index[value] for value in values), np.int64, len(values))


def in_order(keys: Iterable[str]) -> list[str]:
    """Sorted, except that whole numbers are put in numeric order (ImageNet-V2 names its folders 0 ... 999)."""
    keys = list(keys)
    if keys and all(re.fullmatch(r"[0-9]{1,18}", key) for key in keys):
        return sorted(keys, key=lambda key: (int(key), key))
    return sorted(keys)


def unique(names: Sequence[str]) -> list[str]:
    """Class keys for names that may repeat: a repeated name gets its label appended (``crane#134``, ``crane#517``)."""
    counts, taken = Counter(names), set(names)
    keys = []
    for label, name in enumerate(names):
        key = name if counts[name] == 1 else f"{name}#{label}"
        while counts[name] > 1 and key in taken:
            key += "'"
        taken.add(key)
        keys.append(key)
    return keys


def empty_classes(keys: Sequence[str], labels: np.ndarray) -> list[LeftOut]:
    """One record for each class that no picture belongs to; it stays among the classes to choose from."""
    held = np.bincount(labels[labels >= 0], minlength=len(keys))
    reason = "no picture of this class was found; it stays among the classes a model can say"
    return [LeftOut(f"class {keys[label]}", reason, images=0) for label in np.flatnonzero(held == 0).tolist()]


def repeated_names(names: Sequence[str]) -> str:
    """A sentence on classes that share a name, or nothing: a zero-shot classifier cannot tell them apart."""
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if not repeated:
        return ""
    return f"{some(repeated)} {'names' if len(repeated) == 1 else 'name'} more than one class each."


def some(items: Sequence[str]) -> str:
    """The first few items in quotes, and how many more there are."""
    listed = ", ".join(f"“{item}”" for item in items[:_SHOWN])
    return f"{listed} and {len(items) - _SHOWN:,} more" if len(items) > _SHOWN else listed


def require_images(image_ids: Sequence[str], what: str, left_out: Sequence[LeftOut], advice: str) -> None:
    """UnreadableData unless there is at least one usable picture."""
    if not image_ids:
        first = f" First of {len(left_out):,} left out: {left_out[0].item}: {left_out[0].reason}." if left_out else ""
        raise UnreadableData(f"{what} holds no usable picture. {advice}{first}")
