"""Embedding the images of one set shard by shard: decoding ahead in threads, keeping what was done.

Only a picture whose content cannot be decoded is skipped, and it is tried again when its file has changed. What the
disk, the memory or the network refuses ends the run, which goes on from there when it is started again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cache.matrices import ShardWriter
from core.errors import FileChanged, ReadFailed, StorageFault, UnreadableData
from core.faults import in_words, require_space, writing
from core.memory import BUDGET
from core.runtime.estimates import measuring
from core.runtime.machine import cores
from core.types import ImageEncoder, ImageSet, Progress, Report, TextEncoder

DECODED, DIGEST = "decoded", 16
"""What is kept beside a matrix of the pictures that it was made from, and bytes of each one's digest."""
_TICK = 50_000_000
"""Nanoseconds by which a file system's clock may lag behind the process's."""


def storage_dtype(encoder: ImageEncoder | TextEncoder) -> type[np.floating]:
    """Vectors are kept as precisely as they were computed."""
    return np.float32 if encoder.precision == "float32" else np.float16


def work_of(encoder: ImageEncoder, image_set: ImageSet) -> str:
    """Under which name the rate of embedding is kept (``core.runtime.estimates``)."""
    where = f"{encoder.precision} on {encoder.fingerprint.get('device', 'cpu')}, {cores()} cores"
    return f"embed {image_set.id} with {encoder.id}, {where}"


@dataclass(slots=True)
class _Shard:
    """What is done of one shard: the first ``seen`` of its images, of which some may have been skipped.

    ``digests`` are those of the images as they were decoded, 16 bytes each, zeros where there is no file; ``since`` is
    when the first was (ns).
    """

    index: int
    first: int
    size: int
    vectors: list[np.ndarray] = field(default_factory=list)
    left_out: list[list[Any]] = field(default_factory=list)
    seen: int = 0
    digests: bytearray = field(default_factory=bytearray)
    since: int = field(default_factory=time.time_ns)


@dataclass(frozen=True, slots=True)
class _Skipped:
    """Why a picture cannot be decoded, and the recorded state of its file."""

    reason: str
    state: list[Any] | None


@dataclass(frozen=True, slots=True)
class _Known:
    """The vector of a picture that was embedded for a first look."""

    vector: np.ndarray


_Picture = np.ndarray | _Skipped | _Known


