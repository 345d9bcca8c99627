"""What supervised classifiers are called, and where their files lie.

``supervised:icon-RN,icons-200k`` ships with Tailscope, ``supervised:/folder`` is one of your own in the same layout,
``timm:NAME`` and ``timm:ARCH,/checkpoint`` are timm's ImageNet models on this disk.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from core.errors import UnknownName, UnreadableData
from core.models.names import model_name
from core.opening import read_object, regular
from core.paths import ASSETS

PROMPTS = "supervised"
"""What stands for the prompt strategy of a classifier that reads no prompts."""

ICON, TIMM = "supervised:", "timm:"
SHIPPED = ASSETS / "supervised"
WEIGHTS, CARD = "model.safetensors", "card.json"
MOST_OF_CARD = 16 << 20
"""Bytes of a card; those of 586 classes have 20 KB."""


def is_supervised(model: str) -> bool:
    """Whether a model's name is that of a supervised classifier."""
    return model.startswith((ICON, TIMM))


def known_as(model: str) -> str:
    """Any classifier in words, a supervised one marked as such."""
    return f"{model_name(model.partition(':')[2])}, supervised" if is_supervised(model) else model_name(model)


def shipped() -> list[str]:
    """Names of the classifiers that ship with Tailscope."""
    return [f"{ICON}{_named(folder)}" for folder in sorted(SHIPPED.glob("*/")) if (folder / CARD).is_file()]


def canonical(text: str) -> str:
    """The one spelling of a supervised classifier's name; UnknownName or UnreadableData for one that leads nowhere."""
    prefix, _, name = text.strip().partition(":")
    arch, comma, file = name.partition(",")
    if prefix + ":" == TIMM:
        if not arch or (comma and not file):
            raise UnknownName(f"{text!r} names no model: write timm:NAME or timm:ARCH,/path/to/checkpoint.")
        return f"{TIMM}{arch},{_file(file)}" if comma else f"{TIMM}{arch}"
    if "/" in name or name.startswith("~"):
        return f"{ICON}{_absolute(name)}"
    folder_of(text.strip())
    return text.strip()


def path_of(model: str) -> Path | None:
    """The folder or file that a canonical name leads to; None for a name that leads to no path."""
    name = model.partition(":")[2]
    path = name.partition(",")[2] if model.startswith(TIMM) else name
    return Path(path) if path.startswith("/") else None


def typed_path(text: str) -> str:
    """The path in a classifier's name as a person typed it, without a look at the disk; empty for one without."""
    prefix, _, name = text.strip().partition(":")
    if prefix + ":" == TIMM:
        return name.partition(",")[2]
    return name if "/" in name or name.startswith("~") else ""


def folder_of(model: str) -> Path:
    """The folder of a ``supervised:`` classifier.

    Raises:
        UnknownName: none of this name ships. UnreadableData: the folder holds no classifier.
    """
    folder = path_of(model) or SHIPPED / model.removeprefix(ICON).replace(",", "-")
    if (folder / CARD).exists() and (folder / WEIGHTS).exists():
        for name in (CARD, WEIGHTS):
            regular(folder / name)
        return folder
    if path_of(model):
        raise UnreadableData(f"{folder} holds no {WEIGHTS} with its {CARD}: it is no supervised classifier.")
    near = difflib.get_close_matches(model, shipped(), n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(shipped()) or 'none'}."
    raise UnknownName(f"No supervised classifier is called {model!r}: {hint}")


def _named(folder: Path) -> str:
    try:
        return str(read_object(folder / CARD, limit=MOST_OF_CARD)["name"])
    except (UnreadableData, KeyError):
        return folder.name


def _absolute(text: str) -> Path:
    return Path(text.strip()).expanduser().absolute()


def _file(text: str) -> Path:
    file = _absolute(text)
    if not file.exists():
        raise UnreadableData(f"There is no file {file}; give the path of a timm checkpoint.")
    return regular(file)
