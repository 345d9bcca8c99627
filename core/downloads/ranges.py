"""A remote file as a seekable Python file: its bytes arrive when they are read (by pyarrow and tarfile)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import httpx2
from huggingface_hub.errors import HfHubHTTPError

from core.datasets.io.remote import Ranged
from core.downloads import hub
from core.errors import DownloadFailed

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

WORKERS = 8
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """``work`` over all items on a few threads; the first error ends it, what has not begun is dropped."""
    pool = ThreadPoolExecutor(WORKERS)
    try:
        return list(pool.map(work, items))
    finally:
        pool.shutdown(cancel_futures=True)


class RangeFile(Ranged):
    """Read-only view of a remote file through HTTP range requests.

    Args:
        file: as the hub announced it; a range of another file size is refused.
        window: bytes fetched at least per request, from the place that is read (0 = exactly what is asked for).
        largest: one read may not ask for more bytes than this, whatever a hostile header claims.
        advance: told how many bytes every request brought.
    """

    def __init__(
        self, file: hub.RemoteFile, *, window: int = 0, largest: int = 1 << 30, advance: hub.Advance = lambda n: None
    ) -> None:
        super().__init__(file.size)
        self.file = file
        self.window = window
        self.largest = largest
        self.advance = advance
        self._blocks: dict[int, bytes] = {}  # start -> bytes held in memory
        self._starts: list[int] = []
        self._located = file.url

    def read(self, size: int = -1) -> bytes:
        left = max(0, self.size - self._at)
        size = left if size is None or size < 0 else min(size, left)
        data = self._held(self._at, size)
        if data is None:
            stop = min(self.size, self._at + max(size, self.window))
            block = self.fetch(self._at, stop)
            if self.window:
                self._hold({self._at: block})
            data = block[:size]
        self._at += size
        return data

    def readinto(self, buffer: WriteableBuffer) -> int:
        with memoryview(buffer) as view, view.cast("B") as room:
            data = self.read(len(room))
            room[: len(data)] = data
        return len(data)

    def preload(self, spans: Iterable[tuple[int, int]]) -> None:
        """Hold these (start, stop) spans in memory, instead of what was held; several requests at once."""
        spans = list(spans)
        blocks = in_parallel(lambda span: self.fetch(*span), spans)
        self._hold({start: block for (start, _), block in zip(spans, blocks, strict=True)})

    def fetch(self, start: int, stop: int) -> bytes:
        """The bytes from ``start`` to before ``stop``; may be called from several threads."""
        if start >= stop:
            return b""
        if stop - start > self.largest or stop > self.size:
            raise DownloadFailed(
                f"{self.file.path} claims a part of {stop - start:,} bytes that it cannot have; it is damaged."
            )
        parts: list[bytes] = []
        with hub.download_errors(self.file.path):
            hub.retrying(lambda: self._fetch(start, stop, parts))
        data = b"".join(parts)
        self.advance(len(data))
        return data

    def _fetch(self, start: int, stop: int, parts: list[bytes]) -> None:
        parts.clear()
        left = stop - start
        try:
            with hub.stream(self.file, start=start, stop=stop, url=self._located) as answer:
                if answer.status_code != 206:
                    raise DownloadFailed(
                        f"{urlsplit(str(answer.url)).netloc} does not serve parts of {self.file.path}: "
                        "fetch the whole set instead."
                    )
                # A hub redirects to a storage host with a signed address: ask there directly from now on.
                self._located = str(answer.url)
                for chunk in answer.iter_bytes():
                    left -= len(chunk)
                    if left < 0:
                        raise DownloadFailed(f"More of {self.file.path} arrived than was asked for; {hub.OTHER_HUB}")
                    parts.append(chunk)
        except HfHubHTTPError as error:
            if self._located == self.file.url or error.response.status_code not in (400, 401, 403, 404):
                raise
            self._located = self.file.url
            raise httpx2.RemoteProtocolError("the signed address expired") from error
        if left:
            raise httpx2.RemoteProtocolError(f"the connection ended {left:,} bytes early")

    def _hold(self, blocks: dict[int, bytes]) -> None:
        self._blocks, self._starts = blocks, sorted(blocks)

    def _held(self, start: int, size: int) -> bytes | None:
        at = bisect_right(self._starts, start) - 1
        if at < 0:
            return None
        offset = start - self._starts[at]
        block = self._blocks[self._starts[at]]
        return block[offset : offset + size] if offset + size <= len(block) else None
