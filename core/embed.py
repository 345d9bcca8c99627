"""Vectors of whole image sets and of lists of sentences: computed once, kept, taken up again where a run stopped.

Knows nothing of torch: an encoder is anything with ``preprocess``, ``encode_images`` and ``encode_texts``.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from filelock import BaseFileLock, Timeout

from cache import keys
from cache.matrices import MatrixStore, ShardWriter
from cache.results import Results
from core.errors import BadInput, UnreadableData
from core.machine import cores
from core.types import Embeddings, ImageSet, LeftOut, Progress, Report

SCHEMA = 1
"""Counts up when the same files would give other vectors; a release that changes nothing keeps the cache."""

_IDENTITY = ("config", "weights", "preprocessing", "tokenizer", "precision")
_BUCKETS = 64
_SENTENCES_AT_ONCE = 1024


def _silent(_progress: Progress) -> None:
    pass


def image_key(encoder: Any, image_set: ImageSet) -> str:
    """Content key of a set's vectors: what the model is, how it sees pictures, and what the pictures are.

    Neither names of models, sets and classes nor library versions and devices are part of it.
    """
    return keys.digest({"schema": SCHEMA, "encoder": _identity(encoder), "images": image_set.fingerprint})


def left_out(meta: Mapping[str, Any]) -> tuple[LeftOut, ...]:
    """The images that a cached matrix lacks, from its own notes (``MatrixStore.meta``)."""
    return tuple(LeftOut(item, reason) for _, item, reason in meta.get("left_out", ()))


def embed_images(
    encoder: Any,
    image_set: ImageSet,
    store: MatrixStore,
    *,
    report: Report = _silent,
    batch: int = 64,
    shard_rows: int = 2048,
    workers: int | None = None,
) -> Embeddings:
    """Vectors of all images of a set, from the store or computed now.

    Pictures are decoded in threads while the model works on the batch before; every finished shard is kept, and so is
    what was done when the run is stopped. Two processes share one run: the second waits and reads.

    Args:
        report: called after every batch; raises Stopped to end the run.
        batch: pictures of one forward pass.
        shard_rows: pictures of one file while the run lasts; at most these are lost by a kill.
        workers: decoding threads; one a core by default.

    Raises:
        UnreadableData: not one picture could be read. BadInput: precomputed vectors of another model.
        Stopped: from ``report``.
    """
    if not len(image_set.labels):
        raise UnreadableData(f"{image_set.id} holds no images.")
    own = getattr(image_set, "vectors", None)
    if own is not None and (own.shape[1] == encoder.dim or not image_set.has_images):
        return _precomputed(own, encoder, image_set)
    key = image_key(encoder, image_set)
    if found := _stored(store, key, len(image_set.labels), encoder.dim):
        return found
    with _holding(store.lock(key), report):
        if found := _stored(store, key, len(image_set.labels), encoder.dim):
            return found
        shards = -(-len(image_set.labels) // shard_rows)
        _Run(encoder, image_set, store.writer(key, shards=shards), shard_rows, report).finish(batch, workers or cores())
        found = _stored(store, key, len(image_set.labels), encoder.dim)
    if found is None:
        raise UnreadableData(f"The vectors of {image_set.id} could not be read back from {store.folder}; run again.")
    return found


def embed_texts(encoder: Any, sentences: Sequence[str], results: Results, *, report: Report = _silent) -> np.ndarray:
    """Unit vectors float32 [s, d] of sentences, each computed once per model ever.

    They are kept in blocks by a digest of their text; a new block is written every few thousand sentences, and at the
    end however the run ends.
    """
    identity = keys.digest({"schema": SCHEMA, "encoder": _identity(encoder)})
    digests = {text: _text_digest(text) for text in dict.fromkeys(sentences)}
    known: dict[bytes, np.ndarray] = {}
    for bucket in {_bucket(digest) for digest in digests.values()}:
        known |= _read_block(results, identity, bucket, encoder.dim)
    # Texts of similar length share a call, so that the encoder can cut its batches short.
    missing = sorted((text for text, digest in digests.items() if digest not in known), key=len)
    new: dict[bytes, np.ndarray] = {}
    try:
        for start in range(0, len(missing), _SENTENCES_AT_ONCE):
            report(Progress(start, len(missing), f"Encoding sentences with {encoder.id}"))
            part = missing[start : start + _SENTENCES_AT_ONCE]
            # Rounded as it will be read back, so that the first answer equals every later one.
            rounded = encoder.encode_texts(part).astype(_dtype(encoder)).astype(np.float32)
            new |= {digests[text]: vector for text, vector in zip(part, rounded, strict=True)}
            if len(new) >= 4 * _SENTENCES_AT_ONCE:
                _write_blocks(results, identity, new, encoder)
                known |= new
                new = {}
    finally:
        _write_blocks(results, identity, new, encoder)
    known |= new
    if not sentences:
        return np.zeros((0, encoder.dim), np.float32)
    return np.stack([known[digests[text]] for text in sentences]).astype(np.float32, copy=False)


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
class _Run:
    """One embedding run over the shards that are not complete."""

    encoder: Any
    image_set: ImageSet
    writer: ShardWriter
    shard_rows: int
    report: Report

    def finish(self, batch: int, workers: int) -> None:
        n = len(self.image_set.labels)
        shards = [self._taken_up(index, n) for index in range(self.writer.shards)]
        left = [shard for shard in shards if shard.seen < shard.size]
        done = sum(shard.seen for shard in shards)
        message = f"Embedding {self.image_set.id} with {self.encoder.id}"
        self.report(Progress(done, n, message))
        current: _Shard | None = None
        try:
            for shard, rows, pictures in self._decoded(_batches(left, batch), workers):
                current = shard
                self._add(shard, rows, pictures)
                if shard.seen == shard.size:
                    self._keep(shard)
                    current = None
                done += len(rows)
                self.report(Progress(done, n, message))
        except BaseException:
            if current is not None:
                self._keep(current)
            raise
        missing = [entry for shard in shards for entry in shard.left_out]
        if len(missing) == n:
            raise UnreadableData(f"None of the {n} images of {self.image_set.id} can be read: {missing[0][2]}")
        self.writer.finish(
            {
                "model": self.encoder.id,
                "set": self.image_set.id,
                "n": n,
                "left_out": missing,
                "fingerprint": dict(self.encoder.fingerprint),
            }
        )

    def _taken_up(self, index: int, n: int) -> _Shard:
        first = index * self.shard_rows
        shard = _Shard(index, first, min(n - first, self.shard_rows))
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
            shard.vectors.append(self.encoder.encode_images(good).astype(_dtype(self.encoder)))
        for row, picture in zip(rows, pictures, strict=True):
            if isinstance(picture, LeftOut):
                shard.left_out.append([row, picture.item, picture.reason])
        shard.seen += len(rows)

    def _keep(self, shard: _Shard) -> None:
        empty = np.zeros((0, self.encoder.dim), _dtype(self.encoder))
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


def _stored(store: MatrixStore, key: str, n: int, dim: int) -> Embeddings | None:
    vectors = store.open(key)
    if vectors is None:
        return None
    meta = store.meta(key)
    rows = np.setdiff1d(np.arange(n), np.array([row for row, _, _ in meta["left_out"]], dtype=np.int64))
    if vectors.shape != (len(rows), dim):
        raise UnreadableData(f"The cached matrix {key} does not belong to this set; clear the cache and run again.")
    return Embeddings(vectors, rows, left_out(meta), key)


def _precomputed(vectors: np.ndarray, encoder: Any, image_set: ImageSet) -> Embeddings:
    if vectors.shape[1] != encoder.dim:
        raise BadInput(
            f"The vectors of {image_set.id} have {vectors.shape[1]} numbers, those of {encoder.id} {encoder.dim}: "
            "choose the model that made them."
        )
    norms = np.linalg.norm(vectors[:: max(1, len(vectors) // 256)].astype(np.float32), axis=1)
    if len(norms) and np.abs(norms - 1).max() > 1e-2:
        vectors = np.asarray(vectors, np.float32)
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    key = keys.digest({"schema": SCHEMA, "images": image_set.fingerprint})
    return Embeddings(vectors, np.arange(len(vectors)), (), key)


@contextmanager
def _holding(lock: BaseFileLock, report: Report) -> Iterator[None]:
    """Hold the lock; while another process has it, stay able to stop."""
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


def _identity(encoder: Any) -> dict[str, Any]:
    return {name: encoder.fingerprint[name] for name in _IDENTITY if name in encoder.fingerprint}


def _dtype(encoder: Any) -> type[np.floating]:
    """Vectors are kept as precisely as they were computed."""
    return np.float32 if encoder.precision == "float32" else np.float16


def _text_digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _bucket(digest: bytes) -> int:
    return digest[0] % _BUCKETS


def _block_name(identity: str, bucket: int) -> str:
    return f"sentences:{identity}:{bucket}"


def _read_block(results: Results, identity: str, bucket: int, dim: int) -> dict[bytes, np.ndarray]:
    block = results.get_arrays(_block_name(identity, bucket))
    if block is None or block["vectors"].shape != (len(block["digests"]), dim):
        return {}
    vectors = block["vectors"].astype(np.float32)
    return {digest.tobytes(): vector for digest, vector in zip(block["digests"], vectors, strict=True)}


def _write_blocks(results: Results, identity: str, new: Mapping[bytes, np.ndarray], encoder: Any) -> None:
    for bucket in {_bucket(digest) for digest in new}:
        block = _read_block(results, identity, bucket, encoder.dim)
        block |= {digest: vector for digest, vector in new.items() if _bucket(digest) == bucket}
        results.put_arrays(
            _block_name(identity, bucket),
            {
                "digests": np.frombuffer(b"".join(block), np.uint8).reshape(len(block), 32),
                "vectors": np.stack(list(block.values())).astype(_dtype(encoder)),
            },
        )
