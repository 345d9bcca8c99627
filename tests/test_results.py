"""A result is what was put, or absent: never another value, never code, never an error."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import random
import shutil
import sqlite3
import stat
import tempfile
import threading
import time
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cache import CacheError, results
from cache.results import Results
from tests.helpers.processes import killed, python, told

LARGE = 100_000  # kept in a file of its own; smaller values live in the database


@pytest.fixture
def store(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def tamper(store: Results, sql: str, *values: Any) -> None:
    """Change the database behind the store's back."""
    with closing(sqlite3.connect(store.folder / "cache.db")) as connection, connection:
        connection.execute(sql, values)


def value_file(store: Results) -> Path:
    (path,) = store.folder.glob("??/??/*.val")
    return path


class Canary:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


# --- what goes in comes out ---


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(st.text(min_size=1), st.binary() | st.just(b"x" * LARGE), max_size=5))
def test_values_come_back_as_they_were(values: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Results(folder)
        for key, value in values.items():
            store.put(key, value)
        store.close()
        again = Results(folder)
        assert {key: again.get(key) for key in values} == values
        assert again.info().values == len(values)
        assert again.problems == []
        again.close()


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["file", "top", "allow_pickle", "größe"]),
        hnp.arrays(
            st.sampled_from([np.float16, np.float32, np.int64, np.bool_, "<U5", ">i4"]),
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        ),
    )
)
def test_arrays_of_any_shape_come_back(arrays: dict[str, np.ndarray]) -> None:
    back = results._unpack(results._pack(arrays))
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(back[name], array)


def test_arrays_and_json_through_the_store(store: Results) -> None:
    store.put_arrays("arrays", {"top": np.arange(30_000).reshape(3, -1), "empty": np.zeros((0, 5))})
    store.put_json("json", {"a": [1, None, "é"]})
    arrays = store.get_arrays("arrays")
    assert arrays is not None
    assert [arrays["top"].shape, arrays["empty"].shape] == [(3, 10_000), (0, 5)]
    assert store.get_json("json") == {"a": [1, None, "é"]}
    assert store.get_json("other") is None
    assert store.get_arrays("other") is None


def test_a_later_value_replaces_an_earlier_one(store: Results) -> None:
    for value in (b"small", b"x" * LARGE, b"y" * LARGE, b"small again"):
        store.put("key", value)
        assert store.get("key") == value
    assert list(store.folder.glob("??/??/*.val")) == []


def test_what_cannot_be_kept_is_refused_at_once(store: Results) -> None:
    with pytest.raises(TypeError, match="bytes"):
        store.put("key", "text")
    with pytest.raises(TypeError):
        store.put_json("key", {1: 2})
    with pytest.raises(ValueError, match="JSON"):
        store.put_json("key", float("nan"))
    with pytest.raises(ValueError, match="identifier"):
        store.put_arrays("key", {"../up": np.ones(1)})
    with pytest.raises(ValueError, match="Object arrays"):
        store.put_arrays("key", {"a": np.array([{}], dtype=object)})
    assert store.get("key") is None


def test_folder_is_private(store: Results) -> None:
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


def test_clear_empties_and_goes_on(store: Results) -> None:
    store.put("a", b"x" * LARGE)
    orphan = store.folder / "ab" / "cd" / ("0" * 28 + ".val")  # what a killed writer leaves
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"half")
    store.clear()
    assert store.info().values == 0
    assert not orphan.exists()
    store.put("a", b"new")
    assert store.get("a") == b"new"


