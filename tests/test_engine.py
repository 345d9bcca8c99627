"""One question, one job: shared, stoppable, dropped when nobody wants it; threads without polling."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput, Stopped
from core.runtime.content import digest_of
from core.runtime.jobs import Engine, Job, _Meter, engine
from core.types import Progress, Report
from tests.helpers.work import submit

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


@pytest.fixture
def jobs() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.close()


def fail(error: BaseException) -> Callable[[Report], Any]:
    def work(report: Report) -> Any:
        raise error

    return work


# --- one job a question ---


def test_a_key_tells_every_two_values_apart() -> None:
    values = [
        1, 1.0, True, "1", "True", None, "None", [], [1], [True], [1.0], ["1"], [None], ["a", "b"], ["ab"], ["a', 'b"],
        [["a"], "b"], [["a", "b"]], {}, {"a": 1}, {"a": "1"}, {"a": True}, {"b": 1, "a": 1}, {"a": 1, "b": 1},
        ["\ud800"], ["\\ud800"], [0.0], [-0.0], [float("nan")], [float("inf")], np.arange(3), [0, 1, 2],
    ]  # fmt: skip
    assert len({digest_of(value) for value in values}) == len(values)
    assert digest_of(["a", 1]) == digest_of(("a", 1))


def test_a_job_goes_from_queued_to_done(jobs: Engine) -> None:
    first, second = Gate(), Gate("second")
    one, two = submit(jobs, "one", "First", first), submit(jobs, "two", "Second", second)
    assert first.begun.wait(SOON)
    assert (one.state, two.state, one.finished, two.started) == ("running", "queued", None, None)
    assert not one.wait(0.01)
    assert first.pass_through(one).value() == "answer"
    assert second.pass_through(two).value() == "second"
    assert (one.label, one.state, one.error, one.progress.message) == ("First", "done", None, "past the gate")
    assert time.time() - 60 < one.started <= one.finished <= time.time()
    assert jobs.jobs() == [one, two]


def test_equal_keys_are_one_job_for_all_sessions(jobs: Engine) -> None:
    gate = Gate()
    asked: list[Job[Any]] = []
    start = threading.Barrier(8)

    def ask(session: str) -> None:
        start.wait(SOON)
        asked.append(submit(jobs, ("lens", 1), "Lens", gate, session=session))

    threads = [threading.Thread(target=ask, args=(f"session{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(job) for job in asked}) == 1
    gate.pass_through(asked[0])
    assert submit(jobs, ("lens", 1), "Lens", gate) is asked[0]  # done is remembered
    assert gate.runs == 1


def test_one_worker_runs_everything_in_order(jobs: Engine) -> None:
    ran: list[tuple[int, str]] = []
    gates = Gate()
    held = submit(jobs, "held", "Held", gates)
    rest = [
        submit(jobs, i, str(i), lambda report, i=i: ran.append((i, threading.current_thread().name))) for i in range(20)
    ]
    gates.pass_through(held)
    assert all(job.wait(SOON) for job in rest)
    assert [i for i, _ in ran] == list(range(20))
    assert {name for _, name in ran} == {"tailscope-compute"}


def test_downloads_have_a_lane_of_their_own(jobs: Engine) -> None:
    computing, loading = Gate(), Gate()
    one = submit(jobs, "compute", "Compute", computing)
    two = submit(jobs, "download", "Download", loading, lane="io")
    assert computing.begun.wait(SOON)
    assert loading.begun.wait(SOON)  # both run at the same time
    assert (one.state, two.state) == ("running", "running")
    assert loading.pass_through(two).state == "done"
    computing.pass_through(one)
    assert (computing.threads, loading.threads) == (["tailscope-compute"], ["tailscope-io"])


def test_finished_jobs_are_kept_up_to_a_limit() -> None:
    jobs = Engine(finished=3)
    for i in range(3):
        submit(jobs, i, str(i), lambda report, i=i: i).value()
    submit(jobs, 0, "0", fail(AssertionError("not run again")))  # asked for again: now the freshest
    submit(jobs, 3, "3", lambda report: 3).value()
    assert wait_until(lambda: [job.key for job in jobs.jobs()] == ["2", "0", "3"])
    jobs.close()


def wait_until(true: Callable[[], bool]) -> bool:
    """Whether it became true soon (``value()`` returns a moment before the worker is through with a job)."""
    end = time.monotonic() + SOON
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    return true()


def test_an_idle_worker_keeps_nothing_alive(jobs: Engine) -> None:
    class Large:
        pass

    def work(report: Report) -> Large:
        return Large()

    job = submit(jobs, "large", "Large", work)
    answer, captured = weakref.ref(job.value()), weakref.ref(work)
    del work
    assert wait_until(lambda: gc.collect() >= 0 and captured() is None)  # closures go when the job is over
    jobs._forget(job)
    del job
    assert wait_until(lambda: gc.collect() >= 0 and answer() is None)


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


# --- nobody wants it any more ---


def test_a_running_job_ends_when_its_last_session_leaves(jobs: Engine) -> None:
    gate = Gate()
    job = submit(jobs, "key", "Embed icons", gate, session="a")
    submit(jobs, "key", "Embed icons", gate, session="b")
    assert gate.begun.wait(SOON)
    jobs.unsubscribe("a")
    jobs.unsubscribe("b")
    gate.pass_through(job)
    assert job.state == "stopped"
    with pytest.raises(Stopped, match="nobody was waiting"):
        job.value()
    assert jobs.jobs() == []


def test_one_session_that_stays_is_enough(jobs: Engine) -> None:
    gate = Gate()
    job = submit(jobs, "key", "Key", gate, session="a")
    submit(jobs, "key", "Key", gate, session="b")
    jobs.unsubscribe("a")
    jobs.unsubscribe("nobody")
    assert gate.pass_through(job).state == "done"


def test_a_session_that_returns_in_time_saves_the_job(jobs: Engine) -> None:
    gate = Gate()
    job = submit(jobs, "key", "Key", gate, session="a")
    assert gate.begun.wait(SOON)
    jobs.unsubscribe("a")
    assert submit(jobs, "key", "Key", gate, session="b") is job
    assert gate.pass_through(job).value() == "answer"


def test_a_queued_job_is_dropped_when_its_last_session_leaves(jobs: Engine) -> None:
    gate, never = Gate(), Gate()
    running, queued = submit(jobs, "one", "One", gate), submit(jobs, "two", "Two", never, session="a")
    jobs.unsubscribe("a")
    assert queued.state == "stopped"
    assert jobs.jobs() == [running]
    again = submit(jobs, "two", "Two", lambda report: "fresh", session="a")
    assert again is not queued
    gate.pass_through(running)
    assert again.value() == "fresh"
    assert never.runs == 0


def test_who_comes_after_a_job_was_given_up_gets_a_new_one(jobs: Engine) -> None:
    gave_up, go_on = threading.Event(), threading.Event()

    def work(report: Report) -> None:
        begun.set()
        left.wait(SOON)
        try:
            report(Progress())
        finally:  # such as closing files: the job is over for others before it is over
            gave_up.set()
            go_on.wait(SOON)

    begun, left = threading.Event(), threading.Event()
    old = submit(jobs, "key", "Key", work, session="a")
    assert begun.wait(SOON)
    jobs.unsubscribe("a")
    left.set()
    assert gave_up.wait(SOON)
    new = submit(jobs, "key", "Key", lambda report: "new", session="b")
    go_on.set()
    assert new is not old
    assert new.value() == "new"
    assert old.state == "stopped"
    assert jobs.jobs() == [new]


def test_unsubscribing_can_keep_what_a_session_still_wants(jobs: Engine) -> None:
    gate = Gate()
    held = submit(jobs, "held", "Held", gate)
    one, two = (submit(jobs, key, key, lambda report: "done", session="a") for key in ("one", "two"))
    jobs.unsubscribe("a", keep=["two"])
    gate.pass_through(held)
    assert two.value() == "done"
    assert one.state == "stopped"


@pytest.mark.parametrize("options", [{"session": "a", "keep": True}, {"session": None}])
def test_keep_and_no_session_go_on_with_nobody_watching(jobs: Engine, options: dict[str, Any]) -> None:
    gate = Gate()
    job = submit(jobs, "key", "Download", gate, lane="io", **options)
    submit(jobs, "key", "Download", gate, session="b")
    jobs.unsubscribe("a")
    jobs.unsubscribe("b")
    assert gate.pass_through(job).state == "done"


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


# --- progress ---


class Clock:
    """Time that passes when told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def rates(steps: list[tuple[float, int]], total: int = 1000) -> list[Progress]:
    """What a job shows after each (seconds passed, units done)."""
    clock, shown = Clock(), []
    jobs = Engine(clock=clock)

    def work(report: Report) -> None:
        for seconds, done in steps:
            clock.now += seconds
            report(Progress(done, total, "embedding", rate=-1.0))
            shown.append(job.progress)

    ready = threading.Event()
    submit(jobs, "wait", "Wait", lambda report: ready.wait(SOON))
    job = submit(jobs, "key", "Key", work)
    ready.set()
    job.value()
    jobs.close()
    return shown


