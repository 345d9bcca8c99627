"""One file of the release, read as if a stranger had sent it: bounded, strict JSON of exactly the expected shape."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core.errors import TooLarge
from core.memory import BUDGET, json_cost
from core.published.names import LET_IT_WAG, RETRIEVAL, TEXT_TO_IMAGE, ZERO_SHOT, FileName

MAX_FILE_BYTES = 32 * 2**20
MAX_DEPTH = 8
MAX_NAME = 300
MAX_COUNT = 10**12
_UPPER = {ZERO_SHOT: 100.0, LET_IT_WAG: 100.0, RETRIEVAL: 1.0}
_EXTRACTED = "misalignment_degree (percent); extracted dataset size"
_FIXED = "misalignment_degree (percent); fixed conservative dataset size"


class Refused(Exception):
    """This file is not used; the message says why, without its name."""


@dataclass(frozen=True, slots=True)
class ModelScores:
    """One model's part of a result file: full score, concepts, values, and scores behind each value (0 = not told)."""

    model: str
    full: float
    concepts: list[str]
    values: list[float]
    n: list[int]


def parse_json(content: bytes, *, limit: int = MAX_FILE_BYTES) -> Any:
    """The JSON value of a file; duplicate keys, NaN, infinities, deep nesting and broken text are refused."""
    if len(content) > limit:
        raise Refused(f"larger than {limit // 2**20} MB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8 text") from error
    try:
        with BUDGET.reading(json_cost(text), "the file"):
            value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except TooLarge as error:
        raise Refused(str(error).rstrip(".")) from error
    except json.JSONDecodeError as error:
        raise Refused(f"not JSON: {error.msg} at character {error.pos:,} of {len(text):,}") from error
    except RecursionError as error:
        raise Refused("nested too deeply") from error
    except ValueError as error:
        raise Refused("holds a number of absurd length") from error
    if _deeper_than(value, MAX_DEPTH):
        raise Refused(f"nested more than {MAX_DEPTH} levels deep")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise Refused(f"the key {shown(twice)} occurs twice")
    return result


def _constant(name: str) -> float:
    raise Refused(f"holds {name}, which is no number")


def _deeper_than(value: object, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for item in level for child in _containers(item)]
        if not level:
            return False
    return True


def _containers(value: object) -> Iterator[Any]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (child for child in children if isinstance(child, dict | list))


def shown(text: object) -> str:
    """A name from outside as it is quoted in a reason: printable and short."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in str(text))
    return f"“{printable[:60]}{'…' if len(printable) > 60 else ''}”"


def counts(content: bytes) -> dict[str, int]:
    """A count file: concept -> samples that match."""
    table = _mapping(parse_json(content), "a table of concepts")
    for concept, count in table.items():
        _name(concept)
        if type(count) is not int:
            raise Refused(f"the count of {shown(concept)} is {_kind(count)}, not a whole number")
        if count < 0:
            raise Refused(f"the count of {shown(concept)} is negative ({count})")
        if count > MAX_COUNT:
            raise Refused(f"the count of {shown(concept)} is beyond any data set ({count:.0e})")
    return table


def scores(content: bytes, file: FileName) -> list[ModelScores]:
    """A result file: every model's score of every concept (percent, fraction or metric units, as released)."""
    inner = "conceptwise" if file.kind == RETRIEVAL else "classwise"
    models = []
    for model, part in _mapping(parse_json(content), "a table of models").items():
        _name(model)
        part = _mapping(part, f"the entry of {shown(model)}")
        if missing := {"full", inner} - set(part):
            raise Refused(f"the entry of {shown(model)} lacks {' and '.join(sorted(missing))}")
        table = _mapping(part[inner], f"the scores of {shown(model)}")
        full = _number(part["full"], f"the full score of {shown(model)}", _UPPER.get(file.kind))
        values, n = [], []
        for concept, value in table.items():
            _name(concept)
            mean, number = _score(value, file, concept)
            values.append(mean)
            n.append(number)
        models.append(ModelScores(model, full, list(table), values, n))
    return models


def _score(value: object, file: FileName, concept: str) -> tuple[float, int]:
    if file.kind != TEXT_TO_IMAGE:
        return _number(value, f"the score of {shown(concept)}", _UPPER[file.kind]), 0
    if not isinstance(value, list) or not value:
        raise Refused(f"the scores of {shown(concept)} are no list of numbers")
    numbers = [_number(item, f"a score of {shown(concept)}", None) for item in value]
    return math.fsum(numbers) / len(numbers), len(numbers)


def misalignment(content: bytes) -> tuple[int, float, float]:
    """Pairs whose text and image concepts are disjoint; their share of the extracted and of the fixed size (0-1)."""
    table = _mapping(parse_json(content), "a table of figures")
    if missing := {"misalignment_counts", _EXTRACTED, _FIXED} - set(table):
        raise Refused(f"lacks {shown(sorted(missing)[0])}")
    pairs = table["misalignment_counts"]
    if type(pairs) is not int or not 0 <= pairs <= MAX_COUNT:
        raise Refused("misalignment_counts is no count")
    extracted, fixed = (_number(table[key], shown(key), 1.0) for key in (_EXTRACTED, _FIXED))
    return pairs, extracted, fixed


def _mapping(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"{what} is {_kind(value)}, not an object")
    if not value:
        raise Refused(f"{what} is empty")
    return value


def _name(text: str) -> None:
    if len(text) > MAX_NAME:
        raise Refused(f"the name {shown(text)} is {len(text):,} characters long")
    if not text.isprintable():
        raise Refused(f"the name {shown(text)} has unprintable characters")


def _number(value: Any, what: str, upper: float | None) -> float:
    if type(value) not in (int, float):
        raise Refused(f"{what} is {_kind(value)}, not a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise Refused(f"{what} is beyond any scale") from error
    if not math.isfinite(number):
        raise Refused(f"{what} is not finite")
    if upper is not None and not 0 <= number <= upper:
        raise Refused(f"{what} is {number:g}, outside 0–{upper:g}")
    return number


def _kind(value: object) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "text",
        bool: "true or false",
        float: "a fraction",
        int: "a number",
    }
    return names.get(type(value), "null")