def test_a_locked_database_is_not_said_to_be_cleared(store: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cache.results.PATIENCE", 0.05)
    store = Results(store.folder)
    store.put("a", b"1")
    with closing(sqlite3.connect(store.folder / "cache.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CacheError, match=r"were not cleared.*Another process is writing to it"):
            store.clear()
        with pytest.raises(CacheError, match=r"is locked\. Another process is writing to it: wait"):
            Results(store.folder)  # after its own patience, not diskcache's minute
    assert store.get("a") == b"1"


def test_the_limit_drops_what_was_stored_longest_ago(tmp_path: Path) -> None:
    store = Results(tmp_path / "small", size_limit=4_000_000)
    for index in range(80):
        store.put(f"key{index:02d}", bytes([index]) * LARGE)
        assert store.get("key00") is None or index < 60  # reading it does not save it
    kept = [index for index in range(80) if store.get(f"key{index:02d}") is not None]
    assert kept == list(range(kept[0], 80))
    assert len(kept) >= 20
    assert store.info().bytes <= 4_000_000 + 10 * LARGE
    store.put("huge", b"x" * 600_000)
    assert store.get("huge") is None
    assert "too many" in store.problems[-1]


# --- tampering and damage ---


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_pickled_row_is_refused(store: Results, tmp_path: Path, size: int) -> None:
    store.put("key", b"x" * size)
    payload = pickle.dumps(Canary(tmp_path / "ran"))
    if size == LARGE:
        value_file(store).write_bytes(payload)
        tamper(store, "UPDATE Cache SET mode = 4")
    else:
        tamper(store, "UPDATE Cache SET mode = 4, value = ?", payload)
    assert store.get("key") is None
    assert not (tmp_path / "ran").exists()
    assert "refused" in store.problems[-1]
    store.put("key", b"again")
    assert store.get("key") == b"again"


def test_a_pickled_key_is_never_opened(store: Results, tmp_path: Path) -> None:
    store.put("key", b"value")
    tamper(store, "UPDATE Cache SET key = ?, raw = 0", pickle.dumps(Canary(tmp_path / "ran")))
    assert store.get("key") is None
    assert store.info().values == 1
    store.clear()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("mode", "value"), [(1, "text"), (1, 5), (1, None), (3, None), (0, b"x"), ("4", b"x"), (None, b"x")]
)
def test_other_modes_and_types_are_refused(store: Results, mode: Any, value: Any) -> None:
    store.put("key", b"value")
    tamper(store, "UPDATE Cache SET mode = ?, value = ?", mode, value)
    assert store.get("key") is None
    assert "refused" in store.problems[-1]


def checked(key: str, value: bytes) -> bytes:
    """A value with the checksum that it would be stored with."""
    return hashlib.sha256(hashlib.sha256(key.encode()).digest() + value).digest() + value


def test_a_path_out_of_the_folder_is_neither_read_nor_deleted(store: Results, tmp_path: Path) -> None:
    outside = tmp_path / "outside.val"
    outside.write_bytes(checked("key", b"secret"))
    inside = store.folder / "ab" / "cd" / ("0" * 28 + ".val")
    inside.parent.mkdir(parents=True)
    inside.symlink_to(outside)
    linked = store.folder / "ef"
    linked.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "01").mkdir(parents=True)
    behind = tmp_path / "elsewhere" / "01" / ("0" * 28 + ".val")
    behind.write_bytes(checked("key", b"secret"))
    names = ["../outside.val", str(outside), "ab/cd/" + "0" * 28 + ".val", "ef/01/" + "0" * 28 + ".val", "cache.db"]
    for name in names:
        store.put("key", b"x" * LARGE)
        tamper(store, "UPDATE Cache SET filename = ?, mode = 2, value = NULL", name)
        assert store.get("key") is None, name
        store.put("key", b"new")  # replacing a row deletes the file that it names
        assert store.get("key") == b"new"
        assert (outside.exists(), behind.exists(), (store.folder / "cache.db").exists()) == (True, True, True)


def test_a_truncated_value_is_absent(store: Results) -> None:
    for size in (LARGE, 40, 32, 5, 0):
        store.put("key", b"x" * LARGE)
        os.truncate(value_file(store), size)
        assert store.get("key") is None
    assert all("damaged" in problem for problem in store.problems)
    store.put("key", b"x" * LARGE)
    value_file(store).unlink()
    assert store.get("key") is None


def test_a_flipped_bit_or_a_strangers_value_is_absent(store: Results) -> None:
    store.put("one", b"value of one")
    store.put("two", b"value of two")
    with closing(sqlite3.connect(store.folder / "cache.db")) as connection:
        (stored,) = connection.execute("SELECT value FROM Cache WHERE key = 'one'").fetchone()
    for position in (0, 31, 32, len(stored) - 1):
        changed = bytearray(stored)
        changed[position] ^= 1
        tamper(store, "UPDATE Cache SET value = ? WHERE key = 'one'", bytes(changed))
        assert store.get("one") is None
    tamper(store, "UPDATE Cache SET value = ? WHERE key = 'two'", stored)
    assert store.get("two") is None
    tamper(store, "UPDATE Cache SET value = ? WHERE key = 'one'", stored)
    assert store.get("one") == b"value of one"


@pytest.mark.parametrize("text", [b"NaN", b"{", b"\xff", b"[" * 100_000, b""])
def test_json_that_is_none_is_absent(store: Results, text: bytes) -> None:
    store.put("key", text)
    assert store.get_json("key") is None
    assert "could not be read" in store.problems[-1]


def test_array_files_with_a_pickle_or_a_bomb_are_absent(store: Results, tmp_path: Path) -> None:
    pickled = io.BytesIO()
    np.savez(pickled, a=np.array([Canary(tmp_path / "ran")], dtype=object))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(10_000_000))
    large = io.BytesIO()
    np.lib.format.write_array_header_1_0(large, {"descr": "<f8", "fortran_order": False, "shape": (1 << 59,)})
    header = io.BytesIO()
    with zipfile.ZipFile(header, "w") as archive:
        archive.writestr("a.npy", large.getvalue())
    for data in (pickled.getvalue(), bomb.getvalue(), header.getvalue(), b"PK", b""):
        store.put("key", data)
        assert store.get_arrays("key") is None
    assert len(store.problems) == 5
    assert "more than it holds" in store.problems[1]
    assert not (tmp_path / "ran").exists()


