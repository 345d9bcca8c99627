"""Where one's own results come from, and putting their names right by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.published import overlay as overlays
from core.published import runs, view
from core.published.overlay import Overlay
from core.published.runs import Run
from core.published.store import Store
from pages.published.choices import one_of
from pages.ui import address, answers, jobs, lensbar, tables
from pages.ui.downloads import downloads
from pages.ui.switches import switch
from pages.ui.text import finding, quiet, section

PLACE = "Your model"

ORIGINS = ("this setup", "a file")


def choose_run(head: DeltaGenerator) -> Run:
    """The run of the lens, or one from an uploaded file; without a file yet, the page ends here, titled in ``head``."""
    address.by_id("among-origin", ORIGINS)
    origin = switch("Results", "among-origin", ORIGINS, show=str.capitalize, bare=True)
    if origin == ORIGINS[0]:
        return runs.from_answer(answers.answer_for(lensbar.lens()))
    upload = st.file_uploader("Results", type=["json", "csv"], key="results-file", label_visibility="collapsed")
    quiet(
        "JSON in the release's schema or CLIP_benchmark's (with “classwise”, as “python -m core evaluate” writes it), "
        "or a CSV: one row a class (class, accuracy, n), or one row an image (label and prediction, or label and "
        "correct). The file stays in this server's memory."
    )
    if upload is None:
        with head:
            finding(PLACE, "Lay your own results over the published curves.")
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
            height=tables.fitting(len(rows), 320),
            disabled=["Class", "Looks like"] if jobs.may_change() else True,
            column_config={"Counted as": st.column_config.TextColumn(help="As the release spells it; empty: none.")},
            alt="Classes without a count",
        )
        typed = zip(edited["Class"], edited["Counted as"], strict=True)
        shown = {name for name, _, _ in rows}
        wanted = {str(name): str(text).strip() for name, text in typed if text and str(text).strip()}
        wanted |= {name: text for name, text in kept.items() if name not in shown}
        _keep(overlay, wanted, kept, view.applicable(store, wanted, where))
        if jobs.may_change():
            _take_several(overlay, kept)
    unmatched = [[name, "; ".join(near)] for name, near in overlay.unmatched.items()]
    downloads("your-model-names", ["class", "looks like"], unmatched)


def _keep(overlay: Overlay, wanted: dict[str, str], kept: dict[str, str], counted: Mapping[str, str]) -> None:
    unknown = [text for name, text in wanted.items() if name not in counted and kept.get(name) != text]
    if unknown:
        quiet(f"No concept is counted here as {', '.join(f'“{text}”' for text in unknown[:5])}.")
    with st.container(horizontal=True):
        if wanted != kept and not unknown:
            st.button("Keep the mapping", key="names-keep", type="primary", on_click=_save, args=(overlay, wanted))
        if overlays.mapping_before(overlay.run) is not None:
            st.button("Undo the last change", key="names-undo", on_click=_undo, args=(overlay,))
        if kept:
            st.button("Forget the mapping", key="names-forget", on_click=_save, args=(overlay, {}))


def _take_several(overlay: Overlay, kept: dict[str, str]) -> None:
    """The likeliest names above a likeness, listed to be confirmed before any is taken."""
    if not any(overlay.unmatched.values()):
        return
    shown = st.expander("Take suggestions", key="names-several", on_change="rerun")
    if not shown.open:
        return
    with shown:
        least = st.slider(
            "Likeness at least", 65, 100, 90, key="names-likeness", width=320,
            help="100: the same letters. Likeness of letters, of sorted words, or of the words in common.",
        )  # fmt: skip
        found = overlays.proposals(overlay, least)
        if not found:
            quiet("No class without a count has a name that is this much alike; lower the likeness.")
            return
        edited = st.data_editor(
            pd.DataFrame([(True, one.name, one.counted, one.likeness) for one in found],
                         columns=["Take", "Class", "Counted as", "Likeness"]),
            key=f"several-{overlays.mapping_key(overlay.run)}-{least}-{len(found)}",
            hide_index=True,
            height=tables.fitting(len(found), 320),
            disabled=["Class", "Counted as", "Likeness"],
            column_config={"Likeness": st.column_config.NumberColumn(format="%.0f")},
            alt="Suggestions to confirm",
        )  # fmt: skip
        ticked = edited[edited["Take"]]
        chosen = dict(zip(map(str, ticked["Class"]), map(str, ticked["Counted as"]), strict=True))
        st.button(
            f"Take these {len(chosen)}", key="names-take", disabled=not chosen, on_click=_save,
            args=(overlay, kept | chosen),
        )  # fmt: skip


def _undo(overlay: Overlay) -> None:
    jobs.require_change("changing a mapping")
    overlays.undo_mapping(overlay.run)


def _save(overlay: Overlay, mapping: dict[str, str]) -> None:
    jobs.require_change("keeping a mapping")
    overlays.keep_mapping(overlay.run, mapping)
