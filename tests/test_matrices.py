"""Matrices are whole or absent, whatever happens to their writer."""

from __future__ import annotations

import random
import stat
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import Popen

import filelock
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cache import CacheError
from cache.matrices import MatrixStore
from tests.helpers.made_matrices import KEY, make
from tests.helpers.processes import ended, go_on, killed, python, told


@pytest.fixture
def store(tmp_path: Path) -> MatrixStore:
    return MatrixStore(tmp_path / "matrices")


# --- what goes in comes out ---


@settings(max_examples=40, deadline=None)
@given(
    st.data(),
    st.sampled_from([np.float16, np.float32, np.float64, np.uint8, np.int64, np.bool_, ">f4"]),
    st.lists(st.integers(0, 5), min_size=1, max_size=4),
    st.integers(0, 6),
)
def test_shards_of_any_shape_join_in_order(data: st.DataObject, dtype: object, lengths: list[int], dim: int) -> None:
    pieces = [data.draw(hnp.arrays(np.dtype(dtype), (length, dim))) for length in lengths]
    with tempfile.TemporaryDirectory() as folder:
        store = MatrixStore(folder)
        writer = store.writer(KEY, shards=len(pieces))
        for index in reversed(range(len(pieces))):
            writer.write(index, np.asfortranarray(pieces[index]), {"left_out": [index, "über"]})
        assert [writer.note(index) for index in range(len(pieces))] == [
            {"left_out": [index, "über"]} for index in range(len(pieces))
        ]
        matrix = writer.finish({"n": sum(lengths)})
        np.testing.assert_array_equal(matrix, np.concatenate(pieces))
        assert matrix.dtype == np.dtype(dtype).newbyteorder("=")
        assert store.verify(KEY) is None
        assert store.meta(KEY) == {"n": sum(lengths)}
        assert [path.suffix for path in sorted(Path(folder).iterdir())] == [".json", ".npy"]


