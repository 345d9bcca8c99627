"""What ends an embedding run and what skips a picture: faults of the machine against faults of the content."""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cache import keys
from cache.matrices import MatrixStore
from core import faults
from core.datasets import open_set
from core.errors import FileChanged, ReadFailed, StorageFault, UnreadableData
from core.evaluation import embed, embedding_run
from core.evaluation.embed import embed_images
from tests.fakes import FakeEncoder, FakeImageSet


@pytest.fixture
def store() -> MatrixStore:
    return MatrixStore(keys.root() / "embeddings")


def photos(folder: Path, n: int = 12, suffix: str = "png") -> Path:
    """A set of two classes of noisy photos, each larger than what a fingerprint samples."""
    rng = np.random.default_rng(0)
    for index in range(n):
        file = folder / f"class{index % 2}" / f"{index:02d}.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)).save(file)
    return folder


def damage(file: Path) -> bytes:
    """Make a picture undecodable, in the middle and without changing its size; returns what it was."""
    sound = file.read_bytes()
    middle = len(sound) // 2
    file.write_bytes(sound[:middle] + bytes(200) + sound[middle + 200 :])
    return sound


def raising(error: Exception) -> Callable[[int], Image.Image]:
    def image(index: int) -> Image.Image:
        raise error

    return image


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.EIO, "Input/output error", "/photos/1.jpg"),
        OSError(errno.ESTALE, "Stale file handle"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/photos/1.jpg"),
        PermissionError(errno.EACCES, "Permission denied", "/photos/1.jpg"),
        OSError(errno.EMFILE, "Too many open files"),
        MemoryError(),
        ReadFailed("1.jpg cannot be read: stale file handle."),
    ],
)
@pytest.mark.parametrize("at", [0, 7, 29])
def test_a_fault_of_the_machine_ends_the_run_and_skips_nothing(store, monkeypatch, fault, at):
    image_set, encoder = FakeImageSet(n=30, broken=(3,)), FakeEncoder()
    load = image_set.image
    monkeypatch.setattr(image_set, "image", lambda index: raising(fault)(index) if index == at else load(index))
    with pytest.raises(StorageFault, match="No image was skipped for it") as raised:
        embed_images(encoder, image_set, store, batch=4, shard_rows=10, workers=1)
    assert image_set.id in str(raised.value)
    assert str(store.folder) in str(raised.value)
    monkeypatch.setattr(image_set, "image", load)
    resumed = FakeEncoder()
    found = embed_images(resumed, image_set, store, batch=4, shard_rows=10, workers=1)
    assert [item.item for item in found.left_out] == [image_set.image_ids[3]]
    assert encoder.images_encoded + resumed.images_encoded == 29, "something was computed twice"


def test_a_folder_that_goes_away_during_the_run_spoils_nothing(store, tmp_path):
    image_set = open_set(str(photos(tmp_path / "set")))
    away = tmp_path / "elsewhere"
    (tmp_path / "set" / "class1").rename(away)
    with pytest.raises(StorageFault, match="no such file"):
        embed_images(FakeEncoder(), image_set, store, batch=4)
    away.rename(tmp_path / "set" / "class1")
    found = embed_images(FakeEncoder(), image_set, store, batch=4)
    assert found.left_out == ()
    assert len(found.rows) == 12


