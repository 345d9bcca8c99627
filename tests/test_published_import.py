"""Importing a release: what is read, what is refused and why, from folders and archives."""

from __future__ import annotations

import csv
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from core.errors import BadInput, UnreadableData
from core.published import manifest, reading, store
from core.published.importer import forget, import_release, last_report, ship
from core.published.names import parse_path
from tests import published_release

COUNTS = "search_counts/dtd_cc3m_rampp0.7_search_counts.json"
SCORES = "zero_shot_evaluations/dtd_class_results.json"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return published_release.write(tmp_path / "release")


def table(store_: store.Store, dataset: str) -> dict[str, int]:
    rows = store_.rows(
        "SELECT concept, count FROM counts JOIN units USING (unit) "
        "WHERE dataset = ? AND pretraining = 'cc3m' AND method = 'rampp0.7'",
        [dataset],
    )
    return dict(rows)


def test_what_ships_is_used_until_another_version_is_imported_and_after_it_was_forgotten(release: Path):
    shipped = table(store.open_store(), "dtd")
    assert store.imported() is None
    assert len(shipped) == 47
    import_release(release)
    assert table(store.open_store(), "dtd") == published_release.load(release / COUNTS)
    mapping = store.folder() / store.MAPPINGS / "kept.json"
    mapping.parent.mkdir()
    mapping.write_text("{}")
    forget()
    assert table(store.open_store(), "dtd") == shipped
    assert [path.name for path in store.folder().iterdir() if path.is_dir()] == [store.MAPPINGS]


