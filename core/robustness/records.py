"""One measured condition as one record: the row that boards, tables and the command line share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import UnreadableData
from core.opening import parse_json, read_regular
from core.stats.intervals import wilson
from core.strict_json import write_json

_FIELDS = (
    "model", "set", "condition", "severity", "eps", "units", "prompts", "n", "acc1", "low", "high", "reference", "seed",
)  # fmt: skip
MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """Accuracy of one model under one condition.

    Attributes:
        model, set, prompts: what was asked; ``prompts`` is ``supervised`` for a classifier without a text tower.
        condition: shift, corruption, attack or kind of composition; ``clean`` for none.
        severity: 1..5 for corruptions, else None. eps: strength of an attack in ``units`` (``pixel/255``), else None.
        n: images; acc1: fraction right; low, high: its 95 % interval (Wilson unless the caller gives another).
        reference: the model or baseline table that relative figures are measured against, or None.
        seed: seed of what is random in the condition, or None.
        more: further figures by name (``rho``, ``ce``, ``head``, ``tail`` ...), written beside the others.
    """

    model: str
    set: str
    condition: str
    n: int
    acc1: float
    low: float
    high: float
    prompts: str
    severity: int | None = None
    eps: float | None = None
    units: str | None = None
    reference: str | None = None
    seed: int | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The record as a flat JSON object; ``more`` cannot hide one of the named fields."""
        return {**self.more, **{name: getattr(self, name) for name in _FIELDS}}


def record(model: str, set: str, condition: str, *, right: int, n: int, prompts: str, **rest: Any) -> Record:
    """A record of ``right`` of ``n`` images with its Wilson interval."""
    share = wilson(right, n)
    return Record(model, set, condition, n, share.value, share.low, share.high, prompts, **rest)


def write_records(records: Iterable[Record], path: Path) -> None:
    """Write records as a strict JSON list."""
    write_json([one.as_json() for one in records], path)


def read_records(path: Path) -> list[Record]:
    """Read what ``write_records`` wrote; UnreadableData names what is wrong with another file."""
    try:
        listed = parse_json(read_regular(path, limit=MOST_BYTES), name=str(path))
        return [_from_json(row) for row in listed]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableData(f"{path} is not a list of robustness records ({error}).") from error


def _from_json(row: Mapping[str, Any]) -> Record:
    more = {name: value for name, value in row.items() if name not in _FIELDS}
    nan = float("nan")
    numbers = {name: nan if row[name] is None else float(row[name]) for name in ("acc1", "low", "high")}
    return Record(**{**{name: row[name] for name in _FIELDS}, **numbers}, more=more)
