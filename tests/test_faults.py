"""Faults of the environment are sentences: full, read-only and locked disks, too little memory, on any command."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import diskcache
import numpy as np
import pytest
from PIL import Image

from cache import CacheError
from cache.results import Results
from core import faults
from core.cli import app as cli
from core.datasets import open_set
from core.errors import BadInput, StorageFault, UnknownName, UnreadableData
from core.evaluation import cache_check, evaluate
from core.evaluation.evaluate import matrices
from core.frequency import counted
from core.runtime.jobs import Engine
from core.types import METHODS
from tests.helpers.commands import Commands, prepared
from tests.helpers.work import submit

ROOT = Path(__file__).resolve().parents[1]
MODEL = "icon-RN,icons-200k"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(6):
        file = folder / ("dog", "cat")[index % 2] / f"{index}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(file)
    return folder


def commands(photos: Path, out: Path) -> dict[str, list[str]]:
    """One command of every kind, most of which write."""
    return {
        "embed": ["embed", MODEL, str(photos)],
        "evaluate": ["evaluate", MODEL, str(photos), "--prompts", "a {c}", "--out", str(out / "answer.json")],
        "draw": ["evaluate", MODEL, "icons-composition", "--prompts", "a {c}", "--out", str(out / "drawn.json")],
        "export": ["prompts", "export", str(photos), "--prompts", "simple", "--out", str(out / "prompts.json")],
        "corpus": ["icons", "corpus", "icons-10k", "--out", str(out)],
        "frequency": ["frequency", "list"],
        "info": ["cache", "info"],
        "verify": ["cache", "verify"],
        "clear": ["cache", "clear", "--yes"],
    }


@pytest.fixture(scope="module")
def tailscope() -> Iterator[Commands]:
    with prepared() as commands:
        yield commands


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "limit"),
    [("embed", 100), ("evaluate", 100), ("evaluate", 40_000), ("draw", 1 << 20), ("export", 20), ("corpus", 10_000)],
)
def test_a_disk_that_refuses_is_one_sentence(
    tailscope: Commands, photos: Path, tmp_path: Path, name: str, limit: int
) -> None:
    out, cache = tmp_path / "out", tmp_path / "cache"
    out.mkdir()
    code, written = tailscope.run(commands(photos, out)[name], cache, limit=limit)
    assert code == 2, written
    said = written.strip().splitlines()[-1]
    assert said.startswith("tailscope: ")
    assert str(tmp_path) in said
    assert "Traceback" not in written
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".tmp", ".npy")]
    if name not in ("draw", "corpus"):  # which draw thousands of pictures
        assert tailscope.run(commands(photos, out)[name], cache)[0] == 0


@pytest.mark.slow
def test_a_full_disk_can_be_cleared(tailscope: Commands, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        kept = Results(disk / "results")
        kept.put("small", b"x" * 100)
        kept.close()
        with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(b"x" * 512)
        assert shutil.disk_usage(disk).free == 0
        with pytest.raises(CacheError, match=r"\. The disk is full: make room, or set TAILSCOPE_CACHE"):
            Results(disk / "results")
        for command in (["cache", "verify"], ["cache", "clear", "--yes"]):
            assert tailscope.run(command, disk) == (0, "")
        assert not list(disk.glob("results/*.db"))
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize("error", [diskcache.Timeout(), sqlite3.OperationalError("database is locked")], ids=repr)
def test_a_cache_that_another_process_writes_to_is_not_deleted(
    tmp_cache: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    if isinstance(error, sqlite3.Error):
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    kept = evaluate.results()
    kept.put("small", b"value")

    def clear(_: object) -> NoReturn:
        raise error

    with monkeypatch.context() as busy:
        busy.setattr(diskcache.Cache, "clear", clear)
        with pytest.raises(CacheError, match="Another process is writing to it"):
            cache_check.clear_results()
    assert kept.get("small") == b"value"
    cache_check.clear_results()
    assert kept.get("small") is None


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A cache folder on a file system that is mounted read-only, empty."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,ro", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_a_read_only_cache_is_one_sentence_or_no_hindrance(
    tailscope: Commands, photos: Path, tmp_path: Path, read_only: Path
) -> None:
    for name, arguments in commands(photos, tmp_path).items():
        if name == "draw":
            continue
        code, written = tailscope.run(arguments, read_only)
        assert "Traceback" not in written, (name, written)
        assert code in (0, 2), (name, written)
        if code:
            assert written.strip().splitlines()[-1].startswith("tailscope: "), name
            assert str(read_only) in written, name


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no space left for /data/cache"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no space left for /data/cache"),
        (OSError(errno.EROFS, "Read-only file system", "/data/cache/a"), "/data/cache/a cannot be used: read-only"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/a"), "/data/a cannot be used: permission denied"),
        (sqlite3.OperationalError("database is locked"), "Another process has locked"),
        (sqlite3.OperationalError("database or disk is full"), "no space left for /data/cache"),
        (sqlite3.OperationalError("unable to open database file"), "unable to open"),
        (MemoryError(), "too little memory"),
        (CacheError("a is being written right now."), "a is being written right now."),
    ],
)
def test_every_fault_has_its_sentence(error: Exception, said: str) -> None:
    fault = faults.in_words(error, folder=Path("/data/cache"))
    assert isinstance(fault, StorageFault)
    assert said in str(fault)
    assert "\n" not in str(fault)


def test_what_is_no_fault_stays_what_it_is() -> None:
    given = BadInput("no")
    assert faults.in_words(given) is given
    for error in (ValueError("a bug"), OSError("a decoder's"), KeyError("x")):
        assert faults.in_words(error) is None
    with pytest.raises(OSError, match="a decoder"), faults.writing(Path("/data")):
        raise OSError("a decoder's")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space"), MemoryError(), CacheError("in use")])
def test_a_job_that_meets_a_fault_ends_with_a_sentence(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine()

    def work(report: Callable[..., None]) -> None:
        raise error

    with pytest.raises(StorageFault):
        submit(engine, "key", "label", work).value()
    engine.close()
    (entry,) = caplog.records  # whoever keeps the server hears of it, in one line
    assert entry.getMessage() == f"label failed: {faults.in_words(error)}"
    assert not entry.exc_info


def test_a_command_that_meets_a_fault_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/data/cache/a")

    monkeypatch.setattr(cli, "app", full)
    assert cli.main() == 2
    said = capsys.readouterr().err
    assert said.startswith("tailscope: There is no space left for /data/cache")
    assert said.count("\n") == 1


def test_needing_more_than_is_free_names_both() -> None:
    free = faults.free_bytes(Path("/"))
    assert free is not None
    faults.require_space(Path("/no/such/folder"), free // 2, "This")
    with pytest.raises(StorageFault, match=r"This needs .* in /no/such/folder, and .* are free there"):
        faults.require_space(Path("/no/such/folder"), 4 * free + (1 << 40), "This")


@pytest.mark.slow
def test_verify_covers_drawings_and_discards_what_this_process_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    image_set = open_set("icons-composition")
    image_set.prepare(lambda progress: None)
    asked = cache_check.engine()
    job = submit(asked, "an answer", "label", lambda report: 1)
    assert job.value() == 1
    assert cache_check.verify_all() == []
    assert submit(asked, "an answer", "label", lambda report: 2) is job
    data = bytearray(image_set._file.read_bytes())
    data[5_000_000] ^= 1
    image_set._file.write_bytes(data)
    assert len(cache_check.verify_all()) == 1
    assert submit(asked, "an answer", "label", lambda report: 2).value() == 2
    assert cache_check.verify_all() == []


HOLD = """
import sys
from pathlib import Path
from cache import keys
from cache.files import atomic_write
with atomic_write(keys.root() / "answer.json"), atomic_write(keys.embeddings() / "a.npy"):
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", [["cache", "verify"], ["cache", "clear", "--yes"]])
def test_orphans_are_removed(tailscope: Commands, tmp_cache: Path, command: list[str]) -> None:
    evaluate._matrices.cache_clear()
    evaluate._results.cache_clear()
    assert matrices().folder.is_dir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "writing\n"
        child.kill()
    assert len(list(tmp_cache.rglob("*.tmp"))) == 2
    assert tailscope.run(command, tmp_cache)[0] == 0
    assert not list(tmp_cache.rglob("*.tmp"))
    evaluate._matrices.cache_clear()
    evaluate._results.cache_clear()


@pytest.mark.parametrize("damage", ["cut", "bits", "empty", "foreign"])
def test_damaged_counts_are_a_sentence(damage: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = counted.folder("mine") / counted.COUNTS
    file.parent.mkdir(parents=True)
    columns = {"concept": [f"c{number}" for number in range(500)], "count": list(range(500)), "status": ["ok"] * 500}
    columns |= {"query": columns["concept"], **{method: columns["count"] for method in METHODS}}
    pq.write_table(pa.table(columns), file, compression="zstd", write_page_checksum=True)
    assert len(counted.rows("mine")) == 500
    data = bytearray(file.read_bytes())
    if damage == "cut":
        del data[-100:]
    elif damage == "bits":
        data[len(data) // 4] ^= 1
    elif damage == "empty":
        data.clear()
    else:
        data[:] = b"PAR1" + bytes(100) + b"PAR1"
    file.write_bytes(data)
    with pytest.raises(UnreadableData, match="is damaged"):
        counted.rows("mine")
    file.unlink()
    with pytest.raises(UnknownName):
        counted.rows("mine")
