"""Bench rows of what a server keeps in memory while people look at pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from core.bench import Row
from core.paths import IMPORT_ROOT
from core.types import silent

_SETS, _LOOKED_AT = 50, 10
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


def look() -> None:
    """Print how many bytes this process grows by when its pictures are looked at; run it in a process of its own."""
    from core.datasets import open_set
    from core.robustness.corruptions.perturbations import PERTURBATIONS, sequences
    from core.runtime import thumbnails as thumbs

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
                thumbs.thumbnail(derived.fingerprint, index, thumbs.SIZES[1])

        look_at(_SETS)  # what is imported and allocated once does not count
        before = _resident()
        for row in range(_SETS):
            look_at(row)
        print(json.dumps(_resident() - before))


def _resident() -> int:
    return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
