"""What is to be counted: captions or images, concepts, and the way of counting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from core.errors import BadInput
from core.types import LeftOut

Mode = Literal["text", "text-paper", "image", "integrated"]
MODES: tuple[Mode, ...] = ("text", "text-paper", "image", "integrated")


@dataclass(frozen=True)
class Request:
    """What a person asks for.

    Attributes:
        captions: path, folder, glob or URL of captions; of the images, for image counts without ``scores``.
        names: concept key -> name. synonyms: concept key -> further spellings. attributes: names.
        column, id_column: instead of the guessed ones; ``#`` counts rows as ids.
        window: 0 for phrases, else words within which all words of a concept must stand.
        scores, thresholds: score matrix of the images, and the scores from which a concept counts, rising.
        images, model, prompts: with no score matrix, the image set (``captions`` if empty), the CLIP model that scores
            it, and its prompts.
        tagger, speller: spaCy pipelines for ``text-paper``; empty means those of the paper.
        left_out: what was dropped from the lists already. roots: folders that local files must lie in.
    """

    captions: str
    names: Mapping[str, str]
    mode: Mode = "text"
    synonyms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    attributes: Sequence[str] = ()
    column: str = ""
    id_column: str = ""
    window: int = 0
    scores: str = ""
    thresholds: Sequence[float] = (0.5,)
    images: str = ""
    model: str = ""
    prompts: str = "simple"
    tagger: str = ""
    speller: str = ""
    left_out: Sequence[LeftOut] = ()
    roots: Sequence[Path] | None = None

    def as_json(self) -> dict[str, Any]:
        """As plain values, without what depends on where it runs (``roots``)."""
        return asdict(replace(self, left_out=(), roots=None))

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, roots: Sequence[Path] | None = None) -> Request:
        """Back from ``as_json``; BadInput when it is none."""
        try:
            return cls(**{**value, "left_out": (), "roots": roots})
        except TypeError as error:
            raise BadInput("What these counts were asked for cannot be read; count anew.") from error
