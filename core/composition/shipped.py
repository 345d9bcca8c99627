"""The first comparison of the Composition page, committed beside the default model's weights.

Predictions and what is measured of the vectors are stored; everything else is computed from them as after a live run.
They are used only while weights, pictures, compositions and sentences are those they were made from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from cache import keys
from cache.files import atomic_write, write_bytes
from core.composition import measure
from core.composition.additive import Additivity
from core.composition.answers import SCHEMA, Composed, Parts
from core.composition.compact import Retrieved, SoftRank
from core.composition.disentangled import Disentanglement
from core.composition.pairs import CompositionSet
from core.datasets import open_set
from core.evaluation import evaluate, shipped
from core.prompts import prompt_set
from core.types import Interval, Lens, Report, silent

SET = "icons-composition"
_ARRAYS = {**shipped.ARRAYS, **{field.name: np.int16 for field in fields(Parts)}}


def shipped_comparison(asked: measure.Question) -> measure.Measured | None:
    """The committed answer to this question, its answers marked ``shipped``; None where none holds."""
    path = shipped.place(asked.lens) if asked.lens.image_set == SET else None
    if path is None or not path.exists():
        return None
    about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    sets = _sets(asked)
    if about["key"] != _key(sets):
        return None
    with np.load(path, allow_pickle=False) as packed:
        found, *sides = (_composed(packed, number, *one, about) for number, one in enumerate(sets))
    return measure.assemble(asked, found, tuple(sides), _embedded(about["embedded"]))


def write_comparison(model: str, *, prompts: str = shipped.STRATEGY, report: Report = silent) -> Path:
    """Measure a model on ``icons-composition`` and ``icons`` in float32 and write what is committed of it."""
    lens = Lens(model, SET, prompts, precision="float32")
    asked = measure.question(lens, image_set=open_set(SET))
    found = measure.measure(asked, report=report)
    arrays: dict[str, Any] = {}
    for number, one in enumerate((found.found, *found.sides.composed)):
        values = {**vars(one.answer), **vars(one.parts)}
        arrays |= {f"{name}_{number}": values[name].astype(kind) for name, kind in _ARRAYS.items()}
    path = shipped.place(lens)
    assert path is not None  # an icon model and a strategy of one word
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)
    about = {
        "key": _key(_sets(asked)),
        "command": f"python -m core icons answers {model} --set {SET}",
        "model": found.found.answer.fingerprint["model"],
        "acc1": found.found.answer.acc1,
        "n": len(found.found.answer.rows),
        "embedded": asdict(found.embedded),
    }
    write_bytes(path.with_suffix(".json"), (json.dumps(about, indent=1, sort_keys=True) + "\n").encode())
    return path


def _sets(asked: measure.Question) -> list[tuple[Lens, CompositionSet]]:
    return [(asked.lens, asked.images), *measure.among_all(asked)]


def _key(sets: list[tuple[Lens, CompositionSet]]) -> str:
    parts = [evaluate.content_key(lens, images, prompt_set(lens.prompts, images)) for lens, images in sets]
    return keys.digest([SCHEMA, parts])


def _composed(
    packed: Mapping[str, np.ndarray], number: int, lens: Lens, images: CompositionSet, about: Mapping[str, Any]
) -> Composed:
    stored = {name: packed[f"{name}_{number}"] for name in _ARRAYS}
    stored = {name: value.astype(np.float32 if value.dtype.kind == "f" else np.int32) for name, value in stored.items()}
    stored["rows"] = np.arange(len(stored["top"]))
    known = {"left_out": [], "fingerprint": {"model": about["model"], "key": about["key"]}}
    answer = evaluate.assemble(lens, images, stored, about=known, source="shipped")
    parts = Parts(**{field.name: stored[field.name] for field in fields(Parts)})
    return Composed(answer, parts, images.compositions.pairs)


def _embedded(stored: Mapping[str, Any]) -> measure.Embedded:
    swap = stored["retrieved"]
    return measure.Embedded(
        {name: Additivity(**fitted) for name, fitted in stored["additive"].items()},
        {name: _disentanglement(fitted) for name, fitted in stored["disentangled"].items()},
        {name: SoftRank(tuple(one["values"]), one["n"], one["dimensions"])
         for name, one in stored["soft_rank"].items()},
        Retrieved(
            Interval(**swap["pair"]), Interval(**swap["object"]), Interval(**swap["attribute"]), swap["chance"],
            swap["n"],
        ),
    )  # fmt: skip


def _disentanglement(stored: Mapping[str, Any]) -> Disentanglement:
    completeness, informativeness, explicit = (
        stored[name] for name in ("completeness", "informativeness", "explicitness")
    )
    return Disentanglement(
        Interval(**stored["z_diff"]),
        stored["disentanglement"],
        (completeness[0], completeness[1]),
        (Interval(**informativeness[0]), Interval(**informativeness[1])),
        (explicit[0], explicit[1]),
        stored["n"],
    )
