"""The test sets of the embedded world: drawn on demand, the same on every machine.

``icons``: 20 pictures of every concept; ``icons-tail``: 40 of each of the rarest fifth; ``icons-composition``: 10 of
every concept, in colours that no corpus pairs with it. Seeds are disjoint from those of the corpora.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cache import keys as cache_keys
from core.datasets.names import Names, Naming, name_classes
from core.frequency.icons import table
from core.icons.concepts import IconConcept, concepts, held_out
from core.icons.corpus import draw
from core.icons.render import SIZE, Drawing, contrasting_backgrounds, render
from core.stats import tags
from core.types import LeftOut, Progress, Report

RENDERER = 1
"""Raised whenever pictures change; the test against committed thumbnails fails when that is forgotten."""

_REPOSITORY = Path(__file__).resolve().parents[2]
_BLOCK = 200


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a test set is drawn.

    Attributes:
        title: what it is, in a few words.
        seed: first number of every picture's seed, unique to the set.
        per_concept: pictures of each concept.
        rarest_fifth: only the tail of the largest corpus, by icons drawn.
        held_out: colours from the held-out pairs instead of the seen ones.
    """

    title: str
    seed: int
    per_concept: int
    rarest_fifth: bool = False
    held_out: bool = False


RECIPES = {
    "icons": Recipe("Icons, balanced", 3, 20),
    "icons-tail": Recipe("Icons, the rarest fifth", 4, 40, rarest_fifth=True),
    "icons-composition": Recipe("Icons in colours never seen together", 5, 10, held_out=True),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class IconSet:
    """An ImageSet (see ``core.types``) of drawings; pictures are rendered when asked for, or all by ``prepare``."""

    id: str
    keys: Sequence[str]
    names: Sequence[str]
    labels: np.ndarray
    image_ids: Sequence[str]
    fingerprint: str
    note: str
    per_concept: int
    kind: str = "icons"
    templates: Sequence[str] = ()
    left_out: Sequence[LeftOut] = ()
    has_images: bool = True

    def drawing(self, index: int) -> Drawing:
        """What is on the picture at this index."""
        label, number = divmod(range(len(self.labels))[index], self.per_concept)
        return draw_one(self.id, self.keys[label], number)

    def image(self, index: int) -> Image.Image:
        """The picture at this index, RGB 64 x 64."""
        matrix = self._rendered()
        return render(self.drawing(index)) if matrix is None else Image.fromarray(matrix[index])

    def details(self, index: int) -> Mapping[str, Any]:
        """Colour, background, pattern and style of a picture, and whether a corpus pairs its colour and concept."""
        drawing = self.drawing(index)
        return {
            "colour": drawing.colour,
            "background": drawing.background,
            "pattern": drawing.pattern,
            "style": drawing.style,
            "seen_pair": (drawing.colour, drawing.key) not in held_out(),
        }

    @property
    def _file(self) -> Path:
        return cache_keys.root() / "icons" / f"{self.id}-{self.fingerprint[:12]}.npy"

    def prepare(self, report: Report) -> None:
        """Render all pictures into the cache with all cores, unless they are there: uint8 [n, 64, 64, 3]."""
        n, matrix = len(self.labels), self._rendered()
        sampled = (0, n // 2, n - 1)
        if matrix is None or any((matrix[i] != np.asarray(render(self.drawing(i)))).any() for i in sampled):
            _render_all(self.id, n, self._file, report)

    def _rendered(self) -> np.ndarray | None:
        """All pictures, memory-mapped, or None until they are there and whole."""
        try:
            matrix = _map(str(self._file), self._file.stat().st_mtime_ns)
        except (OSError, ValueError):
            return None
        whole = matrix.dtype == np.uint8 and matrix.shape == (len(self.labels), SIZE, SIZE, 3)
        return matrix if whole else None


def open_icons(id: str, *, names: Names = None, naming: Naming = "shown") -> IconSet:
    """The built-in set of this id; its class keys are the icons' keys in Font Awesome."""
    recipe, drawn = RECIPES[id], _concepts_of(id)
    keys, n = [concept.key for concept in drawn], recipe.per_concept
    readable, _ = name_classes(keys, names, naming=naming, own=[concept.name for concept in drawn])
    return IconSet(
        id=id,
        keys=keys,
        names=readable,
        labels=np.repeat(np.arange(len(keys), dtype=np.int64), n),
        image_ids=[f"{key}/{number}" for key in keys for number in range(n)],
        fingerprint=_fingerprint(id),
        note=f"{recipe.title}: {n} drawings of each of {len(keys)} concepts, the same on every machine.",
        per_concept=n,
    )


@cache
def _concepts_of(id: str) -> tuple[IconConcept, ...]:
    if not RECIPES[id].rarest_fifth:
        return concepts()
    tag = tags(table("icons-200k", "image").counts)
    return tuple(concept for concept in concepts() if tag[concept.key] == "tail")


@cache
def _index() -> dict[str, int]:
    return {concept.key: index for index, concept in enumerate(concepts())}


def draw_one(id: str, key: str, number: int) -> Drawing:
    """The drawing ``key/number`` of a built-in set; it depends on nothing else."""
    recipe, index = RECIPES[id], _index()[key]
    seed = (recipe.seed, index, number)
    rng = np.random.default_rng([2, *seed])
    drawing = draw(concepts()[index], rng, seed)
    if not recipe.held_out:
        return drawing
    colours = _held_out_colours()[key]
    colour = colours[int(rng.integers(len(colours)))]
    backgrounds = contrasting_backgrounds(colour)
    return replace(drawing, colour=colour, background=backgrounds[int(rng.integers(len(backgrounds)))])


@cache
def _held_out_colours() -> dict[str, list[str]]:
    colours: dict[str, list[str]] = {}
    for colour, key in sorted(held_out()):
        colours.setdefault(key, []).append(colour)
    return colours


@cache
def _fingerprint(id: str) -> str:
    recipe, keys = RECIPES[id], [concept.key for concept in _concepts_of(id)]
    sample = [repr(draw_one(id, key, recipe.per_concept - 1)) for key in keys[::5]]
    return cache_keys.digest({"set": id, "renderer": RENDERER, "n": recipe.per_concept, "keys": keys, "sample": sample})


@lru_cache(maxsize=4)
def _map(path: str, changed: int) -> np.ndarray:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _render_all(id: str, n: int, target: Path, report: Report) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(suffix=".part", dir=target.parent)
    os.close(handle)
    half_done = Path(name)
    # Plain processes: multiprocessing would import the caller's __main__ (under Streamlit, a page) in every worker.
    edges = np.linspace(0, n, (os.cpu_count() or 1) + 1).astype(int)
    workers = []
    try:
        np.lib.format.open_memmap(half_done, mode="w+", dtype=np.uint8, shape=(n, SIZE, SIZE, 3)).flush()
        for start, stop in pairwise(edges[1:]):
            command = [sys.executable, "-m", "core.datasets.icons", id, name, str(start), str(stop)]
            workers.append(subprocess.Popen(command, cwd=_REPOSITORY, stdin=subprocess.DEVNULL))
        for done in _render_part(id, half_done, 0, int(edges[1])):
            report(Progress(done * len(edges[1:]), n, f"Drawing {id}"))
        for worker, (start, stop) in zip(workers, pairwise(edges[1:]), strict=True):
            if worker.wait():
                for _ in _render_part(id, half_done, int(start), int(stop)):
                    report(Progress(0, 0, f"Drawing {id}"))
        with half_done.open("rb") as file:
            os.fsync(file.fileno())
        half_done.replace(target)
    finally:
        for worker in workers:
            with suppress(OSError):
                worker.kill()
            worker.wait()
        half_done.unlink(missing_ok=True)


def _render_part(id: str, file: Path, start: int, stop: int) -> Iterator[int]:
    """Render rows start to stop into the matrix, yielding how many are done after every block."""
    image_set = open_icons(id)
    matrix = np.lib.format.open_memmap(file, mode="r+")
    for first in range(start, stop, _BLOCK):
        for index in range(first, min(first + _BLOCK, stop)):
            matrix[index] = render(image_set.drawing(index))
        yield min(first + _BLOCK, stop) - start
    matrix.flush()


if __name__ == "__main__":
    for _ in _render_part(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])):
        pass
