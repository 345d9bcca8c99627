"""Entries of the server's log: nobody's words can look like an entry of their own, and none grows without end.

A model name, a path or an error's message may hold line breaks and characters that steer a terminal. They are escaped
where an entry is made, whichever library makes it and wherever it goes.
"""

from __future__ import annotations

import logging
import re
import traceback
from typing import Any

LONGEST = 16_384
"""Characters of an entry's message, and of its traceback."""

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_BREAKS = re.compile("[\n\t]")


class Entry(logging.LogRecord):
    """A record whose message is one line and whose traceback is indented: only an entry begins at the margin."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.exc_info and self.exc_info[1] is not None:
            # Formatters take this text where it is set, and make their own otherwise.
            lines = "".join(traceback.format_exception(*self.exc_info)).splitlines()
            self.exc_text = "\n".join(f"    {_escaped(line)}" for line in _ends("\n".join(lines)).split("\n"))

    def getMessage(self) -> str:
        """The message with its arguments, escaped."""
        return _BREAKS.sub(_code, _escaped(_ends(super().getMessage())))


def escape() -> None:
    """Have every entry of this process escaped."""
    logging.setLogRecordFactory(Entry)


def _escaped(text: str) -> str:
    return _STEERING.sub(_code, text)


def _ends(text: str) -> str:
    """A text whose middle is left away where it is too long; what failed stands at its end."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} … {text[-half:]}"


def _code(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "backslashreplace").decode("ascii")
