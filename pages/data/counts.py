"""Counts: which frequency sources there are, packs that others published, and counts from a file of one's own."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import streamlit as st

from core.downloads import counts as packs
from core.downloads.counts import Pack
from core.errors import TailscopeError
from core.frequency import imported, sources
from core.frequency.imported import Imported
from core.frequency.labels import label, origin
from core.frequency.table import SourceInfo
from core.runtime.jobs import question
from core.stats.format import many
from core.types import METHODS
from pages.ui import fetching, jobs, served
from pages.ui.text import finding, plain, quiet, section, succeed, warn

ENDINGS = ["csv", "tsv", "jsonl", "parquet", "json"]
WHAT = {"text": "captions", "image": "images", "integrated": "captions and images"}


def headline() -> None:
    """How many sources of counts there are."""
    listed = sources.list_sources()
    here = sum(info.name.startswith(imported.PREFIX) for info in listed)
    finding("Models and images", f"{len(listed)} tables of counts can be read; {here or 'none'} of them imported.")
    quiet("Counts tell how often a concept occurs in a pretraining set. Your own captions: Library → Count captions.")


def draw() -> None:
    """The sources, the packs that can be fetched, and the form that reads a file."""
    _sources()
    _packs()
    _from_file()


def _sources() -> None:
    listed = sources.list_sources()
    rows = {
        "Name": [info.name for info in listed],
        "Counted in": [label(info.name) for info in listed],
        "By": [", ".join(info.methods) for info in listed],
        "Concepts": [info.concepts for info in listed],
        "Origin": [origin(info.name) for info in listed],
        "Source": [info.source for info in listed],
    }
    st.dataframe(
        pd.DataFrame(rows),
        height=300,
        hide_index=True,
        column_config={"Concepts": st.column_config.NumberColumn(format="localized")},
        alt="Frequency sources with what was counted and where it comes from",
    )
    mine = [info for info in listed if info.name.startswith(imported.PREFIX)]
    for info in mine:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(plain(info.name), width="content")
            st.button("Use as frequency axis", key=f"use-{info.name}", on_click=_use, args=(info,), type="tertiary")
            if jobs.may_change():
                with st.popover("Delete", type="tertiary", key=f"ask-{info.name}"):
                    quiet("The file that it was read from stays.")
                    st.button("Delete", key=f"delete-{info.name}", on_click=_delete, args=(info.name,))


def _use(info: SourceInfo) -> None:
    st.session_state["frequency"], st.session_state["count"] = info.name, info.default


def _delete(name: str) -> None:
    jobs.require_change("deleting counts")
    imported.delete(name.removeprefix(imported.PREFIX))
    fetching.forget()


def _packs() -> None:
    section("Fetch published counts", "Size, licence and citation come first; each file is checked by its digest.")
    known = list(packs.PACKS.values())
    here = {info.name for info in imported.infos()}
    rows = {
        "Pack": [pack.name for pack in known],
        "Counts": [pack.title for pack in known],
        "Size": [pack.size for pack in known],
        "Licence": [pack.licence for pack in known],
        "Citation": [pack.citation for pack in known],
        "On disk": [f"{imported.PREFIX}{pack.name}" in here for pack in known],
    }
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Packs of counts with size, licence and citation")
    chosen = st.selectbox(
        "Pack", [pack.name for pack in known], index=None, key="pack", bind="query-params",
        placeholder="Choose a pack", label_visibility="collapsed",
    )  # fmt: skip
    if chosen:
        _fetch(packs.find(chosen))


def _fetch(pack: Pack) -> None:
    sized = all(file.size for file in pack.files)
    if not sized:
        quiet(pack.sentence)
    asked = question(packs.plan_counts, pack.name, label=f"Asking the size of {pack.name}", lane="io")
    fetching.offer(asked, pack.name, ask="State the size" if sized else "Ask its server for the size")


def _from_file() -> None:
    section(
        "Import a file",
        "CSV, TSV, JSON lines or Parquet with a column of concepts and one of counts; JSON as concept: count, as "
        "records, or as NeglectedTails and MetaCLIP publish theirs. A file that cannot be used whole is not used.",
    )
    if not jobs.may_change():
        quiet("Importing is switched off on this server; the command frequency import does the same on its machine.")
        return
    left, right = st.columns([3, 2], gap="large", vertical_alignment="bottom")
    with left:
        path = st.text_input("Path", key="counts-path", placeholder="A file on this machine")
    with right:
        upload = st.file_uploader("Or upload it", type=ENDINGS, key="counts-file")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name of the counts", key="import-name", max_chars=80, placeholder="my-counts")
        method = st.selectbox("Counted", METHODS, key="import-method", format_func=WHAT.__getitem__, width=200)
        concept = st.text_input("Column of concepts", key="import-concepts", placeholder="found by itself")
        count = st.text_input("Column of counts", key="import-counts", placeholder="found by itself")
    citation = st.text_input("Where they come from", key="import-citation", max_chars=300, placeholder="A citation")
    ready = bool((name or "").strip() and (upload or (path or "").strip()))
    known = f"{imported.PREFIX}{(name or '').strip()}" in {info.name for info in imported.infos()}
    st.button(
        "Replace these counts" if known and ready else "Import", key="import", type="primary", disabled=not ready,
        on_click=_want,
    )  # fmt: skip
    if told := st.session_state.get("_imported"):
        tell, sentence = told
        tell(sentence)
    turn = st.session_state.get("_import")
    if turn is None or not ready:
        return
    options: dict[str, Any] = {
        "method": method, "concept_column": (concept or "").strip(), "count_column": (count or "").strip(),
        "citation": (citation or "").strip(),
    }  # fmt: skip
    try:
        if upload is not None:
            read = question(
                _read_upload, turn, upload.getvalue(), upload.name, name.strip(), label=f"Reading {upload.name[:80]}",
                lane="io", **options,
            )  # fmt: skip
        else:
            file = served.path(path.strip())
            read = question(_read_path, turn, file, name.strip(), label=f"Reading {file.name}", lane="io", **options)
        found = jobs.here(read)
    except TailscopeError as error:
        _end(warn, str(error))
        return
    if found is None:
        return
    without = f", {found.unknown:,} listed without one" if found.unknown else ""
    _end(
        succeed,
        f"{found.source}: {many(found.concepts, 'concept')} with a count{without} "
        f"(“{found.concept_column}” and “{found.count_column}”).",
    )


def _end(tell: Callable[[str], None], sentence: str) -> None:
    """What an import came to stays on the page until the next one begins."""
    st.session_state["_import"] = None
    st.session_state["_imported"] = (tell, sentence)
    st.rerun()


def _want() -> None:
    jobs.require_change("importing counts")
    jobs.again()
    st.session_state.pop("_imported", None)
    st.session_state["_import"] = uuid4().hex  # the same file read again is another import


def _read_upload(_turn: str, data: bytes, file: str, name: str, **options: Any) -> Imported:
    """Keep an uploaded file under its own name, as far as a disk takes it."""
    plain_name = re.sub(r"[^\w ().+-]", "_", Path(file).name)[-80:].lstrip(".") or "counts"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / plain_name
        path.write_bytes(data)
        return imported.keep(path, name, **options)


def _read_path(_turn: str, path: Path, name: str, **options: Any) -> Imported:
    return imported.keep(path, name, **options)
