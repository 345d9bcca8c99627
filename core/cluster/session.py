"""Being a driver on a Ray cluster: connecting, what its machines offer, and dealing out work with back-pressure."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from cache import CacheError, keys
from core import errors
from core.errors import BadInput, ExtraMissing, TailscopeError
from core.machine import cores
from core.types import Progress, Report

INSTALL = 'pip install "ray[data]"'

RETRIES = 3
"""How often a part that was lost with its worker is dealt out again; then it is the part that kills workers."""

PATIENCE = 90.0
"""Seconds until what a worker wrote must be seen here: NFS clients remember for a while that it was not."""

_NO_PROCESSOR = "No machine of this Ray cluster offers a processor to work on."
_LOST = (
    "Part {item} was lost with its worker {times} times: it likely needs more memory than the machine has. What was "
    "finished is kept; run again with fewer workers."
)
_BLOCKS = 4096
_PASSED_ON = ("TAILSCOPE_EMBEDDINGS", "TAILSCOPE_PRECISION", "HF_HOME", "HF_HUB_OFFLINE")
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker reserves of its machine, and how many such workers the cluster holds."""

    workers: int
    cpus: int
    gpus: int


def address_of(given: str | None) -> str | None:
    """The cluster that is meant: the address given, else ``RAY_ADDRESS``; None for this machine alone."""
    return given or os.environ.get("RAY_ADDRESS") or None


def available() -> bool:
    """Whether Ray Data is installed."""
    return find_spec("ray") is not None


def _check(address: str | None) -> None:
    """Refuse at once what Ray would try for minutes, and then abort the process over."""
    if not address or address in ("auto", "local"):
        return
    if address.startswith("ray://"):
        raise BadInput("Ray Client addresses (ray://) are not supported: run the command on a machine of the cluster.")
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit() and int(port) < 1 << 16):
        raise BadInput(
            f"{address!r} is not the address of a Ray cluster; give HOST:PORT, as `ray start --head` prints it."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadInput(
            f"No Ray cluster answers at {address}: {reason}. Start one there, or leave --address out."
        ) from error


@contextmanager
def session(address: str | None) -> Iterator[Any]:
    """The ``ray`` module, connected as a driver; workers of a session that ends are stopped.

    Args:
        address: ``host:port`` of a running cluster; None starts one on this machine and ends it afterwards.

    Raises:
        ExtraMissing: Ray Data is not installed. BadInput: no cluster answers at this address.
    """
    if not available():
        raise ExtraMissing(f"The engine ray needs Ray Data: {INSTALL}. The local engine works without it.")
    _check(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    own = {"num_cpus": cores(), "include_dashboard": False}
    try:
        ray.init(
            address=address or "local",
            **({} if address else own),
            runtime_env={"env_vars": _environment()},
            log_to_driver=False,
            logging_level=logging.WARNING,
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = str(error).partition("\n")[0]
        raise BadInput(f"No Ray cluster can be used at {address or 'this machine'}: {reason}.") from error
    try:
        settings = ray.data.DataContext.get_current()
        settings.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        yield ray
    finally:
        ray.shutdown()


def share(ray: Any, *, workers: int | None = None) -> Share:
    """How the cluster is cut into workers: one a GPU where there are any, else one a machine.

    Args:
        workers: how many there are to be on a cluster without GPUs, or at most on one with them.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    with_gpus = [machine for machine in machines if machine.get("GPU", 0) >= 1]
    if with_gpus:
        most = sum(int(machine["GPU"]) for machine in with_gpus)
        cpus = min(int(machine.get("CPU", 1) // machine["GPU"]) for machine in with_gpus)
        return Share(min(workers or most, most), max(1, cpus), 1)
    machines = [machine for machine in machines if machine.get("CPU", 0) >= 1]
    if not machines:
        raise BadInput(_NO_PROCESSOR)
    count = workers or len(machines)
    each = -(-count // len(machines))
    return Share(count, max(1, min(int(machine["CPU"] // each) for machine in machines)), 0)


def processors(ray: Any, *, workers: int | None = None) -> Share:
    """The cluster cut into workers of one processor each, at most ``workers``."""
    most = int(ray.cluster_resources().get("CPU", 0))
    if not most:
        raise BadInput(_NO_PROCESSOR)
    return Share(min(workers or most, most), 1, 0)


def wait_until(seen: Callable[[], bool], problem: str) -> None:
    """Wait until what a worker wrote is to be seen here; TailscopeError with ``problem`` when patience ends."""
    until = time.monotonic() + PATIENCE
    while not seen():
        if time.monotonic() > until:
            raise TailscopeError(problem)
        time.sleep(0.2)


def ask_worker(ray: Any, question: Callable[[], Any], given: Share, *, report: Report) -> Any:
    """The answer of one worker to a question; waits for a free one and can be stopped meanwhile."""
    task = ray.remote(num_cpus=given.cpus, num_gpus=given.gpus)(_answered)
    waiting = task.remote(question)
    try:
        while not ray.wait([waiting], timeout=0.5)[0]:
            report(Progress(message="Waiting for a free worker of the cluster"))
        answer, problem = ray.get(waiting)
    except ray.exceptions.RayError as error:
        raise _failed(error) from error
    except BaseException:
        ray.cancel(waiting, force=True)
        raise
    _raise(problem)
    return answer


def deal_out(
    ray: Any,
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
    try:
        for row in done.iter_rows():
            item, problem = int(row["item"]), json.loads(row["problem"])
            if problem == [_LOST] and lost is not None:
                yield item, row["machine"], lost(item, 1 + retries)
            elif problem == [_LOST]:
                raise TailscopeError(_LOST.format(item=item, times=1 + retries))
            else:
                _raise(problem)
                yield item, row["machine"], json.loads(row["answer"])
    except ray.exceptions.RayError as error:
        raise _failed(error) from error


class _Ledger:
    """Counts how often every item was begun. Ray Data retries for ever: an item that kills its workers would too."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, item: int) -> int:
        self._begun[item] += 1
        return self._begun[item]


class _Worker:
    """An actor of Ray Data around a worker; problems travel as data, so that Ray does not retry what cannot succeed."""

    def __init__(self, worker: type, arguments: tuple[Any, ...], ledger: Any, retries: int) -> None:
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


def _environment() -> dict[str, str]:
    """What decides about stores and models must be the same in every process of a job."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
    return {"TAILSCOPE_CACHE": str(keys.root()), "PYTHONPATH": path, **passed}
