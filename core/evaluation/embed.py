"""Vectors of whole image sets and of lists of sentences: computed once, kept, taken up again where a run stopped.

Knows nothing of torch: an encoder is anything with ``preprocess``, ``encode_images`` and ``encode_texts``.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from cache import keys
from cache.matrices import MatrixStore
from cache.results import Results
from core.datasets.subset import Subset
from core.errors import BadInput, UnreadableData
from core.evaluation.embedding_run import DECODED, EmbeddingRun, changed_pictures, is_changed, storage_dtype
from core.faults import waiting_for
from core.runtime.machine import cores
from core.types import Embeddings, ImageEncoder, ImageSet, LeftOut, Progress, Report, TextEncoder, silent

SCHEMA = 1
"""Counts up when the same files would give other vectors; a release that changes nothing keeps the cache."""

BATCH, SHARD_ROWS = 64, 2048
"""Pictures of one forward pass, and of one file while a run lasts."""

_OF_IMAGES = ("config", "weights", "preprocessing", "precision")
_OF_TEXTS = ("config", "weights", "tokenizer", "precision")
_BUCKETS = 64
_SENTENCES_AT_ONCE = 1024


def image_key(encoder: ImageEncoder, image_set: ImageSet) -> str:
    """Content key of a set's vectors: what the model is, how it sees pictures, and what the pictures are.

    Neither names of models, sets and classes nor library versions and devices are part of it.
    """
    return keys.digest({"schema": SCHEMA, "encoder": _part(encoder, _OF_IMAGES), "images": image_set.fingerprint})


def left_out(meta: Mapping[str, Any]) -> tuple[LeftOut, ...]:
    """The images that a cached matrix lacks, from its own notes (``MatrixStore.meta``)."""
    return tuple(LeftOut(item, reason) for _, item, reason, *_ in meta.get("left_out", ()))


def embed_images(
    encoder: ImageEncoder,
    image_set: ImageSet,
    store: MatrixStore,
    *,
    report: Report = silent,
    batch: int = BATCH,
    shard_rows: int = SHARD_ROWS,
    workers: int | None = None,
    finish: Callable[[EmbeddingRun], None] | None = None,
) -> Embeddings:
    """Vectors of all images of a set, from the store or computed now.

    Pictures are decoded in threads while the model works on the batch before; every finished shard is kept, and so is
    what was done when the run is stopped. Two processes share one run: the second waits and reads.

    Args:
        report: called after every batch; raises Stopped to end the run.
        batch: pictures of one forward pass.
        shard_rows: pictures of one file while the run lasts; at most these are lost by a kill.
        workers: decoding threads; one a core by default.
        finish: ends the run in another way than computing here (``core.cluster``); ``batch`` and ``workers`` are then
            its own affair.

    Raises:
        UnreadableData: not one picture could be read. BadInput: precomputed vectors of another model.
        Stopped: from ``report``.
    """
    if isinstance(image_set, Subset):
        whole = embed_images(
            encoder,
            image_set.parent,
            store,
            report=report,
            batch=batch,
            shard_rows=shard_rows,
            workers=workers,
            finish=finish,
        )
        return of_subset(whole, image_set)
    own = precomputed(encoder, image_set)
    if own is not None:
        return own
    key = image_key(encoder, image_set)
    if found := stored(store, key, image_set, encoder.dim):
        return found
    with waiting_for(store.lock(key), report, "Another process is embedding these images; waiting for it"):
        if found := stored(store, key, image_set, encoder.dim):
            return found
        known, digests = ({}, {}) if finish else _looked_at(store, key, image_set)
        writer = store.writer(key, shards=cut(image_set, shard_rows))
        run = EmbeddingRun(encoder, image_set, writer, report, known, digests=digests)
        if earlier := stored(store, key, image_set, encoder.dim, outdated=True):
            kept = store.beside(key, DECODED)
            run.reuse(
                earlier.vectors,
                earlier.rows,
                store.meta(key)["left_out"],
                changed=_changed(store, key, image_set),
                digests=kept and kept[0]["digests"],
            )
        if finish:
            finish(run)
        else:
            run.finish(batch=batch, workers=workers or cores())
        found = stored(store, key, image_set, encoder.dim, outdated=True)
    if found is not None:
        for look in _looks(store, key):
            store.remove(look)
    if found is None:
        raise UnreadableData(f"The vectors of {image_set.id} could not be read back from {store.folder}; run again.")
    return found


def embed_sample(
    encoder: ImageEncoder, image_set: ImageSet, store: MatrixStore, rows: np.ndarray, *, report: Report = silent
) -> Embeddings:
    """Vectors of some images of a set, int64 [k] rising: from what is embedded already, the rest computed now.

    They are kept, and later samples and the run over the whole set take them over: vectors that one forward pass gave
    beside other pictures may differ by rounding.

    Raises:
        UnreadableData, BadInput, Stopped: as ``embed_images``.
    """
    if isinstance(image_set, Subset):
        whole = embed_sample(encoder, image_set.parent, store, np.unique(image_set.rows[rows]), report=report)
        part = of_subset(whole, image_set)
        return _only(part, rows)
    key = image_key(encoder, image_set)
    own = precomputed(encoder, image_set) or stored(store, key, image_set, encoder.dim)
    if own is not None:
        return _only(own, rows)
    look = _Look.of(image_set, rows)
    own_key = f"{key}{_LOOK}{keys.digest(rows.tolist())[:16]}"
    with waiting_for(store.lock(own_key), report, "Another process is embedding these images; waiting for it"):
        if (found := stored(store, own_key, look, encoder.dim)) is None:
            before, digests = _looked_at(store, key, image_set)
            places = {row: at for at, row in enumerate(rows.tolist())}
            known = {places[row]: vector for row, vector in before.items() if row in places}
            decoded = {places[row]: digest for row, digest in digests.items() if row in places}
            writer = store.writer(own_key, shards=cut(look))
            run = EmbeddingRun(encoder, look, writer, report, known, {"rows": rows.tolist()}, decoded)
            run.finish(batch=BATCH, workers=cores())
            found = stored(store, own_key, look, encoder.dim, outdated=True)
    if found is None:
        raise UnreadableData(f"The vectors of {image_set.id} could not be read back from {store.folder}; run again.")
    return Embeddings(found.vectors, rows[found.rows], found.left_out, found.key)


def whole_of(image_set: ImageSet) -> ImageSet:
    """The set that is embedded for this one: of a view, the set that it looks at."""
    while isinstance(image_set, Subset):
        image_set = image_set.parent
    return image_set


def left_to_embed(encoder: ImageEncoder, image_set: ImageSet, store: MatrixStore) -> int:
    """How many images of a set have no vector yet."""
    image_set = whole_of(image_set)
    key = image_key(encoder, image_set)
    if precomputed(encoder, image_set) or stored(store, key, image_set, encoder.dim):
        return 0
    return len(image_set.labels) - max(store.begun(key), len(_looked_at(store, key, image_set)[0]))


_LOOK = "-look-"


class _Look(Subset):
    """Some images of a set for a first look, each read by itself: a full pass would not pay."""

    @classmethod
    def of(cls, image_set: ImageSet, rows: np.ndarray) -> _Look:
        return cls(
            id=image_set.id,
            parent=image_set,
            rows=rows,
            keys=image_set.keys,
            names=image_set.names,
            labels=np.asarray(image_set.labels)[rows],
            fingerprint=keys.digest([image_set.fingerprint, rows.tolist()]),
            note=image_set.note,
        )

    def prepare(self, report: Report) -> None:
        """Nothing to do."""


def _looks(store: MatrixStore, key: str) -> list[str]:
    return [path.stem for path in sorted(store.folder.glob(f"{key}{_LOOK}*.npy"))]


def _looked_at(store: MatrixStore, key: str, image_set: ImageSet) -> tuple[dict[int, np.ndarray], dict[int, bytes]]:
    """Vectors that first looks at a set left, and digests of the pictures they were made from, by row.

    Pictures that were edited since are not among them.
    """
    known: dict[int, np.ndarray] = {}
    digests: dict[int, bytes] = {}
    for look in _looks(store, key):
        vectors = store.open(look)
        if vectors is None:
            continue
        meta = store.meta(look)
        rows = np.delete(np.array(meta["rows"], np.int64), [row for row, *_ in meta["left_out"]])
        own = dict(zip(rows.tolist(), vectors, strict=True))
        if kept := store.beside(look, DECODED):
            every = np.array(meta["rows"], np.int64)
            for at in changed_pictures(_Look.of(image_set, every), kept[0]["digests"], kept[1]["since"]):
                own.pop(int(every[at]), None)
            digests |= {int(row): digest.tobytes() for row, digest in zip(every, kept[0]["digests"], strict=True)}
        known |= own
    return known, {row: digest for row, digest in digests.items() if row in known}


def _only(found: Embeddings, rows: np.ndarray) -> Embeddings:
    here = np.isin(found.rows, rows)
    return Embeddings(found.vectors[here], found.rows[here], found.left_out, found.key)


def embed_texts(
    encoder: TextEncoder, sentences: Sequence[str], results: Results, *, report: Report = silent
) -> np.ndarray:
    """Unit vectors float32 [s, d] of sentences, each computed once per model ever.

    They are kept in blocks by a digest of their text; a new block is written every few thousand sentences, and at the
    end however the run ends.
    """
    identity = keys.digest({"schema": SCHEMA, "encoder": _part(encoder, _OF_TEXTS)})
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
            rounded = encoder.encode_texts(part).astype(storage_dtype(encoder)).astype(np.float32)
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


def of_subset(whole: Embeddings, subset: Subset) -> Embeddings:
    """The vectors of a subset's pictures, taken from those of the whole set: it embeds nothing anew."""
    place = np.full(len(subset.parent.labels), -1)
    place[whole.rows] = np.arange(len(whole.rows))
    at = place[subset.rows]
    here = np.flatnonzero(at >= 0)
    ids, held = subset.image_ids, set(here.tolist())
    missing = {ids[row] for row in range(len(ids)) if row not in held}
    left = tuple(item for item in whole.left_out if item.item in missing)
    everything = len(here) == len(whole.rows) and np.array_equal(at[here], np.arange(len(whole.rows)))
    return Embeddings(whole.vectors if everything else whole.vectors[at[here]], here, left, whole.key)


