"""Jobs: one per question, shared by all sessions, run by one worker thread that owns the models.

Pages take no locks and never compute: they ``submit`` a question, look at the job, and draw. Downloads run in a second
lane (``io``) beside the computing one. Knows nothing of models or pages: a question is a function of some module with
its arguments, and its key is made from their content.
"""

from __future__ import annotations

import atexit
import logging
import math
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from inspect import signature
from queue import SimpleQueue
from typing import Any, Generic, Literal, TypeVar

from core.errors import Stopped
from core.faults import in_words
from core.runtime.content import digest_of
from core.types import Progress, Report

T = TypeVar("T")
State = Literal["queued", "running", "done", "failed", "stopped"]
Lane = Literal["compute", "io"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Question(Generic[T]):
    """Something to compute: a function of a module and the arguments that it gets.

    Its key is the digest of the function's name and of the content of every argument (``core.runtime.content``), so
    two questions share a job exactly when nothing that decides the answer differs. A function that holds values of
    its own (a lambda, a closure) is refused: what it depends on would not be in the key.

    Attributes:
        work: called with ``args``, ``options`` and, where it takes one, ``report``.
        label: how the job is called in lists; not part of the key.
        lane: ``compute`` (the owner of the models) or ``io`` (downloads, files).
        keep: go on with nobody watching.
    """

    work: Callable[..., T]
    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    lane: Lane = "compute"
    keep: bool = False

    @cached_property
    def key(self) -> str:
        """Content key; TypeError for an argument that has no digest."""
        return digest_of((self.work, self.args, dict(self.options)))

    def run(self, report: Report) -> T:
        """The answer, computed here and now."""
        more = {"report": report} if "report" in signature(self.work).parameters else {}
        return self.work(*self.args, **self.options, **more)


def question(
    work: Callable[..., T], *args: object, label: str, lane: Lane = "compute", keep: bool = False, **options: object
) -> Question[T]:
    """The question what ``work(*args, **options)`` gives."""
    return Question(work, args, options, label, lane, keep)


class Job(Generic[T]):
    """One question on its way to an answer; made by ``Engine.submit``, read from any thread.

    Attributes:
        question: what is computed; key, label: its content key, and how it is called in lists.
        state: ``queued``, ``running``, then one of ``done``, ``failed``, ``stopped``.
        progress: the latest report, with a smoothed rate per second.
        error: what ended it, None unless failed or stopped.
        started, finished: seconds since the epoch, None until then.
    """

    def __init__(self, question: Question[T], lock: threading.Lock) -> None:
        self.key = question.key
        self.label = question.label
        self.state: State = "queued"
        self.progress = Progress()
        self.error: BaseException | None = None
        self.started: float | None = None
        self.finished: float | None = None
        self._lock = lock
        self._question: Question[T] | None = question  # until it is over
        self._value: T  # once it is done
        self._over = threading.Event()
        self._sessions: set[str] = set()
        self._keep = False
        self._stopping = False
        self._error_taken = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to ``timeout`` seconds (None: as long as it takes); whether the job is over."""
        return self._over.wait(timeout)

    def value(self) -> T:
        """The answer, waiting for it; raises what ended the job, ``Stopped`` if it was stopped."""
        self.wait()
        if self.error is not None:
            self._error_taken = True
            raise self.error
        return self._value

    def is_only_of(self, session: str) -> bool:
        """Whether this session alone wants it, and it would end with nobody there."""
        return self._sessions == {session} and not self._keep

    def stop(self) -> None:
        """Stop the job for everybody: at once while queued, at its next report while running."""
        with self._lock:
            self._stop(f"“{self.label}” was stopped.")

    def _stop(self, reason: str) -> None:
        self._stopping = True
        if self.state == "queued":
            self._end("stopped", error=Stopped(reason))

    def _end(self, state: State, *, value: Any = None, error: BaseException | None = None) -> None:
        self.state, self._value, self.error = state, value, error
        self.finished = time.time()
        self._question = None
        self._over.set()


class Engine:
    """The job table and its worker threads (one a lane, started when first needed).

    Args:
        finished: how many finished jobs are kept, with their values; the one asked for longest ago goes first.
        clock: seconds that only grow, for rates.
    """

    def __init__(self, *, finished: int = 64, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = finished
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job[Any]] = OrderedDict()
        self._lanes: dict[Lane, SimpleQueue[Job[Any] | None]] = {}
        self._threads: list[threading.Thread] = []

    def submit(self, question: Question[T], *, session: str | None = None) -> Job[T]:
        """The job of this question: the one there is, running or finished, else a new one at the end of its lane.

        A job that failed or was stopped is handed out until somebody took its error with ``value()``; who asks after
        that starts it anew. So a page that polls to the end and asks again shows the error, and does not loop.

        Args:
            session: who wants it; the job is dropped when the last session leaves. None waits for ever.
        """
        key = question.key
        with self._lock:
            job = self._jobs.get(key)
            if job is None or (job.error is not None and job._error_taken):
                job = Job(question, self._lock)
                self._jobs[key] = job
                self._queue(question.lane).put(job)
            self._jobs.move_to_end(key)
            job._keep |= question.keep or session is None
            if session is not None:
                job._sessions.add(session)
            return job

    def find(self, question: Question[T]) -> Job[T] | None:
        """The job of this question if there is one, in any state; asks for nothing."""
        with self._lock:
            return self._jobs.get(question.key)

    def unsubscribe(self, session: str, *, keep: Collection[str] = ()) -> None:
        """This session is gone, or from now on wants only the jobs with the keys ``keep``."""
        with self._lock:
            for job in list(self._jobs.values()):
                if job.key in keep or session not in job._sessions:
                    continue
                job._sessions.discard(session)
                if _unwanted(job):
                    if job.state == "queued":
                        job._stop(_nobody(job))
                    if job.error is not None:
                        self._forget(job)

    def jobs(self) -> list[Job[Any]]:
        """All jobs that are queued, running or kept, the one asked for longest ago first."""
        with self._lock:
            return list(self._jobs.values())

    def forget(self) -> None:
        """Forget the jobs that are over, so that whoever asks again gets a new answer."""
        with self._lock:
            for job in [job for job in self._jobs.values() if job._over.is_set()]:
                self._forget(job)

    def close(self, *, patience: float = 0.0) -> bool:
        """Stop all jobs and end the worker threads; a later ``submit`` starts them again.

        Args:
            patience: seconds to wait for running jobs, which stop at their next report.

        Returns:
            Whether every worker thread has ended.
        """
        with self._lock:
            for job in self._jobs.values():
                if not job._over.is_set():
                    job._stop(f"“{job.label}” was stopped with the program.")
            for queue in self._lanes.values():
                queue.put(None)
            self._lanes.clear()
            threads = list(self._threads)
        end = time.monotonic() + patience
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _queue(self, lane: Lane) -> SimpleQueue[Job[Any] | None]:
        if lane not in self._lanes:
            self._lanes[lane] = SimpleQueue()
            thread = threading.Thread(
                target=self._serve, args=(self._lanes[lane],), name=f"tailscope-{lane}", daemon=True
            )
            self._threads = [other for other in self._threads if other.is_alive()] + [thread]
            thread.start()
        return self._lanes[lane]

    def _serve(self, queue: SimpleQueue[Job[Any] | None]) -> None:
        while (job := queue.get()) is not None:
            self._run(job)
            del job  # an idle worker must not keep the last answer alive

    def _run(self, job: Job[Any]) -> None:
        with self._lock:
            if job.state != "queued":
                return
            job.state, job.started = "running", time.time()
            question = job._question
            assert question is not None  # kept until the end
        try:
            value = question.run(self._report(job))
        except Stopped as error:
            self._finish(job, "stopped", error=error)
        except BaseException as error:  # SystemExit too: the thread must outlive any work
            fault = in_words(error)
            if fault is None:
                _log.error("%s failed", job.label, exc_info=error)
            elif fault is not error:  # the machine's doing, of which its keeper should know
                _log.error("%s failed: %s", job.label, fault)
            # Frames hold arrays and models; the lines that the traceback names are kept.
            traceback.clear_frames(error.__traceback__)
            self._finish(job, "failed", error=fault or error)
        else:
            self._finish(job, "done", value=value)

    def _finish(self, job: Job[Any], state: State, **outcome: Any) -> None:
        with self._lock:
            job._end(state, **outcome)
            if job.error is not None and _unwanted(job):
                self._forget(job)
            over = [other for other in self._jobs.values() if other._over.is_set()]
            for other in over[: max(0, len(over) - self._limit)]:
                self._forget(other)

    def _forget(self, job: Job[Any]) -> None:
        # One given up may have a successor under its key.
        if self._jobs.get(job.key) is job:
            del self._jobs[job.key]

    def _report(self, job: Job[Any]) -> Report:
        meter = _Meter(self._clock)

        def report(progress: Progress) -> None:
            with self._lock:
                if job._stopping:
                    raise Stopped(f"“{job.label}” was stopped.")
                if _unwanted(job):
                    self._forget(job)  # who asks from now on gets a new job, not this end
                    raise Stopped(_nobody(job))
                job.progress = replace(progress, rate=meter.rate(progress.done))

        return report


class _Meter:
    """Units per second over about the last ten seconds, older ones fading."""

    _SECONDS = 10.0

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: tuple[float, int] | None = None
        self._units = self._time = 0.0

    def rate(self, done: int) -> float:
        """The rate after this many units; 0 at the first report and at the start of a new stage (fewer units)."""
        now = self._clock()
        if self._last is None or done < self._last[1]:
            self._units = self._time = 0.0
        else:
            seconds = now - self._last[0]
            fade = math.exp(-seconds / self._SECONDS)
            self._units = self._units * fade + done - self._last[1]
            self._time = self._time * fade + seconds
        self._last = now, done
        return self._units / self._time if self._time else 0.0


def _unwanted(job: Job[Any]) -> bool:
    return not (job._sessions or job._keep)


def _nobody(job: Job[Any]) -> str:
    return f"“{job.label}” was given up: nobody was waiting for it any more."


_ENGINE = Engine()
# A thread that is still inside torch when the interpreter goes away aborts the process
# ("terminate called without an active exception").
atexit.register(_ENGINE.close, patience=10.0)


def engine() -> Engine:
    """The engine of this process."""
    return _ENGINE
