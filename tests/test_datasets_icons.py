from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cache.files import remove_orphans
from core.datasets import open_set
from core.datasets.formats.icons import RECIPES, verify_drawn
from core.errors import Stopped, StorageFault
from core.icons.concepts import concepts, held_out
from core.icons.corpus import drawn_labels
from core.types import Progress

ROOT = Path(__file__).resolve().parents[1]
THUMBNAILS = Path(__file__).parent / "data" / "icon_thumbs.png"
EACH = 6  # pictures of each set on the sheet; lossless, because the noise is part of the picture


def sheet() -> np.ndarray:
    """The pictures compared across machines, uint8 [sets, 6, 64, 64, 3]; run this file as a module to write them."""
    sets = [open_set(id) for id in RECIPES]
    spread = [np.linspace(0, len(image_set.labels) - 1, EACH).astype(int) for image_set in sets]
    return np.stack(
        [[np.asarray(s.image(int(index))) for index in indices] for s, indices in zip(sets, spread, strict=True)]
    )


def test_pictures_are_the_committed_ones():
    committed = np.asarray(Image.open(THUMBNAILS).convert("RGB"), float)
    committed = committed.reshape(len(RECIPES), 64, EACH, 64, 3).swapaxes(1, 2)
    drawn = sheet().astype(float)
    difference = np.abs(committed - drawn).mean((2, 3, 4))
    assert difference.max() <= 2, "pictures changed: raise RENDERER and run python -m tests.test_datasets_icons"
    moved = np.abs(np.roll(committed, 1, axis=1) - drawn).mean((2, 3, 4))
    assert moved.min() > 10  # the measure can tell pictures apart


@pytest.mark.parametrize(("id", "classes", "each"), [("icons", 586, 20), ("icons-tail", 117, 40)])
def test_sets_have_the_stated_size_and_only_seen_pairs(id, classes, each):
    found = open_set(id)
    assert found.kind == "icons"
    assert len(found.keys) == len(set(found.names)) == classes
    assert np.bincount(found.labels).tolist() == [each] * classes
    assert found.image_ids[each + 3] == f"{found.keys[1]}/3"
    for index in range(0, len(found.labels), 97):
        details = found.details(index)
        assert details["seen_pair"] is True
        assert (details["colour"], found.keys[found.labels[index]]) not in held_out()
        assert details["style"] in ("filled", "textured")


def test_composition_draws_only_held_out_pairs():
    found = open_set("icons-composition")
    assert (len(found.keys), len(found.labels)) == (586, 5860)
    for index in range(0, 5860, 53):
        assert (found.details(index)["colour"], found.keys[found.labels[index]]) in held_out()
        assert found.details(index)["seen_pair"] is False


def test_the_tail_is_the_rarest_fifth_of_the_largest_corpus():
    drawn = np.bincount(drawn_labels(0), minlength=586)
    keys = [concept.key for concept in concepts()]
    rarest = sorted(range(586), key=lambda index: (drawn[index], keys[index]))[:117]
    assert open_set("icons-tail").keys == [keys[index] for index in sorted(rarest)]


def test_names_are_readable_and_keys_are_kept():
    found = open_set("icons")
    by_key = {concept.key: concept.name for concept in concepts()}
    assert found.names == [by_key[key] for key in found.keys]
    assert open_set("icons", naming="released").names == found.keys
    assert open_set("icons", names={"dog": "hound"}).names[found.keys.index("dog")] == "hound"
    assert open_set("icons", names={"dog": "hound"}).fingerprint == found.fingerprint


def test_no_two_sets_share_a_picture_or_a_fingerprint():
    sets = [open_set(id) for id in RECIPES]
    assert len({image_set.fingerprint for image_set in sets}) == len(RECIPES)
    seeds = {image_set.drawing(5).seed for image_set in sets}
    assert len({seed[0] for seed in seeds}) == len(RECIPES)
    assert not {seed[0] for seed in seeds} & {1}
    assert open_set("icons").drawing(-1) == open_set("icons").drawing(11_719)


@pytest.mark.slow
def test_prepared_pictures_are_the_drawn_ones(monkeypatch, tmp_cache):
    monkeypatch.setattr("core.datasets.formats.icons.concepts_of", lambda id: concepts()[:30])
    found = open_set("icons-composition")
    drawn = [np.asarray(found.image(index)) for index in (0, 150, 299)]
    seen: list[Progress] = []
    found.prepare(seen.append)
    assert found._file.parent == tmp_cache / "icons"
    assert [path.name for path in found._file.parent.iterdir()] == [found._file.name]
    assert seen[-1].total == 300
    stored = np.load(found._file, mmap_mode="r")
    assert stored.shape == (300, 64, 64, 3)
    for index, picture in zip((0, 150, 299), drawn, strict=True):
        np.testing.assert_array_equal(np.asarray(found.image(index)), picture)
    # Read from the file, not drawn again:
    monkeypatch.setattr("core.datasets.formats.icons.render", None)
    np.testing.assert_array_equal(np.asarray(found.image(-1)), drawn[-1])


