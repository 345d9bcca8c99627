"""However a count is cut, stopped, killed or taken up again, it ends at the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.counting import parts, run, tally, workers
from core.counting.places import find
from core.counting.query import Query, spelled
from core.counting.workers import here
from core.errors import Stopped
from core.runtime.estimates import Estimate
from core.types import Progress
from tests.helpers.counting import CAPTIONS, CONCEPTS, as_lines, request
from tests.helpers.processes import killed, python, told

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return as_lines(tmp_path / "captions.jsonl", CAPTIONS)


def contents(out: Path) -> dict[str, bytes]:
    """All files but the one that holds times."""
    timed = ("provenance.json", "checksums.json")  # the time that a run took, and the digest of that
    return {file.name: file.read_bytes() for file in out.iterdir() if file.is_file() and file.name not in timed}


@pytest.mark.parametrize("size", [80, 333, 10_000])
def test_any_cut_and_any_order_give_the_same_counts(lines, tmp_path, monkeypatch, size):
    whole = run.count(request(lines, attributes=("red",)), tmp_path / "whole", engine=here)
    monkeypatch.setattr(parts, "_PART", size)

    def backwards(todo, query, store, report):
        yield from here(todo[::-1], query, store, report)

    cut = run.count(request(lines, attributes=("red",)), tmp_path / "cut", engine=backwards)
    assert cut.counts() == whole.counts()
    for name in ("cooccurrence.parquet", "pairs.parquet", "counts.csv", "report.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_time_of_a_count_is_told_at_the_rate_of_its_first_part_then_of_the_latest_run(lines, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_PART", 100)
    monkeypatch.setattr(run, "local", lambda todo, query, store, report, *, workers: here(todo, query, store, report))
    now = iter(range(0, 10_000, 4))
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: next(now)))
    told: list[Estimate] = []
    whole = run.count(request(lines), tmp_path / "one", workers=2, beforehand=told.append)
    pieces = [part.size / 1e6 for part in whole.text.plan.parts]
    assert told[0].rate == pytest.approx(2 * pieces[0] / 4)  # each step of the clock is four seconds
    run.count(request(lines), tmp_path / "two", workers=2, beforehand=told.append)
    assert told[1].rate == pytest.approx(sum(pieces[1:]) / 4)
    run.count(request(lines), tmp_path / "two", workers=2, beforehand=told.append)  # all of it is counted already
    assert len(told) == 2
    assert run.count(request(lines), tmp_path / "three", engine=here).counts() == whole.counts()


def test_the_time_of_a_single_part_is_told_at_the_rate_of_its_start(lines, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "TRIED", (100, 1000))
    monkeypatch.setattr(run, "local", lambda todo, query, store, report, *, workers: here(todo, query, store, report))
    now = iter(range(0, 10_000, 4))
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: next(now)))
    table = tmp_path / "captions.parquet"
    pq.write_table(pa.table({"text": CAPTIONS}), table, row_group_size=4)
    for source in (lines, table):
        told: list[Estimate] = []
        monkeypatch.setattr(run.estimates, "known", lambda work: None)
        out = tmp_path / source.suffix
        found = run.count(request(source), out, workers=1, beforehand=told.append)
        (part,) = found.text.plan.parts
        piece = parts.start_of(part, 100)
        assert piece is not None
        assert told[0].rate == pytest.approx(piece.size / 1e6 / 4)
        assert found.text.tally.rows == len(CAPTIONS)
        assert [each for each in (out / run.PARTS).iterdir() if each.name.startswith("tmp")] == []
    whole = parts.Part(find(str(lines))[0], "csv", share=0.001)
    assert parts.start_of(whole, 100) is None


@pytest.mark.slow
def test_processes_give_the_same_bytes_as_one(lines, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_PART", 100)
    one = run.count(request(lines), tmp_path / "one", engine=here)
    two = run.count(request(lines), tmp_path / "two", workers=2)
    assert len(two.text.rows) == 5
    assert one.counts() == two.counts()
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_second_run_counts_nothing_again_and_a_grown_input_only_what_is_new(lines, tmp_path):
    out = tmp_path / "out"
    run.count(request(tmp_path / "*.jsonl"), out, engine=here)
    as_lines(tmp_path / "more.jsonl", ["a dog", "no"])
    grown = run.count(request(tmp_path / "*.jsonl"), out, engine=here)
    assert (grown.resumed, grown.text.tally.rows) == (1, 14)
    computed = []

    def watching(todo, query, store, report):
        computed.extend(todo)
        yield from here(todo, query, store, report)

    again = run.count(request(tmp_path / "*.jsonl"), out, engine=watching)
    assert (computed, again.resumed) == ([], 2)
    assert again.counts() == grown.counts()


def test_a_changed_file_is_counted_anew(lines, tmp_path):
    run.count(request(lines), tmp_path / "out", engine=here)
    as_lines(lines, ["a snake"])
    changed = run.count(request(lines), tmp_path / "out", engine=here)
    assert (changed.resumed, changed.text.tally.rows) == (0, 1)


def test_a_damaged_partial_result_is_computed_again(lines, tmp_path):
    out = tmp_path / "out"
    first = run.count(request(lines), out, engine=here).counts()
    (partial,) = (out / "parts").rglob("*.json.gz")
    partial.write_bytes(partial.read_bytes()[:-9])
    assert run.count(request(lines), out, engine=here).counts() == first


@pytest.mark.slow
def test_stop_ends_the_run_and_keeps_what_is_finished(lines, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_PART", 100)

    def report(progress: Progress) -> None:
        if progress.message == "Counting" and progress.done > 250:
            raise Stopped("enough")

    with pytest.raises(Stopped):
        run.count(request(lines), tmp_path / "out", engine=here, report=report)
    assert not (tmp_path / "out" / "counts.csv").exists()
    with pytest.raises(Stopped):
        run.count(request(lines), tmp_path / "out2", workers=2, report=report)
    resumed = run.count(request(lines), tmp_path / "out", engine=here)
    assert 0 < resumed.resumed < len(resumed.text.rows)
    run.count(request(lines), tmp_path / "whole", engine=here)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_killed_run_resumes_to_identical_output(tmp_path):
    for shard in range(6):
        as_lines(tmp_path / f"{shard:02}.jsonl", [f"{text} {row}" for row in range(500) for text in CAPTIONS[:4]])
    out = tmp_path / "out"
    counting = f"""
