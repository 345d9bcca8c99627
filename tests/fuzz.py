"""Fuzz targets: one for each reader of files from elsewhere. ``make fuzz SECONDS=600`` runs them for as long as wished.

A target takes bytes and may raise ``TailscopeError`` only. Inputs are those of its corpus, mutated: bytes flipped, cut,
repeated, swapped, and pieces that broke a reader once put in.
"""

from __future__ import annotations

import io
import json
import random
import sys
import tarfile
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from core.counting import names as concepts
from core.datasets import open_set
from core.datasets.formats import objectnet, ytbbrobust
from core.datasets.formats.columns import read_columns
from core.datasets.io.picture import safe_open
from core.datasets.names import read_names
from core.deck.deck import from_json
from core.errors import TailscopeError
from core.frequency import counted
from core.models import model_config
from core.prompts.files import read_lists
from core.prompts.generate.run import _records
from core.published import runs
from core.published.sources import read_files
from core.robustness.records import read_records
from core.robustness.shifts.baselines import read_baselines
from core.robustness.shifts.overlap import read_ids

PIECES = (
    b"9" * 5000, b"1e999", b"-Infinity", b"NaN", b"[" * 3000, b"(" * 3000, b'{"a":' * 3000, b"\xff\xfe", b"\xed\xa0",
    b"\0", b"null", b"[]", b"{}", b'"', b",", b"\n", b"\r", b"-1", b"1.5", b"true", "\u2028ж\U0001f600".encode(),
    b"..", b"",
)  # fmt: skip
"""What readers met before: numbers of absurd length, infinities, deep nesting, bytes that are no UTF-8."""


@dataclass(frozen=True)
class Target:
    """A reader: files of its corpus, what the file is called, and the function that reads it."""

    corpus: Sequence[bytes]
    name: str
    read: Callable[[Path], Any]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes after one to four changes."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, size = rng.randint(0, len(found)), rng.choice((1, 4, 16, 64))
        change = rng.randrange(6)
        if change == 0:
            for place in range(at, min(at + size, len(found))):
                found[place] = rng.randrange(256)
        elif change == 1:
            del found[at : at + size * 4]
        elif change == 2:
            del found[at:]
        elif change == 3:
            found[at:at] = found[at : at + size] * rng.randint(1, 50)
        else:
            end = at + rng.choice((0, 0, 1, 4, size))
            found[at:end] = rng.choice(PIECES)
    return bytes(found)


def tried(target: Target, data: bytes, folder: Path) -> str:
    """How reading ended: nothing, or the traceback of what is no sentence."""
    path = folder / target.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    try:
        target.read(path)
    except TailscopeError:
        pass
    except Exception:
        return traceback.format_exc()
    return ""


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _parquet(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer)
    return buffer.getvalue()


def _picture(format: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 7), (200, 30, 9)).save(buffer, format)
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in (("0.png", _picture("PNG")), ("0.cls", b"0"), ("é" * 120 + ".txt", b"a")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.eye(3, dtype=np.float32))
    return buffer.getvalue()


def _embeddings(path: Path) -> Any:
    table = path.parent.parent / "metadata" / "metadata_0.parquet"
    table.parent.mkdir(exist_ok=True)
    if not table.exists():
        table.write_bytes(_parquet(image_path=["a/1.png", "a/2.png", "b/3.png"], label=["a", "a", "b"]))
    return open_set(path.parent.parent, fresh=True)


def _beside(path: Path) -> Any:
    (path.parent / "data").mkdir(exist_ok=True)
    (path.parent / "data" / "a.png").write_bytes(_picture("PNG"))
    return open_set(path.parent, fresh=True)


def _objectnet(path: Path) -> Any:
    """The four lists of ObjectNet are one JSON object here, so that any of them may be what is damaged."""
    top = path.parent / "objectnet"
    (top / "images" / "chair").mkdir(parents=True, exist_ok=True)
    (top / "images" / "chair" / "a.png").write_bytes(_picture("PNG"))
    lists = path.read_bytes().split(b"\n\n")
    (top / "mappings").mkdir(exist_ok=True)
    for name, data in zip((objectnet.FOLDERS, *objectnet._FILES), lists, strict=False):
        (top / "mappings" / name).write_bytes(data)
    return objectnet._imagenet_groups(top / "mappings") and open_set(top, fresh=True)


def _video(path: Path) -> Any:
    top = path.parent / "video"
    (top / "metadata").mkdir(parents=True, exist_ok=True)
    (top / "v").mkdir(exist_ok=True)
    (top / "v" / "000000.jpg").write_bytes(_picture("JPEG"))
    for name, data in zip(("pmsets.json", "labels.json"), path.read_bytes().split(b"\n\n"), strict=False):
        (top / "metadata" / name).write_bytes(data)
    return open_set(top, fresh=True)


def _counted(path: Path) -> Any:
    counted._read.cache_clear()
    return counted._read(str(path), ())