def test_a_shard_that_goes_away_during_the_run_spoils_nothing(store, tmp_path):
    folder = photos(tmp_path / "photos")
    shard = tmp_path / "wds" / "test" / "0.tar"
    shard.parent.mkdir(parents=True)
    with tarfile.open(shard, "w") as tar:
        for index, file in enumerate(sorted(folder.rglob("*.png"))):
            label = tmp_path / "label"
            label.write_text(str(index % 2))
            tar.add(file, f"{index:03d}.png")
            tar.add(label, f"{index:03d}.cls")
    image_set = open_set(str(tmp_path / "wds"))
    sound = shard.read_bytes()
    for spoil in (shard.unlink, lambda: shard.write_bytes(sound[: len(sound) // 2])):
        spoil()
        with pytest.raises(StorageFault, match=r"0\.tar"):
            embed_images(FakeEncoder(), image_set, store, batch=4)
        shard.write_bytes(sound)
    found = embed_images(FakeEncoder(), open_set(str(tmp_path / "wds")), store, batch=4)
    assert (found.left_out, len(found.rows)) == ((), 12)


def test_a_picture_written_after_its_set_was_opened_is_no_part_of_it(store, tmp_path):
    """Else its vector would stand under the digest of the former picture for ever."""
    folder = photos(tmp_path / "set")
    whole = embed_images(FakeEncoder(), open_set(str(folder)), MatrixStore(tmp_path / "reference"))
    image_set, file = open_set(str(folder)), folder / "class1" / "07.png"
    former = file.read_bytes()
    Image.new("RGB", (8, 8), (200, 0, 0)).save(file)
    found = embed_images(FakeEncoder(), image_set, store)
    assert [item.item for item in found.left_out] == ["class1/07.png"]
    with pytest.raises(FileChanged, match="after the set was opened"):
        image_set.preview(list(image_set.image_ids).index("class1/07.png"), 64)
    file.write_bytes(former)
    again = embed_images(FakeEncoder(), open_set(str(folder)), store)
    assert again.left_out == ()
    np.testing.assert_array_equal(again.vectors, whole.vectors)


def test_a_picture_that_is_damaged_is_skipped_until_its_file_changes(store, tmp_path):
    folder = photos(tmp_path / "set")
    file = folder / "class1" / "07.png"
    whole = embed_images(FakeEncoder(), open_set(str(folder)), MatrixStore(tmp_path / "reference"), shard_rows=4)
    sound = damage(file)
    image_set, encoder = open_set(str(folder)), FakeEncoder()
    for _ in range(2):
        found = embed_images(encoder, image_set, store, shard_rows=4)
        assert [item.item for item in found.left_out] == ["class1/07.png"]
    assert encoder.images_encoded == 11, "a picture that is still damaged costs nothing"
    os.utime(file, (1, 1))  # touched, with the same content
    assert embed_images(encoder, image_set, store, shard_rows=4).left_out == found.left_out
    assert encoder.images_encoded == 11
    assert embed.version_of(store, found.key, image_set) == store.version(found.key)

    file.write_bytes(sound)
    mended = open_set(str(folder))
    assert mended.fingerprint == image_set.fingerprint, "the change is not one that makes it another set"
    assert embed.version_of(store, found.key, mended) is None, "answers made without it no longer hold"
    found = embed_images(encoder, mended, store, shard_rows=4)
    assert found.left_out == ()
    np.testing.assert_array_equal(found.vectors, whole.vectors)
    assert encoder.images_encoded == 11 + 4, "only the shard with the picture is computed again"
    assert store.verify_all() == {}


def test_a_picture_that_is_edited_in_its_middle_is_embedded_again(store, tmp_path):
    folder = photos(tmp_path / "set", suffix="bmp")
    file, encoder = folder / "class1" / "07.bmp", FakeEncoder()
    first = embed_images(encoder, open_set(str(folder)), store, shard_rows=4)
    os.utime(file)  # touched, with the same content
    assert embed_images(encoder, open_set(str(folder)), store, shard_rows=4).key == first.key
    assert encoder.images_encoded == 12
    before = np.array(first.vectors)

    damage(file)
    edited = open_set(str(folder))
    assert embed.version_of(store, first.key, edited) is None, "answers made from the earlier picture no longer hold"
    found = embed_images(encoder, edited, store, shard_rows=4)
    assert found.key == first.key, "the change is not one that makes it another set"
    assert encoder.images_encoded == 12 + 4, "only the shard with the picture is computed again"
    assert np.flatnonzero((found.vectors != before).any(axis=1)).tolist() == [edited.image_ids.index("class1/07.bmp")]
    again = open_set(str(folder))
    assert embed.version_of(store, first.key, again) == store.version(first.key)
    assert embed_images(encoder, again, store, shard_rows=4).key == first.key
    assert encoder.images_encoded == 16


def test_a_damaged_picture_replaced_by_another_damaged_one_is_tried_once(store, tmp_path):
    folder = photos(tmp_path / "set", n=3)
    file = folder / "class1" / "01.png"
    sound, encoder = damage(file), FakeEncoder()
    image_set = open_set(str(folder))
    embed_images(encoder, image_set, store)
    file.write_bytes(sound[:500] + bytes(len(sound) - 1600) + sound[-1100:])
    for _ in range(3):
        assert len(embed_images(encoder, image_set, store).left_out) == 1
    assert encoder.images_encoded == 2 + 2


def test_a_record_without_the_state_of_its_file_is_tried_again(store, monkeypatch):
    image_set, encoder = FakeImageSet(n=6, broken=(1, 4)), FakeEncoder()
    with monkeypatch.context() as older:
        older.setattr(embedding_run, "_state", lambda image_set, row: None)
        key = embed_images(encoder, image_set, store).key
    meta = {**store.meta(key), "left_out": [entry[:3] for entry in store.meta(key)["left_out"]]}
    vectors = np.array(store.open(key))
    writer = store.writer(key, shards=1)
    writer.write(0, vectors, {"seen": 6, "left_out": meta["left_out"]})
    writer.finish(meta)
    image_set.broken = set()
    assert embed_images(encoder, image_set, store).left_out == ()


def test_only_one_of_many_reasons_is_content(tmp_path):
    file = photos(tmp_path / "set", n=1) / "class0" / "00.png"
    image_set = open_set(str(tmp_path / "set"))
    damage(file)
    with pytest.raises(UnreadableData) as content:
        image_set.image(0)
    assert not isinstance(content.value, ReadFailed)
    file.unlink()
    with pytest.raises(ReadFailed, match="no such file"):
        image_set.image(0)
    file.symlink_to(file)
    with pytest.raises(ReadFailed, match="symbolic link"):
        image_set.image(0)


def test_memory_that_a_picture_does_not_need_is_its_own_fault(tmp_path, monkeypatch):
    photos(tmp_path / "set", n=1)
    image_set = open_set(str(tmp_path / "set"))

    def out_of_memory(picture: Image.Image) -> Image.Image:
        raise MemoryError

    monkeypatch.setattr("core.datasets.io.picture._rgb", out_of_memory)
    with pytest.raises(UnreadableData, match="more memory than its pixels need") as content:
        image_set.image(0)
    assert not isinstance(content.value, ReadFailed)
    monkeypatch.setattr("core.datasets.io.picture._can_allocate", lambda size: False)
    with pytest.raises(ReadFailed, match="too little memory"):
        image_set.image(0)


# --- the disk that is written to ---


def test_too_small_a_disk_is_found_before_anything_is_embedded(store, monkeypatch):
    monkeypatch.setattr(faults, "free_bytes", lambda folder: 100)
    encoder = FakeEncoder()
    with pytest.raises(StorageFault, match=r"needs 4 kB in .*embeddings, and 0 kB are free"):
        embed_images(encoder, FakeImageSet(), store)
    assert encoder.images_encoded == 0


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("refused", [1, 2, 3, 4, 5])
def test_a_disk_that_refuses_ends_the_run_with_a_sentence_and_it_goes_on_later(store, monkeypatch, code, refused):
    image_set, sync, calls = FakeImageSet(n=30), os.fsync, [0]

    def full(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] >= refused:
            raise OSError(code, os.strerror(code))
        sync(descriptor)

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(StorageFault, match=str(store.folder)):
            embed_images(FakeEncoder(), image_set, store, batch=5, shard_rows=10)
    assert not list(store.folder.rglob("*.tmp"))
    found = embed_images(FakeEncoder(), image_set, store, batch=5, shard_rows=10)
    assert len(found.rows) == 30
    assert store.verify_all() == {}


@pytest.mark.slow
def test_skipping_more_than_a_sidecar_held_before_loses_no_matrix(store):
    n = 60_000
    entries = [[row, f"class/{row:07d}.jpg", "x" * 1800, [1, 2, "d" * 32]] for row in range(n)]
    writer = store.writer("a" * 32, shards=1)
    writer.write(0, np.ones((3, 4), np.float32))
    writer.finish({"n": n + 3, "left_out": entries})
    assert len(store.meta("a" * 32)["left_out"]) == n
    assert store.verify("a" * 32) is None
    shutil.rmtree(store.folder)


def test_what_could_not_be_read_back_is_refused_while_the_shards_are_there(store, monkeypatch):
    monkeypatch.setattr("cache.matrices._SIDECAR_LIMIT", (1 << 16) + 100)
    with pytest.raises(StorageFault, match="longer than"):
        embed_images(FakeEncoder(), FakeImageSet(n=30, broken=range(20)), store)
    monkeypatch.undo()
    encoder = FakeEncoder()
    assert len(embed_images(encoder, FakeImageSet(n=30, broken=range(20)), store).rows) == 10
    assert encoder.images_encoded == 0
