"""Splitting a text into lines or rows of cells, as files have them; too many for the memory are refused."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from core.memory import BUDGET, text_cost

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def lines_of(text: str) -> list[str]:
    r"""The lines of a text; only ``\n`` and ``\r\n`` end one.

    ``str.splitlines`` also breaks at U+2028, U+0085, form feeds and the like, which occur inside names and sentences.
    A last line without an end counts; the empty text has no lines.

    Raises:
        TooLarge: the lines would take more memory than is allowed.
    """
    if not text:
        return []
    with BUDGET.reading(text_cost(text), "A text"):
        return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


class Rows(Iterator[list[str]]):
    """The rows of a CSV text, lines ended as a spreadsheet ends them.

    Args:
        text: without copies of it being made.
        name: what errors call it.

    Attributes:
        line: number of the line that ends the row last read.

    Raises:
        TooLarge: its rows would take more memory than is allowed. csv.Error: while reading, as Python's reader.
    """

    def __init__(self, text: str, *, name: str, delimiter: str = ",") -> None:
        BUDGET.require(text_cost(text, delimiter), f"{name} cannot be read: reading it", "split it")
        self._rows = csv.reader((found[0] for found in _LINE.finditer(text)), delimiter=delimiter)

    @property
    def line(self) -> int:
        return self._rows.line_num

    def __next__(self) -> list[str]:
        return next(self._rows)
