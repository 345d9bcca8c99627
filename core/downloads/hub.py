"""A Hugging Face style hub: what a repository holds, whole files with resume, and single byte ranges.

Endpoint, cache folder, token and offline mode are huggingface_hub's own (``HF_ENDPOINT``, ``HF_HOME``, ``HF_TOKEN``,
``HF_HUB_OFFLINE``), so that files land where open_clip looks for them. Files are fetched here and not by
``hf_hub_download`` because its partial files do not outlive a stopped process.

This module knows nothing of models or image sets. Everything that goes wrong is a ``DownloadFailed`` sentence.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import HfApi, constants, get_session, hf_hub_url
from huggingface_hub import errors as hub_errors
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

from cache import keys
from core.errors import DownloadFailed, UnknownName

Kind = Literal["model", "dataset"]
Advance = Callable[[int], None]
"""Called with the number of bytes that arrived since the last call (negative when they had to be thrown away)."""

ATTEMPTS = 5
PAUSE = 1.0  # seconds before the second attempt; doubled for each further one
LARGEST_TEXT = 4 << 20
COMMIT = re.compile(r"[0-9A-Za-z]{1,64}")  # it becomes the name of a folder
DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
OTHER_HUB = "try again, or set HF_ENDPOINT to another hub."
DROPPED = f"it was thrown away: {OTHER_HUB}"


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository at one commit."""

    id: str
    kind: Kind
    commit: str


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file as it was announced: nothing larger and nothing else is accepted later.

    Attributes:
        path: relative to the repository, or the file name of a plain URL.
        url: where its bytes are.
        size: bytes.
        sha256: leading hex digits (64 when complete) of its SHA-256, or empty where none is announced.
        blob: name of its content in huggingface_hub's cache: the SHA-256 of large files, the git id of small ones.
        repository: where it belongs, or None for a plain URL (``in_repository`` raises then).
    """

    path: str
    url: str
    size: int
    sha256: str = ""
    blob: str = ""
    repository: Repository | None = None

    @property
    def in_repository(self) -> Repository:
        """The repository of a file that the hub announced."""
        if self.repository is None:
            raise ValueError(f"{self.path} is a plain URL and in no repository")
        return self.repository


def endpoint() -> str:
    """The hub in use, without a slash at its end."""
    return constants.ENDPOINT


def headers_for(file: RemoteFile) -> dict[str, str]:
    """Request headers; the token goes to repositories of the hub only, never to plain URLs."""
    token = None if file.repository else False
    return build_hf_headers(token=token, library_name="tailscope") | {"accept-encoding": "identity"}


def files(repository_id: str, *, kind: Kind, revision: str = "main") -> tuple[RemoteFile, ...]:
    """All files of the newest commit of a repository's revision, pinned to that commit."""
    api = HfApi(endpoint=endpoint(), library_name="tailscope")
    with download_errors(repository_id):
        ask = api.dataset_info if kind == "dataset" else api.model_info
        info = ask(repository_id, revision=None if revision == "main" else revision, files_metadata=True)
        if info.sha is None or not COMMIT.fullmatch(info.sha):
            raise DownloadFailed(f"{endpoint()} did not say which commit of {repository_id} is the newest; try again.")
        repository = Repository(repository_id, kind, info.sha)
        listed = [
            _remote(repository, each.rfilename, each.size, each.lfs.sha256 if each.lfs else "", each.blob_id)
            for each in info.siblings or ()
            if each.size is not None
        ]
        if not listed or len(listed) < len(info.siblings or ()):
            listed = list(_tree(repository))
    return tuple(listed)


def _tree(repository: Repository) -> Iterator[RemoteFile]:
    """The files of a commit, page by page; where a page names the next one on another host, the token ends there."""
    url: str | None = f"{endpoint()}/api/{repository.kind}s/{repository.id}/tree/{repository.commit}?recursive=true"
    while url:
        if urlsplit(url)[:2] != urlsplit(endpoint())[:2]:
            raise DownloadFailed(
                f"{endpoint()} lists the files of {repository.id} on another host ({urlsplit(url).netloc}), which was "
                f"not asked; {OTHER_HUB}"
            )
        answer = get_session().get(
            url, headers=build_hf_headers(library_name="tailscope"), timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT
        )
        hf_raise_for_status(answer)
        for each in answer.json():
            if each.get("type") == "file":
                sha256 = (each.get("lfs") or {}).get("oid", "")
                yield _remote(repository, each["path"], each.get("size"), sha256, each.get("oid"))
        url = answer.links.get("next", {}).get("url")


