"""Committed answers of the icon models on ``icons``: shown at once, and computed again only on request."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from cache.files import atomic_write, write_bytes
from core.datasets import open_set
from core.evaluation.evaluate import assemble, evaluate
from core.models.registry import icon_folder
from core.types import Answer, Lens

SET, STRATEGY = "icons", "simple"
ARRAYS = {"top": np.int16, "scores": np.float16, "margin": np.float16, "probability": np.float16}


def shipped_answer(lens: Lens) -> Answer | None:
    """The committed answer to this lens, marked ``shipped``, or None when none was committed."""
    path = place(lens) if lens.image_set == SET else None
    if path is None or not path.exists():
        return None
    with np.load(path, allow_pickle=False) as packed:
        stored = {name: packed[name].astype(np.float32) for name in ARRAYS}
    stored["top"] = stored["top"].astype(np.int32)
    stored["rows"] = np.arange(len(stored["top"]))
    fingerprint = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    about = {"left_out": [], "fingerprint": fingerprint}
    return assemble(lens, open_set(SET), stored, about=about, source="shipped")


def place(lens: Lens) -> Path | None:
    """Where the committed answer to a lens would be; None for lenses that none is committed for."""
    named = lens.prompts.isidentifier() and lens.model.startswith("icon-")
    return icon_folder(lens.model) / f"{lens.image_set}_{lens.prompts}.npz" if named else None


def write_answers(model: str, *, prompts: str = STRATEGY) -> Path:
    """Run the model on ``icons`` in float32 and write what is committed beside its weights."""
    lens = Lens(model, SET, prompts, precision="float32")
    answer = evaluate(lens, image_set=open_set(SET))
    path = place(lens)
    assert path is not None  # an icon model and a strategy of one word
    with atomic_write(path) as file:
        np.savez_compressed(file, **{name: getattr(answer, name).astype(kind) for name, kind in ARRAYS.items()})
    fingerprint = {**answer.fingerprint, "acc1": answer.acc1, "n": len(answer.rows)}
    if prompts == STRATEGY:
        card_path = path.parent / "card.json"
        card = json.loads(card_path.read_text(encoding="utf-8"))
        card["accuracy"] = {"set": SET, "prompts": STRATEGY, "acc1": answer.acc1, "n": len(answer.rows)}
        write_bytes(card_path, (json.dumps(card, indent=1) + "\n").encode())
    write_bytes(path.with_suffix(".json"), (json.dumps(fingerprint, indent=1, sort_keys=True) + "\n").encode())
    return path
