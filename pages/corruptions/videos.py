"""ImageNet-P's own videos: one sequence frame by frame, and flip probabilities over a sample of them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.frequency.sources import Frequency
from core.robustness.corruptions.command import Asked, measure_sequences
from core.robustness.corruptions.registry import words
from core.robustness.corruptions.run import Plan
from core.robustness.corruptions.videos import MADE, Videos, videos
from core.robustness.records import Record
from core.runtime import thumbnails as thumbs
from core.runtime.jobs import question
from core.stats.format import percent
from core.supervised.names import known_as
from core.types import Lens, Report
from pages.corruptions import frames, shared
from pages.ui import jobs, lensbar, served
from pages.ui.downloads import downloads
from pages.ui.text import finding_of, quiet, section

OFFERED = 200


def published_sequences(lens: Lens, other: Lens | None) -> None:
    """A folder, one of its videos shown, and a sample of them measured."""
    typed = st.text_input(
        "Folder", key="imagenet-p", bind="query-params", placeholder="/path/to/ImageNet-P", width=420,
        help="ROOT/PERTURBATION/CLASS/*.mp4, also under noise, blur, weather and digital as downloaded. Read through "
        "PyAV: pip install av.",
    )  # fmt: skip
    if not typed:
        quiet("Give the folder of the published videos.")
        return
    root, roots = served.path(typed), served.folders()
    state = root.stat().st_mtime_ns if root.exists() else 0
    asked = question(_listed, root, roots, state, label=f"Reading {root.name}", lane="io")
    found = jobs.here(asked, small=True, failing="")
    if found is None:
        return
    lenses = [one for one in (lens, other) if one is not None]
    _one(found, lenses)
    _sample(found, lenses, roots)


def _listed(root: Path, roots: tuple[Path, ...], _state: int, *, report: Report) -> Videos:
    return videos(root, roots=roots)


def _one(found: Videos, lenses: list[Lens]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        name = st.selectbox("Perturbation", list(found.folders), key="video-perturbation", format_func=words, width=220)
        file = st.selectbox(
            "Video", found.files[:OFFERED], key="video", width=360,
            format_func=lambda one: f"{found.names[found.labels[found.files.index(one)]]}: {Path(one).stem}",
        )  # fmt: skip
    place = found.files.index(file)
    view = found.only(place).view(name)
    thumbs.publish(view)
    if answered := shared.answered({known_as(one.model): one for one in lenses}, view, words(name)):
        frames.show(answered, view, name, found.names[found.labels[place]], made=MADE)


def _sample(found: Videos, lenses: list[Lens], roots: tuple[Path, ...]) -> None:
    section(
        "Flip probability over a sample",
        "FP: share of steps at which the prediction changes, mean over videos; flip rate: in percent of model B's.",
    )
    most = min(len(found.files), 200)
    n = st.number_input("Videos of each perturbation", 1, len(found.files), most, key="videos-n", width=240)
    asked = question(
        _measured, found.root, lenses, int(n), lensbar.chosen_counts(), roots,
        label=f"{int(n):,} videos of {len(found.folders)} perturbations",
    )  # fmt: skip
    if asked.key not in st.session_state.setdefault("_videos", set()):
        frames_in_all = int(n) * len(found.folders) * len(lenses)
        st.button(
            f"Measure {frames_in_all:,} videos", key="videos-measure",
            on_click=lambda: st.session_state["_videos"].add(asked.key), help="About thirty frames each are embedded.",
        )  # fmt: skip
        return
    records = jobs.here(asked, small=True, failing="")
    if not records:
        return
    whole = next(one for one in records if "mfp" in one.more)
    told = f"{known_as(whole.model)} flips at {percent(whole.more['mfp'], 1)} of the steps (mFP)"
    rate = whole.more.get("mfr")
    against = f"; mFR {rate:.0f} % of {known_as(whole.reference)}" if rate is not None and whole.reference else ""
    finding_of(f"{told}{against}, over {whole.n:,} videos of each of {len(whole.more['perturbations'])} perturbations.")
    header, rows = shared.record_rows(records)
    shown = ["model", "condition", "n", "acc1", "flip", "flip_low", "flip_high", "flip_rate", "t5d"]
    st.dataframe(
        [{name: _value(one, name) for name in shown} for one in records], hide_index=True, key="videos-table",
        alt="Flip probability by perturbation",
    )  # fmt: skip
    downloads("imagenet-p", header, rows)


def _value(one: Record, name: str) -> object:
    return getattr(one, name) if hasattr(one, name) else one.more.get(name)


def _measured(
    root: Path, lenses: list[Lens], n: int, counts: Frequency, roots: tuple[Path, ...], *, report: Report
) -> list[Record]:
    models = tuple(lens.model for lens in lenses)
    asked = Asked(
        models=models, image_set=str(root), plan=Plan(prompts=lenses[0].prompts), sequences=n, roots=roots,
        reference=models[1] if len(models) > 1 else None, frequency=counts,
    )  # fmt: skip
    return measure_sequences(asked, report=report)
