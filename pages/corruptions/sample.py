"""Which models are measured on a sample of the set, and the button that measures the others."""

from __future__ import annotations

import streamlit as st

from core.robustness.corruptions import findings
from core.robustness.records import Record
from core.robustness.sampling import balanced_rows
from core.supervised.names import known_as
from core.types import ImageSet, Lens
from pages.corruptions import shared
from pages.ui.jobs import expected, question, watch
from pages.ui.text import quiet


def measured(lens: Lens, image_set: ImageSet, other: Lens | None) -> dict[str, list[Record]]:
    """Model -> records, for those that are known; the rest can be measured here."""
    lenses = [one for one in (lens, other) if one is not None]
    known = {one.model: shared.known(one, image_set) for one in lenses}
    known = {model: records for model, records in known.items() if findings.cells(records)}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        size = st.selectbox(
            "Sample", list(shared.PER_CLASS), key="sample", bind="query-params", width=160,
            help="Images of every class, drawn by the seed; 75 conditions each.",
        )  # fmt: skip
        wanted = (image_set.fingerprint, tuple(one.model for one in lenses), size)
        pressed = st.session_state.setdefault("_corrupt", set())
        st.button(
            "Measure again" if len(known) == len(lenses) else "Measure", on_click=pressed.add, args=(wanted,),
            key="measure-corruptions", type="secondary" if known else "primary",
        )  # fmt: skip
        per_class = shared.PER_CLASS.get(size, 1)
        n = 76 * len(lenses) * len(balanced_rows(image_set.labels, per_class))
        quiet(f"{n:,} pictures to corrupt and classify; finished conditions are kept.")
    if wanted not in pressed and len(known) < len(lenses):
        expected(
            question(
                shared.estimate, list(wanted[1]), image_set, per_class, 0, label="Estimating how long it takes here"
            )
        )
    if wanted in pressed:
        job = shared.measure(lens, image_set, wanted[1], per_class)
        if not job.wait(0):
            watch(job)
        else:
            pressed.discard(wanted)
            known |= {one.model: shared.known(one, image_set) for one in lenses}
    for one in lenses:
        if one.model not in known:
            quiet(f"{known_as(one.model)} is not measured on {image_set.id} with {one.prompts} prompts yet.")
    return known
