"""What a board of shifts says, in sentences with their numbers; plain text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.robustness.records import Record
from core.robustness.shifts.measure import CLEAN
from core.stats.format import percent, points
from core.supervised.names import known_as

FLOOR = 0.05
"""Accuracy in distribution below which what is lost says nothing."""


def condition_name(condition: str) -> str:
    """A condition in few words: the last part of a path, frames with their measure."""
    base, mark, k = condition.rpartition("_pm")
    base, near = (base, f" pm-{k}") if mark and k.isdecimal() else (condition, "")
    path, option, how = base.partition("#")
    short = path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path
    return f"{short.removeprefix('icons-')}{option}{how}{near}"


def several(condition: str) -> bool:
    """Whether a figure asks several frames to be right at once, so that it is no accuracy like the others."""
    return bool(re.search(r"_pm[1-9][0-9]*$", condition))


def headline(rows: Sequence[Record], model: str) -> str:
    """Where one model loses most, and how much."""
    fair = _fair(rows, model)
    if not fair:
        return f"{known_as(model)} has not been measured under a shift that did not choose its own mistakes."
    worst = _worst(fair)
    return (
        f"Largest drop: {condition_name(worst.condition)}, from {_percent(worst.more['id_acc1'])} to "
        f"{_percent(worst.acc1)}."
    )


def evidence(rows: Sequence[Record], model: str) -> str:
    """The interval of the largest drop, and whether ordinary models of the same accuracy would lose as much."""
    fair = _fair(rows, model)
    if not fair:
        return ""
    worst = _worst(fair)
    told = (
        f"{known_as(model)}: a drop of {points(worst.more['drop'])} points (95 % CI "
        f"{points(worst.more['drop_low'])} to {points(worst.more['drop_high'])}; n = {worst.n:,})."
    )
    lined = [row for row in fair if row.more.get("rho") is not None]
    if not lined:
        return told
    above = sum(row.more["rho_low"] > 0 for row in lined)
    below = sum(row.more["rho_high"] < 0 for row in lined)
    mean = sum(row.more["rho"] for row in lined) / len(lined)
    return (
        f"{told} More robust than its accuracy predicts on {above} and less robust on {below} of {len(lined)} shifts "
        f"(mean effective robustness {points(mean, plus=True)} points)."
    )


def _fair(rows: Sequence[Record], model: str) -> list[Record]:
    """Records of one model under shifts that its own mistakes did not choose."""
    own = [row for row in rows if row.model == model and row.condition != CLEAN and not several(row.condition)]
    return [row for row in own if not row.more.get("excluded_from_ranking")]


def _worst(rows: Sequence[Record]) -> Record:
    return max(rows, key=lambda row: row.more["drop"])


def of_cell(row: Record) -> str:
    """One model on one shift."""
    near = row.condition.rpartition("_pm")[2]
    what = "images" if "_pm" not in row.condition else "anchors"
    if what == "anchors" and near != "0":
        what += f" with every frame within {near}"
    sentence = (
        f"{known_as(row.model)} on {condition_name(row.condition)}: {_percent(row.acc1)} of {row.n:,} {what} correct "
        f"(95 % CI {_percent(row.low)} to {_percent(row.high)}), {_percent(row.more['id_acc1'])} in distribution"
    )
    if row.more.get("rho") is not None:
        lower, upper = row.more["ordinary_low"], row.more["ordinary_high"]
        within = "as an ordinary model might" if lower <= row.acc1 <= upper else "unlike an ordinary model"
        sentence += (
            f"; ordinary models of that accuracy reach {_percent(row.more['expected'])}, so effective robustness is "
            f"{points(row.more['rho'], plus=True)} points (95 % CI {points(row.more['rho_low'], plus=True)} to "
            f"{points(row.more['rho_high'], plus=True)}): {within}"
        )
        if row.more.get("extrapolated"):
            sentence += ", though its accuracy lies outside theirs"
    if row.more.get("excluded_from_ranking"):
        sentence += ". Its own mistakes chose these pictures, so it is not ranked"
    return f"{sentence}."


def of_parts(rows: Sequence[Record], model: str) -> str:
    """Whether the tail loses more than the head under shift, in points and as a share of what it had."""
    own = [row for row in rows if row.model == model and row.condition != CLEAN and not several(row.condition)]
    known = [row for row in own if all(row.more.get(n) is not None for n in ("head", "tail", "id_head", "id_tail"))]
    if not known:
        return f"No pretraining counts of {known_as(model)} are known, so there are no groups of head and tail."
    had, has = (
        {part: sum(row.more[before + part] for row in known) / len(known) for part in ("head", "tail")}
        for before in ("id_", "")
    )
    lost = {part: had[part] - has[part] for part in had}
    more = sum(row.more["id_tail"] - row.more["tail"] > row.more["id_head"] - row.more["head"] for row in known)
    sentence = (
        f"Under shift {known_as(model)} loses {points(lost['head'])} points in the head and {points(lost['tail'])} "
        f"in the tail on average; the tail loses more points on {more} of {len(known)} shifts."
    )
    if had["tail"] < FLOOR:
        return f"{sentence} With {_percent(had['tail'])} in distribution the tail has hardly anything to lose."
    kept = {part: has[part] / had[part] for part in had}
    first = "the tail breaks first" if kept["tail"] < kept["head"] else "the tail does not break first"
    return (
        f"{sentence} The head keeps {_percent(kept['head'])} of its accuracy, the tail {_percent(kept['tail'])}: "
        f"in proportion {first}."
    )


def _percent(share: float) -> str:
    return percent(share, 1)
