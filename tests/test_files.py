"""Atomic writes: any number of writers, and whatever ends one of them, leave whole files only."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cache.files import atomic_folder, atomic_write, remove_orphans, write_bytes

ROOT = Path(__file__).resolve().parents[1]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_gets_its_name_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with atomic_write(path) as file:
        file.write(b"half")
        assert not path.exists()
        assert [Path(file.name).name] == names(tmp_path)
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt(), MemoryError()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: BaseException) -> None:
    path = tmp_path / "a.json"
    write_bytes(path, b"old")

    def write() -> None:
        with atomic_write(path) as file:
            file.write(b"new")
            raise failure

    with pytest.raises(type(failure)):
        write()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


def test_writers_of_one_path_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "deck.json"
    values = [bytes([number]) * 50_000 for number in range(20)]
    with atomic_write(path) as first, atomic_write(path) as second:  # both in the making
        first.write(values[0])
        second.write(values[1])
    assert path.read_bytes() == values[0]
    started = threading.Barrier(len(values))

    def write(value: bytes) -> None:
        started.wait()
        write_bytes(path, value)

    threads = [threading.Thread(target=write, args=(value,)) for value in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in values
    assert names(tmp_path) == ["deck.json"]


def test_a_folder_gets_its_name_when_it_is_complete(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "one") as made:
        (made / "inside").write_text("x")
        assert not (tmp_path / "one").exists()
    assert (tmp_path / "one" / "inside").read_text() == "x"
    with pytest.raises(OSError, match="one"), atomic_folder(tmp_path / "one") as made:
        (made / "inside").write_text("y")
    assert (tmp_path / "one" / "inside").read_text() == "x"
    assert names(tmp_path) == ["one"]


HOLD = """
import sys
from pathlib import Path
from cache.files import atomic_folder, atomic_write
with atomic_write(Path(sys.argv[1], "file")) as file, atomic_folder(Path(sys.argv[1], "folder")) as folder:
    file.write(b"half")
    file.flush()
    (folder / "inside").write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_only_what_a_dead_writer_left_is_an_orphan(tmp_path: Path) -> None:
    below = tmp_path / "deep" / "down"
    below.mkdir(parents=True)
    command = [sys.executable, "-c", HOLD, str(below)]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout.readline() == "writing\n"
        left = names(below)
        assert len(left) == 2
        (below / "mine.tmp").write_text("not ours")
        assert remove_orphans(tmp_path) == []  # its writer lives
        assert names(below) == sorted([*left, "mine.tmp"])
        child.kill()
    assert [path.name for path in remove_orphans(tmp_path)] == left
    assert names(below) == ["mine.tmp"]
