"""How far long work is, and values with their interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: ``done`` of ``total`` units (total 0 = unknown), with a sentence and a rate per second."""

    done: int = 0
    total: int = 0
    message: str = ""
    rate: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """Expected seconds to the end, or None while unknown."""
        return (self.total - self.done) / self.rate if self.total and self.rate else None


Report = Callable[[Progress], None]
"""Called often by long work; raises ``Stopped`` when the work should end."""


def silent(_progress: Progress) -> None:
    """A Report that tells nobody and never stops the work."""
