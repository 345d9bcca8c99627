"""One question, one job: shared, dropped when nobody wants it, with a rate; threads without polling."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Stopped
from core.runtime.content import digest_of
from core.runtime.jobs import Engine, Job, _Meter, engine
from core.types import Progress, Report
from tests.helpers.gates import SOON, Gate, fail, wait_until
from tests.helpers.work import submit


@pytest.fixture
def jobs() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.close()


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


def test_there_is_one_engine_a_process() -> None:
    assert engine() is engine()


def test_importing_the_engine_loads_no_models() -> None:
    check = "import sys, core.runtime.jobs; sys.exit(bool({'torch', 'open_clip', 'streamlit'} & set(sys.modules)))"
    root = Path(__file__).resolve().parents[1]
    assert subprocess.run([sys.executable, "-c", check], cwd=root, check=False).returncode == 0
