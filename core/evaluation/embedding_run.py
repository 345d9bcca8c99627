"""Embedding the images of one set shard by shard: decoding ahead in threads, keeping what was done."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from filelock import BaseFileLock, Timeout

from cache.matrices import ShardWriter
from core.errors import UnreadableData
from core.types import ImageSet, LeftOut, Progress, Report


def storage_dtype(encoder: Any) -> type[np.floating]:
    """Vectors are kept as precisely as they were computed."""
    return np.float32 if encoder.precision == "float32" else np.float16


@contextmanager
def holding(lock: BaseFileLock, report: Report) -> Iterator[None]:
    """Hold a store's lock; while another process has it, stay able to stop."""
    while True:
        try:
            lock.acquire(timeout=0.5)
            break
        except Timeout:
            report(Progress(message="Another process is embedding these images; waiting for it"))
    try:
        yield
    finally:
        lock.release()


@dataclass(slots=True)
class _Shard:
    """What is done of one shard: the first ``seen`` of its images, of which some may have been left out."""

    index: int
    first: int
    size: int
    vectors: list[np.ndarray] = field(default_factory=list)
    left_out: list[list[Any]] = field(default_factory=list)
    seen: int = 0


@dataclass(slots=True)
class EmbeddingRun:
    """One run over the shards of a set that are not complete.

    Hold the store's lock, or compute single shards (``MatrixStore.helper``) for the process that holds it.

    A shard on disk holds the vectors of the first ``seen`` of its images; its note says how many those are and which of
    them were left out: ``[row, image id, reason]``.
    """

    encoder: Any
    image_set: ImageSet
    writer: ShardWriter
    report: Report

    def finish(self, *, batch: int, workers: int) -> None:
        """Embed what is missing and join the shards; whatever ends the run early, what was done is kept."""
        self.join(self.compute(range(self.writer.shards), batch=batch, workers=workers))

    def compute(self, indices: Iterable[int], *, batch: int, workers: int) -> list[list[Any]]:
        """Embed what is missing of these shards; returns what all of them had to leave out.

        The pictures of one forward pass follow from the cut into shards alone, so that whoever computes a shard gets
        the same vectors.
        """
        n = len(self.image_set.labels)
        shards = [self._taken_up(index, n) for index in indices]
        left = [shard for shard in shards if shard.seen < shard.size]
        done, total = sum(shard.seen for shard in shards), sum(shard.size for shard in shards)
        message = f"Embedding {self.image_set.id} with {self.encoder.id}"
        self.report(Progress(done, total, message))
        current: _Shard | None = None
        if left:
            self.image_set.prepare(self.report)
        try:
            for shard, rows, pictures in self._decoded(_batches(left, batch), workers):
                current = shard
                self._add(shard, rows, pictures)
                if shard.seen == shard.size:
                    self._keep(shard)
                    current = None
                done += len(rows)
                self.report(Progress(done, total, message))
        except BaseException:
            if current is not None:
                self._keep(current)
            raise
        return [entry for shard in shards for entry in shard.left_out]

    def taken_up(self) -> dict[int, list[list[Any]]]:
        """The shards that are complete already, each with what it left out."""
        n = len(self.image_set.labels)
        shards = [self._taken_up(index, n) for index in range(self.writer.shards)]
        return {shard.index: shard.left_out for shard in shards if shard.seen == shard.size}

    def join(self, left_out: Sequence[list[Any]]) -> None:
        """Make the complete matrix of the shards; UnreadableData when every image was left out."""
        n = len(self.image_set.labels)
        if len(left_out) == n:
            raise UnreadableData(f"None of the {n} images of {self.image_set.id} can be read: {left_out[0][2]}")
        self.writer.finish(
            {
                "model": self.encoder.id,
                "set": self.image_set.id,
                "n": n,
                "left_out": list(left_out),
                "fingerprint": dict(self.encoder.fingerprint),
            }
        )

    def _taken_up(self, index: int, n: int) -> _Shard:
        # Cut by the number of shards alone, so that shards of a run with another shard size never mix in.
        first = index * n // self.writer.shards
        shard = _Shard(index, first, (index + 1) * n // self.writer.shards - first)
        if self.writer.has(index):
            note = self.writer.note(index)
            shard.seen, shard.left_out = note["seen"], note["left_out"]
            if shard.seen < shard.size:
                shard.vectors.append(self.writer.read(index))
        return shard

    def _decoded(
        self, batches: Iterable[tuple[_Shard, range]], workers: int
    ) -> Iterator[tuple[_Shard, range, list[np.ndarray | LeftOut]]]:
        """Batches of decoded pictures in order, the next ones in the making while one is in use."""
        pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        waiting: deque[tuple[_Shard, range, list[Future]]] = deque()
        try:
            for shard, rows in batches:
                waiting.append((shard, rows, [pool.submit(self._prepared, row) for row in rows]))
                if sum(len(futures) for _, _, futures in waiting) > len(rows) + 4 * workers:
                    yield _collected(*waiting.popleft())
            while waiting:
                yield _collected(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _prepared(self, row: int) -> np.ndarray | LeftOut:
        try:
            return self.encoder.preprocess(self.image_set.image(row))
        except (UnreadableData, OSError, MemoryError) as error:
            return LeftOut(self.image_set.image_ids[row], str(error) or type(error).__name__)

    def _add(self, shard: _Shard, rows: range, pictures: list[np.ndarray | LeftOut]) -> None:
        good = [picture for picture in pictures if not isinstance(picture, LeftOut)]
        if good:
            shard.vectors.append(self.encoder.encode_images(good).astype(storage_dtype(self.encoder)))
        for row, picture in zip(rows, pictures, strict=True):
            if isinstance(picture, LeftOut):
                shard.left_out.append([row, picture.item, picture.reason])
        shard.seen += len(rows)

    def _keep(self, shard: _Shard) -> None:
        empty = np.zeros((0, self.encoder.dim), storage_dtype(self.encoder))
        note = {"seen": shard.seen, "left_out": shard.left_out}
        self.writer.write(shard.index, np.concatenate([empty, *shard.vectors]), note)
        shard.vectors.clear()


def _batches(shards: Iterable[_Shard], batch: int) -> Iterator[tuple[_Shard, range]]:
    for shard in shards:
        end = shard.first + shard.size
        for start in range(shard.first + shard.seen, end, batch):
            yield shard, range(start, min(end, start + batch))


def _collected(shard: _Shard, rows: range, futures: list[Future]) -> tuple[_Shard, range, list[np.ndarray | LeftOut]]:
    return shard, rows, [future.result() for future in futures]
