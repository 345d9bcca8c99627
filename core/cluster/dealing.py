"""Having parts done by the workers of a Ray cluster: back-pressure, lost workers, and what they have to say."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from cache import CacheError
from core import errors
from core.cluster.session import Ray, Remote, Share
from core.errors import TailscopeError
from core.types import Progress, Report

RETRIES = 3
"""How often a part that was lost with its worker is dealt out again; then it is the part that kills workers."""

PATIENCE = 90.0
"""Seconds until what a worker wrote must be seen here: NFS clients remember for a while that it was not."""

_LOST = (
    "Part {item} was lost with its worker {times} times: it likely needs more memory than the machine has. What was "
    "finished is kept; run again with fewer workers."
)
_BLOCKS = 4096


def wait_until(seen: Callable[[], bool], problem: str) -> None:
    """Wait until what a worker wrote is to be seen here; TailscopeError with ``problem`` when patience ends."""
    until = time.monotonic() + PATIENCE
    while not seen():
        if time.monotonic() > until:
            raise TailscopeError(problem)
        time.sleep(0.2)


def ask_worker(ray: Ray, question: Callable[[], Any], given: Share, *, report: Report) -> Any:
    """The answer of one worker to a question; waits for a free one and can be stopped meanwhile."""
    from ray.exceptions import RayError

    task = ray.remote(num_cpus=given.cpus, num_gpus=given.gpus)(_answered)
    waiting = task.remote(question)
    try:
        while not ray.wait([waiting], timeout=0.5)[0]:
            report(Progress(message="Waiting for a free worker of the cluster"))
        answer, problem = ray.get(waiting)
    except RayError as error:
        raise _failed(error) from error
    except BaseException:
        ray.cancel(waiting, force=True)
        raise
    _raise(problem)
    return answer


def deal_out(
    ray: Ray,
    items: Sequence[int],
    worker: type,
    given: Share,
    *,
    arguments: Sequence[Any],
    retries: int = RETRIES,
    lost: Callable[[int, int], Any] | None = None,
) -> Iterator[tuple[int, str, Any]]:
    """Have every item done by one of the workers: (item, worker's machine, what it returned), as they come.

    A worker is made once (``worker(*arguments)``) and called with one item at a time. What it returns must be JSON. An
    item waits in the driver until a worker is nearly free; one that was lost with its worker is dealt out again, so
    that work must be safe to repeat.

    Args:
        retries: how often. lost: what to give for an item that was lost (item, times); without it the job ends.

    Raises:
        TailscopeError: of a worker, as it was raised there; or what made Ray give up.
    """
    from ray.exceptions import RayError

    items = [int(item) for item in items]
    ledger = ray.remote(num_cpus=0)(_Ledger).remote()
    data = ray.data.from_items(items, override_num_blocks=min(len(items), _BLOCKS))
    done = data.map_batches(
        _Worker,
        batch_size=1,
        batch_format="numpy",
        fn_constructor_args=(worker, tuple(arguments), ledger, retries),
        compute=ray.data.ActorPoolStrategy(size=min(given.workers, len(items)), max_tasks_in_flight_per_actor=2),
        num_cpus=given.cpus,
        num_gpus=given.gpus or None,
    )
    rows = iter(done.iter_rows())
    try:
        for row in rows:
            item, problem = int(row["item"]), json.loads(row["problem"])
            if problem == [_LOST] and lost is not None:
                yield item, row["machine"], lost(item, 1 + retries)
            elif problem == [_LOST]:
                raise TailscopeError(_LOST.format(item=item, times=1 + retries))
            else:
                _raise(problem)
                yield item, row["machine"], json.loads(row["answer"])
    except RayError as error:
        raise _failed(error) from error
    finally:
        rows.close()  # a job that ends early stops Ray Data's own thread


class _LedgerElsewhere(Protocol):
    begin: Remote


class _Ledger:
    """Counts how often every item was begun. Ray Data retries for ever: an item that kills its workers would too."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, item: int) -> int:
        self._begun[item] += 1
        return self._begun[item]


class _Worker:
    """An actor of Ray Data around a worker; problems travel as data, so that Ray does not retry what cannot succeed."""

    def __init__(self, worker: type, arguments: tuple[Any, ...], ledger: _LedgerElsewhere, retries: int) -> None:
        self._worker, self._problem = _answered(lambda: worker(*arguments))
        self._ledger, self._times = ledger, 1 + retries

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[Any]]:
        import ray

        item, answer, problem = int(batch["item"][0]), None, self._problem
        if ray.get(self._ledger.begin.remote(item)) > self._times:
            problem = [_LOST]
        if problem is None:
            answer, problem = _answered(lambda: self._worker(item))
        machine = ray.util.get_node_ip_address()
        return {"item": [item], "machine": [machine], "answer": [json.dumps(answer)], "problem": [json.dumps(problem)]}


def _answered(question: Callable[[], Any]) -> tuple[Any, list[str] | None]:
    try:
        return question(), None
    except (TailscopeError, CacheError) as error:
        return None, [type(error).__name__, str(error)]


def _raise(problem: list[str] | None) -> None:
    if problem is not None:
        kind, sentence = problem
        raise getattr(errors, kind, TailscopeError)(sentence)


def _failed(error: Exception) -> TailscopeError:
    reason = str(getattr(error, "cause", None) or error).strip().splitlines()[-1]
    return TailscopeError(f"A worker of the cluster failed ({reason}). What was finished is kept; run again.")