@pytest.mark.parametrize("damage", ["cut short", "other pixels", "other shape", "one bit of a picture"])
def test_a_damaged_file_is_drawn_again(monkeypatch, damage):
    monkeypatch.setattr("core.datasets.formats.icons.concepts_of", lambda id: concepts()[:10])
    found = open_set("icons-composition")
    drawn = np.asarray(found.image(50))
    found.prepare(lambda progress: None)
    if damage == "one bit of a picture":
        data = bytearray(found._file.read_bytes())
        data[1_000_000] ^= 1  # of a picture that no sample looks at
        found._file.write_bytes(data)
        np.testing.assert_array_equal(np.asarray(found.image(81)), np.asarray(found.render(81)))
        assert verify_drawn() == [f"The drawn pictures {found._file.stem} were damaged and will be drawn again."]
        assert not found._file.exists()
    elif damage == "cut short":
        found._file.write_bytes(found._file.read_bytes()[:-1])
    else:
        np.save(found._file, np.zeros((100 if damage == "other pixels" else 99, 64, 64, 3), np.uint8))
    found.prepare(lambda progress: None)
    np.testing.assert_array_equal(np.asarray(found.image(50)), drawn)
    np.testing.assert_array_equal(np.load(found._file)[50], drawn)
    np.testing.assert_array_equal(np.asarray(found.image(81)), np.asarray(found.render(81)))
    assert verify_drawn() == []


@pytest.mark.parametrize("damaged", [False, True])
def test_a_stopped_preparation_goes_on_where_it_was(monkeypatch, tmp_cache, damaged):
    monkeypatch.setattr("core.datasets.formats.icons.concepts_of", lambda id: concepts()[:30])
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # no workers: they would draw at their own pace
    found = open_set("icons-composition")
    part = tmp_cache / "icons" / f"{found._file.name}.part"

    def stop(progress: Progress) -> None:
        if progress.done:
            raise Stopped("stopped")

    with pytest.raises(Stopped):
        found.prepare(stop)
    assert list(part.parent.iterdir()) == [part]
    if damaged:
        with part.open("r+b") as file:
            file.seek(1_000_000)
            file.write(b"?")
    drawn: list[int] = []
    own = type(found).render
    monkeypatch.setattr(type(found), "render", lambda self, index: drawn.append(index) or own(self, index))
    found.prepare(lambda progress: None)
    assert drawn == list(range(0 if damaged else 100, 300))
    assert [path.name for path in part.parent.iterdir()] == [found._file.name]
    for index in (0, 81, 150, 299):
        np.testing.assert_array_equal(np.load(found._file)[index], np.asarray(own(found, index)))


PREPARE = """
import resource, sys
from core.datasets import open_set
from core.errors import StorageFault
limit = int(sys.argv[1])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    open_set("icons-composition").prepare(lambda progress: None)
except StorageFault as error:
    print(error)
"""


def prepare(cache: Path, *, limit: int = 0) -> str:
    """What a process says that draws a set of 72 MB into this cache; its files may have ``limit`` bytes."""
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, str(limit)],
        cwd=ROOT, env={**os.environ, "TAILSCOPE_CACHE": str(cache)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.mark.parametrize("limit", [1, 10_000, 8 << 20, 5860 * 64 * 64 * 3])
def test_a_limit_on_files_is_a_sentence_and_leaves_nothing(tmp_cache, limit):
    assert f"no space left for {tmp_cache / 'icons'}" in prepare(tmp_cache, limit=limit)
    assert list((tmp_cache / "icons").iterdir()) == []


def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not permitted here")
    try:
        said = prepare(disk / "cache")
        assert f"needs 72.0 MB in {disk / 'cache' / 'icons'}, and 8.4 MB are free there" in said
        assert not list(disk.rglob("*.npy*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("refusing", ["posix_fallocate", "fsync"])
def test_a_disk_that_refuses_later_leaves_nothing(monkeypatch, tmp_cache, refusing, code):
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("core.datasets.formats.icons.concepts_of", lambda id: concepts()[:3])
    monkeypatch.setattr(os, refusing, refuse)
    with pytest.raises(StorageFault, match=str(tmp_cache)):
        open_set("icons-composition").prepare(lambda progress: None)
    assert list((tmp_cache / "icons").iterdir()) == []


def test_a_killed_parent_leaves_no_worker_and_what_was_drawn(tmp_cache):
    script = """
import subprocess, sys, time
from core.datasets import open_set
start = subprocess.Popen.__init__
def told(self, *args, **options):
    start(self, *args, **options)
    print(self.pid, flush=True)
subprocess.Popen.__init__ = told
def wait(progress):
    print("drawing", flush=True)
    sys.stdin.read()
open_set("icons").prepare(wait)
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        workers = []
        while (line := parent.stdout.readline()) != "drawing\n":
            workers.append(int(line))
        parent.kill()
    deadline = time.monotonic() + 60
    while any(map(is_running, workers)):
        assert time.monotonic() < deadline, "a worker outlives its parent"
        time.sleep(0.01)
    assert [path.suffix for path in (tmp_cache / "icons").iterdir()] == [".part"]
    remove_orphans(tmp_cache)  # what was drawn is kept
    assert len(list((tmp_cache / "icons").iterdir())) == 1


def is_running(process: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


if __name__ == "__main__":
    THUMBNAILS.parent.mkdir(exist_ok=True)
    rows = sheet().swapaxes(1, 2).reshape(len(RECIPES) * 64, EACH * 64, 3)
    Image.fromarray(rows).save(THUMBNAILS, optimize=True)
