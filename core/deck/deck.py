"""A demo deck: pinned pictures, concepts, plots and comparisons, with captions, in an order, as one project file.

A project file is strict JSON. Whoever opens one trusts nothing in it: pictures are decoded and written anew, figures
may only hold the few Plotly traces that this project draws, and text stays text.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, StrictBool, TypeAdapter, ValidationError

from core.datasets.io.picture import safe_open
from core.errors import BadInput, TailscopeError, TooLarge, UnreadableData
from core.opening import parse_json
from core.runtime.thumbnails import encode
from core.uploads import MOST_BYTES

Kind = Literal["image", "concept", "plot", "comparison"]
FORMAT = "tailscope-deck"
VERSION = 1
MOST_SLIDES, MOST_PICTURES, MOST_ROWS, MOST_CELLS = 100, 24, 60, 12
MOST_TEXT, MOST_PICTURE, MOST_FIGURE, MOST_FILE = 2_000, 2_000_000, 4_000_000, MOST_BYTES
MOST_PIXELS = 4_000_000
_TRACES = {"scatter", "bar", "contour", "heatmap"}
_REMOTE = ("images", "updatemenus", "sliders", "template", "mapbox", "map", "geo")


def _picture(value: object) -> bytes:
    """A picture of a project file, written anew."""
    try:
        if not isinstance(value, str) or len(value) > MOST_PICTURE:
            raise ValueError("a picture is base64 text of at most 2 MB")
        return rewritten(base64.b64decode(value, validate=True), name="It")
    except (binascii.Error, TailscopeError) as error:
        raise ValueError(f"this picture cannot be read ({error})") from error


def _figure(value: object) -> str:
    try:
        return "" if value is None else figure_json(value)
    except BadInput as error:
        raise ValueError(str(error)) from error


Text = Annotated[str, Field(max_length=MOST_TEXT)]
Cells = Annotated[tuple[Text, ...], Field(max_length=MOST_CELLS)]
Pixels = Annotated[
    bytes, Field(alias="webp"), BeforeValidator(_picture), PlainSerializer(lambda data: base64.b64encode(data).decode())
]
FigureText = Annotated[str, BeforeValidator(_figure), PlainSerializer(lambda text: json.loads(text) if text else None)]


@dataclass(frozen=True, slots=True)
class Picture:
    """One embedded picture (WebP bytes) with its label; ``right`` marks it ✓ or ✗, None leaves it unmarked."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")
    data: Pixels
    label: Text
    right: StrictBool | None = None