_CONFIG = {
    "model_cfg": {"embed_dim": 8, "vision_cfg": {"layers": 1, "width": 8, "patch_size": 16}, "text_cfg": {"width": 8}},
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "size": 32},
}
_REPLY = _json({"question": "q", "settings": {}, "model": "m", "texts": ["a"], "finish": [], "usage": {}}) + b"\n"
_SCORES = [{"model": "m", "set": "s", "condition": "c", "n": 9, "acc1": 0.5, "low": 0.1, "high": 0.9, "prompts": "p"}]

_OBJECTNET = b"\n\n".join(
    (_json({"chair": "Chair"}), _json({"Chair": "tench; shark"}), _json({"0": 0, "1": 1}), b"tench\nshark\n")
)
_YTBB = _json({"labels": ["similar", "bad-anchor"], "annotations": [{"key": "a,b", "labels": [0, 1]}]})
_DECK = _json({"format": "tailscope-deck", "version": 1, "title": "t", "slides": []})
_LISTS = [_json({"classes": ["x", "y"], "labels": {"a": 1}}), _json({"a": "x"})]
_COUNTS = _parquet(
    concept=["a"], count=[1], status=["ok"], query=["a"], text=[1], image=[None], integrated=[None]
)  # fmt: skip
_TABLE = _parquet(path=["a.png", "b"], label=[1, 2], x=[[1], [2, 3]])


def _set(path: Path) -> Any:
    return open_set(path.parent, fresh=True)


TARGETS = {
    **{f"picture {kind}": Target([_picture(kind)], "a", safe_open) for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF")},
    "csv": Target([b"path,label\na.png,ant\nb.png,bee\n", b"path\tn\na.png\t1.0\n"], "t.csv", read_columns),
    "jsonl": Target([b'{"path":"a.png","label":"ant"}\n{"path":"b","label":3}\n'], "t.jsonl", read_columns),
    "parquet": Target([_TABLE, _TABLE.replace(b"label", b"\xff\xfebel")], "t.parquet", read_columns),
    "shard": Target([_parquet(image=[_picture("PNG")] * 2, label=["a", "b"])], "s/test.parquet", _set),
    "tar": Target([_tar()], "s/0.tar", _set),
    "npy": Target([_npy()], "s/img_emb/img_emb_0.npy", _embeddings),
    "list beside": Target(_LISTS, "s/labels.json", _beside),
    "objectnet": Target([_OBJECTNET, _OBJECTNET.replace(b": 0", b": Infinity")], "o/lists", _objectnet),
    "video": Target([_json({"v/0.jpg": ["v/0.jpg"]}) + b"\n\n" + _json({"v/0.jpg": [1]})], "v/lists", _video),
    "annotations": Target([_YTBB, _YTBB.replace(b"[0", b"[Infinity")], "a.json", ytbbrobust._annotations),
    "names": Target([_json({"a": "x", "0": ["n01", "y"]}), _json(["a", "b"])], "n.json", read_names),
    "prompts": Target([_json({"ant": ["an ant"], "bee": "a bee"}), _json({"d": {"ant": ["x"]}})], "p.json", read_lists),
    "replies": Target([_REPLY * 3], "r.jsonl", lambda path: list(_records(path))),
    "configuration": Target([_json(_CONFIG)], "open_clip_config.json", model_config.read),
    "concepts": Target([_json({"ant": 3}), _json(["ant"])], "c.json", lambda path: concepts.concepts(str(path))),
    "results": Target(
        [_json({"m": {"full": 50, "classwise": {"a": 50.0}}})], "r.json", lambda path: runs.read(path.read_bytes(), "r")
    ),
    "records": Target([_json(_SCORES)], "r.json", read_records),
    "baselines": Target([b"model,imagenet,v2\na,0.5,0.4\nb,0.6,0.5\n"], "b.csv", read_baselines),
    "ids": Target([b"image\na.png\nb.png\n"], "i.csv", read_ids),
    "project": Target([_DECK], "d.json", lambda path: from_json(path.read_bytes())),
    "release": Target([_tar()], "r.tar", lambda path: list(read_files(path))),
    "counted": Target([_COUNTS], "c.parquet", _counted),
}


def main(seconds: float, seed: int) -> int:
    """Try inputs until the time is up; print and keep what is no sentence; the number of targets that failed."""
    rng, ends, failed, runs_done = random.Random(seed), time.monotonic() + seconds, set[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < ends:
            name = rng.choice(list(TARGETS))
            data = mutated(rng.choice(TARGETS[name].corpus), rng)
            said = tried(TARGETS[name], data, Path(folder) / name.replace(" ", "-"))
            runs_done += 1
            if said and name not in failed:
                failed.add(name)
                kept = Path(tempfile.gettempdir()) / f"fuzz-{name.replace(' ', '-')}-{seed}.bin"
                kept.write_bytes(data)
                print(f"{name}: {kept}\n{said}", flush=True)
    print(f"{runs_done:,} inputs over {len(TARGETS)} readers (seed {seed}): {len(failed)} readers failed")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 10**6) > 0)