def test_the_rate_counts_from_the_first_report() -> None:
    shown = rates([(0.0, 400), (2.0, 420), (2.0, 440)])  # resumed at 400: those were not done now
    assert shown[0].rate == 0
    assert shown[0].seconds_left is None
    assert [progress.rate for progress in shown[1:]] == pytest.approx([10, 10])
    assert shown[2].seconds_left == pytest.approx(56)
    assert (shown[2].done, shown[2].total, shown[2].message) == (440, 1000, "embedding")


def test_the_rate_follows_slowly_and_surely() -> None:
    steady = [(1.0, 10 * i) for i in range(30)]
    slower = [(1.0, 290 + i) for i in range(1, 61)]
    shown = [progress.rate for progress in rates(steady + slower)]
    assert shown[29] == pytest.approx(10)
    assert 8 < shown[30] < 9.5  # one slow second does not make it jump
    assert shown[29:] == sorted(shown[29:], reverse=True)
    assert shown[-1] == pytest.approx(1, abs=0.05)


def test_a_new_stage_has_a_rate_of_its_own() -> None:
    shown = rates([(0.0, 0), (1.0, 500), (1.0, 0), (1.0, 2)])
    assert [progress.rate for progress in shown] == pytest.approx([0, 500, 0, 2])


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 10**9)), max_size=20))
def test_the_rate_is_never_negative_nor_infinite(steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    meter = _Meter(clock)
    for seconds, done in steps:
        clock.now += seconds
        rate = meter.rate(done)
        assert 0 <= rate < float("inf")


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


def test_there_is_one_engine_a_process() -> None:
    assert engine() is engine()


def test_importing_the_engine_loads_no_models() -> None:
    check = "import sys, core.runtime.jobs; sys.exit(bool({'torch', 'open_clip', 'streamlit'} & set(sys.modules)))"
    root = Path(__file__).resolve().parents[1]
    assert subprocess.run([sys.executable, "-c", check], cwd=root, check=False).returncode == 0
