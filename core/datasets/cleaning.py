"""Class names as people write them, made of keys as tools write them: what was done is stated and can be undone.

``001.Black_footed_Albatross``, ``n02085620-Chihuahua``, ``0: 'tench',``, ``AnnualCrop``, ``grizzly+bear`` and
``/a/abbey`` are not what a caption says. ``--names released`` keeps them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_NUMBERED = re.compile(r"\s*[0-9]{1,6}\s*(?:[.:)\]_\-]\s*|\s+)(?=\S*[^\W\d_])")
_WNID = re.compile(r"n[0-9]{8}[\s_\-.:]+(?=\S)")
_QUOTED = re.compile(r"([\"'“‘`])(.*?)[\"'”’`]")
_CAMEL = re.compile(r"(?:[A-Z][a-z]+|[A-Z](?=[A-Z]|$))+")
_INNER = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PLUS = re.compile(r"(?<=[^\W\d_])\+(?=[^\W\d_])")
_PLACES = re.compile(r"/[a-z]/(?=\w)")
_MOST = 0.9


def clean_names(keys: Sequence[str]) -> tuple[list[str], str]:
    """Names made of keys, and a sentence that says what was done (empty when nothing was).

    Numbers before names and words run together are only taken apart where nine in ten keys are such: ``7 Up`` or
    ``McDonald`` among other names stays as it is.
    """
    names = list(keys)
    done: list[str] = []
    for what, step in (
        ("quotes and commas", _unquoted),
        ("WordNet ids", lambda names: [_WNID.sub("", name, count=1) if _WNID.match(name) else name for name in names]),
        ("leading numbers", _unnumbered),
        ("folders of the alphabet", _without_places),
    ):
        changed = step(names)
        if changed != names:
            done.append(what)
            names = changed
    apart = _words_apart(names)
    joined = [_PLUS.sub(" ", name) for name in apart]
    first = next((index for index, name in enumerate(joined) if name != keys[index]), None)
    if first is None:
        return joined, ""
    told = []
    if done:
        told.append(f"without {' and '.join(done)}")
    if apart != names:
        told.append("with words that were run together taken apart")
    if joined != apart:
        told.append("with a blank for a plus sign")
    shown = " ".join(joined[first].replace("_", " ").split())
    return joined, (
        f"Names are cleaned, {' and '.join(told)} (“{keys[first][:60]}” is “{shown[:60]}”); "
        "--names released keeps them."
    )


def _unquoted(names: Sequence[str]) -> list[str]:
    """Without the quotes and commas of a pasted list, also behind a number (``0: 'tench',``)."""
    return [_of_list(name) for name in names]


def _of_list(name: str) -> str:
    head = match[0] if (match := re.match(r"\s*[0-9]+\s*:\s*", name)) else ""
    body = name[len(head) :].strip()
    found = _QUOTED.fullmatch(body.rstrip(",").strip())
    return head + found[2].strip() if found and found[2].strip() else name


def _unnumbered(names: Sequence[str]) -> list[str]:
    """Without a number before each name, twice where there are two (``1 001.Black_footed_Albatross``)."""
    names = list(names)
    for _ in range(2):
        matches = [_NUMBERED.match(name) for name in names]
        numbers = [match[0] for match in matches if match]
        if len(numbers) < max(2, _MOST * len(names)) or len(set(numbers)) < len(numbers):
            break
        if all(number.strip().isdecimal() for number in numbers) and not _counts(numbers):
            break  # “2012 BMW”, “2013 Audi”: years, not places in a list
        names = [name[match.end() :] if match else name for name, match in zip(names, matches, strict=True)]
    return names


def _counts(numbers: Sequence[str]) -> bool:
    """Whether these numbers count something: from 0 or 1 on, most of them there."""
    found = sorted(int(number) for number in numbers)
    return found[0] <= 1 and found[-1] <= 2 * len(found)


def _without_places(names: Sequence[str]) -> list[str]:
    """Places365 calls its classes ``/a/apartment_building/outdoor``."""
    if sum(bool(_PLACES.match(name)) for name in names) < max(2, _MOST * len(names)):
        return list(names)
    return [_PLACES.sub("", name, count=1).replace("/", " ") for name in names]


def _words_apart(names: Sequence[str]) -> list[str]:
    """``AnnualCrop`` as two words, where the names are all written that way."""
    compound = [name for name in names if _CAMEL.fullmatch(name) and _INNER.search(name)]
    if not compound or sum(bool(_CAMEL.fullmatch(name)) for name in names) < max(2, _MOST * len(names)):
        return list(names)
    split: Callable[[str], str] = lambda name: _INNER.sub(" ", name)  # noqa: E731
    return [split(name) if _CAMEL.fullmatch(name) else name for name in names]
