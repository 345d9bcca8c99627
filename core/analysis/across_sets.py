"""Several strategies on several image sets for one model, as the tables of CuPL are laid out (arXiv 2209.03320)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.analysis.compare import SIGNIFICANT, Difference, compare
from core.errors import BadInput
from core.evaluation import evaluate
from core.stats.format import percent, points, span
from core.stats.intervals import wilson
from core.stats.paired import holm
from core.types import Answer, ImageSet, Interval, Lens, Report, silent


@dataclass(frozen=True)
class Cell:
    """One strategy on one set.

    Attributes:
        acc1: share of the ``n`` images classified correctly, Wilson 95 % interval.
        balanced: mean accuracy of the classes.
        change: against the first strategy on the same images, p adjusted by Holm over all changes of the table; None
            for the first strategy.
        notes: what to know of the prompts.
    """

    image_set: str
    strategy: str
    acc1: Interval
    balanced: float
    n: int
    classes: int
    change: Difference | None
    notes: tuple[str, ...]

    @property
    def clear(self) -> bool:
        """Whether the interval excludes no change and the adjusted p is below 0.05."""
        change = self.change
        return (
            change is not None
            and not change.unread
            and (change.delta.low > 0 or change.delta.high < 0)
            and change.p_holm < SIGNIFICANT
        )


@dataclass(frozen=True)
class SetTable:
    """Cells by set, then by strategy, in the order given; the first strategy is the baseline."""

    model: str
    sets: tuple[str, ...]
    strategies: tuple[str, ...]
    cells: tuple[Cell, ...]

    def of(self, strategy: str) -> list[Cell]:
        """The cells of one strategy, one a set."""
        return [cell for cell in self.cells if cell.strategy == strategy]

    def mean(self, strategy: str) -> float:
        """Mean over sets of top-1 accuracy, each set weighing the same."""
        return float(np.mean([cell.acc1.value for cell in self.of(strategy)]))


def set_table(
    lens: Lens,
    sets: Sequence[ImageSet],
    strategies: Sequence[str],
    *,
    known: Sequence[Answer] = (),
    report: Report = silent,
) -> SetTable:
    """Answer every set with every strategy, and compare each strategy with the first on the same images.

    Args:
        lens: model and precision; its set and strategy are not used.
        sets: open, no two with the same id; strategies: one to four.
        known: answers that are there; they serve for a set of which they have every strategy.

    Raises:
        BadInput: none or too many strategies, a set or strategy twice.
    """
    ids = [one.id for one in sets]
    if not ids or not strategies:
        raise BadInput("Give at least one image set and one strategy.")
    for what, given in (("set", ids), ("strategy", strategies)):
        if twice := next((one for one in given if given.count(one) > 1), None):
            raise BadInput(f"The {what} {twice} is given twice; give every {what} once.")
    first = strategies[0]
    cells = []
    for image_set in sets:
        there = {
            one.lens.prompts: one for one in known if (one.lens.model, one.lens.image_set) == (lens.model, image_set.id)
        }
        answers = {
            strategy: there[strategy]
            if there.keys() >= set(strategies)
            else evaluate.evaluate(
                replace(lens, image_set=image_set.id, prompts=strategy, frequency=""),
                image_set=image_set,
                report=report,
            )
            for strategy in strategies
        }
        changes = {one.b: one for one in compare(answers).pairs if one.a == first}
        for strategy, answer in answers.items():
            right, n = int((answer.top[:, 0] == answer.labels).sum()), len(answer.labels)
            cells.append(
                Cell(image_set.id, strategy, wilson(right, n), answer.mean_per_class_recall, n, len(answer.keys),
                     changes.get(strategy), tuple(answer.prompt_notes))
            )  # fmt: skip
    adjusted = iter(holm([cell.change.p for cell in cells if cell.change]))
    cells = [
        replace(cell, change=replace(cell.change, p_holm=next(adjusted))) if cell.change else cell for cell in cells
    ]
    return SetTable(lens.model, tuple(ids), tuple(strategies), tuple(cells))


def headline(found: SetTable) -> str:
    """On how many sets the best strategy on average is clearly above and below the first, and by how much."""
    first = found.strategies[0]
    if len(found.strategies) == 1:
        return f"{first}: {percent(found.mean(first), 1)} on average over {_sets(found)}."
    best = max(found.strategies[1:], key=found.mean)
    gain = found.mean(best) - found.mean(first)
    clear = [cell.change.delta.value for cell in found.of(best) if cell.change and cell.clear]
    above, below = sum(change > 0 for change in clear), sum(change < 0 for change in clear)
    return (
        f"{best} is clearly above {first} on {above} and clearly below on {below} of {_sets(found)}; "
        f"{points(gain, plus=True)} points of top-1 on average."
    )


def _sets(found: SetTable) -> str:
    return f"{len(found.sets):,} image set{'s' * (len(found.sets) != 1)}"


def rows(found: SetTable) -> tuple[list[str], list[list[object]]]:
    """Header and rows of the table, one a cell; accuracies and changes (over the mean of classes) are fractions."""
    header = ["set", "strategy", "acc1", "low", "high", "mean_per_class_recall", "n", "classes", "change",
              "change_low", "change_high", "fixed", "broken", "p", "p_holm", "clear"]  # fmt: skip
    listed: list[list[object]] = []
    for cell in found.cells:
        row = [cell.image_set, cell.strategy, cell.acc1.value, cell.acc1.low, cell.acc1.high, cell.balanced, cell.n,
               cell.classes]  # fmt: skip
        if (one := cell.change) is None:
            listed.append([*row, *[None] * 8])
        else:
            listed.append([*row, one.delta.value, one.delta.low, one.delta.high, one.b01, one.b10, one.p, one.p_holm,
                           cell.clear])  # fmt: skip
    return header, listed


def as_json(found: SetTable) -> dict[str, Any]:
    """The table in the schema of ``python -m core prompts table``."""
    header, listed = rows(found)
    return {
        "model": found.model,
        "sets": list(found.sets),
        "strategies": list(found.strategies),
        "baseline": found.strategies[0],
        "mean_acc1": {strategy: found.mean(strategy) for strategy in found.strategies},
        "cells": [
            {**dict(zip(header, row, strict=True)), "prompt_notes": list(cell.notes)}
            for row, cell in zip(listed, found.cells, strict=True)
        ],
    }


def cell_text(cell: Cell) -> str:
    """Text of a cell: accuracy in percent, its interval, and the direction of the change where it is clear."""
    value = cell.acc1
    if math.isnan(value.value):
        return "–"
    text = f"{percent(value.value, 1).removesuffix(' %')} ({span(value, 1).removesuffix(' %')})"
    return f"{text} {'▲' if cell.change.delta.value > 0 else '▼'}" if cell.change and cell.clear else text
