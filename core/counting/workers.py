"""The local engine: one process for each core, each with a part at a time; a dead one costs its part one retry."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from core.counting.parts import Part
from core.counting.query import Query
from core.counting.work import compute
from core.datasets.io.addresses import is_shared
from core.errors import StorageFault, UnreadableData
from core.paths import IMPORT_ROOT
from core.types import LeftOut, Progress, Report

_TRIES = 2


def local(parts: Sequence[Part], query: Query, store: Path, report: Report, *, workers: int) -> Iterator[LeftOut]:
    """Compute the results of these parts in processes; yields each that cannot be read, with the reason.

    Args:
        report: hears of bytes; raises Stopped to end all. workers: processes, each with bounded memory.
    """
    if not all(is_shared(part.place.uri) for part in parts):
        yield from here(parts, query, store, report)
    elif parts:
        yield from _Crew(parts, query, store, min(workers, len(parts))).run(report)


def here(parts: Sequence[Part], query: Query, store: Path, report: Report) -> Iterator[LeftOut]:
    """The same in this process, one part after the other, with nothing that bounds its memory from outside."""
    total, read = sum(part.size for part in parts), 0
    for part in parts:
        at = read
        try:
            compute(part, query, store, beat=partial(_beat, report, at, total, part))
        except UnreadableData as error:
            yield LeftOut(part.place.name, str(error))
        read += part.size
        report(Progress(read, total, "Counting"))


def _beat(report: Report, done: int, total: int, part: Part, rows: int) -> None:
    report(_progress(done, total, part, rows))


def _progress(done: int, total: int, part: Part, rows: int) -> Progress:
    return Progress(done, total, f"Counting · {part.place.name}, {rows:,} rows")


class _Crew:
    """Processes that share a queue of parts, each spoken to by a thread of its own."""

    def __init__(self, parts: Sequence[Part], query: Query, store: Path, size: int) -> None:
        self._todo: queue.SimpleQueue[tuple[Part, int]] = queue.SimpleQueue()
        for part in parts:
            self._todo.put((part, 1))
        self._left, self._total = len(parts), sum(part.size for part in parts)
        self._messages: queue.SimpleQueue[tuple[Part, dict[str, Any]]] = queue.SimpleQueue()
        self._start = json.dumps({"query": query.as_json(), "store": str(store)}) + "\n"
        self._over = threading.Event()
        self._processes: list[subprocess.Popen[str]] = []
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(size)]

    def run(self, report: Report) -> Iterator[LeftOut]:
        """Start all, hand on what is left out, and end all, whatever happens."""
        read = 0
        try:
            for thread in self._threads:
                thread.start()
            while self._left:
                with suppress(queue.Empty):
                    part, message = self._messages.get(timeout=0.25)
                    if "fault" in message:
                        raise StorageFault(message["fault"])
                    if "rows" in message:
                        report(_progress(read, self._total, part, message["rows"]))
                        continue
                    self._left -= 1
                    read += part.size
                    if "error" in message:
                        yield LeftOut(part.place.name, message["error"])
                report(Progress(read, self._total, "Counting"))
        finally:
            self._over.set()
            for process in self._processes:
                process.kill()
            for thread in self._threads:
                thread.join()

    def _serve(self) -> None:
        process = None
        while not self._over.is_set():
            try:
                part, tries = self._todo.get(timeout=0.2)
            except queue.Empty:
                continue
            process = process or self._hire()
            try:
                self._give(process, part)
            except (OSError, ValueError):
                self._dismiss(process)
                process = None
                if self._over.is_set():
                    return
                if tries < _TRIES:
                    self._todo.put((part, tries + 1))
                else:
                    self._messages.put((part, {"error": f"The process that read {part.place.name} died, twice."}))
        if process:
            self._dismiss(process)

    def _hire(self) -> subprocess.Popen[str]:
        path = os.pathsep.join(filter(None, [str(IMPORT_ROOT), os.environ.get("PYTHONPATH")]))
        # One thread and the system's allocator each: pools of their own would count against the memory limit.
        quiet = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS"), "1")
        process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | quiet | {"PYTHONPATH": path, "ARROW_DEFAULT_MEMORY_POOL": "system"},
        )
        self._processes.append(process)
        with suppress(OSError):  # one that is dead already is noticed when it gets its first part
            _send(process, self._start)
        return process

    def _dismiss(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        for pipe in filter(None, (process.stdin, process.stdout)):
            with suppress(OSError):
                pipe.close()
        process.wait()

    def _give(self, process: subprocess.Popen[str], part: Part) -> None:
        """Have one part counted; OSError or ValueError when the process is gone or talks nonsense."""
        _send(process, json.dumps(part.as_json()) + "\n")
        for line in process.stdout or ():
            message = json.loads(line)
            self._messages.put((part, message))
            if "rows" not in message:
                return
        raise OSError("the process ended")


def _send(process: subprocess.Popen[str], text: str) -> None:
    if process.stdin is None:
        raise OSError("the process has no input")
    process.stdin.write(text)
    process.stdin.flush()
