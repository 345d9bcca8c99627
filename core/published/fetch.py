"""Downloading the release file by file, each checked against its git blob id; what is verified is not fetched again."""

from __future__ import annotations

import http.client
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TypeVar

from cache.files import write_bytes
from core.errors import DownloadFailed
from core.faults import require_space
from core.published import manifest, store
from core.published.manifest import Entry
from core.types import Progress, Report, silent

T = TypeVar("T")
BASE = f"https://raw.githubusercontent.com/{manifest.REPOSITORY}/{manifest.COMMIT}"
CONNECTIONS = 8
TIMEOUT = 30
ATTEMPTS = 3
PART = 1 << 18  # bytes between two looks at whether the download was stopped


def base() -> str:
    """Address under which the release's files lie; TAILSCOPE_PUBLISHED_BASE names a mirror."""
    return os.environ.get("TAILSCOPE_PUBLISHED_BASE", BASE).rstrip("/")


def target() -> Path:
    """Folder that downloads go to."""
    return store.folder() / store.DOWNLOADS


def outstanding() -> list[Entry]:
    """Files of the manifest that are not on disk as they should be."""
    return [entry for entry in manifest.entries() if not _verified(target() / entry.path, entry)]


def total_bytes(entries: Sequence[Entry]) -> int:
    """What fetching these files transfers."""
    return sum(entry.size for entry in entries)


def fetch_release(*, report: Report = silent) -> Path:
    """Download what is missing and return the folder, ready for ``importer.import_release``.

    Raises:
        DownloadFailed: a file could not be reached or is not what the manifest says; what was verified stays.
        Stopped: by the report.
    """
    todo = outstanding()
    size, done, stopping = total_bytes(todo), 0, threading.Event()
    require_space(target(), size, "Fetching the release")
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        jobs = {pool.submit(_fetch, entry, stopping): entry for entry in todo}
        try:
            for job in as_completed(jobs):
                job.result()
                done += jobs[job].size
                report(Progress(done, size, "Downloading the release"))
        except BaseException:
            stopping.set()
            pool.shutdown(cancel_futures=True)
            raise
    return target()


def _verified(path: Path, entry: Entry) -> bool:
    try:
        return path.stat().st_size == entry.size and manifest.blob_id(path.read_bytes()) == entry.blob
    except OSError:
        return False


def _fetch(entry: Entry, stopping: threading.Event) -> None:
    if stopping.is_set():
        return
    content = download(entry, base())
    path = target() / entry.path
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)


def download(entry: Entry, base: str, *, advance: Callable[[int], None] = lambda arrived: None) -> bytes:
    """One file below an address, checked against its size and git blob id.

    Args:
        advance: told how many bytes arrived since it was last told, negative when they had to be thrown away; what it
            raises ends the download.

    Raises:
        DownloadFailed: it could not be reached, or is another file.
    """
    content = _download(entry, base, advance)
    if len(content) != entry.size or manifest.blob_id(content) != entry.blob:
        raise DownloadFailed(
            f"{entry.path} came with {len(content):,} bytes that are not the release's file ({entry.size:,} bytes). "
            "Nothing was kept of it; try again, or import a clone of the repository."
        )
    return content


def announced_size(path: str, base: str) -> int:
    """Bytes that the server announces for a file below an address.

    Raises:
        DownloadFailed: it could not be reached, or its size is not told.
    """
    request = urllib.request.Request(f"{base}/{path}", method="HEAD", headers={"Accept-Encoding": "identity"})
    size = _attempts(path, base, lambda: _length(request))
    if size is None:
        raise DownloadFailed(f"{base} does not tell the size of {path}, so it is not fetched; try again later.")
    return size


def _length(request: urllib.request.Request) -> int | None:
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        size = answer.headers.get("Content-Length") or ""
        return int(size) if size.isdecimal() else None


def _download(entry: Entry, base: str, advance: Callable[[int], None]) -> bytes:
    content = bytearray()

    def read() -> bytes:
        advance(-len(content))
        content.clear()
        with urllib.request.urlopen(f"{base}/{entry.path}", timeout=TIMEOUT) as answer:
            while part := answer.read(min(PART, entry.size + 1 - len(content))):
                content.extend(part)
                advance(len(part))
        return bytes(content)

    return _attempts(entry.path, base, read)


def _attempts(path: str, base: str, attempt: Callable[[], T]) -> T:
    """Try again at once: a loop of its own, for the sentence and because an answer that failed holds a socket."""
    for number in range(ATTEMPTS):
        try:
            return attempt()
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            refused = False
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # the answer holds the socket
                refused = error.code < 500
            if refused or number == ATTEMPTS - 1:
                raise DownloadFailed(
                    f"{path} could not be downloaded from {base}: {getattr(error, 'reason', error)}. "
                    "Run the command again to go on from here, or import a clone of the repository."
                ) from error
    raise AssertionError("unreachable")