from pathlib import Path
from core.counting import run
from core.counting.workers import here

def report(progress):
    if "02.jsonl" in progress.message:
        print("in the third file", flush=True)
        input()

run.count(run.Request({str(tmp_path / "*.jsonl")!r}, {CONCEPTS!r}, mode="text"), Path({str(out)!r}), engine=here,
          report=report)
"""
    with python(counting) as process:
        told(process, "in the third file")
        killed(process)
    assert len(list(out.rglob("*.json.gz"))) == 2
    assert not (out / "counts.csv").exists()
    resumed = run.count(request(tmp_path / "*.jsonl"), out, engine=here)
    assert resumed.resumed == 2
    run.count(request(tmp_path / "*.jsonl"), tmp_path / "whole", engine=here)
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_worker_that_dies_costs_its_part_one_retry(lines, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_PART", 100)
    hired = []
    hire = workers._Crew._hire

    def fragile(crew):
        process = hire(crew)
        hired.append(process)
        if len(hired) == 1:
            process.kill()
            process.wait()
        return process

    monkeypatch.setattr(workers._Crew, "_hire", fragile)
    result = run.count(request(lines), tmp_path / "out", workers=1)
    assert len(hired) == 2
    assert result.text.tally.rows == 12
    assert not result.left_out


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits memory")
def test_a_worker_leaves_out_a_file_that_unpacks_to_too_much_and_goes_on(tmp_path):
    pq.write_table(pa.table({"caption": ["x" * (60 << 20)] * 4}), tmp_path / "bomb.parquet", compression="zstd")
    assert (tmp_path / "bomb.parquet").stat().st_size < 1 << 20
    pq.write_table(pa.table({"caption": CAPTIONS}), tmp_path / "good.parquet")
    found = parts.plan(str(tmp_path / "good.parquet"))
    query = Query("text", tuple(CONCEPTS), spelled(CONCEPTS, {}), columns=found.columns)
    bomb = parts.Part(find(str(tmp_path / "bomb.parquet"))[0], "parquet")
    said = [{"query": query.as_json(), "store": str(tmp_path / "store")}, bomb.as_json(), found.parts[0].as_json()]
    code = "from core.counting import worker; worker.MEMORY = 300 << 20; worker.main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, input="".join(json.dumps(line) + "\n" for line in said), text=True,
        capture_output=True, check=True, env=os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"},
    )  # fmt: skip
    first, second = (said for said in map(json.loads, done.stdout.splitlines()) if "rows" not in said)
    assert "bomb.parquet" in first["error"]
    assert tally.Tally.read(Path(second["done"])).rows == 12
