"""Damaged bytes of a matrix or a shard are noticed, set aside and made again."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache import CacheError
from cache.keys import file_digest
from cache.matrices import MatrixStore
from tests.helpers.made_matrices import KEY, make


@pytest.fixture
def store(tmp_path: Path) -> MatrixStore:
    return MatrixStore(tmp_path / "matrices")


def flip(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


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
