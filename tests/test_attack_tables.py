"""The tables of docs/ATTACKS.md say what the committed records hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.datasets import open_set
from core.datasets.sampling import sample_rows
from core.frequency import sources
from core.robustness.attacks import find
from core.robustness.committed import committed
from core.robustness.metrics import difference
from core.robustness.records import Record
from core.stats.format import points
from core.types import Interval

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "ATTACKS.md").read_text(encoding="utf-8")
PLAIN = {"noise": "noise (control)", "letters": "letters (control)", "typographic": "typographic"}
BY = {"bisection": "bisection", "nearest boundary": "distance", "grid": "of those tried"}


def kept(one: Record) -> str:
    return f"{100 * one.acc1:.0f} ({100 * one.low:.0f}–{100 * one.high:.0f})"


def broken(one: Record) -> str:
    more = one.more
    return f"{100 * more['success']:.0f} % ({100 * more['success_low']:.0f}–{100 * more['success_high']:.0f})"


def direct_rows(records: list[Record]) -> Iterator[str]:
    """| model | unattacked | attack | 1/255 | 2/255 | 4/255 | margin loss too, 2/255 | median minimal ε |"""
    clean = {one.model: one for one in records if one.condition == "clean"}
    for model, attack in dict.fromkeys((one.model, one.condition) for one in records if one.eps is not None):
        at = {one.eps: one for one in records if (one.model, one.condition) == (model, attack)}
        margin = at[2.0].more.get("margin_acc1")
        least = at[2.0].more["minimal_eps"]
        needed = "" if attack == "noise" else f"{least:.2f} ({BY[at[2.0].more['minimal_by']]})"
        cells = [
            f"`{model}`", kept(clean[model]), PLAIN.get(attack, find(attack).title),
            *(kept(at[eps]) for eps in (1, 2, 4)),
            "" if margin is None else f"{100 * margin:.0f}", needed,
        ]  # fmt: skip
        yield "| " + " | ".join(cells) + " |"


def written_rows(records: list[Record]) -> Iterator[str]:
    """| model | right | wrong class's name: broken | class said | meaningless letters: broken | that class said |"""
    for model in dict.fromkeys(one.model for one in records):
        mine = {one.condition: one for one in records if one.model == model}
        cells = [f"`{model}`", str(mine["clean"].more["clean_right"])]
        for what in ("typographic", "letters"):
            cells += [broken(mine[what]), f"{100 * mine[what].more['said_word']:.0f} %"]
        yield "| " + " | ".join(cells) + " |"


def transfer_rows(records: list[Record]) -> Iterator[str]:
    """| crafted on | judged by | FGSM | BIM | MIM | DIM | noise (control) |"""
    noise = {one.model: broken(one) for one in records if one.condition == "noise"}
    crossed = [one for one in records if one.more.get("surrogate")]
    for source, judge in dict.fromkeys((one.more["surrogate"], one.model) for one in crossed):
        mine = [one for one in crossed if (one.more["surrogate"], one.model) == (source, judge)]
        cells = [f"`{source}`", f"`{judge}` ({mine[0].more['clean_right']} right)", *map(broken, mine), noise[judge]]
        yield "| " + " | ".join(cells) + " |"


def score_rows(records: list[Record]) -> Iterator[str]:
    """| model | attack | images | right unattacked | right after | broken |"""
    for one in records:
        if one.condition != "clean":
            right = one.more["clean_right"]
            stand = str(round(one.acc1 * one.n))
            cells = [f"`{one.model}`", find(one.condition).title, str(one.n), str(right), stand, broken(one)]
            yield "| " + " | ".join(cells) + " |"


def tail_rows(records: list[Record]) -> Iterator[str]:
    """| attack | ε | head | tail | tail − head |"""
    for one in records:
        if one.condition != "clean":
            head, tail = (
                Interval(*(one.more[f"{group}_success{end}"] for end in ("", "_low", "_high")))
                for group in ("head", "tail")
            )
            gap = difference(tail, head)
            value, low, high = (points(part, 0) for part in (gap.value, gap.low, gap.high))
            told = f"+{value} points ({low} to {high})"
            shares = (f"{100 * group.value:.0f} %" for group in (head, tail))
            yield "| " + " | ".join([find(one.condition).title, f"{one.eps:.0f}/255", *shares, told]) + " |"


TABLES = {
    "attacks-tail": (tail_rows,),
    "attacks": (direct_rows, written_rows),
    "attacks-supervised": (direct_rows, written_rows),
    "attacks-transfer": (transfer_rows,),
    "attacks-scores": (score_rows,),
}


@pytest.mark.parametrize(("table", "rows"), [(table, rows) for table, many in TABLES.items() for rows in many])
def test_the_document_holds_every_row_of_the_records(table: str, rows) -> None:
    expected = list(rows(committed("icons", table)))
    assert expected
    assert [row for row in expected if row not in TEXT] == []


@pytest.mark.slow
@pytest.mark.parametrize("table", [*TABLES, "attacks-prompts", "corruptions"])
def test_head_and_tail_are_of_the_groups_as_they_are_now(table: str) -> None:
    """Of the concepts sampled: one picture of each of 100 or of all."""
    images = open_set("icons")
    for one in committed("icons", table):
        if "tail_n" in one.more:
            tags = sources.groups(one.model, images.keys, images.names).tags
            sampled = [tags[images.keys[images.labels[row]]] for row in sample_rows(images.labels, one.n, seed=0)]
            assert (one.more["head_n"], one.more["tail_n"]) == (sampled.count("head"), sampled.count("tail")), one.model
