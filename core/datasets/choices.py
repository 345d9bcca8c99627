"""What a person decides about reading an image set, instead of leaving it to detection.

The choices are part of the set's id (``PATH#label-column=breed&split=val``), so that a lens, an address of a page, a
cached answer and a worker on another machine all read the set in the same way.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields
from urllib.parse import quote, unquote

from core.errors import BadInput

FOLDER = "folder"
"""As a label column: the class is the folder of the picture."""

_NAMES = {"label-column": "label_column", "path-column": "path_column", "split": "split", "names": "names"}
_CHOICES = rf"(?:{'|'.join(_NAMES)})=[^#&]+(?:&(?:{'|'.join(_NAMES)})=[^#&]+)*"
_OPTION = re.compile(rf"over=.+|border=[0-9]{{1,2}}|{_CHOICES}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """How a set is to be read; an empty field leaves it to detection.

    Attributes:
        label_column: column with classes; ``folder`` for the folder of the picture.
        path_column: column with the paths of pictures.
        split: folder, file or value of a split column, for example ``val``.
        names: ``released`` keeps class keys verbatim.
    """

    label_column: str = ""
    path_column: str = ""
    split: str = ""
    names: str = ""

    def __post_init__(self) -> None:
        if self.names not in ("", "shown", "released"):
            raise BadInput(f"“names” is shown or released, not {self.names[:40]!r}.")

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))


NOTHING = Choices()


def split_option(id: str) -> tuple[str, str]:
    """The set and how it is read: ``SET#over=imagenet``, ``SET#border=0``, ``SET#split=val``.

    The option is empty where the path itself has the #.
    """
    base, mark, option = id.rpartition("#")
    if mark and base and _OPTION.fullmatch(option) and not os.path.exists(id):
        return base, option
    return id, ""


def choices_in(id: str) -> Choices:
    """The choices that an id carries, whatever other options stand behind them."""
    base, option = split_option(id)
    while option and option.partition("=")[0] not in _NAMES:
        base, option = split_option(base)
    return parse_choices(option)


def parse_choices(option: str) -> Choices:
    """The choices of one option such as ``label-column=breed&split=val``."""
    pairs = (part.partition("=") for part in option.split("&")) if option else ()
    return Choices(**{_NAMES[name]: unquote(value) for name, _, value in pairs})


def with_choices(id: str, choices: Choices) -> str:
    """The id of a set read by these choices; choices that the id already carries stay unless they are given anew."""
    if not choices:
        return id
    base, option = split_option(id)
    if option and option.partition("=")[0] not in _NAMES:
        return f"{with_choices(base, choices)}#{option}"
    old = parse_choices(option)
    given = {name: getattr(choices, field) or getattr(old, field) for name, field in _NAMES.items()}
    return f"{base}#" + "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items() if value)
