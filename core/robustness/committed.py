"""The records that ship with Tailscope: what commands measured on the icon world, committed as they wrote it."""

from __future__ import annotations

from functools import cache

from core.paths import ASSETS
from core.robustness.records import Record, read_records

FOLDER = ASSETS / "robustness"


@cache
def table(name: str) -> tuple[Record, ...]:
    """All records of ``assets/robustness/NAME.json``."""
    return tuple(read_records(FOLDER / f"{name}.json"))


def committed(image_set: str, *names: str) -> list[Record]:
    """The records of these tables that were measured on this image set; empty for a set without any."""
    return [one for name in names for one in table(name) if one.set == image_set]
