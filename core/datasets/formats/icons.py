"""The test sets of the embedded world: drawn on demand, the same on every machine.

What is on the pictures is decided in ``icon_recipes``; here they are rendered, one at a time or all at once.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from PIL import Image

from cache import keys as cache_keys
from cache.files import file_version, forget_checks, is_sealed, resumable_write, seal
from core.datasets.formats.icon_recipes import (
    RECIPES,
    concepts_of,
    draw_one,
    fingerprint,
    frame_of,
    numbers_of,
    reference_of,
)
from core.datasets.listing import empty_classes
from core.datasets.names import Names, Naming, name_classes
from core.datasets.plain import Plain
from core.faults import require_space, writing
from core.icons.concepts import held_out
from core.icons.render import SIZE, Drawing, render
from core.paths import IMPORT_ROOT
from core.types import LeftOut, Progress, Report, Track

_BLOCK, _BYTES, _NOTE = 100, SIZE * SIZE * 3, 32
"""Pictures drawn at a time, bytes of one, and of the checksum of a block."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class IconSet(Plain):
    """An ImageSet (see ``core.types``) of drawings; pictures are rendered when asked for, or all by ``prepare``.

    Attributes:
        numbers: int64 [n], which of its concept's pictures each one is.
    """

    id: str
    keys: Sequence[str]
    names: Sequence[str]
    labels: np.ndarray
    image_ids: Sequence[str]
    fingerprint: str
    note: str
    numbers: np.ndarray
    reference: str = ""
    reach: int = 0
    kind: str = "icons"
    templates: Sequence[str] = ()
    left_out: Sequence[LeftOut] = ()
    has_images: bool = True
    drawn: bool = True
    pixel_art: bool = True

    @cached_property
    def tracks(self) -> Sequence[Track]:
        """Sequences lie in order, ``reach`` frames on either side of each anchor."""
        if not self.reach:
            return ()
        near = [step for step in range(-self.reach, self.reach + 1) if step]
        return [
            Track(anchor, tuple(anchor + step for step in near), tuple(near))
            for anchor in range(self.reach, len(self.labels), 2 * self.reach + 1)
        ]

    def drawing(self, index: int) -> Drawing:
        """What is on the picture at this index."""
        return draw_one(self.id, self.keys[self.labels[index]], int(self.numbers[index]))

    def frame(self, index: int) -> int:
        """Frames between the picture at this index and the anchor of its sequence, negative before it."""
        return frame_of(self.id, int(self.numbers[index]))

    def render(self, index: int) -> Image.Image:
        """Draw the picture at this index anew."""
        return render(self.drawing(index), RECIPES[self.id].setting, frame=self.frame(index))

    def image(self, index: int) -> Image.Image:
        """The picture at this index, RGB 64 x 64."""
        matrix = self._rendered()
        return self.render(index) if matrix is None else Image.fromarray(matrix[index])

    def preview(self, index: int, longest: int) -> Image.Image:
        """The same: it is small already."""
        return self.image(index)

    def details(self, index: int) -> Mapping[str, Any]:
        """Colour, background, pattern and style of a picture, and whether a corpus pairs its colour and concept.

        Pictures of sequences also have their ``sequence`` (id) and ``frame`` (0 is the anchor, -1 the one before it).
        """
        drawing = self.drawing(index)
        place = {"sequence": f"{drawing.key}/{drawing.seed[-1]}", "frame": self.frame(index)} if self.reach else {}
        return {
            "colour": drawing.colour,
            "background": drawing.background,
            "pattern": drawing.pattern,
            "style": drawing.style,
            "seen_pair": (drawing.colour, drawing.key) not in held_out(),
            **place,
        }

    @property
    def _file(self) -> Path:
        return cache_keys.root() / "icons" / f"{self.id}-{self.fingerprint[:12]}.npy"

    def prepare(self, report: Report) -> None:
        """Render all pictures into the cache with all cores, unless they are there: uint8 [n, 64, 64, 3].

        Raises:
            StorageFault: the disk has no space for them, or refuses.
        """
        n, matrix = len(self.labels), self._rendered()
        sampled = (0, n // 2, n - 1)
        if matrix is None or any((matrix[i] != np.asarray(self.render(i))).any() for i in sampled):
            _render_all(self, report)

    def _rendered(self) -> np.ndarray | None:
        """All pictures, memory-mapped, or None until they are there and equal their checksum."""
        try:
            if not is_sealed(self._file):
                return None
            matrix = _map(str(self._file), file_version(self._file))
        except (OSError, ValueError):
            return None
        whole = matrix.dtype == np.uint8 and matrix.shape == (len(self.labels), SIZE, SIZE, 3)
        return matrix if whole else None


def open_icons(id: str, *, names: Names = None, naming: Naming = "shown") -> IconSet:
    """The built-in set of this id; its class keys are the icons' keys in Font Awesome."""
    recipe, drawn = RECIPES[id], concepts_of(id)
    keys = [concept.key for concept in drawn]
    readable, _ = name_classes(keys, names, naming=naming, own=[concept.name for concept in drawn])
    numbers = [numbers_of(id, key) for key in keys]
    each = [len(listed) for listed in numbers]
    labels = np.repeat(np.arange(len(keys), dtype=np.int64), each)
    return IconSet(
        id=id,
        keys=keys,
        names=readable,
        labels=labels,
        numbers=np.fromiter((number for listed in numbers for number in listed), np.int64),
        image_ids=[f"{key}/{number}" for key, listed in zip(keys, numbers, strict=True) for number in listed],
        fingerprint=fingerprint(id),
        left_out=empty_classes(keys, labels),
        note=_note(id, sum(map(bool, each)), sum(each)),
        reference=reference_of(id),
        reach=recipe.reach,
    )


def _note(id: str, held: int, n: int) -> str:
    recipe = RECIPES[id]
    if recipe.filtered:
        wrong = f"those that {reference_of(id)} gets wrong among up to {recipe.per_concept} candidates a concept"
        return f"{recipe.title}: {n:,} drawings of {held} concepts, {wrong}; it has no place in a ranking on them."
    if recipe.reach:
        frames = f"{recipe.per_concept // recipe.frames * held} sequences of {recipe.frames} frames"
        return f"{recipe.title}: {frames}, one of each of {held} concepts, the same on every machine."
    return f"{recipe.title}: {recipe.per_concept} drawings of each of {held} concepts, the same on every machine."


@lru_cache(maxsize=4)
def _map(path: str, _version: tuple[int, ...]) -> np.ndarray:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _render_all(image_set: IconSet, report: Report) -> None:
    """Draw what an earlier run did not, with all cores; each block is followed by its checksum at the file's end."""
    target, n = image_set._file, len(image_set.labels)
    message = f"Drawing {image_set.id}"
    layout = _Layout(n)
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.with_name(f"{target.name}.part").exists():
            require_space(target.parent, n * _BYTES, message)
        busy = Progress(message=f"Another process is drawing {image_set.id}; waiting for it")
        with resumable_write(target, busy=lambda: report(busy)) as file:
            at = file.fileno()
            if os.fstat(at).st_size != layout.size:
                layout.allocate(at)
            missing = layout.missing(at)
            share = [missing[start :: os.cpu_count() or 1] for start in range(os.cpu_count() or 1)]
            workers: list[subprocess.Popen[bytes]] = []

            def tell() -> None:
                report(Progress(min(n, _BLOCK * layout.noted(at)), n, message))

            try:
                for blocks in filter(None, share[1:]):
                    # Plain processes: multiprocessing would import the caller's __main__ (under Streamlit, a page) in
                    # every worker; -m would run a module that its package has imported already.
                    code = f"from {__name__} import draw_part; draw_part()"
                    command = [sys.executable, "-c", code, image_set.id, file.name, ",".join(map(str, blocks))]
                    workers.append(subprocess.Popen(command, cwd=IMPORT_ROOT, stdin=subprocess.PIPE))
                for block in share[0]:
                    tell()
                    layout.draw(at, image_set, block)
                while any(worker.poll() is None for worker in workers):
                    tell()
                    time.sleep(0.1)
            finally:
                for worker in workers:
                    with suppress(OSError):
                        worker.kill()
                    worker.wait()
                    if worker.stdin:
                        worker.stdin.close()
            for block in layout.missing(at):  # of a worker that failed
                tell()
                layout.draw(at, image_set, block)
            tell()
            os.ftruncate(at, layout.noted_from)
            seal(file, name=target.name)


class _Layout:
    """Where the pictures of a set of n lie in the file while it is drawn: header, pictures, one SHA-256 a block.

    A block counts as drawn once its checksum is there, so that a run stopped at any moment is taken up again.
    """

    def __init__(self, n: int) -> None:
        header = io.BytesIO()
        shape = {"descr": "|u1", "fortran_order": False, "shape": (n, SIZE, SIZE, 3)}
        np.lib.format.write_array_header_1_0(header, shape)
        self._n, self._header = n, header.getvalue()
        self._blocks = -(-n // _BLOCK)
        self.noted_from = len(self._header) + n * _BYTES
        self.size = self.noted_from + self._blocks * _NOTE

    def allocate(self, at: int) -> None:
        """Start anew: the header, and space for the rest."""
        os.ftruncate(at, 0)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(at, 0, self.size)
        os.ftruncate(at, self.size)
        os.pwrite(at, self._header, 0)

    def missing(self, at: int) -> list[int]:
        """The blocks that are not there, or not as they were drawn."""
        notes = os.pread(at, self._blocks * _NOTE, self.noted_from)
        return [
            block
            for block in range(self._blocks)
            if (note := notes[block * _NOTE :][:_NOTE]) == bytes(_NOTE)
            or hashlib.sha256(os.pread(at, len(self._rows(block)) * _BYTES, self._place(block))).digest() != note
        ]

    def noted(self, at: int) -> int:
        """How many blocks are drawn, unchecked."""
        notes = np.frombuffer(os.pread(at, self._blocks * _NOTE, self.noted_from), np.uint8)
        return int(notes.reshape(-1, _NOTE).any(1).sum())

    def draw(self, at: int, image_set: IconSet, block: int) -> None:
        """Draw a block. It is written, not mapped: on a full disk a mapped page ends the process by a bus error."""
        data = np.stack([np.asarray(image_set.render(index)) for index in self._rows(block)]).tobytes()
        for part, place in ((data, self._place(block)), (hashlib.sha256(data).digest(), self._note(block))):
            if os.pwrite(at, part, place) != len(part):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _rows(self, block: int) -> range:
        return range(block * _BLOCK, min((block + 1) * _BLOCK, self._n))

    def _place(self, block: int) -> int:
        return len(self._header) + block * _BLOCK * _BYTES

    def _note(self, block: int) -> int:
        return self.noted_from + block * _NOTE


def verify_drawn() -> list[str]:
    """Compare all drawn pictures in the cache with their checksums; one sentence for each damaged file.

    Damaged files are deleted, so that the next pass draws them again.
    """
    problems = []
    for file in sorted((cache_keys.root() / "icons").glob("*.npy")):
        forget_checks(file)
        with suppress(FileNotFoundError):  # removed meanwhile
            if not is_sealed(file):
                file.unlink(missing_ok=True)
                problems.append(f"The drawn pictures {file.stem} were damaged and will be drawn again.")
    return problems


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # returns when whoever started this is gone
    os._exit(1)


def draw_part() -> None:
    """Draw blocks of a set as a worker process, by the arguments of its command line: set, file, blocks."""
    Thread(target=_end_with_parent, daemon=True).start()
    image_set = open_icons(sys.argv[1])
    with open(sys.argv[2], "r+b", buffering=0) as file:
        for block in map(int, sys.argv[3].split(",")):
            _Layout(len(image_set.labels)).draw(file.fileno(), image_set, block)
