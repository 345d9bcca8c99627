"""What a count found: rank and frequency, the table, ambiguity, examples, pairs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core.charts.counted import rank_figure
from core.counting.findings import ambiguity
from core.errors import UnreadableData
from core.frequency import counted
from core.stats.format import many, percent, span
from core.types import Interval
from pages.published.choices import one_of
from pages.ui import hiding, tables
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import may_change, require_change
from pages.ui.text import finding_of, quiet, section

_SHOWN = 300
_NUMBERS = ("count", "text", "image", "integrated", "together", "a_count", "b_count", "adjacent")


def count_report(name: str, facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], sentence: str) -> None:
    """Everything one run left behind; ``sentence`` is its finding."""
    place, about = counted.folder(name), counted.about(name)
    _provenance(facts)
    left, right = st.columns([3, 2], gap="large")
    with left:
        section("Rank and frequency", "Each concept once; head and tail are its commonest and rarest fifths.")
        figure = rank_figure(rows, method="count")
        plot(figure, key="counted-ranks", alt=sentence)
    with right:
        section("Counts", "With the query that was searched. Unmatchable is not zero: no caption could have matched.")
        shown = ["concept", "count", *(["image", "text"] if facts["mode"] == "integrated" else []), "status", "query"]
        frame, doubtful = _flagged(name, rows)
        shown += ["flags"] if doubtful else []
        if flag := hiding.only(doubtful):
            frame = frame[[flag in doubtful.get(key, ()) for key in frame["concept"]]]
        _table(frame[shown].sort_values("count", ascending=False), "Counts by concept")
        header = ["concept", "count", "status", "query"]
        downloads(f"counts-{name}", header, [[row[key] for key in header] for row in rows], figure=figure)
    with st.container(horizontal=True):
        st.button("Use as frequency axis", type="primary", on_click=_use, args=(name, facts["mode"]))
        _file(place / "counts.parquet", f"{name}.parquet", "Parquet")
        for file in sorted(place.glob("*_search_counts.json")):
            _file(file, file.name, "JSON, as the paper names it")
        if may_change():
            with st.popover("Delete these counts", type="tertiary"):
                quiet("They cannot be brought back; the captions stay.")
                st.button("Delete", key="delete-counts", on_click=_delete, args=(name,))
    if "misalignment" in about:
        _misalignment(name, about["misalignment"])
    if "captions" in about:
        _captions(place, about)


def _flagged(name: str, rows: Sequence[Mapping[str, Any]]) -> tuple[pd.DataFrame, Mapping[str, tuple[str, ...]]]:
    """The concepts with the flags of their counts, and those flags."""
    info = next(one for one in counted.infos() if one.name == f"{counted.PREFIX}{name}")
    flags = counted.table(info.name, info.default).flags
    frame = pd.DataFrame(rows)
    return frame.assign(flags=[", ".join(flags.get(key, ())) for key in frame["concept"]]), flags


def _provenance(facts: Mapping[str, Any]) -> None:
    column = f" from column “{facts['column']}”" if facts["column"] else ""
    parts = [f"{many(facts['rows'], 'row')}{column} of {many(facts['files'], 'file')} in {facts['seconds']:,.1f} s"]
    parts += [f"{many(facts['bad_rows'], 'row')} without a usable caption"] if facts["bad_rows"] else []
    parts += [f"{many(facts['left_out_count'], 'item')} skipped"] if facts["left_out_count"] else []
    parts += [f"joined by {facts['joined_by']}"] if facts["joined_by"] else []
    file = facts["captions"].replace("\\", "/").rstrip("/").rpartition("/")[2]
    quiet(f"{f'{file}: ' if file else ''}{'; '.join(parts)}; counted on {facts['finished'][:10]}.")
    if facts["left_out"]:
        with st.expander(f"{many(facts['left_out_count'], 'item')} skipped"):
            _table(pd.DataFrame(facts["left_out"]), "Skipped items, with reasons")


def _misalignment(name: str, found: Mapping[str, Any]) -> None:
    rows = found["thresholds"]
    first = rows[0]
    share = Interval(**first["share_of_samples"])
    section(
        "Misaligned pairs",
        f"{percent(share.value)} of {first['samples']:,} pairs (95 % CI {span(share)}) have concepts on both sides, "
        f"none of them in common, at a score of {first['threshold']:g} or more.",
    )
    shown = pd.DataFrame(
        {
            "Threshold": [row["threshold"] for row in rows],
            "Misaligned": [row["misaligned"] for row in rows],
            "of all pairs": [percent(row["share_of_samples"]["value"]) for row in rows],
            "of pairs with a concept": [percent(row["share_of_extracted"]["value"]) for row in rows],
            "of pairs with one on both sides": [percent(row["share_of_on_both"]["value"]) for row in rows],
        }
    )
    _table(shown, "Misaligned pairs by threshold")
    quiet("Algorithm 1 of arXiv 2404.04125, whose two denominators are the first two shares. Published sets: Corpora.")
    if found["examples"]:
        with st.expander(f"{many(len(found['examples']), 'misaligned pair')}, drawn at random"):
            listed = [[one["id"], ", ".join(one["caption"]), ", ".join(one["image"])] for one in found["examples"]]
            _table(pd.DataFrame(listed, columns=["Sample", "In the caption", "In the image"]), "Misaligned pairs")
            downloads(f"misaligned-{name}", ["id", "caption", "image"], listed)


def _captions(place: Path, about: Mapping[str, Any]) -> None:
    section("Ambiguity", "Counts of words are not counts of things: where a count may mean something else.")
    finding_of(ambiguity(about))
    for group in about.get("homonyms", ())[:20]:
        quiet(f"Same spelling: {', '.join(group)}")
    if about.get("contained"):
        _table(pd.DataFrame(about["contained"][:_SHOWN]), "Concepts named inside another one's name")
    examples = json.loads((place / "examples.json").read_text(encoding="utf-8"))
    if examples:
        section("Captions", "A few of each concept, drawn uniformly.")
        concept = one_of("Concept", "example", sorted(examples), width=320)
        for caption in examples[concept]:
            quiet(f"“{caption}”")
    for file, title, note in (
        ("cooccurrence.parquet", "Named together", "Pairs of concepts in one caption; PMI in bits."),
        ("pairs.parquet", "Attributes", "adjacent: the attribute stands directly before the concept; PMI in bits."),
    ):
        frame = _parquet(place / file)
        if len(frame):
            section(title, note)
            _table(frame.head(_SHOWN), title)
            downloads(file.partition(".")[0], [*map(str, frame)], frame.itertuples(index=False))


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UnreadableData(f"{path.name} of these counts is damaged; count again.") from error


def _table(frame: pd.DataFrame, alt: str) -> None:
    names = [*map(str, frame)]
    numbers = {name: st.column_config.NumberColumn(format="localized") for name in names if name in _NUMBERS}
    ratios = {name: st.column_config.NumberColumn(format="%.2f") for name in names if name.startswith(("pmi", "share"))}
    st.dataframe(
        frame, hide_index=True, height=tables.fitting(len(frame), 420), column_config={**numbers, **ratios}, alt=alt
    )


def _file(path: Path, name: str, label: str) -> None:
    st.download_button(label, path.read_bytes, name, on_click="ignore", key=f"file-{name}", type="tertiary")


def _use(name: str, mode: str) -> None:
    st.session_state["frequency"] = f"{counted.PREFIX}{name}"
    st.session_state["count"] = "text" if mode == "text-paper" else mode


def _delete(name: str) -> None:
    require_change("deleting counts")
    counted.delete(name)