def cut(image_set: ImageSet, shard_rows: int = SHARD_ROWS) -> int:
    """Into how many shards a set is cut: the same for every engine, so that one goes on where another stopped."""
    return -(-len(image_set.labels) // shard_rows)


def stored(store: MatrixStore, key: str, image_set: ImageSet, dim: int, *, outdated: bool = False) -> Embeddings | None:
    """The complete vectors of a set under their key, or None while there are none.

    Args:
        outdated: take them although the file of a skipped picture has changed since.
    """
    vectors = store.open(key)
    if vectors is None:
        return None
    meta = store.meta(key)
    if not outdated and _is_outdated(store, key, image_set):
        return None
    skipped = np.array([row for row, *_ in meta["left_out"]], dtype=np.int64)
    rows = np.setdiff1d(np.arange(len(image_set.labels)), skipped)
    if vectors.shape != (len(rows), dim):
        raise UnreadableData(f"The cached matrix {key} does not belong to this set; clear the cache and run again.")
    return Embeddings(vectors, rows, left_out(meta), key)


def version_of(store: MatrixStore, key: str, image_set: ImageSet) -> str | None:
    """Checksum and making of the vectors under this key as they are now: what an answer made from them names.

    None for vectors that a set brings along, while there are none, and when a skipped picture is to be tried again.
    """
    version = store.version(key)
    if version is None:
        return None
    return None if _is_outdated(store, key, whole_of(image_set)) else version


def _is_outdated(store: MatrixStore, key: str, image_set: ImageSet) -> bool:
    skipped = store.meta(key)["left_out"]
    return any(is_changed(image_set, entry) for entry in skipped) or bool(_changed(store, key, image_set))


def _changed(store: MatrixStore, key: str, image_set: ImageSet) -> list[int]:
    """Images that are not what the matrix was made from, looked for once for an open set and a making of the matrix."""
    about = (str(store.folder), key, store.version(key))
    known = _LOOKED_AT.setdefault(image_set, {})
    if about not in known:
        now, kept = time.time_ns(), store.beside(key, DECODED)
        known[about] = changed_pictures(image_set, kept[0]["digests"], kept[1]["since"]) if kept else []
        if kept and not known[about]:
            with suppress(OSError):  # the same files are read again next time
                store.put_beside(key, DECODED, kept[0], {"since": now})
    return known[about]


_LOOKED_AT: WeakKeyDictionary[ImageSet, dict[tuple[str, str, str | None], list[int]]] = WeakKeyDictionary()


def precomputed(encoder: ImageEncoder, image_set: ImageSet) -> Embeddings | None:
    """The vectors that a set brings along, or None when its pictures must be embedded.

    Raises:
        UnreadableData: the set is empty. BadInput: it has vectors of another model only.
    """
    if not len(image_set.labels):
        raise UnreadableData(f"{image_set.id} holds no images.")
    vectors = image_set.vectors
    if vectors is None or (vectors.shape[1] != encoder.dim and image_set.has_images):
        return None
    if vectors.shape[1] != encoder.dim:
        raise BadInput(
            f"The vectors of {image_set.id} have {vectors.shape[1]} numbers, those of {encoder.id} {encoder.dim}: "
            "choose the model that made them."
        )
    key = keys.digest({"schema": SCHEMA, "images": image_set.fingerprint})
    return Embeddings(vectors, np.arange(len(vectors)), (), key)


def _part(encoder: ImageEncoder | TextEncoder, names: Sequence[str]) -> dict[str, Any]:
    return {name: encoder.fingerprint[name] for name in names if name in encoder.fingerprint}


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


def _write_blocks(results: Results, identity: str, new: Mapping[bytes, np.ndarray], encoder: TextEncoder) -> None:
    for bucket in {_bucket(digest) for digest in new}:
        block = _read_block(results, identity, bucket, encoder.dim)
        block |= {digest: vector for digest, vector in new.items() if _bucket(digest) == bucket}
        results.put_arrays(
            _block_name(identity, bucket),
            {
                "digests": np.frombuffer(b"".join(block), np.uint8).reshape(len(block), 32),
                "vectors": np.stack(list(block.values())).astype(storage_dtype(encoder)),
            },
        )
