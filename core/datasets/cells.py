"""Cells of tables from anywhere as text, and labels as classes; what holds no single value says why."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from core.datasets.headings import LABELS, by_name

_FLOAT = re.compile(r"-?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?")
_SEVERAL = re.compile(r"\s*[|;]\s*")


def as_text(value: object) -> str:
    """A cell as text: nothing for missing values, whole floats without a point (pandas writes them beside gaps)."""
    if value is None or (isinstance(value, float | Decimal) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return str(value)


def plain(values: Sequence[Any]) -> tuple[list[str], dict[int, str]]:
    """Cells as text, and for those that hold no single value the reason, by row.

    A list of one, bytes that are UTF-8, and a record with one field of a known name are that value; vectors of zeros
    with a single one (all of a length) are the place of the one.
    """
    if _are_one_hot(values):
        return [str(list(value).index(1)) if value is not None else "" for value in values], {}
    texts, odd = [], {}
    for row, value in enumerate(values):
        text, reason = _single(value)
        texts.append(text)
        if reason:
            odd[row] = reason
    return texts, odd


def single_labels(texts: Sequence[str]) -> tuple[list[str], dict[int, str]]:
    """Labels of a text column, and for the rows without one the reason.

    ``0.0`` is 0 where all are such; ``[0]``, ``['ant']`` and ``b'ant'``, as Python prints them, are what is in them;
    several in one cell (``ant|bee``), fractions, and -1 for “unlabelled” are no label.
    """
    written = [_written(text) for text in texts]
    found, odd = [text for text, _ in written], {row: reason for row, (_, reason) in enumerate(written) if reason}
    given = {text for text in found if text}
    if given and all(_FLOAT.fullmatch(text) for text in given):
        if all(re.fullmatch(r"-?[0-9]+\.0+", text) for text in given):
            found = [text.partition(".")[0] for text in found]
        elif any(not float(text).is_integer() for text in given):
            return [""] * len(texts), {row: f"{text} is a fraction, no class" for row, text in enumerate(found) if text}
    numbers = {text for text in found if re.fullmatch("-1|[0-9]{1,18}", text)}
    # -1 and 1 are two classes; -1 beside other numbers, or alone, says “unlabelled”.
    if "-1" in numbers and numbers == set(found) - {""} and len(numbers) != 2:
        odd |= {row: "-1, which stands for no label" for row, text in enumerate(found) if text == "-1"}
    for row, text in enumerate(found):
        if ("|" in text or ";" in text) and len(parts := [part for part in _SEVERAL.split(text) if part]) > 1:
            odd[row] = f"several labels ({', '.join(parts)[:80]})"
    return ["" if row in odd else text for row, text in enumerate(found)], odd


def _written(text: str) -> tuple[str, str]:
    """A label that was printed by Python (``b'ant'``, ``[0]``, ``nan``) as what it says, or why it is none."""
    if text in ("nan", "NaN", "<NA>"):
        return "", ""
    if len(text) > 1000 or not re.fullmatch(r"(?s)[\[({].*[\])}]|b(['\"]).*\1", text):
        return text, ""
    try:
        return _single(ast.literal_eval(text))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text, ""


def same_spelling(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Labels of which those that differ only by case or blanks are one, and sentences that say so."""
    counts: dict[str, dict[str, int]] = {}
    for text in texts:
        if text:
            spelled = counts.setdefault(" ".join(text.casefold().split()), {})
            spelled[text] = spelled.get(text, 0) + 1
    several = {key: spelled for key, spelled in counts.items() if len(spelled) > 1}
    if not several:
        return list(texts), []
    chosen = {key: max(spelled, key=lambda text: (spelled[text], text)) for key, spelled in several.items()}
    to = {text: chosen[key] for key, spelled in several.items() for text in spelled}
    told = [" and ".join(f"“{text}”" for text in sorted(spelled)) for spelled in several.values()]
    more = f" and {len(told) - 3:,} more" if len(told) > 3 else ""
    return [to.get(text, text) for text in texts], [f"Read as one class: {'; '.join(told[:3])}{more}."]


def _are_one_hot(values: Sequence[Any]) -> bool:
    given = [value for value in values if value is not None]
    if not given or not all(isinstance(value, list | tuple) for value in given):
        return False
    length = len(given[0])
    return length > 1 and all(
        len(value) == length and all(one in (0, 1) for one in value) and sum(value) == 1 for value in given
    )


def _single(value: object) -> tuple[str, str]:
    """One cell as text, or why it holds no single value."""
    if value is None or isinstance(value, str | bool | Integral | Real | Decimal):
        return as_text(value), ""
    if isinstance(value, bytes):
        try:
            text = value.decode().strip()
        except UnicodeDecodeError:
            return "", "bytes that are no text"
        return (text, "") if text.isprintable() else ("", "bytes that are no text")
    if isinstance(value, list | tuple):
        items = [item for item in value if item is not None]
        if len(items) == 1:
            return _single(items[0])
        return "", f"several labels ({', '.join(_short(item) for item in items)[:80]})" if items else "an empty list"
    if isinstance(value, Mapping):
        if named := by_name([name for name in value if isinstance(name, str)], LABELS):
            return _single(value[named])
        return "", f"a record without a field that is called like a class ({', '.join(map(str, value))[:80]})"
    return "", f"a value of the type {type(value).__name__}, which is no class"


def _short(value: object) -> str:
    return as_text(value) if isinstance(value, str | Integral | Real) else type(value).__name__
