"""Embedding an image set on a Ray cluster: the shards of ``core.evaluation.embed`` dealt to free workers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from cache.matrices import MatrixStore, ShardWriter
from core.cluster.dealing import RETRIES, ask_worker, deal_out, wait_until
from core.cluster.session import Ray, Share, session, share
from core.datasets import open_set
from core.datasets.io.addresses import is_shared
from core.errors import BadInput
from core.evaluation import embed
from core.evaluation.embedding_run import EmbeddingRun
from core.types import Embeddings, ImageSet, Lens, Progress, Report, silent

if TYPE_CHECKING:
    from core.models.encoder import Encoder


@dataclass(frozen=True, slots=True)
class Described:
    """What decides an encoder's vectors, without the encoder: enough for keys and notes."""

    id: str
    dim: int
    precision: str
    fingerprint: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """One job as every worker gets it; both functions are pickled by name.

    ``load`` gives the encoder and ``open_images`` the image set, on the worker's machine.
    """

    load: Callable[[], Any]
    open_images: Callable[[], ImageSet]
    folder: str
    key: str
    shards: int
    batch: int
    threads: int


class ShardWorker:
    """Holds one model and one open set; called with a shard's number, it computes that shard unless it is there."""

    def __init__(self, order: Order) -> None:
        encoder, image_set = order.load(), order.open_images()
        key = embed.image_key(encoder, image_set)
        if key != order.key:
            raise BadInput(
                f"Worker {os.uname().nodename} would compute other vectors of {image_set.id} with {encoder.id} "
                f"({encoder.precision}) than its fellows: all machines need the same files, and the same precision "
                "(TAILSCOPE_PRECISION, or --precision float32)."
            )
        writer = MatrixStore(order.folder).helper(order.key, shards=order.shards)
        self._run = EmbeddingRun(encoder, image_set, writer, silent)
        self._order = order

    def __call__(self, index: int) -> list[list[Any]]:
        """What the shard had to leave out, once it is in the store."""
        return self._run.compute([index], batch=self._order.batch, workers=self._order.threads)


def embed_on_ray(
    load: Callable[[], Any],
    open_images: Callable[[], ImageSet],
    store: MatrixStore,
    *,
    address: str | None = None,
    workers: int | None = None,
    report: Report = silent,
    batch: int = embed.BATCH,
    shard_rows: int = embed.SHARD_ROWS,
    retries: int = RETRIES,
) -> Embeddings:
    """Vectors of all images of a set, computed by the workers of a Ray cluster, or from the store.

    Every worker holds one model (and one GPU, where there are any), reads its pictures itself and writes finished
    shards into the store, which all machines must see under the same path. Shards that are there are not computed
    again, whoever made them; of two jobs for the same vectors the second waits and reads.

    Args:
        load, open_images: give the encoder and the set on any machine; picklable.
        address: as ``core.cluster.session.session``.
        workers: how many; one a GPU, else one a machine, by default.
        retries: how often a shard that was lost with its worker is computed again.

    Raises:
        ExtraMissing: Ray is not installed. What ``core.evaluation.embed.embed_images`` raises, here or in a worker.
    """
    image_set = open_images()
    with session(address) as ray:
        given = share(ray, workers=workers)
        described = ask_worker(ray, lambda: _describe(load), given, report=report)

        def finish(run: EmbeddingRun) -> None:
            order = Order(
                load, open_images, str(store.folder.absolute()), embed.image_key(described, image_set),
                run.writer.shards, batch, given.cpus,
            )  # fmt: skip
            run.join(_computed(ray, order, run, given, report, retries))

        return embed.embed_images(described, image_set, store, report=report, shard_rows=shard_rows, finish=finish)


def embeddings_on_ray(
    lens: Lens, *, address: str | None = None, workers: int | None = None, report: Report = silent
) -> Embeddings:
    """Image vectors of the lens's set under its model, as ``evaluate.embeddings_for``, by a Ray cluster."""
    from core.evaluation.evaluate import matrices

    if not is_shared(lens.image_set):
        raise BadInput(f"{lens.image_set} lives in one process only and cannot be read by the workers of a cluster.")
    load, open_images = partial(_load, lens.model, lens.precision), partial(open_set, lens.image_set, captions=True)
    return embed_on_ray(load, open_images, matrices(), address=address, workers=workers, report=report)


def _load(model: str, precision: str) -> Encoder:
    from core.models.encoder import load_encoder  # a worker needs torch, the driver does not

    return load_encoder(model, precision=precision)


def _describe(load: Callable[[], Any]) -> Described:
    encoder = load()
    return Described(encoder.id, encoder.dim, encoder.precision, dict(encoder.fingerprint))


def _computed(ray: Ray, order: Order, run: EmbeddingRun, given: Share, report: Report, retries: int) -> list[list[Any]]:
    """What all shards left out, in order, once every one of them is to be seen in the store."""
    done = run.completed_shards()
    left = [index for index in range(order.shards) if index not in done]
    message = f"Embedding {run.image_set.id} with {run.encoder.id} on {min(given.workers, len(left)) or 1} workers"
    n = len(run.image_set.labels)
    report(Progress(_images(done, order.shards, n), n, message))
    if left:
        run.image_set.prepare(report)
        seen: set[str] = set()
        dealt = deal_out(ray, left, ShardWorker, given, arguments=(order,), retries=retries)
        for index, machine, left_out in dealt:
            if machine not in seen:
                _wait_for(run.writer, index, machine)
                seen.add(machine)
            done[index] = left_out
            report(Progress(_images(done, order.shards, n), n, message))
        for index in left:
            _wait_for(run.writer, index, "of the cluster")
    return [entry for index in range(order.shards) for entry in done[index]]


def _images(done: Any, shards: int, n: int) -> int:
    return sum((index + 1) * n // shards - index * n // shards for index in done)


def _wait_for(writer: ShardWriter, index: int, machine: str) -> None:
    wait_until(
        partial(writer.has, index),
        f"Worker {machine} wrote shard {index}, but it is not in the store here: TAILSCOPE_CACHE (or "
        "TAILSCOPE_EMBEDDINGS) must be the same shared folder on every machine.",
    )
