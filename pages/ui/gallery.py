"""The gallery: pictures with the answers a model gave, grouped by concept; a click returns the picture's id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import streamlit as st

from core.analysis.findings import common_error, counted
from core.runtime import thumbnails as thumbs
from core.stats.format import percent
from core.types import Answer, ImageSet
from pages.ui.selection import select
from pages.ui.tables import NO_FLAGS

ALIKE = "alike"
"""Key of the gallery of neighbours inside the dialog."""
Draw = Callable[[int], None]
"""Shows the picture with this index into its set."""

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "tailscope_gallery",
    html='<div class="gallery" role="group" aria-label="Pictures"></div>',
    css=(_HERE / "gallery.css").read_text(encoding="utf-8"),
    js=(_HERE / "gallery.js").read_text(encoding="utf-8"),
)


def tile(answer: Answer, image_set: ImageSet, position: int) -> dict[str, Any]:
    """One picture of an answer as the component takes it; ``position`` counts rows of the answer."""
    index, true, said = int(answer.rows[position]), int(answer.labels[position]), int(answer.top[position, 0])
    return {
        "id": image_set.image_ids[index],
        "src": thumbs.url(image_set, index),
        "truth": answer.names[true],
        "said": answer.names[said],
        "right": true == said,
        "margin": round(float(np.nan_to_num(answer.margin[position])), 4),
    }


def group(
    answer: Answer,
    image_set: ImageSet,
    label: int,
    positions: Iterable[int],
    counts: Mapping[str, int],
    flags: Mapping[str, tuple[str, ...]] = NO_FLAGS,
) -> dict[str, Any]:
    """One concept with some of its pictures, its count with its flags, its accuracy and its commonest wrong answer."""
    score = answer.classes[label]
    count = counts.get(score.key)
    rival = common_error(answer, label)
    note = [
        counted(count) if count is not None else "",
        ", ".join(flags.get(score.key, ())),
        rival and f"predicted as {answer.names[rival[0]]} {rival[1]}×",
    ]
    return {
        "key": score.key,
        "title": score.name,
        "note": " · ".join(filter(None, note)),
        "accuracy": score.accuracy if score.n else None,
        "low": score.low,
        "high": score.high,
        "rate": f"{percent(score.accuracy)} of {score.n} correct" if score.n else "",
        "items": [tile(answer, image_set, position) for position in positions],
    }


def positions_of(answer: Answer, label: int, *, verdict: str = "all", most: int | None = None) -> list[int]:
    """Rows of one class, most wrong first; ``verdict`` keeps ``right`` or ``wrong`` ones only."""
    rows = np.flatnonzero(answer.labels == label)
    right = answer.top[rows, 0] == label
    rows = rows[right] if verdict == "right" else rows[~right] if verdict == "wrong" else rows
    return rows[np.argsort(answer.margin[rows], kind="stable")][:most].tolist()


def gallery(
    groups: Sequence[Mapping[str, Any]],
    image_set: ImageSet,
    *,
    key: str,
    draw: Draw | None,
    layout: Literal["grid", "strips", "cards", "pairs"] = "grid",
    empty: str = "",
) -> None:
    """Show groups of pictures; a click on one opens it in the dialog, one on a title makes it the selected concept.

    Args:
        draw: shows one picture in the dialog, as ``detail.of`` does; None for neighbours inside the dialog.
        layout: ``grid`` for many pictures, ``strips`` for six of each group, ``cards`` for five beside other
            cards, ``pairs`` for two beside other pairs.
    """
    if draw is not None:
        opens(image_set, draw)
    _component(
        key=key,
        data={
            "groups": [dict(entry) for entry in groups],
            "layout": layout,
            "pixels": image_set.pixel_art,
            "chosen": st.session_state.get("image") or "",
            "focus": st.session_state.get("_refocus") or "",
            "empty": empty,
        },
        on_picked_change=lambda: _picked(key, [item["id"] for entry in groups for item in entry["items"]]),
        on_opened_change=lambda: select([st.session_state[key].opened]),
    )


def opens(image_set: ImageSet, draw: Draw) -> None:
    """Let the dialog of this page show pictures of this set, clicked in a gallery or linked."""
    st.session_state.setdefault("_opens", []).append((image_set, draw))


def _picked(key: str, shown: Sequence[str]) -> None:
    """Open the picture among those of its gallery; a neighbour in the dialog keeps to those of the dialog."""
    st.session_state["image"] = st.session_state[key].picked
    if key != ALIKE:
        st.session_state.update(_among=list(shown), _enlarge=st.session_state["_page"], _doc=None)
