"""Several questions on their way to an endpoint at a time; what was answered is kept, however the run ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from core.errors import Stopped

Q = TypeVar("Q")
A = TypeVar("A")


class Stopping:
    """Waits that end at once when the run ends."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def pause(self, seconds: float) -> None:
        """Wait between two tries of an endpoint; raises Stopped when the run has ended meanwhile."""
        if self._event.wait(seconds):
            raise Stopped("The run was stopped.")

    def stop(self) -> None:
        """End every wait."""
        self._event.set()


def ask_all(
    waiting: Iterator[Q],
    ask: Callable[[Q], A],
    *,
    keep: Callable[[Q, A], None],
    then: Callable[[Q, A], Q | None],
    stopping: Stopping,
    parallel: int,
) -> None:
    """Ask every question, ``parallel`` at a time, and keep each reply as it comes.

    Args:
        ask: runs in threads.
        keep: writes a reply; also called for those on their way when the run is stopped or fails: they are paid for.
        then: called after ``keep``, to report progress (raises Stopped to end the run) and to name a question to ask
            next.
    """
    running: dict[Future[A], Q] = {}
    with ThreadPoolExecutor(parallel) as pool:
        try:
            while True:
                while len(running) < parallel and (question := next(waiting, None)) is not None:
                    running[pool.submit(ask, question)] = question
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    reply = future.result()
                    question = running.pop(future)
                    keep(question, reply)
                    if (again := then(question, reply)) is not None:
                        running[pool.submit(ask, again)] = again
        except BaseException:
            stopping.stop()
            pool.shutdown(cancel_futures=True)
            for future, question in running.items():
                if not future.cancelled() and future.exception() is None:
                    keep(question, future.result())
            raise
