"""Being a driver on a Ray cluster: connecting, and what its machines offer."""

from __future__ import annotations

import gc
import logging
import os
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

from cache import keys
from core.errors import BadInput, ExtraMissing
from core.paths import IMPORT_ROOT
from core.runtime.machine import cores

INSTALL = 'pip install "ray[data]"'

_NO_PROCESSOR = "No machine of this Ray cluster offers a processor to work on."
_PASSED_ON = ("TAILSCOPE_EMBEDDINGS", "TAILSCOPE_PRECISION", "HF_HOME", "HF_HUB_OFFLINE")


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


class Remote(Protocol):
    """What runs elsewhere: a task, a class of actors, or a method of one."""

    def remote(self, *arguments: Any) -> Any: ...


class Rows(Protocol):
    """Rows of a data set as they come; closing what iterates over them ends the work."""

    def __iter__(self) -> Generator[dict[str, Any]]: ...


class Dataset(Protocol):
    """What is used of a data set of Ray Data."""

    def map_batches(self, worker: type, /, **how: Any) -> Dataset: ...
    def iter_rows(self) -> Rows: ...


class Data(Protocol):
    """What is used of the module ``ray.data``."""

    def from_items(self, items: list[Any], *, override_num_blocks: int) -> Dataset: ...
    def ActorPoolStrategy(self, *, size: int, max_tasks_in_flight_per_actor: int) -> object: ...


class Ray(Protocol):
    """What is used of the module ``ray``, which need not be installed."""

    data: Data

    def remote(self, *, num_cpus: int, num_gpus: int = 0) -> Callable[[Callable[..., object]], Remote]: ...
    def nodes(self) -> list[dict[str, Any]]: ...
    def cluster_resources(self) -> dict[str, float]: ...
    def wait(self, tasks: list[Any], /, *, timeout: float) -> tuple[list[Any], list[Any]]: ...
    def get(self, task: Any, /) -> Any: ...
    def cancel(self, task: Any, /, *, force: bool) -> None: ...


@contextmanager
def session(address: str | None) -> Iterator[Ray]:
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

    try:
        ray.init(
            address=address or "local",
            num_cpus=None if address else cores(),
            include_dashboard=None if address else False,
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
        _await_executors()
        ray.shutdown()


def _await_executors() -> None:
    """Wait for threads of Ray Data that end: Ray aborts the process when its core goes while one still asks it."""
    gc.collect()  # executors are told to stop when the last reference to their output goes
    for thread in threading.enumerate():
        if thread.name.startswith("StreamingExecutor"):
            thread.join(timeout=30)


def share(ray: Ray, *, workers: int | None = None) -> Share:
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


def processors(ray: Ray, *, workers: int | None = None) -> Share:
    """The cluster cut into workers of one processor each, at most ``workers``."""
    most = int(ray.cluster_resources().get("CPU", 0))
    if not most:
        raise BadInput(_NO_PROCESSOR)
    return Share(min(workers or most, most), 1, 0)


def _environment() -> dict[str, str]:
    """What decides about stores and models must be the same in every process of a job."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    path = os.pathsep.join(filter(None, [str(IMPORT_ROOT), os.environ.get("PYTHONPATH", "")]))
    return {"TAILSCOPE_CACHE": str(keys.root()), "PYTHONPATH": path, **passed}