def test_only_the_release_of_the_manifest_ships(release: Path, tmp_path: Path):
    with pytest.raises(BadInput, match=rf"864 files are missing or differ.*{manifest.COMMIT}"):
        ship(release, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_ships_is_what_an_import_of_the_same_files_gives(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    listed = tmp_path / "manifest.csv"
    assert manifest.write(release, listed) == len(list(release.rglob("*.json")))
    with listed.open(newline="", encoding="utf-8") as file:
        rows = {row["path"]: manifest.Entry(row["path"], int(row["size"]), row["blob"]) for row in csv.DictReader(file)}
    monkeypatch.setattr(manifest, "by_path", lambda: rows)
    (release / "search_counts" / "more_cc3m_rampp0.7_search_counts.json").write_text('{"not listed": 1}')
    report = ship(release, tmp_path / "out")
    assert report.read == {**import_release(release).read, "counts": report.read["counts"]}
    shipped, imported = store.Store(tmp_path / "out"), store.open_store()
    assert table(shipped, "dtd") == table(imported, "dtd")
    assert "more" in set(imported.dataset) - set(shipped.dataset)
    (release / COUNTS).write_text('{"changed": 1}')
    with pytest.raises(BadInput, match="1 files are missing or differ"):
        ship(release, tmp_path / "again")


def test_a_folder_is_read_whole(release: Path):
    report = import_release(release)
    opened = store.open_store()
    assert table(opened, "dtd") == published_release.load(release / COUNTS)
    scored = published_release.load(release / SCORES)["backboneRN50_pretrainedcc3m"]["classwise"]
    rows = opened.rows(
        "SELECT concept, value FROM scores JOIN units USING (unit) WHERE dataset = 'dtd' AND condition = 'class' "
        "AND model = 'RN50' AND pretraining = 'cc3m'"
    )
    assert dict(rows) == scored
    assert report.read["counts"] == len(list((release / "search_counts").iterdir()))
    assert not report.skipped
    assert last_report() == report
    kinds = {odd.kind for odd in report.anomalies}
    assert {"renamed", "spaces and underscores", "empty name", "truncated file", "no count", "no result"} <= kinds


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_gives_the_same_tables(release: Path, tmp_path: Path, kind: str):
    archive = tmp_path / f"copy.{kind}"
    files = sorted(path for path in release.rglob("*") if path.is_file())
    if kind == "zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
            for path in files:
                out.write(path, f"repo-11ef009/{path.relative_to(release)}")
            out.writestr("repo-11ef009/../search_counts/evil.json", "{}")
    else:
        with tarfile.open(archive, "w:gz") as out:
            for path in files:
                out.add(path, f"repo-11ef009/{path.relative_to(release)}")
            link = tarfile.TarInfo("repo-11ef009/search_counts/dtd_cc12m_rampp0.7_search_counts.json")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            out.addfile(link)
    from_folder = import_release(release)
    expected = store.open_store().rows(
        "SELECT dataset, concept, count FROM counts JOIN units USING (unit) ORDER BY ALL"
    )
    from_archive = import_release(archive)
    found = store.open_store().rows("SELECT dataset, concept, count FROM counts JOIN units USING (unit) ORDER BY ALL")
    assert found == expected
    assert from_archive.rows == from_folder.rows
    assert [item.reason for item in from_archive.skipped] == (["not a plain file"] if kind == "tar.gz" else [])


HOSTILE = {
    "the key “a” occurs twice": b'{"a": 1, "a": 2}',
    "NaN": b'{"a": NaN}',
    "negative": b'{"a": -1}',
    "a fraction, not a whole number": b'{"a": 1.5}',
    "true or false": b'{"a": true}',
    "text, not a whole number": b'{"a": "1"}',
    "null": b'{"a": null}',
    "a list, not an object": b"[1]",
    "is empty": b"{}",
    "not JSON": b'{"a": 1',
    "not UTF-8": b'{"\xff": 1}',
    "nested": b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "absurd length": b'{"a": ' + b"9" * 5_000 + b"}",
    "beyond any data set": b'{"a": 99999999999999}',
    "unprintable": b'{"a\\u0000": 1}',
    "characters long": b'{"' + b"a" * 400 + b'": 1}',
}


@pytest.mark.parametrize(("reason", "content"), HOSTILE.items(), ids=list(HOSTILE))
def test_a_bad_count_file_is_skipped_with_its_reason(release: Path, reason: str, content: bytes):
    (release / COUNTS).write_bytes(content)
    report = import_release(release)
    assert [item.item for item in report.skipped] == [COUNTS]
    assert reason in report.skipped[0].reason
    assert len(report.skipped[0].reason) < 200
    assert table(store.open_store(), "dtd") == {}
    assert table(store.open_store(), "cub")
    assert COUNTS in report.missing


SCORE_FILES = {
    "lacks full": {"m": {"classwise": {"a": 1}}},
    "outside 0–100": {"m": {"full": 1, "classwise": {"a": 100.5}}},
    "not a number": {"m": {"full": 1, "classwise": {"a": [1]}}},
    "lacks classwise": {"m": {"full": 1, "conceptwise": {"a": 1}}},
    "a number, not an object": {"m": 3},
}


@pytest.mark.parametrize(("reason", "value"), SCORE_FILES.items(), ids=list(SCORE_FILES))
def test_a_bad_result_file_leaves_nothing_behind(release: Path, reason: str, value: object):
    good = published_release.load(release / SCORES)
    (release / SCORES).write_text(
        json.dumps({"backboneRN50_pretrainedcc3m": good["backboneRN50_pretrainedcc3m"], **value})
    )
    report = import_release(release)
    assert [item.item for item in report.skipped] == [SCORES]
    assert reason in report.skipped[0].reason
    where = "SELECT count(*) FROM totals WHERE dataset = 'dtd' AND condition = 'class'"
    assert store.open_store().rows(where) == [(0,)]


def test_infinity_by_overflow_is_refused():
    with pytest.raises(reading.Refused, match="not finite"):
        reading.scores(b'{"m": {"full": 1e999, "classwise": {"a": 1}}}', parse_path(SCORES))


def test_a_file_over_the_limit_is_not_read(release: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.published.sources.MAX_FILE_BYTES", 2_000)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr(COUNTS, b" " * 5_000_000)
        out.writestr("search_counts/cub_cc3m_rampp0.7_search_counts.json", b'{"a": 1}')
    path = release.parent / "bomb.zip"
    path.write_bytes(archive.getvalue())
    report = import_release(path)
    assert [(item.item, item.reason) for item in report.skipped] == [(COUNTS, "too large")]


def test_a_link_out_of_the_folder_is_not_followed(release: Path, tmp_path: Path):
    outside = tmp_path / "outside.json"
    outside.write_text('{"secret": 1}')
    (release / COUNTS).unlink()
    os.symlink(outside, release / COUNTS)
    report = import_release(release)
    assert [(item.item, item.reason) for item in report.skipped] == [(COUNTS, "a link that leads out of the folder")]


def test_what_is_no_release_is_refused(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableData, match="none of the release's folders"):
        import_release(tmp_path / "empty")
    with pytest.raises(UnreadableData, match="nothing at"):
        import_release(tmp_path / "absent")
    (tmp_path / "text.tar").write_text("no archive")
    with pytest.raises(UnreadableData, match="neither a folder nor"):
        import_release(tmp_path / "text.tar")
    (tmp_path / "only" / "search_counts").mkdir(parents=True)
    (tmp_path / "only" / COUNTS).write_text("[]")
    with pytest.raises(BadInput, match="could be used"):
        import_release(tmp_path / "only")


def test_a_damaged_archive_is_refused(release: Path, tmp_path: Path):
    archive = tmp_path / "copy.tar.gz"
    with tarfile.open(archive, "w:gz") as out:
        out.add(release, "repo")
    archive.write_bytes(archive.read_bytes()[:-2_000])
    with pytest.raises(UnreadableData, match="damaged"):
        import_release(archive)
    assert store.imported() is None


def test_a_new_import_replaces_the_old_one(release: Path):
    import_release(release)
    first = store.open_store()
    (release / COUNTS).write_text('{"new": 7}')
    import_release(release)
    assert table(store.open_store(), "dtd") == {"new": 7}
    assert table(first, "dtd") != {"new": 7}
    folders = [path for path in store.folder().iterdir() if path.is_dir()]
    assert len(folders) == 1


def test_a_damaged_pointer_keeps_what_was_imported(release: Path):
    import_release(release)
    found = store.imported()
    (store.folder() / "current.json").write_text("{")
    assert store.imported() == found
