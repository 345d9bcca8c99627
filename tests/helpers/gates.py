"""Work that waits until a test lets it go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from core.runtime.jobs import Job
from core.types import Progress, Report

SOON = 60.0  # seconds after which a test is stuck


class Gate:
    """Work that says when it has begun and goes on only when told."""

    def __init__(self, answer: Any = "answer") -> None:
        self.answer = answer
        self.runs = 0
        self.threads: list[str] = []
        self.begun, self.open = threading.Event(), threading.Event()

    def __call__(self, report: Report) -> Any:
        self.runs += 1
        self.threads.append(threading.current_thread().name)
        self.begun.set()
        assert self.open.wait(SOON)
        report(Progress(1, 2, "past the gate"))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def pass_through(self, job: Job[Any]) -> Job[Any]:
        """Let the work run to its end."""
        self.open.set()
        assert job.wait(SOON)
        return job


def fail(error: BaseException) -> Callable[[Report], Any]:
    def work(report: Report) -> Any:
        raise error

    return work


def wait_until(true: Callable[[], bool]) -> bool:
    """Whether it became true soon (``value()`` returns a moment before the worker is through with a job)."""
    end = time.monotonic() + SOON
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    return true()
