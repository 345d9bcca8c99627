"""Sets as large as the field's: ``python -m pages.bench.whole_sets FOLDER`` makes them and measures commands and pages.

The first is as large as ImageNet's validation set, 50,000 JPEG files in 1,000 classes: 250 photos made here under 200
names each (hard links, so that the disk holds 250). The second is as large as Let It Wag!: 130,500 saved vectors of 290
classes. Prompts are CLIP's 80 templates. No row of the bench: it takes from ten minutes to an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from core import __name__ as COMMANDS
from core.bench.encoding import write_photos
from core.bench.server import serving
from core.datasets.names import imagenet_classes
from pages.bench.visitors import PATIENCE, run_page
from pages.registry import PAGES

MODEL = "icon-RN,icons-200k"
_PHOTOS, _VECTORS, _CONCEPTS = 250, 130_500, 290


def pictures(folder: Path, n: int) -> Path:
    """A folder of n JPEG files in ImageNet's classes; what is there is kept."""
    made = folder / "imagenet"
    if not made.exists():
        source = folder / "photos"
        source.mkdir(parents=True)
        write_photos(source, _PHOTOS)
        photos, classes = sorted(source.glob("*/*.jpg")), imagenet_classes()
        for wnid, _ in classes:
            (made / wnid).mkdir(parents=True)
        for index in range(n):
            wnid = classes[index % len(classes)][0]
            os.link(photos[index % _PHOTOS], made / wnid / f"ILSVRC2012_val_{index + 1:08d}.JPEG")
    return made


def vectors(folder: Path, n: int, dim: int) -> Path:
    """Saved unit vectors of n pictures that are not there, in clip-retrieval's layout; what is there is kept."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = folder / "letitwag"
    if not made.exists():
        (made / "img_emb").mkdir(parents=True)
        (made / "metadata").mkdir()
        rows = np.random.default_rng(0).normal(size=(n, dim)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        np.save(made / "img_emb" / "img_emb_0.npy", rows.astype(np.float16))
        names = [name for _, name in imagenet_classes()[:_CONCEPTS]]
        table = {
            "image_path": [f"{row}.jpg" for row in range(n)],
            "label": [names[row % len(names)] for row in range(n)],
        }
        pq.write_table(pa.table(table), made / "metadata" / "metadata_0.parquet")
    return made


def command(arguments: Sequence[str], cache: Path) -> str:
    """Clock and processor seconds and peak memory of a command, as cells of a table."""
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", COMMANDS, *arguments],
        env=os.environ | {"TAILSCOPE_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    clock = time.perf_counter() - started
    told = "" if not child.returncode else f" (exit {child.returncode})"
    return f"{clock:.0f} | {used.ru_utime + used.ru_stime:.0f} | {used.ru_maxrss / 2**10:,.0f}{told}"


def pages_of(images: Path, cache: Path) -> Iterator[str]:
    """Each page over a set: seconds of its first run and of the second in the same session."""
    query = urllib.parse.urlencode({"model": MODEL, "set": str(images), "prompts": "ensemble"})
    os.environ["TAILSCOPE_DATA_ROOTS"] = str(images.parent)
    with serving(cache=cache) as server:
        for page in PAGES:
            first, again, errors = asyncio.run(_twice(server.url, page.id, query))
            yield f"{page.id} | {first:.1f} | {again:.1f} | {'; '.join(errors)[:80]}"


async def _twice(url: str, page: str, query: str) -> tuple[float, float, list[str]]:
    from websockets.asyncio.client import connect
    from websockets.typing import Subprotocol

    waits, errors = [], []
    async with connect(
        f"ws://{urllib.parse.urlsplit(url).netloc}/_stcore/stream", subprotocols=[Subprotocol("streamlit")],
        max_size=None, proxy=None, open_timeout=PATIENCE, compression=None,
    ) as socket:  # fmt: skip
        for _ in range(2):
            began = time.perf_counter()
            try:
                errors += await asyncio.wait_for(run_page(socket, page, query), PATIENCE)
            except TimeoutError:
                errors.append(f"no end within {PATIENCE:.0f} s")
            waits.append(time.perf_counter() - began)
    return waits[0], waits[1], errors


def measure(folder: Path, n: int) -> Iterator[str]:
    """Lines of two tables: commands (clock s, processor s, peak MiB) and pages (first run s, again s)."""
    folder.mkdir(parents=True, exist_ok=True)
    images, cache = pictures(folder, n), folder / "cache"
    yield f"{n:,} files in {images}, load {os.getloadavg()[0]:.0f}"
    for name, arguments in (
        ("embed", ["embed", MODEL, str(images)]),
        ("evaluate, 80 templates, first", _evaluate(images, "ensemble")),
        ("evaluate, 80 templates, again", _evaluate(images, "ensemble")),
        ("evaluate, a new template", _evaluate(images, "a drawing of {c}")),
        ("curve, cached", ["curve", MODEL, str(images), "--prompts", "ensemble"]),
    ):
        yield f"{name} | {command(arguments, cache)}"
    yield f"cache: {_bytes(cache) / 2**20:,.0f} MiB"
    yield from pages_of(images, cache)
    saved = vectors(folder, _VECTORS, _dim())
    for name in ("first", "again"):
        yield f"saved vectors, evaluate, {name} | {command(_evaluate(saved, 'ensemble'), cache)}"
    yield f"saved vectors, a new template | {command(_evaluate(saved, 'a drawing of {c}'), cache)}"
    yield f"cache: {_bytes(cache) / 2**20:,.0f} MiB, load {os.getloadavg()[0]:.0f}"
    yield from pages_of(saved, cache)


def _evaluate(images: Path, prompts: str) -> list[str]:
    return ["evaluate", MODEL, str(images), "--prompts", prompts]


def _dim() -> int:
    from core.models.encoder import load_encoder

    return load_encoder(MODEL).dim


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Print the lines as they are measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=50_000)
    given = parser.parse_args()
    for line in measure(given.folder.absolute(), given.pictures):
        print(line, flush=True)


if __name__ == "__main__":
    main()
