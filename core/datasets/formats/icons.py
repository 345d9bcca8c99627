"""The test sets of the embedded world: drawn on demand, the same on every machine.

What is on the pictures is decided in ``icon_recipes``; here they are rendered, one at a time or all at once.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from PIL import Image

from cache import keys as cache_keys
from cache.files import atomic_write, file_version, forget_checks, is_sealed, seal
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

_BLOCK = 200


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
            _render_all(self.id, n, self._file, report)

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


def _render_all(id: str, n: int, target: Path, report: Report) -> None:
    size = n * SIZE * SIZE * 3
    require_space(target.parent, size, f"Drawing {id}")
    # Plain processes: multiprocessing would import the caller's __main__ (under Streamlit, a page) in every worker.
    edges = np.linspace(0, n, (os.cpu_count() or 1) + 1).astype(int)
    workers: list[subprocess.Popen[bytes]] = []
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(target) as file:
            try:
                header = {"descr": "|u1", "fortran_order": False, "shape": (n, SIZE, SIZE, 3)}
                np.lib.format.write_array_header_1_0(file, header)
                file.flush()
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, file.tell() + size)
                for start, stop in pairwise(edges[1:]):
                    command = [
                        sys.executable,
                        "-c",  # -m would run a module that its package has imported already
                        f"from {__name__} import draw_part; draw_part()",
                        id,
                        file.name,
                        str(start),
                        str(stop),
                    ]
                    workers.append(subprocess.Popen(command, cwd=IMPORT_ROOT, stdin=subprocess.PIPE))
                for done in _render_part(id, Path(file.name), 0, int(edges[1])):
                    report(Progress(done * len(edges[1:]), n, f"Drawing {id}"))
                for worker, (start, stop) in zip(workers, pairwise(edges[1:]), strict=True):
                    if worker.wait():
                        for _ in _render_part(id, Path(file.name), int(start), int(stop)):
                            report(Progress(0, 0, f"Drawing {id}"))
                seal(file, name=target.name)
            finally:
                for worker in workers:
                    with suppress(OSError):
                        worker.kill()
                    worker.wait()
                    if worker.stdin:
                        worker.stdin.close()


def _render_part(id: str, path: Path, start: int, stop: int) -> Iterator[int]:
    """Render rows start to stop into the file, yielding how many are done after every block.

    It is written, not mapped: on a full disk a mapped page ends the process by a bus error.
    """
    image_set = open_icons(id)
    with path.open("r+b", buffering=0) as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        file.seek(start * SIZE * SIZE * 3, os.SEEK_CUR)
        for first in range(start, stop, _BLOCK):
            last = min(first + _BLOCK, stop)
            block = np.stack([np.asarray(image_set.render(index)) for index in range(first, last)]).tobytes()
            if file.write(block) != len(block):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(path))
            yield last - start


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
    """Draw a part of a set as a worker process, by the arguments of its command line: set, file, start, stop."""
    Thread(target=_end_with_parent, daemon=True).start()
    for _ in _render_part(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])):
        pass
