"""What a layout of image sets is to the rest of the program, and how a path is opened by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.datasets.choices import NOTHING, Choices
from core.datasets.names import Names, Naming
from core.types import ImageSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a path is opened as an image set.

    Attributes:
        id: what the person typed.
        names: a names file, or corrections as class key -> name.
        naming: ``shown`` for readable names, ``released`` for the class keys verbatim.
        roots: folders that links may lead to; None for no limit.
        choices: columns and split, where the layout has some to choose from.
        border: pixels to cut from every side of ObjectNet's pictures; None for its default.
    """

    id: str
    names: Names = None
    naming: Naming = "shown"
    roots: Sequence[Path] | None = None
    choices: Choices = NOTHING
    border: int | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """A layout that recognises itself.

    Attributes:
        kind: what the layout is called; one word.
        detect: whether a file or folder is laid out so. It is asked of every path that is opened, before any other
            layout is tried: look at a few names, and say True only to what can be nothing else.
        open: opens such a path as ``open(path, id=, names=, naming=, roots=)``; raises UnreadableData where it cannot.
    """

    kind: str
    detect: Callable[[Path], bool]
    open: Callable[..., ImageSet]
