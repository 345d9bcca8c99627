"""Where one's own results come from, and putting their names right by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.published import overlay as overlays
from core.published import runs
from core.published.overlay import Overlay
from core.published.runs import Run
from core.published.store import Store
from pages import _answers, _jobs, _lens
from pages._downloads import downloads
from pages._published_choices import one_of
from pages._text import quiet, section

ORIGINS = ("this lens", "a file")
MAX_MEGABYTES = 12


def choose_run() -> Run:
    """The run of the lens, or one from an uploaded file; without a file yet, the page ends here."""
    origin = st.segmented_control(
        "Results", ORIGINS, default=ORIGINS[0], required=True, key="origin", bind="query-params", format_func=str.capitalize,
        label_visibility="collapsed",
    )  # fmt: skip
    if origin == ORIGINS[0]:
        return runs.from_answer(_answers.answer_for(_lens.lens()))
    upload = st.file_uploader(
        "Results", type=["json", "csv"], key="results-file", max_upload_size=MAX_MEGABYTES, label_visibility="collapsed"
    )
    quiet(
        "JSON in the release's schema or CLIP_benchmark's (with «classwise», as «python -m core evaluate» writes it), "
        "or a CSV with one row an image: label and prediction, or label and correct. The file stays in this server's "
        "memory."
    )
    if upload is None:
        st.stop()
    found = runs.read(upload.getvalue(), upload.name)
    names = [run.name for run in found]
    return found[names.index(one_of("Model", "run", names))] if len(found) > 1 else found[0]


def guess(model: str, sets: Sequence[str]) -> str:
    """The pretraining set that a model's name speaks of, else the largest one."""
    named = [name for name in sets if name.partition("_")[0] in model.lower().replace("-", "").replace("_", "")]
    return named[0] if named else "laion400m" if "laion400m" in sets else sets[0]


def names(store: Store, overlay: Overlay, dataset: str | None) -> None:
    """Classes without a count, with what they might be called in the release; a mapping by hand is kept."""
    kept = overlays.kept_mapping(overlay.run)
    joined, unmatched = len(overlay.rows.counts), len(overlay.unmatched)
    section(
        "Names",
        f"{joined:,} classes joined, {len(overlay.spelled):,} of them under another spelling; {unmatched:,} without a "
        "count. Case is never folded by itself: counts of spellings that differ in case differ up to a thousandfold.",
    )
    rows = [
        {"Class": name, "Counted as": kept.get(name, ""), "Looks like": ", ".join(near)}
        for name, near in overlay.unmatched.items()
    ]
    rows += [
        {"Class": name, "Counted as": found, "Looks like": "mapped by hand"}
        for name, found in kept.items()
        if name in overlay.spelled
    ]
    if rows:
        edited = st.data_editor(
            pd.DataFrame(rows), key=f"mapping-{overlays.mapping_key(overlay.run)}", hide_index=True, height=320,
            disabled=["Class", "Looks like"] if _jobs.may_change() else True,
            column_config={"Counted as": st.column_config.TextColumn(help="A name as the release spells it; empty: none.")},
            alt="Classes without a count",
        )  # fmt: skip
        wanted = {
            str(c): str(n).strip()
            for c, n in zip(edited["Class"], edited["Counted as"], strict=True)
            if n and str(n).strip()
        }
        _keep(overlay, wanted, kept)
    downloads(
        "your-model-names",
        ["class", "looks like"],
        [[name, "; ".join(near)] for name, near in overlay.unmatched.items()],
    )


def _keep(overlay: Overlay, wanted: dict[str, str], kept: dict[str, str]) -> None:
    best = {name: near[0] for name, near in overlay.unmatched.items() if near}
    with st.container(horizontal=True):
        if wanted != kept:
            st.button(f"Keep {len(wanted)} by hand", type="primary", on_click=_save, args=(overlay, wanted))
        if best:
            st.button(f"Take the likeliest of all {len(best)}", on_click=_save, args=(overlay, kept | best))
        if kept:
            st.button("Forget the mapping", on_click=_save, args=(overlay, {}))


def _save(overlay: Overlay, mapping: dict[str, str]) -> None:
    _jobs.require_change("keeping a mapping")
    overlays.keep_mapping(overlay.run, mapping)
