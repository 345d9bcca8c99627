"""Matrices are whole or absent, whatever happens to their writer or to their bytes."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import random
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
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
from cache.keys import file_digest
from cache.matrices import MatrixStore
from tests.helpers.processes import ended, go_on, killed, python, told

KEY = "a" * 32


@pytest.fixture
def store(tmp_path: Path) -> MatrixStore:
    return MatrixStore(tmp_path / "matrices")


def make(store: MatrixStore, key: str = KEY, *, rows: int = 7, dim: int = 4, shards: int = 3) -> np.ndarray:
    """A finished random matrix and a copy of it in memory."""
    whole = np.random.default_rng(0).normal(size=(rows, dim)).astype(np.float16)
    with store.lock(key):
        writer = store.writer(key, shards=shards)
        for index, piece in enumerate(np.array_split(whole, shards)):
            writer.write(index, piece)
        writer.finish({"about": "a test", "rows": [1, 2]})
    return whole


def flip(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


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


# --- damage ---


def plainly(path: Path, old: str, new: str) -> None:
    """Write a sidecar as earlier versions did, without a digest of itself, and changed."""
    path.write_text(json.dumps(json.loads(path.read_bytes())["value"], separators=(",", ":")).replace(old, new))


def damages() -> Iterator[tuple[str, str, Callable[[Path], object]]]:
    def truncate(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-3])

    def pickled(path: Path) -> None:
        np.save(path, np.array([[{}]], dtype=object), allow_pickle=True)

    yield "npy", "bytes instead of", truncate
    yield "npy", "bytes instead of", lambda path: path.write_bytes(b"")
    yield "npy", "bytes instead of", pickled
    yield "npy", "not a readable .npy", lambda path: flip(path, 0)
    yield "npy", "not a readable .npy", lambda path: flip(path, 12)
    yield "json", "sidecar is missing", lambda path: path.unlink()
    yield "json", "cannot be read", truncate
    yield "json", "cannot be read", lambda path: path.write_bytes(b"[]")
    yield "json", "cannot be read", lambda path: path.write_bytes(b'{"sha256": NaN}')
    yield "json", "wrong type", lambda path: plainly(path, '"rows":7', '"rows":"7"')
    yield "json", "not what was written", lambda path: path.write_text(path.read_text().replace("float16", "int16"))
    yield ("json", "not what its sidecar says", lambda path: plainly(path, "float16", "int16"))


@pytest.mark.parametrize(("suffix", "reason", "damage"), list(damages()))
def test_a_damaged_matrix_is_set_aside_reported_and_made_again(
    store: MatrixStore, suffix: str, reason: str, damage: Callable[[Path], object]
) -> None:
    make(store)
    damage(store.folder / f"{KEY}.{suffix}")
    assert store.open(KEY) is None
    assert len(store.damaged) == 1
    assert reason in store.damaged[0]
    assert KEY in store.damaged[0]
    assert store.open(KEY) is None  # said once, then simply absent
    assert len(store.damaged) == 1
    whole = make(store)
    np.testing.assert_array_equal(store.open(KEY), whole)
    assert store.verify_all() == {}


def test_a_pickle_of_the_right_size_is_not_loaded(store: MatrixStore, tmp_path: Path) -> None:
    make(store)
    path, sidecar = store.folder / f"{KEY}.npy", store.folder / f"{KEY}.json"
    np.save(path, np.array([[Canary(tmp_path / "ran")]], dtype=object), allow_pickle=True)
    described = {**json.loads(sidecar.read_text()), "bytes": path.stat().st_size, "sha256": file_digest(path)}
    sidecar.write_text(json.dumps(described))
    assert store.open(KEY) is None
    assert not (tmp_path / "ran").exists()


class Canary:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_canary_would_sing(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Canary(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


def test_verify_finds_one_flipped_bit_of_a_matrix(store: MatrixStore) -> None:
    make(store, "sound")
    make(store)
    flip(store.folder / f"{KEY}.npy", -1)
    problems = store.verify_all()
    assert list(problems) == [KEY]
    assert "checksum" in problems[KEY]
    assert store.open(KEY) is None
    assert (store.folder / f"{KEY}.npy.damaged").exists()
    store.remove(KEY)
    assert not list(store.folder.glob(f"{KEY}*.damaged"))


def test_what_was_derived_from_a_matrix_leaves_with_it(store: MatrixStore) -> None:
    for end in (lambda: flip(store.folder / f"{KEY}.npy", -1), lambda: make(store)):
        make(store)
        store.put_beside(KEY, "index", {"codes": np.ones((7, 2), np.uint8)}, {"schema": 1})
        assert store.beside(KEY, "index") is not None
        version = store.version(KEY)
        end()
        assert store.version(KEY) != version
        assert store.beside(KEY, "index") is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_one_flipped_bit_anywhere_in_a_shard_is_noticed(offset: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = MatrixStore(folder)
        writer = store.writer(KEY, shards=2)
        writer.write(0, np.ones((3, 5), np.float16), {"left": [1]})
        writer.write(1, np.ones((3, 5), np.float16))
        path = Path(folder, f"{KEY}.shards", "00000-of-00002.npy")
        flip(path, offset % path.stat().st_size)
        assert not writer.has(0)
        assert writer.has(1)
        assert len(store.damaged) == 1
        assert "checksum" in store.damaged[0]
        writer.write(0, np.zeros((3, 5), np.float16))
        np.testing.assert_array_equal(writer.finish({})[:3], 0)


def test_a_shard_cut_short_is_missing_for_finish(store: MatrixStore) -> None:
    writer = store.writer(KEY, shards=1)
    writer.write(0, np.ones((3, 5)))
    path = store.folder / f"{KEY}.shards" / "00000-of-00001.npy"
    for size in (path.stat().st_size - 1, 10, 0):
        writer.write(0, np.ones((3, 5)))
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(CacheError, match="missing or damaged"):
            writer.finish({})
    assert len(store.damaged) == 3


def test_verify_reads_shards_too(store: MatrixStore) -> None:
    writer = store.writer(KEY, shards=3)
    for index in range(3):
        writer.write(index, np.ones((1, 1)))
    flip(store.folder / f"{KEY}.shards" / "00001-of-00003.npy", 100)
    problem = store.verify(KEY)
    assert problem is not None
    assert "Shard 00001-of-00003" in problem
    assert [writer.has(index) for index in range(3)] == [True, False, True]


def test_a_shard_with_a_right_checksum_but_a_pickle_inside_is_refused(store: MatrixStore, tmp_path: Path) -> None:
    writer = store.writer(KEY, shards=1)
    npy = io.BytesIO()
    np.save(npy, np.array([[Canary(tmp_path / "ran")]], dtype=object), allow_pickle=True)
    body = npy.getvalue() + b"null"
    (store.folder / f"{KEY}.shards" / "00000-of-00001.npy").write_bytes(body + hashlib.sha256(body).digest())
    assert not writer.has(0)
    assert not (tmp_path / "ran").exists()


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
