"""A hub on loopback that speaks HTTP as the real one does: API, resolve with redirects to storage, ranges, errors.

Two servers on two ports, as a hub and its storage have two hosts: large files are redirected with a signed address.
Nothing is mocked: huggingface_hub, open_clip and Tailscope talk to it over sockets.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from core.errors import Stopped
from core.types import Progress

LFS_FROM = 1000  # bytes; larger files are kept in "large file storage"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Request:
    """One request as it was answered: which file, the bytes of its body, its range and token."""

    method: str
    path: str
    status: int = 0
    sent: int = 0
    range: str = ""
    token: str = ""


@dataclass
class StandIn:
    """Repositories by ``(kind, id)``, each a mapping of path to bytes, and knobs for what may go wrong.

    Attributes:
        break_after: path -> body lengths after which the next answers are cut off.
        corrupt: paths whose bytes are changed on the way.
        announce: path -> size announced instead of the true one.
        fail: path -> status codes of the next answers.
        ranges: False = ranges are ignored and everything is sent.
        token: when set, repositories answer only to it.
        gated: repositories whose terms were not accepted.
        signed: how often a storage address may be used before it expires.
        without_sizes: True = a repository's own listing has no sizes, so that its tree is read.
        next_page: where the tree says that it goes on.
        moved_to: host to which the API redirects, empty for none.
    """

    repositories: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    break_after: dict[str, list[int]] = field(default_factory=dict)
    corrupt: set[str] = field(default_factory=set)
    announce: dict[str, int] = field(default_factory=dict)
    fail: dict[str, list[int]] = field(default_factory=dict)
    ranges: bool = True
    token: str = ""
    gated: set[str] = field(default_factory=set)
    signed: int = 1 << 30
    without_sizes: bool = False
    next_page: str = ""
    moved_to: str = ""
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    storage_url: str = ""
    signatures: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, id: str, files: dict[str, bytes]) -> None:
        self.repositories[kind, id] = files

    def commit(self, kind: str, id: str) -> str:
        """A commit id that changes with the content."""
        listing = sorted((path, sha256(data)) for path, data in self.repositories[kind, id].items())
        return hashlib.sha1(repr(listing).encode()).hexdigest()

    def sent(self, suffix: str = "") -> int:
        """Bytes sent of files (not of the API, not of errors) whose path ends so."""
        files = (each for each in self.requests if "/api/" not in each.path and each.status < 300)
        return sum(each.sent for each in files if each.path.endswith(suffix))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: StandIn

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.route()

    def do_HEAD(self) -> None:
        self.route()

    def route(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.record = Request(
            self.command, f"/{path}", range=self.headers["range"] or "", token=self.headers["authorization"] or ""
        )
        self.hub.requests.append(self.record)
        if path.startswith("storage/"):
            return self.storage(path.removeprefix("storage/"))
        if path.startswith("api/"):
            return self.api(path.removeprefix("api/"))
        kind, rest = ("dataset", path.removeprefix("datasets/")) if path.startswith("datasets/") else ("model", path)
        id, _, tail = rest.partition("/resolve/")
        revision, _, name = tail.partition("/")
        return self.resolve(kind, id, revision, name)

    def api(self, path: str) -> None:
        if self.hub.moved_to:
            return self.body(b"", {"location": self.hub.moved_to + self.path}, status=302)
        kind, _, rest = path.partition("s/")
        for word in ("/tree/", "/revision/"):
            if word in rest:
                id, revision = rest.split(word)
                return self.listing(kind, id, revision, tree=word == "/tree/")
        return self.listing(kind, rest, "main", tree=False)

    def listing(self, kind: str, id: str, revision: str, *, tree: bool) -> None:
        files = self.repository(kind, id, revision)
        if files is None:
            return
        sizes = "blobs" in parse_qs(urlsplit(self.path).query) and not self.hub.without_sizes
        entries = []
        for path, data in files.items():
            size = self.hub.announce.get(path, len(data))
            lfs = {"sha256": sha256(data), "oid": sha256(data), "size": size, "pointerSize": 134}
            lfs = lfs if len(data) >= LFS_FROM else None
            if tree:
                entry = {"type": "file", "path": path, "size": size, "oid": git_blob(data)}
            else:
                entry = {"rfilename": path} | ({"size": size, "blobId": git_blob(data)} if sizes else {})
            entries.append(entry | ({"lfs": lfs} if lfs and (tree or sizes) else {}))
        body = entries if tree else {"id": id, "sha": self.hub.commit(kind, id), "siblings": entries}
        more = {"link": f'<{self.hub.next_page}>; rel="next"'} if tree and self.hub.next_page else {}
        self.body(json.dumps(body).encode(), {"content-type": "application/json"} | more)

    def repository(self, kind: str, id: str, revision: str) -> dict[str, bytes] | None:
        files = self.hub.repositories.get((kind, id))
        if files is None or (self.hub.token and self.record.token != f"Bearer {self.hub.token}"):
            self.error(401, "RepoNotFound")
        elif id in self.hub.gated:
            self.error(403, "GatedRepo")
        elif revision not in ("main", "refs/convert/parquet", self.hub.commit(kind, id)):
            self.error(404, "RevisionNotFound")
        else:
            return files
        return None

    def resolve(self, kind: str, id: str, revision: str, name: str) -> None:
        files = self.repository(kind, id, revision)
        if files is None:
            return
        commit = {"x-repo-commit": self.hub.commit(kind, id)}
        if name not in files:
            return self.error(404, "EntryNotFound", commit)
        data = files[name]
        if len(data) < LFS_FROM:
            return self.file(name, data, commit | {"etag": f'"{git_blob(data)}"'})
        signature = str(len(self.hub.signatures))
        self.hub.signatures[signature] = self.hub.signed
        self.body(
            b"",
            commit
            | {
                "location": f"{self.hub.storage_url}/storage/{kind}/{id}/-/{name}?signature={signature}",
                "x-linked-size": str(len(data)),
                "x-linked-etag": f'"{sha256(data)}"',
                "etag": f'"{git_blob(data)}"',
            },
            status=302,
        )

    def storage(self, path: str) -> None:
        place, _, name = path.partition("/-/")
        kind, _, id = place.partition("/")
        signature = parse_qs(urlsplit(self.path).query)["signature"][0]
        self.hub.signatures[signature] -= 1
        if self.hub.signatures[signature] < 0:
            return self.error(403, "")
        self.file(name, self.hub.repositories[kind, id][name], {})

    def file(self, name: str, data: bytes, headers: dict[str, str]) -> None:
        if codes := self.hub.fail.get(name):
            return self.error(codes.pop(0), "")
        if name in self.hub.corrupt:
            data = bytes([data[0] ^ 1]) + data[1:]
        status, total = 200, len(data)
        if self.hub.ranges and self.record.range:
            first, last = self.record.range.removeprefix("bytes=").split("-")
            start, stop = int(first), min(int(last) + 1, total) if last else total
            if start >= total:
                return self.error(416, "")
            status, data = 206, data[start:stop]
            headers = headers | {"content-range": f"bytes {start}-{stop - 1}/{total}"}
        limits = self.hub.break_after.get(name) if self.command == "GET" else None
        self.body(data, headers | {"accept-ranges": "bytes"}, status=status, limit=limits.pop(0) if limits else None)

    def error(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        self.body(b"{}", {"x-error-code": code, **(headers or {})}, status=status)

    def body(self, data: bytes, headers: dict[str, str], *, status: int = 200, limit: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.record.status = status
        if self.command == "HEAD":
            return
        self.record.sent = len(data[:limit])
        self.wfile.write(data[:limit])
        if limit is not None:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that stop close their connection; that is part of the tests."""


@contextmanager
def serve() -> Iterator[StandIn]:
    """Start the hub and its storage on free ports of 127.0.0.1; they end with the block."""
    hub = StandIn()
    handler = type("Handler", (_Handler,), {"hub": hub})
    servers = [_Server(("127.0.0.1", 0), handler) for _ in range(2)]
    hub.url, hub.storage_url = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


def stop_after(received: int) -> Callable[[Progress], None]:
    """A report that stops the job once so many bytes have arrived."""

    def report(progress: Progress) -> None:
        if progress.done >= received:
            raise Stopped("stopped by the test")

    return report


def picture(seed: int, size: int = 3000) -> bytes:
    """Bytes that begin like a JPEG file, others for every seed."""
    return b"\xff\xd8\xff" + random.Random(int(seed)).randbytes(size)
