"""Counting on a Ray cluster: the parts of ``core.counting``, each computed by whichever worker is free."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from core.cluster.dealing import deal_out, wait_until
from core.cluster.session import Ray, Share, processors, session
from core.counting.parts import Part
from core.counting.query import Query
from core.counting.run import Engine
from core.counting.work import compute, done
from core.datasets.io.addresses import is_shared
from core.errors import BadInput, TailscopeError
from core.types import LeftOut, Progress, Report


@contextmanager
def counting_on_ray(*, address: str | None = None, workers: int | None = None) -> Iterator[Engine]:
    """An engine for ``core.counting.run.count`` whose parts are computed by the workers of a Ray cluster.

    All machines must see the captions, and the folder of the counts, under the same address or path. Results that are
    there are not computed again, whoever made them.

    Args:
        address: as ``core.cluster.session.session``.
        workers: how many; one a processor by default.

    Raises:
        ExtraMissing: Ray is not installed. BadInput: no cluster answers at this address.
    """
    with session(address) as ray:
        yield partial(_deal, ray, processors(ray, workers=workers))


class PartCounter:
    """Called with a part's number, it computes that part unless it is there; returns why it cannot be read, or None."""

    def __init__(self, parts: Sequence[dict[str, Any]], query: dict[str, Any], store: str) -> None:
        self._parts, self._query, self._store = parts, Query.from_json(query), Path(store)
        if not self._store.is_dir():
            raise BadInput(
                f"Worker {os.uname().nodename} does not see {store}: --out must be a folder that all machines share."
            )

    def __call__(self, number: int) -> str | None:
        """The reason for which the part must be left out, None once its result is in the store."""
        try:
            compute(Part.from_json(self._parts[number]), self._query, self._store)
        except TailscopeError as error:
            return str(error)
        except Exception as error:  # as the local engine: one strange file must not end a run of thousands
            return f"It cannot be read ({type(error).__name__}: {str(error)[:160]})."
        return None


def _deal(
    ray: Ray, given: Share, parts: Sequence[Part], query: Query, store: Path, report: Report
) -> Iterator[LeftOut]:
    if alone := [part.place.uri for part in parts if not is_shared(part.place.uri)]:
        raise BadInput(f"{alone[0]} lives in one process only and cannot be read by the workers of a cluster.")
    if not parts:
        return
    store, read, total = store.absolute(), 0, sum(part.size for part in parts)
    message = f"Counting on {min(given.workers, len(parts))} workers"
    report(Progress(0, total, message))
    arguments = ([part.as_json() for part in parts], query.as_json(), str(store))
    counted = []
    for number, machine, reason in deal_out(
        ray, range(len(parts)), PartCounter, given, arguments=arguments, lost=_lost
    ):
        part = parts[number]
        read += part.size
        if reason is not None:
            yield LeftOut(part.place.name, reason)
        else:
            counted.append((part, machine))
        report(Progress(read, total, f"{message} · {part.place.name}"))
    for part, machine in counted:
        wait_until(
            partial(done, part, query, store),
            f"Worker {machine} counted {part.place.name}, but its result is not in {store} here: --out must be a "
            "folder that all machines share.",
        )


def _lost(_number: int, times: int) -> str:
    return f"The worker that read it was lost, {times} times; it likely needs more memory than the machine has."
