"""Fetching the release from a real server on loopback: verified, resumed, stopped, tampered with."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli.app import app as command
from core.downloads import descriptions
from core.errors import DownloadFailed, Stopped, UnknownName
from core.prompts import prompt_set
from core.published import fetch, manifest
from core.published.importer import import_release
from core.published.manifest import blob_id
from tests import published_release
from tests.fakes import FakeImageSet


class Handler(SimpleHTTPRequestHandler):
    """A mirror that remembers what was asked for and can fail."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.server.stopped and next(self.server.numbers) >= self.server.most:
            self.server.stopped.wait(60)
            self.send_error(503)
        elif self.path in self.server.failing:
            self.server.failing.remove(self.path)
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Keep the test output clean."""


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small release whose own manifest stands in for the committed one."""
    folder = published_release.write(tmp_path / "release")
    monkeypatch.setattr(manifest, "PATH", tmp_path / "manifest.csv")
    manifest.write(folder, tmp_path / "manifest.csv")
    for cached in (manifest.entries, manifest.by_path):
        cached.cache_clear()
    yield folder
    for cached in (manifest.entries, manifest.by_path):
        cached.cache_clear()


@pytest.fixture
def server(release: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    mirror = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(release)))
    mirror.asked, mirror.failing, mirror.stopped = [], [], None
    thread = threading.Thread(target=mirror.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("TAILSCOPE_PUBLISHED_BASE", f"http://127.0.0.1:{mirror.server_port}/")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield mirror
    mirror.shutdown()
    mirror.server_close()
    thread.join()


def test_everything_is_fetched_once_and_imports(server: ThreadingHTTPServer):
    seen = []
    folder = fetch.fetch_release(report=seen.append)
    assert len(server.asked) == len(manifest.entries())
    assert seen[-1].done == seen[-1].total == sum(entry.size for entry in manifest.entries())
    assert all(blob_id((folder / entry.path).read_bytes()) == entry.blob for entry in manifest.entries())
    report = import_release(folder)
    assert (report.missing, report.unlisted, report.skipped) == ([], [], [])
    assert fetch.outstanding() == []
    fetch.fetch_release()
    assert len(server.asked) == len(manifest.entries())


def test_descriptions_come_as_a_prompt_file(
    server: ThreadingHTTPServer, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The layout of the release: every list lies under its class once more, and starts with the one template."""
    written = {name: {name: [f"a photo of a {name}.", f"A {name} has stripes."]} for name in ("banded", "dotted")}
    path = release / "gpt_descriptions" / "dtd_descriptions.json"
    path.parent.mkdir()
    path.write_text(json.dumps(written))
    listed = tmp_path / "descriptions.csv"
    listed.write_text(f"path,size,blob\ngpt_descriptions/dtd_descriptions.json,0,{blob_id(path.read_bytes())}\n")
    monkeypatch.setattr(descriptions, "LIST", listed)
    descriptions.known.cache_clear()
    run = CliRunner().invoke(command, ["fetch", "descriptions", "dtd", "--yes"], catch_exceptions=False)
    descriptions.known.cache_clear()
    assert "MIT licence" in run.stdout
    fetched = run.stdout.rpartition("--prompts ")[2].strip().removesuffix(".")
    classes = FakeImageSet(classes=2, n=2)
    classes.names = classes.keys = ["dotted", "banded"]
    found = prompt_set(fetched, classes)
    assert found.sentences[0] == ("a photo of a dotted.", "A dotted has stripes.")
    assert found.notes == ()


def test_the_list_of_descriptions_is_that_of_the_release():
    assert len(descriptions.known()) == 22
    assert descriptions.find("dtd").size == 735_314
    with pytest.raises(UnknownName, match="imagenet-sketch"):
        descriptions.find("mnist")


def test_only_what_is_missing_or_damaged_is_fetched_again(server: ThreadingHTTPServer):
    folder = fetch.fetch_release()
    first, second, *_ = manifest.entries()
    (folder / first.path).unlink()
    (folder / second.path).write_bytes(b"x" * second.size)
    server.asked.clear()
    fetch.fetch_release()
    assert sorted(server.asked) == sorted(f"/{entry.path}" for entry in (first, second))


def test_stopping_keeps_what_was_verified(server: ThreadingHTTPServer):
    # The mirror gives twenty files, then nothing until the download was stopped, and nothing more after that.
    server.most, server.numbers, server.stopped = 20, count(), threading.Event()
    arrived = []

    def stop(progress):
        arrived.append(progress.done)
        if len(arrived) == 15:
            server.stopped.set()
            raise Stopped("stopped")

    with pytest.raises(Stopped):
        fetch.fetch_release(report=stop)
    left = len(fetch.outstanding())
    assert len(manifest.entries()) - 20 <= left <= len(manifest.entries()) - 15
    server.asked.clear()
    server.stopped = None
    fetch.fetch_release()
    assert len(server.asked) == left


def test_a_tampered_file_is_refused_and_not_kept(server: ThreadingHTTPServer, release: Path):
    entry = manifest.entries()[3]
    (release / entry.path).write_bytes(b"{" + b" " * (entry.size - 1))
    with pytest.raises(DownloadFailed, match="not the release's file"):
        fetch.fetch_release()
    assert not (fetch.target() / entry.path).exists()
    assert list(fetch.target().rglob(".partial-*")) == []


def test_a_busy_server_is_asked_again_and_an_absent_file_is_told(server: ThreadingHTTPServer, release: Path):
    first, second, *_ = manifest.entries()
    server.failing.append(f"/{first.path}")
    (release / second.path).unlink()
    with pytest.raises(DownloadFailed, match=f"{second.path} could not be downloaded"):
        fetch.fetch_release()
    assert server.asked.count(f"/{second.path}") == 1


def test_no_server_is_one_clear_sentence(release: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAILSCOPE_PUBLISHED_BASE", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(DownloadFailed, match="Run the command again"):
        fetch.fetch_release()


def test_the_committed_manifest_names_the_release():
    entries = manifest.entries()
    assert len(entries) == 864
    assert sum(entry.path.startswith("search_counts/") for entry in entries) == 783
    assert all(len(entry.blob) == 40 and entry.size > 0 for entry in entries)
    assert blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert fetch.base().endswith(manifest.COMMIT)