@dataclass(slots=True)
class EmbeddingRun:
    """One run over the shards of a set that are not complete.

    Hold the store's lock, or compute single shards (``MatrixStore.helper``) for the process that holds it.

    A shard on disk holds the vectors of the first ``seen`` of its images; its note says how many those are and which of
    them were skipped: ``[row, image id, reason, state of the file]``.

    Attributes:
        known: vectors that there are already, by row; about: what else is noted with the complete matrix.
        digests: of the pictures that these vectors were made from, and of those that were decoded, by row.
    """

    encoder: ImageEncoder
    image_set: ImageSet
    writer: ShardWriter
    report: Report
    known: Mapping[int, np.ndarray] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    digests: dict[int, bytes] = field(default_factory=dict)

    def finish(self, *, batch: int, workers: int) -> None:
        """Embed what is missing and join the shards; whatever ends the run early, what was done is kept."""
        self.join(self.compute(range(self.writer.shards), batch=batch, workers=workers))

    def compute(self, indices: Iterable[int], *, batch: int, workers: int) -> list[list[Any]]:
        """Embed what is missing of these shards; returns what all of them had to leave out.

        The pictures of one forward pass follow from the cut into shards alone, so that whoever computes a shard gets
        the same vectors.
        """
        n = len(self.image_set.labels)
        shards = [self._resumed(index, n) for index in indices]
        left = [shard for shard in shards if shard.seen < shard.size]
        done, total = sum(shard.seen for shard in shards), sum(shard.size for shard in shards)
        message = f"Embedding {self.image_set.id} with {self.encoder.id}"
        report = self.report
        if not self.known:
            report = measuring(report, work_of(self.encoder, self.image_set))
        current: _Shard | None = None
        if left:
            self._require_space(total, sum(shard.size - shard.seen for shard in left))
            self.image_set.prepare(self.report)
        report(Progress(done, total, message))
        try:
            for shard, rows, pictures in self._decoded(_batches(left, batch), workers):
                current = shard
                self._add(shard, rows, pictures)
                if shard.seen == shard.size:
                    self._keep(shard)
                    current = None
                done += len(rows)
                report(Progress(done, total, message))
        except BaseException as error:
            if current is not None:
                with suppress(StorageFault):  # the first fault is the one to report
                    self._keep(current)
            if isinstance(error, ReadFailed | MemoryError):
                raise StorageFault(self._interrupted(error, done, total)) from error
            raise
        return [entry for shard in shards for entry in shard.left_out]

    def completed_shards(self) -> dict[int, list[list[Any]]]:
        """The shards that are complete already, each with what it left out."""
        n = len(self.image_set.labels)
        shards = [self._resumed(index, n) for index in range(self.writer.shards)]
        return {shard.index: shard.left_out for shard in shards if shard.seen == shard.size}

    def join(self, left_out: Sequence[list[Any]]) -> None:
        """Make the complete matrix of the shards; UnreadableData when every image was left out."""
        n = len(self.image_set.labels)
        if len(left_out) == n:
            raise UnreadableData(f"None of the {n} images of {self.image_set.id} can be read: {left_out[0][2]}")
        with writing(self.writer.folder):
            notes = [self.writer.note(index) for index in range(self.writer.shards)]
            self.writer.finish(
                {
                    "model": self.encoder.id,
                    "set": self.image_set.id,
                    "n": n,
                    "left_out": list(left_out),
                    "fingerprint": dict(self.encoder.fingerprint),
                    **self.about,
                }
            )
            if all(note.get("digests") for note in notes):  # shards of an earlier version have none
                self.writer.put_beside(*decoded_record(notes))

    def reuse(
        self,
        vectors: np.ndarray,
        rows: np.ndarray,
        left_out: Sequence[list[Any]],
        *,
        changed: Sequence[int] = (),
        digests: np.ndarray | None = None,
    ) -> None:
        """Take over from an earlier complete matrix every shard whose pictures are still the same.

        The other shards are computed as a whole, so that their vectors are those of a run from the start.

        Args:
            vectors: [m, d] of the earlier matrix; rows: int64 [m], the image of each; left_out: its skipped images.
            changed: images whose files have another content now; digests: uint8 [n, 16] of the others.
        """
        n = len(self.image_set.labels)
        stale = {self._shard_of(row, n) for row in changed}
        skipped: dict[int, list[list[Any]]] = {}
        for entry in left_out:
            skipped.setdefault(self._shard_of(entry[0], n), []).append(entry)
        for index in range(self.writer.shards):
            own = skipped.get(index, [])
            if index in stale or any(is_changed(self.image_set, entry) for entry in own) or self.writer.has(index):
                continue
            shard = self._empty_shard(index, n)
            start, stop = np.searchsorted(rows, [shard.first, shard.first + shard.size])
            shard.vectors, shard.left_out, shard.seen = [np.asarray(vectors[start:stop])], own, shard.size
            if digests is not None:
                shard.digests = bytearray(digests[shard.first : shard.first + shard.size].tobytes())
            self._keep(shard)

    def _empty_shard(self, index: int, n: int) -> _Shard:
        # Cut by the number of shards alone, so that shards of a run with another shard size never mix in.
        first = index * n // self.writer.shards
        return _Shard(index, first, (index + 1) * n // self.writer.shards - first)

    def _shard_of(self, row: int, n: int) -> int:
        return ((row + 1) * self.writer.shards - 1) // n

    def _resumed(self, index: int, n: int) -> _Shard:
        shard = self._empty_shard(index, n)
        if self.writer.has(index):
            note = self.writer.note(index)
            if any(is_changed(self.image_set, entry) for entry in note["left_out"]):
                return shard
            shard.seen, shard.left_out = note["seen"], note["left_out"]
            shard.digests = bytearray.fromhex(note.get("digests", ""))
            shard.since = note.get("since", 0)
            if shard.seen < shard.size:
                shard.vectors.append(self.writer.read(index))
        return shard

    def _decoded(
        self, batches: Iterable[tuple[_Shard, range]], workers: int
    ) -> Iterator[tuple[_Shard, range, list[_Picture]]]:
        """Batches of decoded pictures in order, the next ones in the making while one is in use."""
        pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        waiting: deque[tuple[_Shard, range, list[Future[_Picture]]]] = deque()
        prepared = BUDGET.keeping()(self._prepared)
        try:
            for shard, rows in batches:
                waiting.append((shard, rows, [pool.submit(prepared, row) for row in rows]))
                if sum(len(futures) for _, _, futures in waiting) > len(rows) + 4 * workers:
                    yield _collected(*waiting.popleft())
            while waiting:
                yield _collected(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _prepared(self, row: int) -> _Picture:
        if row in self.known:
            return _Known(self.known[row])
        try:
            return self._decode(row)
        except ReadFailed:
            raise
        except UnreadableData:
            # The state is read before the picture is tried for the last time, so that a file which is being replaced
            # just now is either decoded or recorded as it was.
            state = _state(self.image_set, row)
        try:
            return self._decode(row)
        except ReadFailed:
            raise
        except UnreadableData as error:
            # A record without a state is tried again: another run may open the set later than the file was written.
            return _Skipped(str(error), None if isinstance(error, FileChanged) else state)

    def _decode(self, row: int) -> np.ndarray:
        try:
            pixels = self.encoder.preprocess(self.image_set.image(row))
            state = self.image_set.state(row)
            self.digests[row] = bytes(DIGEST) if state is None else bytes.fromhex(state.digest())
            return pixels
        except (OSError, MemoryError) as error:
            reason = str(in_words(error) or error) or type(error).__name__
            raise ReadFailed(f"{self.image_set.image_ids[row]}: {reason}") from error

    def _interrupted(self, error: BaseException, done: int, total: int) -> str:
        return (
            f"Embedding {self.image_set.id} was interrupted: {in_words(error)} {done:,} of {total:,} images are done "
            f"and kept in {self.writer.folder}. No image was skipped for it; run the same again when it is mended."
        )

    def _require_space(self, total: int, missing: int) -> None:
        """Fail before the work, not at its end, when the disk cannot hold the shards and then the joined matrix."""
        row = self.encoder.dim * np.dtype(storage_dtype(self.encoder)).itemsize
        require_space(self.writer.folder, row * (missing + total), f"Embedding {self.image_set.id}")

    def _add(self, shard: _Shard, rows: range, pictures: list[_Picture]) -> None:
        new = [picture for picture in pictures if isinstance(picture, np.ndarray)]
        made = iter(self.encoder.encode_images(new) if new else ())
        good = [picture for picture in pictures if not isinstance(picture, _Skipped)]
        if good:
            vectors = [picture.vector if isinstance(picture, _Known) else next(made) for picture in good]
            shard.vectors.append(np.stack(vectors).astype(storage_dtype(self.encoder)))
        for row, picture in zip(rows, pictures, strict=True):
            shard.digests += self.digests.pop(row, bytes(DIGEST))
            if isinstance(picture, _Skipped):
                shard.left_out.append([row, self.image_set.image_ids[row], picture.reason, picture.state])
        shard.seen += len(rows)

    def _keep(self, shard: _Shard) -> None:
        empty = np.zeros((0, self.encoder.dim), storage_dtype(self.encoder))
        note = {"seen": shard.seen, "left_out": shard.left_out}
        if len(shard.digests) == DIGEST * shard.seen:  # a shard that an earlier version began has fewer
            note |= {"digests": shard.digests.hex(), "since": shard.since}
        with writing(self.writer.folder):
            self.writer.write(shard.index, np.concatenate([empty, *shard.vectors]), note)
        shard.vectors.clear()


def _batches(shards: Iterable[_Shard], batch: int) -> Iterator[tuple[_Shard, range]]:
    for shard in shards:
        end = shard.first + shard.size
        for start in range(shard.first + shard.seen, end, batch):
            yield shard, range(start, min(end, start + batch))


def decoded_record(notes: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, np.ndarray], dict[str, int]]:
    """What is kept beside a matrix of the pictures as they were decoded: its name, digests [n, 16], since when (ns)."""
    digests = np.frombuffer(bytes.fromhex("".join(note["digests"] for note in notes)), np.uint8).reshape(-1, DIGEST)
    return DECODED, {"digests": digests}, {"since": min(note["since"] for note in notes)}


def changed_pictures(image_set: ImageSet, digests: np.ndarray, since: int) -> list[int]:
    """Images whose content is not what was decoded; only files written since then are read.

    Args:
        digests: uint8 [n, 16], zeros for an image that has no file or was skipped; since: nanoseconds.
    """
    changed = []
    for row in np.flatnonzero(digests.any(axis=1)).tolist():
        state = image_set.state(row)
        if state is not None and state.changed > since - _TICK and state.digest() != digests[row].tobytes().hex():
            changed.append(row)
    return changed


def is_changed(image_set: ImageSet, entry: Sequence[Any]) -> bool:
    """Whether a picture that was skipped (``[row, image id, reason, state of its file]``) may be another one now.

    A record without a state was made by a version that skipped pictures for any fault: it is tried again.

    Raises:
        ReadFailed: its file cannot be read just now.
    """
    if len(entry) < 4:
        return True
    state = image_set.state(entry[0])
    recorded = entry[3]
    if state is None or recorded is None:
        return (state is None) != (recorded is None)
    return not state.is_as(recorded)


def _state(image_set: ImageSet, row: int) -> list[Any] | None:
    state = image_set.state(row)
    return None if state is None else state.record()


def _collected(shard: _Shard, rows: range, futures: list[Future[_Picture]]) -> tuple[_Shard, range, list[_Picture]]:
    return shard, rows, [future.result() for future in futures]