def test_a_complete_matrix_is_mapped_read_only(store: MatrixStore) -> None:
    whole = make(store)
    matrix = store.open(KEY)
    assert isinstance(matrix, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        matrix[0, 0] = 1
    np.testing.assert_array_equal(np.load(store.folder / f"{KEY}.npy", allow_pickle=False), whole)


def test_nothing_is_absent_in_words_of_its_own(store: MatrixStore) -> None:
    assert store.open(KEY) is None
    assert store.verify(KEY) is None
    assert store.entries() == []
    with pytest.raises(KeyError):
        store.meta(KEY)
    store.remove(KEY)


def test_folder_is_private(store: MatrixStore) -> None:
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("key", ["../escape", "a/b", "", ".", "a.npy", "a\0", "a" * 101, "a*"])
def test_keys_cannot_leave_the_folder(store: MatrixStore, key: str) -> None:
    for use in (store.open, store.verify, store.remove, store.lock, lambda key: store.writer(key, shards=1)):
        with pytest.raises(ValueError, match="not a matrix key"):
            use(key)


def test_entries_tell_what_is_on_the_disk(store: MatrixStore) -> None:
    make(store, "done", rows=7, dim=4)
    writer = store.writer("part", shards=5)
    writer.write(3, np.ones((2, 6), np.float32))
    writer.write(1, np.ones((3, 6), np.float32))
    done, part = store.entries()
    assert (done.key, done.rows, done.dim, done.dtype, done.complete) == ("done", 7, 4, "float16", True)
    assert done.meta == {"about": "a test", "rows": [1, 2]}
    assert (part.key, part.rows, part.dim, part.dtype, part.complete) == ("part", 5, 6, "float32", False)
    on_disk = sum(path.stat().st_size for path in store.folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    assert done.bytes + part.bytes == on_disk


def test_remove_takes_everything_of_one_key(store: MatrixStore) -> None:
    make(store, "one")
    two = make(store, "two")
    store.writer("one", shards=2).write(0, np.ones((1, 1)))
    mapped = store.open("one")
    assert mapped is not None
    before = mapped.copy()
    store.remove("one")
    assert [entry.key for entry in store.entries()] == ["two"]
    np.testing.assert_array_equal(mapped, before)  # who looks at it goes on looking
    np.testing.assert_array_equal(store.open("two"), two)


def test_remove_refuses_while_the_key_is_written(store: MatrixStore) -> None:
    make(store)
    with store.lock(KEY), pytest.raises(CacheError, match="being written"):
        store.remove(KEY)
    assert store.open(KEY) is not None


# --- writing ---


def test_a_second_writer_takes_up_the_shards_of_the_first(store: MatrixStore) -> None:
    store.writer(KEY, shards=3).write(1, np.full((2, 2), 5.0))
    writer = store.writer(KEY, shards=3)
    assert [writer.has(index) for index in range(3)] == [False, True, False]
    np.testing.assert_array_equal(writer.read(1), np.full((2, 2), 5.0))


def test_shards_of_another_cut_are_not_mixed_in(store: MatrixStore) -> None:
    store.writer(KEY, shards=3).write(1, np.ones((2, 2)))
    assert not store.writer(KEY, shards=4).has(1)
    assert not store.writer(KEY, shards=3).has(1)


def test_finish_wants_every_shard(store: MatrixStore) -> None:
    writer = store.writer(KEY, shards=2)
    writer.write(0, np.ones((2, 2)))
    with pytest.raises(CacheError, match=r"Shard 1 .* missing"):
        writer.finish({})
    assert store.open(KEY) is None
    assert writer.has(0)


@pytest.mark.parametrize("other", [np.ones((2, 3), np.float32), np.ones((2, 2), np.float16)])
def test_finish_wants_one_width_and_dtype(store: MatrixStore, other: np.ndarray) -> None:
    writer = store.writer(KEY, shards=2)
    writer.write(0, np.ones((2, 2), np.float32))
    writer.write(1, other)
    with pytest.raises(CacheError, match="differ in width or dtype"):
        writer.finish({})


@pytest.mark.parametrize("array", [np.ones(3), np.ones((1, 1, 1)), np.array([[object()]]), np.array([["text"]])])
def test_only_matrices_of_numbers_are_written(store: MatrixStore, array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="matrix of numbers"):
        store.writer(KEY, shards=1).write(0, array)


def test_shard_numbers_are_checked(store: MatrixStore) -> None:
    with pytest.raises(ValueError, match="at least one"):
        store.writer(KEY, shards=0)
    for index in (-1, 2):
        with pytest.raises(IndexError):
            store.writer(KEY, shards=2).has(index)


def test_meta_that_is_no_json_leaves_nothing_half_done(store: MatrixStore) -> None:
    writer = store.writer(KEY, shards=1)
    writer.write(0, np.ones((1, 1)))
    with pytest.raises(ValueError, match="JSON"):
        writer.finish({"accuracy": float("nan")})
    assert store.open(KEY) is None
    assert [path.name for path in store.folder.iterdir()] == [f"{KEY}.shards"]
    assert writer.finish({}).shape == (1, 1)


# --- processes ---

WRITE = """
import sys, numpy as np
from cache.matrices import MatrixStore
store, key, shards, stepwise = MatrixStore(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]
with store.lock(key):
    if store.open(key) is None:
        writer = store.writer(key, shards=shards)
        for index in range(shards):
            if not writer.has(index):
                if stepwise:
                    input()
                writer.write(index, np.full((512, 1024), index, np.float32))
                print("wrote", index, flush=True)
        print("joining", flush=True)
        writer.finish({"shards": shards})
        print("joined", flush=True)
print("sum", int(store.open(key).sum(dtype=np.float64)), flush=True)
"""


def writing(store: MatrixStore, key: str, shards: int, *stepwise: str) -> AbstractContextManager[Popen[str]]:
    """A process that writes a matrix; ``stepwise`` it waits for a line before every shard."""
    return python(WRITE, str(store.folder), key, str(shards), *stepwise)


@pytest.mark.slow
def test_a_killed_writer_loses_at_most_the_shard_in_flight(store: MatrixStore) -> None:
    chance = random.Random(5)
    shards, kept = 24, []
    for _ in range(5):
        with writing(store, KEY, shards, "stepwise") as child:
            for _ in range(3):
                go_on(child)
                kept.append(int(told(child, "wrote ")))
            go_on(child)
            time.sleep(chance.random() * 0.02)  # into the write of the next shard, or past it
            kept += [int(line.removeprefix("wrote ")) for line in killed(child)]
        with store.lock(KEY).acquire(timeout=0):  # died with its owner
            writer = store.writer(KEY, shards=shards)
            sound = [index for index in range(shards) if writer.has(index)]
        assert set(kept) <= set(sound)
        assert len(sound) <= len(set(kept)) + 1  # the last one may have been named before it was announced
        assert len(kept) == len(set(kept))  # nothing was made twice
        kept = sound
    with writing(store, KEY, shards) as child:
        assert f"sum {512 * 1024 * sum(range(shards))}" in ended(child)
    assert store.damaged == []
    assert store.verify_all() == {}


@pytest.mark.slow
def test_a_writer_killed_while_joining_leaves_a_whole_matrix_or_none(store: MatrixStore) -> None:
    chance = random.Random(7)
    for attempt in range(6):
        key = f"key{attempt}"
        with writing(store, key, 12) as child:
            told(child, "joining")
            time.sleep(chance.random() * 0.06)
            killed(child)
        matrix = store.open(key)
        assert store.verify(key) is None
        if matrix is None:
            writer = store.writer(key, shards=12)
            assert all(writer.has(index) for index in range(12))
            matrix = writer.finish({})
        assert matrix.sum(dtype=np.float64) == 512 * 1024 * sum(range(12))
        store.remove(key)
    assert store.damaged == []


def test_two_processes_share_one_job(store: MatrixStore) -> None:
    with writing(store, KEY, 16) as one, writing(store, KEY, 16) as other:
        outs = [ended(one), ended(other)]
    written = [line for out in outs for line in out.splitlines() if line.startswith("wrote")]
    assert sorted(written) == sorted(f"wrote {index}" for index in range(16))
    assert sum(out.count("joined") for out in outs) == 1
    assert all(f"sum {512 * 1024 * sum(range(16))}" in out for out in outs)


def test_the_lock_holds_between_threads_and_can_be_waited_for(store: MatrixStore) -> None:
    held = store.lock(KEY)
    with held, pytest.raises(filelock.Timeout):
        store.lock(KEY).acquire(timeout=0.05)
    with store.lock(KEY).acquire(timeout=0):
        pass