def _remote(repository: Repository, path: str, size: int | None, sha256: str, blob: str | None) -> RemoteFile:
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or "\\" in path or "\0" in path or not parts:
        raise DownloadFailed(f"{repository.id} lists a file {path!r} outside its folder; nothing was fetched.")
    if not isinstance(size, int) or size < 0:
        raise DownloadFailed(f"{endpoint()} does not say how large {path} of {repository.id} is; {OTHER_HUB}")
    name = sha256 or blob or ""
    return RemoteFile(
        path,
        hf_hub_url(repository.id, path, repo_type=repository.kind, revision=repository.commit, endpoint=endpoint()),
        size,
        sha256,
        name if DIGEST.fullmatch(name) else "",
        repository,
    )


def plain(url: str, *, sha256: str = "") -> RemoteFile:
    """A file behind a plain URL, with the size its server announces."""
    name = PurePosixPath(urlsplit(url).path).name
    probe = RemoteFile(name, url, 0)
    with download_errors(url):
        answer = get_session().head(url, headers=headers_for(probe), timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
        answer.raise_for_status()
        size = answer.headers.get("content-length", "")
    if not size.isdigit():
        raise DownloadFailed(f"{urlsplit(url).netloc} does not say how large {name} is, so it was not fetched.")
    return RemoteFile(name, url, int(size), sha256)


def read_text(file: RemoteFile) -> str:
    """A small text file, checked like any other."""
    if file.size > LARGEST_TEXT:
        raise DownloadFailed(f"{file.path} should be a small text file, but {file.size:,} bytes are announced.")
    data = bytearray()

    def attempt() -> None:
        data.clear()
        with stream(file) as answer:
            for chunk in answer.iter_bytes():
                data.extend(chunk)
                if len(data) > file.size:
                    break

    with download_errors(file.path):
        retrying(attempt)
    _require_equal(file, len(data), hashlib.sha256(data).hexdigest())
    return data.decode("utf-8", "replace")


def download(file: RemoteFile, target: Path, *, advance: Advance) -> Path:
    """Fetch a file to ``target``: continued where an earlier try ended, checked, then renamed into place.

    ``target`` exists only when it is complete. What had arrived before is reported by the first ``advance``.
    """
    if target.is_file() and target.stat().st_size == file.size:
        advance(file.size)
        return target
    partial = partial_of(target)
    with download_errors(file.path):
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        if partial.stat().st_size > file.size:
            os.truncate(partial, 0)
        advance(partial.stat().st_size)
        retrying(lambda: _append(file, partial, advance), lambda: partial.stat().st_size)
        try:
            _require_equal(file, partial.stat().st_size, keys.file_digest(partial) if file.sha256 else "")
        except DownloadFailed:
            partial.unlink()
            raise
        os.replace(partial, target)
    return target


def partial_of(target: Path) -> Path:
    """Where the bytes of an unfinished download wait."""
    return target.with_name(f"{target.name}.tailscope.incomplete")


def _append(file: RemoteFile, partial: Path, advance: Advance) -> None:
    have = partial.stat().st_size
    if have == file.size:
        return
    with stream(file, start=have) as answer, open(partial, "ab") as out:
        if have and answer.status_code != 206:
            out.truncate(0)
            advance(-have)
            have = 0
        for chunk in answer.iter_bytes():  # without a size nothing waits in a buffer when the line breaks
            have += len(chunk)
            if have > file.size:
                out.truncate(0)
                raise DownloadFailed(f"More than the announced {file.size:,} bytes of {file.path} arrived; {DROPPED}")
            out.write(chunk)
            advance(len(chunk))
        out.flush()
        os.fsync(out.fileno())
    if have < file.size:
        raise httpx2.RemoteProtocolError(f"the connection ended {file.size - have:,} bytes early")


def _require_equal(file: RemoteFile, size: int, sha256: str) -> None:
    if size != file.size:
        raise DownloadFailed(f"{size:,} bytes of {file.path} arrived where {file.size:,} were announced; {DROPPED}")
    if not sha256.startswith(file.sha256.lower()):
        raise DownloadFailed(f"{file.path} arrived with another checksum than was announced; {DROPPED}")


@contextmanager
def stream(file: RemoteFile, *, start: int = 0, stop: int | None = None, url: str = "") -> Iterator[httpx2.Response]:
    """Open the body of a file from byte ``start`` (to before ``stop``); ``url`` overrides where it is read."""
    headers = headers_for(file)
    if url and urlsplit(url).netloc != urlsplit(file.url).netloc:
        headers.pop("authorization", None)
    if start or stop is not None:
        headers["range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
    client = get_session()
    with client.stream("GET", url or file.url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT) as answer:
        hf_raise_for_status(answer)
        if answer.status_code == 206:
            span, _, total = answer.headers.get("content-range", "").removeprefix("bytes ").partition("/")
            if span.split("-")[0] != str(start) or total not in (str(file.size), "*"):
                raise DownloadFailed(f"{file.path} changed on the hub while it was being read; start again.")
        yield answer


def retrying(attempt: Callable[[], None], arrived: Callable[[], int] = int) -> None:
    """Repeat after a broken connection or a busy server; ``ATTEMPTS`` are counted anew whenever bytes arrived.

    A loop of its own: libraries for retries count tries, and a large file over a poor line needs many.
    """
    tries = 0
    while True:
        before = arrived()
        try:
            return attempt()
        except (httpx2.TransportError, hub_errors.HfHubHTTPError) as error:
            answer = getattr(error, "response", None)
            passing = answer is None or answer.status_code in (408, 429) or answer.status_code >= 500
            tries = 1 if arrived() > before else tries + 1
            if not passing or tries >= ATTEMPTS:
                raise
            time.sleep(PAUSE * 2 ** (tries - 1))


@contextmanager
def download_errors(what: str) -> Iterator[None]:
    """Turn whatever goes wrong while ``what`` is fetched into a sentence."""
    host = endpoint()
    try:
        yield
    except hub_errors.OfflineModeIsEnabled as error:
        raise DownloadFailed(f"{what} was not fetched: HF_HUB_OFFLINE is set. Unset it to download.") from error
    except hub_errors.HFValidationError as error:
        raise UnknownName(f"{what!r} is not the name of a repository; names look like org/name.") from error
    except hub_errors.GatedRepoError as error:
        raise DownloadFailed(
            f"{what} is given out only after its terms are accepted: do so at {host}/{what}, then set HF_TOKEN."
        ) from error
    except hub_errors.RepositoryNotFoundError as error:
        raise DownloadFailed(
            f"{what} does not exist on {host}, or needs permission: check the name, or set HF_TOKEN."
        ) from error
    except httpx2.HTTPStatusError as error:
        raise DownloadFailed(_status(what, error.response)) from error
    except hub_errors.HfHubHTTPError as error:
        raise DownloadFailed(_status(what, error.response)) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise DownloadFailed(
            f"{what} could not be fetched from {host} ({reason}). What has arrived is kept: "
            "check the connection and start again."
        ) from error
    except (hub_errors.EntryNotFoundError, hub_errors.FileMetadataError) as error:
        raise DownloadFailed(f"{what} is not what {host} announced ({error}); try again later.") from error
    except OSError as error:
        raise DownloadFailed(f"{what} could not be written ({error}); make room or choose another folder.") from error


def _status(what: str, answer: httpx2.Response) -> str:
    where = urlsplit(str(answer.url)).netloc
    if answer.status_code == 404:
        return f"{where} has no {what}: it was renamed or removed. Look on the hub for its new name."
    if answer.status_code in (401, 403):
        return f"{where} refuses {what} (status {answer.status_code}): set HF_TOKEN to a token that may read it."
    return f"{where} answered {answer.status_code} for {what}; what has arrived is kept, try again later."
