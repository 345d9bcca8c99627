"""The concepts of the embedded world: names, families, synonyms and glyphs.

Names, families and descriptions are the project's own (``assets/icons/concepts.json``); glyphs and search
terms come from the PyPI package ``fontawesomefree`` (icons CC BY 4.0, fonts SIL OFL 1.1) at run time.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.paths import ASSETS

ASSETS = ASSETS / "icons"

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 39, 40),
    "orange": (245, 130, 32),
    "yellow": (244, 208, 32),
    "green": (34, 139, 58),
    "teal": (18, 160, 160),
    "blue": (31, 95, 214),
    "purple": (126, 58, 180),
    "pink": (240, 120, 178),
    "brown": (121, 74, 38),
    "gray": (128, 128, 128),
    "black": (20, 20, 20),
    "white": (245, 245, 245),
}


@dataclass(frozen=True, slots=True)
class IconConcept:
    """One concept of the embedded world.

    Attributes:
        key: the icon's name in Font Awesome, the concept's unique key.
        name: readable lower-case English name, unique.
        family: one word for the group the concept belongs to.
        glyph: the character that draws it in the solid font.
        synonyms: search terms that name no other concept (so a caption that uses one is unambiguous).
        shape, use: short phrases that appear in pretraining captions.
    """

    key: str
    name: str
    family: str
    glyph: str
    synonyms: tuple[str, ...]
    shape: tuple[str, ...]
    use: tuple[str, ...]


def font_root() -> Path:
    """Folder of the installed Font Awesome data."""
    import fontawesomefree

    return Path(fontawesomefree.__file__).parent / "static" / "fontawesomefree"


@cache
def concepts() -> tuple[IconConcept, ...]:
    """All concepts, in the order of their keys."""
    own = json.loads((ASSETS / "concepts.json").read_text(encoding="utf-8"))
    metadata = json.loads((font_root() / "metadata" / "icons.json").read_text(encoding="utf-8"))
    terms = {key: [str(term).lower() for term in metadata[key]["search"]["terms"]] for key in own}
    claims = Counter(record["name"] for record in own.values())
    for key, listed in terms.items():
        claims.update(set(listed) - {own[key]["name"]})
    found = []
    for key in sorted(own):
        record = own[key]
        alone = dict.fromkeys(t for t in terms[key] if claims[t] == 1 and t != record["name"] and t.isascii())
        glyph = chr(int(metadata[key]["unicode"], 16))
        found.append(
            IconConcept(
                key, record["name"], record["family"], glyph, tuple(alone), tuple(record["shape"]), tuple(record["use"])
            )
        )
    return tuple(found)


@cache
def held_out() -> frozenset[tuple[str, str]]:
    """The (colour, concept key) pairs that no pretraining corpus contains (``assets/icons/held_out.csv``)."""
    rows = (ASSETS / "held_out.csv").read_text(encoding="utf-8").split()[1:]
    return frozenset((colour, key) for colour, key in (row.split(",") for row in rows))
