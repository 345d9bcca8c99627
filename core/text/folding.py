"""One spelling for what is written in many ways: the words of a name, a caption or a sentence.

Case, Unicode form (NFKC), typographic apostrophes, hyphens and dashes, underscores, HTML entities and URL encoding make
no difference. Everything that compares names or looks for them in text folds both sides here.
"""

from __future__ import annotations

import html
import re
import unicodedata
from contextlib import suppress
from html.entities import html5
from urllib.parse import unquote_plus

import regex

POSSESSIVE = "'s"
"""The word that stands for a possessive ending: ``dog's`` is two words, ``dog`` and ``'s``."""
_APOSTROPHES = "\u0060\u00b4\u02b9\u02bb\u02bc\u02bd\u02ca\u02cb\u2018\u2019\u201b\u2032\u2035\ua78c\uff07"
# NFKC would make a letter of a trademark sign and a blank of an acute accent that stands for an apostrophe.
_BEFORE = str.maketrans(dict.fromkeys(_APOSTROPHES, "'") | dict.fromkeys("\u2120\u2122", " "))
# Invisible in the middle of a word: soft hyphen, zero-width marks, directions, variation selectors, keycaps.
_INVISIBLE = regex.compile(r"[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\u20e3"
                           r"\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]+")  # fmt: skip
_UNSPACED = (
    r"\u0e01-\u0e5b\u0e81-\u0eff\u0f00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aad"
    r"\u2e80-\u2fdf\u3005-\u3007\u3021-\u302f\u3031-\u3035\u3038-\u303c\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    r"\u3105-\u312f\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f"
    r"\ua9e0-\ua9ff\uaa60-\uaa7f\uac00-\ud7ff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
"""Scripts that set no blanks between words (Han, kana, Thai, Lao, Khmer, Burmese, Tibetan, Yi) or attach particles to
them (Hangul)."""
_STARTS, _INSIDE = rf"[[\p{{L}}\p{{N}}]--[{_UNSPACED}]]", rf"[[\p{{L}}\p{{N}}\p{{M}}]--[{_UNSPACED}]]"
_WORD = regex.compile(rf"[{_UNSPACED}]+|{_STARTS}{_INSIDE}*+(?:'{_STARTS}{_INSIDE}*+)*+", regex.V1)
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")
_HAS_UNSPACED = regex.compile(rf"[[{_UNSPACED}\uff66-\uffdc]&&[\p{{L}}\p{{N}}]]", regex.V1)
_JOINS = regex.compile(r"[\s_'\p{Pd}\u2212\u00b7\u2027\u30fb]+")
_BREAKS = regex.compile(r"[^\p{L}\p{N}\p{M}]+")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7};?|#[xX][0-9a-fA-F]{1,6};?|[A-Za-z][A-Za-z0-9]{1,31}(?:;|(?![A-Za-z0-9])))")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_DEPTH = 3
"""How often entities may be encoded in entities (``&amp;#39;`` is one deep)."""


def words(text: str) -> list[str]:
    """The folded words of a text, in order: letters and digits, with apostrophes inside; ``'s`` is a word of its own.

    A run of a script without blanks is one word. HTML entities and URL encoding are not decoded here (``decoded``).
    """
    found = _ASCII_WORD.findall(text.lower().replace("`", "'")) if text.isascii() else _WORD.findall(_characters(text))
    if not any(word.endswith(POSSESSIVE) for word in found):
        return found
    return [part for word in found for part in _apart(word)]


def fold(text: str) -> str:
    """A name or sentence as its folded words with one blank between them; equal for spellings that mean the same.

    A text without a single word is only stripped.
    """
    return " ".join(words(decoded(text))).replace(f" {POSSESSIVE}", POSSESSIVE) or text.strip().casefold()


def decoded(text: str) -> str:
    """A text without HTML entities; URL encoding (``%27``, ``+``) is decoded where the whole text is so.

    A text with a blank in it is no URL encoding, whatever percentages it names.
    """
    if "%" in text and _ESCAPED.search(text) and len(text.split()) == 1:
        with suppress(UnicodeDecodeError):
            text = unquote_plus(text, errors="strict")
    for _ in range(_DEPTH):
        if "&" not in text or (plain := _ENTITY.sub(_character, text)) == text:
            break
        text = plain
    return text


def is_unspaced(text: str) -> bool:
    """Whether a text has letters of a script without blanks, in which only a search for substrings finds a name."""
    return not text.isascii() and _HAS_UNSPACED.search(text) is not None


def unspaced(text: str) -> str:
    """A text for the search of substrings: folded, without blanks, hyphens and middle dots; a line break at every other
    sign, so that nothing is found across one."""
    return _BREAKS.sub("\n", _JOINS.sub("", _characters(text)))


def _characters(text: str) -> str:
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text.translate(_BEFORE))).translate(_BEFORE).casefold()


def _apart(word: str) -> list[str]:
    return [word[:-2], POSSESSIVE] if word.endswith(POSSESSIVE) else [word]


def _character(entity: re.Match[str]) -> str:
    found = entity[0]
    if found[1] == "#" or found.endswith(";"):
        return html.unescape(found)
    return html5.get(found[1:], found)  # without a semicolon only the old ones, which HTML knows so
