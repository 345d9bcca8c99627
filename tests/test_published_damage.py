"""The imported release under kills, damage and full disks: it is there whole, or the pages that read it say why not."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cache.files import CHECKSUMS
from core.errors import StorageFault, UnknownName, UnreadableData
from core.frequency import published as source
from core.frequency import sources
from core.published import store
from core.published.importer import import_release, last_report
from tests import published_release
from tests.killed import ROOT, at_every_step

COUNTS = "SELECT dataset, concept, count FROM counts JOIN units USING (unit) ORDER BY ALL"
SCORES = "SELECT dataset, concept, value FROM scores JOIN units USING (unit) ORDER BY ALL"
SOURCE = "published:cc3m/rampp0.7"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return published_release.write(tmp_path / "release")


def damaged(name: str, how: str) -> None:
    """Damage one file of the tables in use."""
    place = store.current()
    assert place is not None
    file = place / name
    data = bytearray(file.read_bytes())
    if how == "cut":
        del data[len(data) // 2 :]
    elif how == "bits":
        for offset in range(len(data) // 3, len(data) // 3 + 8):
            data[offset] ^= 0x55
    elif how == "empty":
        data.clear()
    else:
        data[:] = b"PAR1" + os.urandom(200) + b"PAR1"
    file.write_bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize(("how", "checksums"), [("bits", True), ("foreign", True), ("cut", False), ("empty", False)])
@pytest.mark.parametrize("table", store.TABLES)
def test_a_damaged_table_fails_what_reads_it_and_nothing_else(release: Path, table: str, how: str, checksums: bool):
    import_release(release)
    expected = {name: store.open_store().rows(f"SELECT count(*) FROM {name}") for name in store.TABLES}
    if not checksums:
        (store.current() / CHECKSUMS).unlink()
    damaged(f"{table}.parquet", how)
    opened = store.open_store()
    for name in store.TABLES:
        if name == table:
            with pytest.raises(UnreadableData, match=f"table “{table}” of the published release is damaged"):
                opened.rows(f"SELECT count(*) FROM {name}")
        else:
            assert opened.rows(f"SELECT count(*) FROM {name}") == expected[name]
    # What every page draws, its sidebar:
    names = [found.name for found in sources.list_sources()]
    assert "icons-200k" in names
    assert sources.own("RN50-quickgelu,cc12m") == ""
    reads_it = table in ("counts", "units")
    assert (SOURCE in names) != reads_it
    assert bool(source.problem()) == reads_it
    if reads_it:
        with pytest.raises(UnreadableData, match=f"“{table}” of the published release is damaged"):
            sources.load_source(SOURCE)
    with pytest.raises(UnknownName):
        sources.load_source("imported:nothing")
    import_release(release)
    assert store.open_store().rows(f"SELECT count(*) FROM {table}") == expected[table]


@pytest.mark.parametrize("how", ["cut", "bits", "empty", "foreign"])
def test_a_damaged_report_costs_only_the_report(release: Path, how: str):
    import_release(release)
    damaged("report.json", how)
    if how != "bits":
        with pytest.raises(UnreadableData, match="report of the published release is damaged"):
            last_report()
    assert store.open_store().rows(COUNTS)


@pytest.mark.parametrize("text", ["[]", '{"schema": 1, "generation": 7}', '{"schema": 1, "generation": ".."}', ""])
def test_a_damaged_pointer_does_not_bring_back_another_release(release: Path, text: str):
    import_release(release)
    before = store.current()
    (store.folder() / "current.json").write_text(text)
    assert store.current() == before != store.SHIPPED
    import_release(release)
    assert store.current() not in (before, store.SHIPPED)


IMPORT = """
import sys
from pathlib import Path
from core.published.importer import import_release
"""


@pytest.mark.slow
def test_a_kill_during_a_second_import_never_loses_the_release(release: Path):
    import_release(release)
    expected = store.open_store().rows(COUNTS), store.open_store().rows(SCORES)
    steps = 0
    for _ in at_every_step(f"import_release(Path({str(release)!r}))", prepare=IMPORT):
        assert (store.open_store().rows(COUNTS), store.open_store().rows(SCORES)) == expected
        assert last_report() is not None
        steps += 1
    assert steps > 10
    assert sorted(path.name for path in store.folder().iterdir() if path.is_dir()) == [store.current().name]


@pytest.mark.slow
def test_imports_at_once_leave_one_whole_release(release: Path):
    code = f"{IMPORT}\nimport_release(Path({str(release)!r}))"
    children = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(3)]
    assert [child.wait(120) for child in children] == [0, 0, 0]
    assert store.open_store().rows(COUNTS)
    assert [path.name for path in store.folder().iterdir() if path.is_dir()] == [store.current().name]


@pytest.mark.parametrize("refused", [1, 2, 5, 8, 9, 10, 11])
def test_a_full_disk_during_an_import_is_a_sentence_and_keeps_the_release(
    release: Path, monkeypatch: pytest.MonkeyPatch, refused: int
):
    import_release(release)
    expected, sync, calls = store.open_store().rows(COUNTS), os.fsync, [0]

    def full(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] >= refused:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(StorageFault, match=f"no space left for {store.folder()}"):
            import_release(release)
    assert store.open_store().rows(COUNTS) == expected
    assert not list(store.folder().rglob("*.tmp"))
