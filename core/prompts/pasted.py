"""Templates as people paste them: out of Python or JSON, with quotes, commas, ``lambda c:`` and brackets."""

from __future__ import annotations

import re
from collections.abc import Sequence

_STRING = r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
_FORMATTED = r"(?:\s*\.\s*format\(\s*[\w= ]*\)|\s*%\s*(?:\w+|\(\s*\w+\s*,?\s*\)))?"
_CODE = rf"(?:lambda\s+\w+\s*:\s*)?[rbufRBUF]{{0,2}}{_STRING}{_FORMATTED}"
_ITEMS = re.compile(
    rf"(?:\w+\s*(?::\s*[\w\[\], .]+)?=\s*)?[\[({{]?\s*({_CODE}(?:\s*,\s*{_CODE})*)\s*,?\s*[\])}}]?\s*[,;]?\s*(?:#.*)?"
)
_ITEM = re.compile(rf"(?:lambda\s+(\w+)\s*:\s*)?([rbufRBUF]{{0,2}})({_STRING})")
_FRAME = re.compile(
    r"(?:\w+\s*(?::\s*[\w\[\], .]+)?=\s*)?[\[({]\s*|[\])}]\s*[,;]?|(?:#|//)[^{}%]*|(?:from|import)\s[\w., ]+"
)
_LAMBDA = re.compile(r"lambda\s+(\w+)\s*:\s*")
_QUOTED = re.compile(r"[rbufRBUF]{0,2}(?:'(.*)'|\"(.*)\"|“(.*)”|‘(.*)’|«(.*)»|`(.*)`)\s*[,;]?")
_BULLET = re.compile(r"(?:[-*•]|\d{1,3}[.)])\s+")


def cleaned(lines: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Templates without the code or list around them.

    Returns:
        The templates, and every line that is read otherwise than it stands as (line, what was read; empty for lines
        that hold no template, such as brackets).
    """
    found: list[str] = []
    changes: list[tuple[str, str]] = []
    separated = len(lines) > 1 and all(line.endswith((",", ";")) for line in lines[:-1])
    for line in lines:
        templates = _templates(line, separated)
        found += templates
        if templates != [line]:
            changes.append((line, "; ".join(templates)))
    return found, changes


def _templates(line: str, separated: bool) -> list[str]:
    if _FRAME.fullmatch(line):
        return []
    bare = _BULLET.sub("", line, count=1)
    if items := _ITEMS.fullmatch(bare):
        return [_item(found) for found in _ITEM.finditer(items[1])]
    variable = _LAMBDA.match(bare)
    text = bare[variable.end() :] if variable else bare
    if quoted := _QUOTED.fullmatch(text):
        inner = next(part for part in quoted.groups() if part is not None)
        # Apostrophes inside words are no quotes; others mean that the outer ones are not a pair.
        if not re.search(r"(?<!\w)['\"`]|['\"`](?!\w)", inner):
            text = inner
    elif separated:
        text = text.rstrip(",;")
    return [_with_slot(text.strip(), variable[1] if variable else "")]


def _item(found: re.Match[str]) -> str:
    text = re.sub(r"\\(['\"\\])", r"\1", found[3][1:-1]).strip()
    return _with_slot(text, found[1] or ("" if "f" not in found[2].lower() else _only_slot(text)))


def _only_slot(text: str) -> str:
    """The one variable of an f-string that stands alone, without its lambda."""
    named = set(re.findall(r"\{(\w+)\}", text))
    return named.pop() if len(named) == 1 else ""


def _with_slot(text: str, variable: str) -> str:
    """The template with ``{c}`` where code has its variable or ``%s``."""
    if variable:
        text = re.sub(rf"\{{\s*{re.escape(variable)}\s*\}}", "{c}", text)
    return text if "{" in text else text.replace("%s", "{c}")
