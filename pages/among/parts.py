"""Where one's own results come from, and putting their names right by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from core.published import overlay as overlays
from core.published import runs, view
from core.published.overlay import Overlay
from core.published.runs import Run
from core.published.store import Store
from pages.published.choices import one_of
from pages.ui import answers, jobs, lensbar
from pages.ui.downloads import downloads
from pages.ui.text import quiet, section

ORIGINS = ("this lens", "a file")


def choose_run() -> Run:
    """The run of the lens, or one from an uploaded file; without a file yet, the page ends here."""
    origin = st.segmented_control(
        "Results", ORIGINS, default=ORIGINS[0], required=True, key="origin", bind="query-params",
        format_func=str.capitalize, label_visibility="collapsed",
    )  # fmt: skip
    if origin == ORIGINS[0]:
        return runs.from_answer(answers.answer_for(lensbar.lens()))
    upload = st.file_uploader("Results", type=["json", "csv"], key="results-file", label_visibility="collapsed")
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


def names(store: Store, overlay: Overlay, where: view.Where) -> None:
    """Classes without a count, with what they might be called in the release; a mapping by hand is kept."""
    kept = overlays.kept_mapping(overlay.run)
    section(
        "Names",
        f"{len(overlay.rows.counts):,} classes joined, {len(overlay.spelled):,} of them under another spelling; "
        f"{len(overlay.unmatched):,} without a count. Case is never folded by itself: counts of spellings that differ "
        "in case differ up to a thousandfold.",
    )
    by_hand = [name for name in kept if name in overlay.spelled]
    rows = [(name, kept.get(name, ""), ", ".join(near)) for name, near in overlay.unmatched.items()]
    rows += [(name, kept[name], "mapped by hand") for name in by_hand]
    if rows:
        edited = st.data_editor(
            pd.DataFrame(rows, columns=["Class", "Counted as", "Looks like"]),
            key=f"mapping-{overlays.mapping_key(overlay.run)}-{len(by_hand)}",
            hide_index=True,
            height=min(320, 36 * (len(rows) + 1) + 4),
            disabled=["Class", "Looks like"] if jobs.may_change() else True,
            column_config={"Counted as": st.column_config.TextColumn(help="As the release spells it; empty: none.")},
            alt="Classes without a count",
        )
        typed = zip(edited["Class"], edited["Counted as"], strict=True)
        shown = {name for name, _, _ in rows}
        wanted = {str(name): str(text).strip() for name, text in typed if text and str(text).strip()}
        wanted |= {name: text for name, text in kept.items() if name not in shown}
        _keep(overlay, wanted, kept, view.applicable(store, wanted, where))
    unmatched = [[name, "; ".join(near)] for name, near in overlay.unmatched.items()]
    downloads("your-model-names", ["class", "looks like"], unmatched)


def _keep(overlay: Overlay, wanted: dict[str, str], kept: dict[str, str], counted: Mapping[str, str]) -> None:
    unknown = [text for name, text in wanted.items() if name not in counted and kept.get(name) != text]
    if unknown:
        quiet(f"No concept is counted here as {', '.join(f'«{text}»' for text in unknown[:5])}.")
    best = {name: near[0] for name, near in overlay.unmatched.items() if near}
    with st.container(horizontal=True):
        if wanted != kept and not unknown:
            st.button("Keep the mapping", key="names-keep", type="primary", on_click=_save, args=(overlay, wanted))
        if best:
            st.button(
                f"Take the likeliest of {len(best)}", key="names-likeliest", on_click=_save, args=(overlay, kept | best)
            )
        if kept:
            st.button("Forget the mapping", key="names-forget", on_click=_save, args=(overlay, {}))


def _save(overlay: Overlay, mapping: dict[str, str]) -> None:
    jobs.require_change("keeping a mapping")
    overlays.keep_mapping(overlay.run, mapping)
