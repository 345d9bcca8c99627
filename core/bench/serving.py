"""Bench rows of what a server keeps in memory while people look at pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image

from cache import matrices, results
from core.bench import Row
from core.datasets.formats import icons
from core.errors import TailscopeError
from core.paths import IMPORT_ROOT
from core.types import Lens, silent

_SETS, _LOOKED_AT = 50, 10
_WARM = 20
_LIMIT = 256 << 20
_STATM = Path("/proc/self/statm")


def server_memory() -> list[Row]:
    """Growth of a process in which 500 pictures of 50 derived sets were looked at, against 256 MiB."""
    row = ("server_memory", "<=", 1.0, "256 MiB of growth", _SETS * _LOOKED_AT)
    if not _STATM.exists():
        return [Row(row[0], None, *row[1:], "the memory of a process can be read on Linux only")]
    ran = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import look; look()"],
        capture_output=True, text=True, check=False, cwd=IMPORT_ROOT,
    )  # fmt: skip
    if ran.returncode:
        return [Row(row[0], None, *row[1:], f"the process ended: {ran.stderr.strip()[-200:]}")]
    return [Row(row[0], json.loads(ran.stdout) / _LIMIT, *row[1:])]


def verification() -> list[Row]:
    """Share of a warm answer that goes into comparing what is read back with what was written.

    Both are processor time of one thread, so that what else the machine does counts on neither side.
    """
    from core.datasets import open_set
    from core.evaluation.evaluate import evaluate

    row = ("verification", "<=", 0.02, "a warm answer", _WARM)
    lens = Lens("icon-RN,icons-200k", "icons-tail", "class")
    spent, depth = [0.0], [0]
    checks = [(matrices, "file_version"), (matrices, "file_digest"), (matrices, "unsealed"), (results, "_checksum")]
    checks += [(icons, "is_sealed")]
    with ExitStack() as patched:
        for module, name in checks:
            patched.enter_context(patch.object(module, name, _timed(getattr(module, name), spent, depth)))
        try:
            images = open_set(lens.image_set)
            evaluate(lens, image_set=images)
        except TailscopeError as error:
            return [Row(row[0], None, *row[1:], str(error))]
        spent[0], begun = 0.0, time.thread_time()
        for _ in range(_WARM):
            evaluate(lens, image_set=images)
        return [Row(row[0], spent[0] / (time.thread_time() - begun), *row[1:])]


def _timed(check: Callable[..., Any], spent: list[float], depth: list[int]) -> Callable[..., Any]:
    """The function, adding the processor's seconds to ``spent``; a check within a check is counted once."""

    def measured(*args: object, **options: object) -> Any:
        begun = time.thread_time()
        depth[0] += 1
        try:
            return check(*args, **options)
        finally:
            depth[0] -= 1
            if not depth[0]:
                spent[0] += time.thread_time() - begun

    return measured


def look() -> None:
    """Print how many bytes this process grows by when its pictures are looked at; run it in a process of its own."""
    from core.datasets import open_set
    from core.robustness.corruptions.perturbations import PERTURBATIONS, sequences
    from core.runtime import thumbnails as thumbs
    from core.runtime.content import pictures_digest

    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photo"
        photos.mkdir()
        rng = np.random.default_rng(0)
        for number in range(_SETS + 1):
            noise = rng.integers(0, 256, (300, 400, 3), np.uint8)
            Image.fromarray(noise).save(photos / f"{number}.jpg", quality=90)
        images = open_set(folder)

        def look_at(row: int) -> None:
            derived = sequences(images, PERTURBATIONS[row % len(PERTURBATIONS)], [row])
            derived.prepare(silent)
            thumbs.publish(derived)
            for index in range(_LOOKED_AT):
                thumbs.thumbnail(pictures_digest(derived), index, thumbs.SIZES[1])

        look_at(_SETS)  # what is imported and allocated once does not count
        before = _resident()
        for row in range(_SETS):
            look_at(row)
        print(json.dumps(_resident() - before))


def _resident() -> int:
    return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