def drop_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP TABLE Cache; DROP TABLE Settings")


BREAKS = {
    "garbage": lambda path: path.write_bytes(b"not a database" * 1000),
    "header": lambda path: path.write_bytes(bytes(100) + path.read_bytes()[100:]),
    "tables": drop_tables,
}


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_database_is_renamed_aside_when_opened(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "results"
    first = Results(folder)
    first.put("key", b"value")
    first.close()
    BREAKS[how](folder / "cache.db")
    store = Results(folder)
    assert store.get("key") is None
    store.put("key", b"new")
    assert store.get("key") == b"new"
    if how != "tables":  # missing tables are simply made again
        assert (tmp_path / "results.damaged" / "cache.db").exists()
        assert "begun anew" in store.problems[0]


def test_a_database_that_breaks_in_use_is_renamed_aside(store: Results) -> None:
    store.put("key", b"value")
    tamper(store, "DROP TABLE Cache")
    assert store.get("key") is None
    assert "begun anew" in store.problems[0]
    store.put("key", b"new")
    assert store.get("key") == b"new"
    tamper(store, "DROP TABLE Cache")
    store.put("key", b"lost")
    store.put("key", b"kept")
    assert store.get("key") == b"kept"


def test_settings_that_were_tampered_with_do_not_matter(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    for key, value in (("eviction_policy", "none"), ("disk_surprise", 1), ("get", "no function"), ("size_limit", 1)):
        first = Results(folder)
        first.put("key", b"value")
        first.close()
        tamper(first, "INSERT OR REPLACE INTO Settings VALUES (?, ?)", key, value)
        store = Results(folder)
        store.put("key", b"new")
        assert store.get("key") in (b"new", None)
        store.put("key", b"newer")
        assert store.get("key") == b"newer"
        assert store.info().limit == 512 << 20
        store.close()


def test_a_folder_deleted_behind_the_store_is_made_again(store: Results) -> None:
    store.put("key", b"value")
    shutil.rmtree(store.folder)
    store.close()  # as for a thread that had no connection yet
    store.put("key", b"lost")
    store.put("key", b"again")
    assert store.get("key") == b"again"
    assert (store.folder / "cache.db").exists()


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheError, match=r"cannot be used: .*\. Set TAILSCOPE_CACHE to a folder"):
        Results(tmp_path / "file" / "results")


# --- threads and processes ---


def test_threads_share_a_store(store: Results) -> None:
    def work(name: int) -> None:
        for index in range(15):
            store.put(f"{name}/{index}", f"{name}{index}".encode())
            assert store.get(f"{name}/{index}") == f"{name}{index}".encode()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.info().values == 60
    assert store.problems == []


PUT = """
import itertools, sys
from cache.results import Results
store = Results(sys.argv[1])
for index in itertools.count():
    store.put(f"key{index % 10}", bytes([index % 251]) * 2_000_000)
    if not index:
        print("put one", flush=True)
"""


@pytest.mark.slow
def test_killed_writers_leave_whole_values(store: Results) -> None:
    chance = random.Random(3)
    for _ in range(4):
        with python(PUT, str(store.folder)) as child:
            told(child, "put one")
            time.sleep(chance.random() * 0.1)  # into one of the next ones, or between two
            killed(child)
        values = [store.get(f"key{index}") for index in range(10)]
        assert any(values)
        assert all(len(value) == 2_000_000 and len(set(value)) == 1 for value in values if value is not None)
    assert store.problems == []