@dataclass(frozen=True, slots=True)
class Slide:
    """One pinned thing.

    Attributes:
        title: what it is, or what it says; caption: a person's own words; source: where the numbers come from.
        notes: what to say beside the slide, not part of it.
        pinned: when its values were pinned; they stay those of then. Empty for a slide that is not of a page.
        facts: short lines under the title; pictures: at most 24.
        header, rows: a small table of text; figure: Plotly JSON as ``figure_json`` writes it, or empty.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")
    kind: Kind
    title: Text
    caption: Text = ""
    source: Text = ""
    facts: Cells = ()
    pictures: Annotated[tuple[Picture, ...], Field(max_length=MOST_PICTURES)] = ()
    header: Cells = ()
    rows: Annotated[tuple[Cells, ...], Field(max_length=MOST_ROWS)] = ()
    figure: FigureText = ""
    notes: Text = ""
    pinned: Text = ""

    @property
    def origin(self) -> str:
        """Where its values come from and when they were pinned, in one line."""
        return " · ".join(filter(None, [self.source, self.pinned and f"pinned {self.pinned}"]))


@dataclass(frozen=True, slots=True)
class Deck:
    """Slides in order under a title; changes give a new deck."""

    title: Text = "Failure cases"
    slides: Annotated[tuple[Slide, ...], Field(max_length=MOST_SLIDES)] = ()

    def add(self, slide: Slide) -> Deck:
        """With this slide at the end; a slide that is there already is not pinned twice."""
        if len(self.slides) >= MOST_SLIDES:
            raise BadInput(f"A deck holds {MOST_SLIDES} slides; remove one before pinning another.")
        pinned = [replace(other, caption="", notes="", pinned="") for other in self.slides]
        return self if replace(slide, pinned="") in pinned else replace(self, slides=(*self.slides, slide))

    def remove(self, index: int) -> Deck:
        """Without one slide."""
        return replace(self, slides=(*self.slides[:index], *self.slides[index + 1 :]))

    def move(self, index: int, to: int) -> Deck:
        """With one slide at another place; places beyond the ends are the ends."""
        rest = self.remove(index)
        to = min(max(to, 0), len(rest.slides))
        return replace(self, slides=(*rest.slides[:to], self.slides[index], *rest.slides[to:]))

    def write(
        self, index: int, *, title: str | None = None, caption: str | None = None, notes: str | None = None
    ) -> Deck:
        """With other words on one slide; None keeps what is there, and so does an empty title."""
        old = self.slides[index]
        changed = replace(
            old,
            title=(title or old.title)[:MOST_TEXT],
            caption=old.caption if caption is None else caption[:MOST_TEXT],
            notes=old.notes if notes is None else notes[:MOST_TEXT],
        )
        return replace(self, slides=(*self.slides[:index], changed, *self.slides[index + 1 :]))


def figure_json(figure: object) -> str:
    """A Plotly figure as the JSON that a deck keeps.

    Only traces that need neither WebGL (which would need ``eval``) nor the network are kept; others are refused.

    Args:
        figure: a ``plotly.graph_objects.Figure`` or a mapping with ``data`` and ``layout``.

    Raises:
        BadInput: it is no figure of these kinds, or larger than 4 MB.
    """
    import plotly.graph_objects as go

    spec = json.loads(figure.to_json()) if isinstance(figure, go.Figure) else figure
    if not isinstance(spec, Mapping) or not isinstance(spec.get("data"), list):
        raise BadInput("A figure of the deck needs data and a layout.")
    traces = []
    for trace in spec["data"]:
        kind = trace.get("type", "scatter") if isinstance(trace, Mapping) else None
        kind = "scatter" if kind == "scattergl" else kind
        if kind not in _TRACES:
            raise BadInput(f"A figure of the deck may not hold a trace of type {str(kind)[:40]!r}.")
        traces.append({**trace, "type": kind})
    layout = {key: value for key, value in (spec.get("layout") or {}).items() if key not in _REMOTE}
    try:
        clean = json.loads(go.Figure({"data": traces, "layout": layout}).to_json())
    except (ValueError, TypeError) as error:
        raise BadInput("A figure of the deck is not one that Plotly can draw.") from error
    clean["layout"].pop("template", None)
    text = json.dumps({"data": clean["data"], "layout": clean["layout"]}, sort_keys=True, allow_nan=False)
    if len(text) > MOST_FIGURE:
        raise BadInput("This figure is larger than 4 MB; pin one with fewer points.")
    return text


_DECK = TypeAdapter(Deck)


def to_json(deck: Deck) -> str:
    """The project file of a deck: strict JSON with pictures as base64."""
    content = {"format": FORMAT, "version": VERSION, **_DECK.dump_python(deck, mode="json", by_alias=True)}
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1)


def from_json(data: bytes) -> Deck:
    """Open a project file.

    Raises:
        UnreadableData: it is not a deck of this version, or something in it is not what it should be.
    """
    if len(data) > MOST_FILE:
        raise UnreadableData("This project file is larger than 64 MB; a deck of 100 slides stays far below.")
    try:
        content = parse_json(data, name="The project file", parse_constant=_no_constant)
    except TooLarge:
        raise
    except UnreadableData as error:
        raise UnreadableData("This is no project file: it does not hold strict JSON. Open one saved here.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise UnreadableData(f"This is no {FORMAT} file of version {VERSION}. Open one saved with Save project.")
    try:
        return _DECK.validate_python({name: content.get(name) for name in ("title", "slides")})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ", ".join(str(part + 1) if isinstance(part, int) else part for part in first["loc"])
        why = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise UnreadableData(f"This project file cannot be used: {where}: {why}.") from error


def _no_constant(name: str) -> None:
    raise ValueError(name)


def rewritten(raw: bytes, *, name: str) -> bytes:
    """The same picture as WebP bytes written here, which hold pixels and nothing else."""
    picture = safe_open(raw, name=name, max_pixels=MOST_PIXELS)
    return encode(picture, max(picture.size))


def table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> dict[str, Any]:
    """Header and rows as the text a slide keeps; what does not fit is cut, and the last row or column says so."""
    wide = max(map(len, (header, *rows)), default=0) > MOST_CELLS
    most = MOST_CELLS - 1 if wide else MOST_CELLS
    kept = rows if len(rows) <= MOST_ROWS else rows[: MOST_ROWS - 1]
    cells = [tuple(str(cell)[:200] for cell in row[:most]) for row in kept]
    if len(kept) < len(rows):
        cells.append((f"… and {len(rows) - len(kept):,} more rows",))
    more = (f"… and {len(header) - most} more columns",) if wide else ()
    return {"header": (*(str(cell)[:200] for cell in header[:most]), *more), "rows": tuple(cells)}
