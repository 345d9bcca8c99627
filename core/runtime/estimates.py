"""How long work takes on this machine: rates measured here, kept in the cache, and refined by every run.

A rate is first measured by a short calibration (whoever does the work knows how) and from then on by the work itself.
Nothing is assumed of any machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from cache import keys
from cache.files import write_bytes
from core.stats.format import duration, many
from core.types import Progress, Report

WORTH_SAYING = 10.0
"""Seconds of work above which a person is told beforehand."""
WORTH_ASKING = 60.0
"""Seconds of work above which a first look is offered before it starts."""
LOOK = 1000
"""Pictures of a first look."""

_MOST = 500
_EVERY = 5.0
_lock = Lock()


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected time of some work.

    Attributes:
        units: things to do; noun: what one is called. rate: of them a second, as measured on this machine.
    """

    units: int
    noun: str
    rate: float

    @property
    def seconds(self) -> float:
        """Expected seconds for all of it."""
        return self.units / self.rate

    def words(self, *, look: int = 0) -> str:
        """One sentence without a full stop; empty for work that is not worth a word.

        Args:
            look: so many first give a look; 0 for none.
        """
        if self.seconds < WORTH_SAYING:
            return ""
        told = f"about {duration(self.seconds)} for {many(self.units, self.noun)} on this machine"
        if not 0 < look < self.units:
            return told
        return f"{told}; {look:,} first {'gives' if look == 1 else 'give'} a look in {duration(look / self.rate)}"


def total(parts: Iterable[Estimate | None]) -> Estimate | None:
    """Several pieces of work, one after another; None where nothing is to be done."""
    left = [part for part in parts if part is not None and part.units]
    if not left:
        return None
    units = sum(part.units for part in left)
    return Estimate(units, left[0].noun, units / sum(part.seconds for part in left))


def known(work: str) -> float | None:
    """The rate a second measured last for this work on this machine, or None."""
    rate = _read().get(work)
    return float(rate) if isinstance(rate, int | float) and rate > 0 else None


def remember(work: str, rate: float) -> None:
    """Keep a rate that was measured; those kept longest ago go first."""
    with _lock:
        rates = _read()
        rates.pop(work, None)
        rates[work] = rate
        listed = dict(list(rates.items())[-_MOST:])
        with suppress(OSError):  # a cache that cannot be written costs another calibration
            write_bytes(keys.root() / "rates.json", json.dumps(listed).encode())


def _read() -> dict[str, float]:
    try:
        found = keys.from_json((keys.root() / "rates.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def measuring(report: Report, work: str, *, clock: Callable[[], float] = time.monotonic) -> Report:
    """The same report, which also keeps the rate of this work as it goes; the first step, which warms up, is left out.

    Args:
        clock: seconds that only grow.
    """
    start: tuple[float, int] | None = None
    steps, kept = 0, 0.0

    def told(progress: Progress) -> None:
        nonlocal start, steps, kept
        now = clock()
        steps += 1
        if start is None or steps <= 2 or progress.done < start[1]:
            start = now, progress.done
        elif now - start[0] >= 1 and now - kept >= _EVERY and progress.done > start[1]:
            kept = now
            remember(work, (progress.done - start[1]) / (now - start[0]))
        report(progress)

    return told
