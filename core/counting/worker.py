"""A worker process: counts the parts whose descriptions arrive on standard input, one JSON object a line.

Started by ``workers``; ends when its input ends, so that it does not outlive who started it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from cache.files import REFUSALS
from core.counting.parts import Part
from core.counting.query import Query
from core.counting.work import MEMORY, compute
from core.errors import TailscopeError
from core.faults import in_words


def main() -> None:
    """Read the query and the store, then parts; answer each with ``{"done": path}`` or ``{"error": sentence}``."""
    _limit_memory()
    start = json.loads(sys.stdin.readline())
    query, store = Query.from_json(start["query"]), Path(start["store"])
    for line in sys.stdin:
        try:
            _say({"done": str(compute(Part.from_json(json.loads(line)), query, store, beat=_Beat()))})
        except TailscopeError as error:
            _say({"error": str(error)})
        except Exception as error:  # one strange file must not end a run of thousands
            if isinstance(error, OSError) and error.errno in REFUSALS:  # it says nothing about the part
                _say({"fault": str(in_words(error, folder=store))})
                continue
            _say({"error": f"It cannot be read ({type(error).__name__}: {str(error)[:160]})."})


class _Beat:
    """Says how many rows were read, at most twice a second."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, rows: int) -> None:
        if time.monotonic() - self._last > 0.5:
            self._last = time.monotonic()
            _say({"rows": rows})


def _say(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


def _limit_memory() -> None:
    """Make a file that unpacks to too much fail to allocate, rather than the machine run out of memory."""
    try:
        import resource
    except ImportError:  # Windows
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard), hard))


if __name__ == "__main__":
    main()
