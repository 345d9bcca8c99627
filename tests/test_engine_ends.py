"""How jobs end: stopped, failed, closed, and tried again."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import BadInput, Stopped
from core.runtime.jobs import Engine
from core.types import Report
from tests.helpers.gates import SOON, Gate, fail, wait_until
from tests.helpers.work import submit


@pytest.fixture
def jobs() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.close()


# --- stopping ---


def test_stop_ends_a_running_job_at_its_next_report(jobs: Engine) -> None:
    gate = Gate()
    job = submit(jobs, "key", "Embed icons", gate, session="a")
    assert gate.begun.wait(SOON)
    job.stop()
    assert job.state == "running"  # until the work reports
    assert submit(jobs, "key", "Embed icons", gate, session="a") is job  # a page that draws again does not restart it
    gate.pass_through(job)
    assert job.state == "stopped"
    with pytest.raises(Stopped, match=r"Embed icons.* was stopped"):
        job.value()
    assert gate.runs == 1


def test_stop_ends_a_queued_job_at_once(jobs: Engine) -> None:
    gate, never = Gate(), Gate()
    running, queued = submit(jobs, "one", "One", gate), submit(jobs, "two", "Two", never)
    queued.stop()
    assert queued.wait(0)
    assert (queued.state, queued.started) == ("stopped", None)
    gate.pass_through(running)
    submit(jobs, "three", "Three", lambda report: None).value()
    assert never.runs == 0


def test_stop_after_the_end_changes_nothing(jobs: Engine) -> None:
    job = submit(jobs, "key", "Key", lambda report: 5)
    assert job.value() == 5
    job.stop()
    assert (job.state, job.value()) == ("done", 5)


def test_work_that_finished_in_spite_of_stop_is_done(jobs: Engine) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(report: Report) -> int:
        begun.set()
        go_on.wait(SOON)
        return 7

    job = submit(jobs, "key", "Key", work)
    assert begun.wait(SOON)
    job.stop()
    go_on.set()
    assert job.value() == 7
    assert submit(jobs, "key", "Key", work) is job


# --- failing ---


def test_a_failure_is_raised_where_the_value_is_asked_for(jobs: Engine, caplog: pytest.LogCaptureFixture) -> None:
    job = submit(jobs, "key", "Key", fail(BadInput("No such set.")))
    for _ in range(2):
        with pytest.raises(BadInput, match="No such set"):
            job.value()
    assert (job.state, str(job.error)) == ("failed", "No such set.")
    assert caplog.records == []  # meant for a person, not for the log


def test_a_failure_nobody_meant_is_logged_with_its_traceback(jobs: Engine, caplog: pytest.LogCaptureFixture) -> None:
    job = submit(jobs, "key", "Embed icons", fail(ZeroDivisionError("oh")))
    with pytest.raises(ZeroDivisionError):
        job.value()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "Embed icons" in record.getMessage()
    assert "ZeroDivisionError: oh" in caplog.text


def test_a_failed_job_is_tried_again_once_its_error_was_taken(jobs: Engine) -> None:
    failed = submit(jobs, "key", "Key", fail(BadInput("no")), session="a")
    assert failed.wait(SOON)
    # The page that polled to the end asks again to draw: it must see the error, not a new attempt.
    assert submit(jobs, "key", "Key", lambda report: "never", session="a") is failed
    with pytest.raises(BadInput):
        failed.value()
    again = submit(jobs, "key", "Key", lambda report: "better", session="a")
    assert again.value() == "better"


def test_a_stopped_job_is_resumed_once_its_end_was_seen(jobs: Engine) -> None:
    gate = Gate()
    job = submit(jobs, "key", "Key", gate, session="a")
    assert gate.begun.wait(SOON)
    job.stop()
    gate.pass_through(job)
    assert submit(jobs, "key", "Key", gate, session="a") is job
    with pytest.raises(Stopped):
        job.value()
    assert submit(jobs, "key", "Key", lambda report: "resumed", session="a").value() == "resumed"


def test_a_failure_nobody_saw_is_forgotten_with_its_session(jobs: Engine) -> None:
    failed = submit(jobs, "key", "Key", fail(BadInput("no")), session="a")
    assert failed.wait(SOON)
    jobs.unsubscribe("a")
    assert submit(jobs, "key", "Key", lambda report: "fine", session="b").value() == "fine"


def test_a_failure_after_the_last_session_left_is_forgotten(jobs: Engine) -> None:
    begun, left = threading.Event(), threading.Event()

    def work(report: Report) -> None:
        begun.set()
        left.wait(SOON)
        raise BadInput("no")

    failed = submit(jobs, "key", "Key", work, session="a")
    assert begun.wait(SOON)
    jobs.unsubscribe("a")
    left.set()
    assert failed.wait(SOON)
    assert submit(jobs, "key", "Key", lambda report: "fine", session="b").value() == "fine"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), MemoryError()])
def test_the_worker_outlives_any_work(jobs: Engine, error: BaseException) -> None:
    assert submit(jobs, "key", "Key", fail(error)).wait(SOON)
    assert submit(jobs, "next", "Next", lambda report: "alive").value() == "alive"


def test_a_failed_job_does_not_hold_on_to_its_arrays(jobs: Engine) -> None:
    class Large:
        pass

    held: list[weakref.ref[Large]] = []

    def work(report: Report) -> None:
        large = Large()
        held.append(weakref.ref(large))
        raise BadInput("no")

    job = submit(jobs, "key", "Key", work)
    assert job.wait(SOON)
    assert job.error is not None
    assert wait_until(lambda: gc.collect() >= 0 and held[0]() is None)


# --- the process ---


def test_close_ends_jobs_and_threads_and_a_later_ask_starts_again() -> None:
    jobs, gate = Engine(), Gate()
    running, queued = submit(jobs, "one", "One", gate), submit(jobs, "two", "Two", Gate())
    assert gate.begun.wait(SOON)
    assert not jobs.close()
    assert queued.state == "stopped"
    gate.pass_through(running)
    assert running.state == "stopped"
    assert jobs.close(patience=SOON)
    assert submit(jobs, "three", "Three", lambda report: 3).value() == 3
    jobs.close()


def test_close_says_whether_every_thread_has_ended() -> None:
    jobs, gate = Engine(), Gate()
    running = submit(jobs, "one", "One", gate)
    assert gate.begun.wait(SOON)
    assert not jobs.close()
    gate.open.set()
    assert jobs.close(patience=SOON)
    assert running.state == "stopped"


def test_a_program_that_ends_stops_its_running_job_first() -> None:
    """A thread left inside torch's C++ at the end would abort the process."""
    program = """
import threading
from core.runtime.content import digest_of
from core.runtime.jobs import engine, question
from core.errors import Stopped
from core.types import Progress

begun = threading.Event()

def work(report):
    try:
        while True:
            begun.set()
            report(Progress())
    except Stopped:
        print("stopped in order", flush=True)
        raise

engine().submit(question(work, label="Key"))
begun.wait()
"""
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "stopped in order\n"
