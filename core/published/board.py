"""Your own rows of the Let It Wag! board: runs of your models, and results that others published since.

Rows stand beside the 40 published models, are kept until they are removed, and travel as one JSON file, so that a group
keeps a board of its own.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cache import kept
from core.errors import BadInput, NotHere, UnknownName, UnreadableData
from core.models.names import model_name, split_model
from core.opening import read_regular
from core.published import letitwag, openclip
from core.stats.intervals import mean, wilson
from core.types import Answer, ClassAnswer, Interval
from core.versions import TAILSCOPE

FORMAT = 1
MOST_BYTES, MOST_ROWS, MOST_TEXT = 8 << 20, 500, 300
FEWEST = 280
"""Concepts of the 290 that a run must hold: one download may lack a few."""
_HERE = f"computed with Tailscope {TAILSCOPE}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of one's own.

    Attributes:
        model: open_clip's id or any other name; prompts: the strategy; spelling: ``shown`` (spaces) or ``released``
            (underscores, as the published runs had the names).
        letitwag: mean accuracy over the concepts, a fraction; low, high: its 95 % interval, null where unknown.
        n: images, null where unknown; imagenet: ImageNet top-1, a fraction, or null, and where that is from.
        source: where the row is from, in words or as an address.
        concepts: released key -> (accuracy, images); empty where only the mean was published.
    """

    model: str
    prompts: str
    spelling: str
    letitwag: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    imagenet: float | None = None
    imagenet_source: str = ""
    source: str = ""
    concepts: Mapping[str, tuple[float, int | None]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tells it from other rows."""
        spelling = ", released spelling" if self.spelling == "released" else ""
        return f"{model_name(self.model)} · {self.prompts}{spelling}"

    def as_json(self) -> dict[str, Any]:
        """JSON-ready, accuracies as fractions."""
        concepts = {key: list(value) for key, value in self.concepts.items()}
        return {
            "model": self.model, "prompts": self.prompts, "spelling": self.spelling, "letitwag": self.letitwag,
            "low": self.low, "high": self.high, "n": self.n, "imagenet": self.imagenet,
            "imagenet_source": self.imagenet_source, "source": self.source, "concepts": concepts,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Differences:
    """One's own run less a published model, over the concepts that both have.

    Attributes:
        concepts: released keys [k]; own, theirs: accuracies, fractions [k]; low, high: Wilson bounds of ``own`` [k],
            NaN where its images are unknown.
        mean: mean difference with its 95 % interval (bootstrap over concepts).
    """

    concepts: tuple[str, ...]
    own: np.ndarray
    theirs: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: Interval


def entry(answer: Answer | ClassAnswer, *, spelling: str = "shown") -> Entry:
    """The row of an answer to Let It Wag!.

    Raises:
        BadInput: the answer is of other classes.
    """
    known = {key: item.key for item in letitwag.concepts() for key in (item.key, item.name)}
    scores = {known[score.key]: score for score in answer.classes if score.key in known and score.n != 0}
    if len(scores) < FEWEST:
        raise BadInput(
            f"{answer.lens.image_set} holds {len(scores)} of the {len(letitwag.concepts())} Let It Wag! concepts, and "
            f"the board wants at least {FEWEST}: run the model on the images of Let It Wag! (fetch set letitwag)."
        )
    accuracies = np.array([score.accuracy for score in scores.values()], float)
    images = [score.n for score in scores.values()]
    counted = None if None in images else np.array(images)
    share = mean(accuracies, images=counted)
    imagenet, where = imagenet_of(answer.lens.model)
    return Entry(
        answer.lens.model, answer.lens.prompts, spelling, share.value, share.low, share.high,
        None if counted is None else int(counted.sum()), imagenet, where,
        answer.provenance if isinstance(answer, ClassAnswer) else _HERE,
        {key: (float(score.accuracy), score.n) for key, score in scores.items()},
    )  # fmt: skip


def imagenet_of(model: str) -> tuple[float | None, str]:
    """ImageNet top-1 of a model as open_clip publishes it, a fraction, and the source; None without."""
    arch, tag = split_model(model)
    for one in openclip.results():
        if one.benchmark.set == "imagenet1k" and one.pretrained == tag and arch in (one.arch, f"{one.arch}-quickgelu"):
            return one.value, "open_clip"
    return None, ""


def differences(own: Entry, model: letitwag.Model, *, found: letitwag.Matrix | None = None) -> Differences:
    """One's own row against one of the 40 models, concept by concept.

    Raises:
        NotHere: the row has no values by concept.
    """
    if not own.concepts:
        raise NotHere(f"{own.name} has a mean only; differences by concept need its run.")
    table = found or letitwag.matrix()
    values = dict(zip((item.key for item in table.concepts), table.accuracy[table.models.index(model)], strict=True))
    shared = [key for key in own.concepts if not math.isnan(values.get(key, math.nan))]
    mine = np.array([own.concepts[key][0] for key in shared])
    theirs = np.array([values[key] / 100 for key in shared])
    images = [own.concepts[key][1] for key in shared]
    spans = [
        wilson(share * n, n) if n else Interval(share, math.nan, math.nan)
        for share, n in zip(mine, images, strict=True)
    ]
    return Differences(
        tuple(shared), mine, theirs, np.array([one.low for one in spans]), np.array([one.high for one in spans]),
        mean(mine - theirs),
    )  # fmt: skip


def place() -> Path:
    """Where the rows are kept."""
    return kept.place("board", "letitwag")


def entries() -> tuple[Entry, ...]:
    """The kept rows, best first."""
    value = kept.read(place())
    return () if value is None else _ordered(_rows(value, place().name))


def add(rows: Sequence[Entry]) -> None:
    """Keep rows; one of the same model, prompts and spelling is replaced."""
    with kept.lock(place()):
        merged = {one.name: one for one in (*entries(), *rows)}
        if len(merged) > MOST_ROWS:
            raise BadInput(f"A board holds at most {MOST_ROWS} rows; remove some first.")
        kept.write(place(), as_json(_ordered(merged.values())))


def remove(name: str) -> None:
    """Drop a row by its name (or its model, when that is unique); raises UnknownName."""
    with kept.lock(place()):
        rows = entries()
        gone = [one for one in rows if name in (one.name, one.model)]
        if len(gone) != 1:
            reason = f"{len(gone)} rows are of {name!r}" if gone else f"no row is called {name!r}"
            raise UnknownName(f"Nothing was removed: {reason}; the board has {', '.join(one.name for one in rows)}.")
        kept.write(place(), as_json([one for one in rows if one is not gone[0]]))


def as_json(rows: Sequence[Entry]) -> dict[str, Any]:
    """The board file."""
    return {"board": "letitwag", "format": FORMAT, "rows": [one.as_json() for one in rows]}


def read(data: bytes, name: str) -> tuple[Entry, ...]:
    """The rows of a board file.

    Raises:
        UnreadableData: it is no board file, or a value is out of range; nothing of it is taken.
    """
    if len(data) > MOST_BYTES:
        raise UnreadableData(f"{name} is larger than {MOST_BYTES >> 20} MB; no board file is.")
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UnreadableData(f"{name} is no board file: it is not JSON ({str(error)[:80]}).") from error
    return _rows(value, name)


def read_file(path: Path) -> tuple[Entry, ...]:
    """The rows of a board file on this disk; same errors as ``read``."""
    return read(read_regular(path, limit=MOST_BYTES), path.name)


def _ordered(rows: Any) -> tuple[Entry, ...]:
    return tuple(sorted(rows, key=lambda one: (-one.letitwag, one.name)))


def _rows(value: object, name: str) -> tuple[Entry, ...]:
    if not (isinstance(value, dict) and value.get("board") == "letitwag" and isinstance(value.get("rows"), list)):
        raise UnreadableData(f'{name} is no board file: it wants {{"board": "letitwag", "rows": [...]}}.')
    if value.get("format") != FORMAT:
        raise UnreadableData(f"{name} has format {str(value.get('format'))[:20]}; this version reads {FORMAT}.")
    if len(value["rows"]) > MOST_ROWS:
        raise UnreadableData(f"{name} has {len(value['rows']):,} rows; a board holds at most {MOST_ROWS}.")
    keys = {item.key for item in letitwag.concepts()}
    return tuple(_row(row, f"{name}, row {number}", keys) for number, row in enumerate(value["rows"], start=1))


def _row(row: object, where: str, keys: set[str]) -> Entry:
    if not isinstance(row, dict):
        raise UnreadableData(f"{where} is no object.")
    texts = {
        one: _text(row.get(one, ""), f"{where}, {one}") for one in ("model", "prompts", "imagenet_source", "source")
    }
    if not texts["model"] or not texts["source"]:
        raise UnreadableData(f"{where} names no {'source' if texts['model'] else 'model'}; every row says both.")
    spelling = row.get("spelling", "shown")
    if spelling not in ("shown", "released"):
        raise UnreadableData(f"{where}: spelling is shown or released.")
    concepts = row.get("concepts") or {}
    if not isinstance(concepts, dict) or not keys.issuperset(concepts):
        raise UnreadableData(f"{where}: concepts are the released keys of Let It Wag!, each with accuracy and images.")
    return Entry(
        texts["model"],
        texts["prompts"],
        spelling,
        _share(row.get("letitwag"), f"{where}, letitwag"),
        _optional(row, "low", where),
        _optional(row, "high", where),
        _images(row.get("n"), where),
        _optional(row, "imagenet", where),
        texts["imagenet_source"],
        texts["source"],
        {key: _concept(pair, f"{where}, {key}") for key, pair in concepts.items()},
    )


def _optional(row: Mapping[str, Any], name: str, where: str) -> float | None:
    return None if row.get(name) is None else _share(row[name], f"{where}, {name}")


def _concept(pair: object, where: str) -> tuple[float, int | None]:
    if not (isinstance(pair, list) and len(pair) == 2):
        raise UnreadableData(f"{where} is not [accuracy, images].")
    return _share(pair[0], where), _images(pair[1], where)


def _share(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UnreadableData(f"{where} is {str(value)[:20]}, not a fraction from 0 to 1.")
    return float(value)


def _images(value: object, where: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40):
        return value
    raise UnreadableData(f"{where} has {str(value)[:20]} images.")


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > MOST_TEXT or re.search(r"[\x00-\x1f\x7f]", value):
        raise UnreadableData(f"{where} is not one line of at most {MOST_TEXT} letters.")
    return value
