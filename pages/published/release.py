"""The published release: the tables that ship, other versions that a person brings in, and what an import read."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.errors import TailscopeError
from core.published import fetch, manifest, store
from core.published.importer import ImportReport, import_release, last_report
from core.runtime.jobs import Question, question
from core.types import Report
from pages.ui import jobs, served
from pages.ui.text import finding, quiet, section, size, warn


def panel() -> None:
    """Fetch the files of the release, or read another version of them that is on this disk."""
    section(
        "Other versions",
        "The tables of the pinned release ship with Tailscope. Its files can be fetched and read again, and a later "
        "version is used in place of it.",
    )
    quiet(f"{manifest.CITATION}.")
    if not jobs.may_change():
        quiet("Downloads are switched off on this server; run “python -m core published fetch” on its machine.")
        return
    whole = size(fetch.total_bytes(manifest.entries()))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.button(f"Fetch {whole}", key="release-fetch", type="primary", on_click=_want, args=("",))
        path = st.text_input(
            "Or read a copy",
            key="release-path",
            placeholder="Path of a clone, a folder, a zip or a tar archive",
            width=420,
        )
        read = (path or "").strip()
        st.button("Read it", key="release-import", on_click=_want, args=(read,), disabled=not read)
    wanted = st.session_state.get("_release")
    if wanted == "":
        _follow(question(_fetch_and_import, label="Fetching the published release", lane="io", keep=True))
    elif wanted:
        _read(wanted)


def _read(path: str) -> None:
    try:
        found = served.path(path)
    except TailscopeError as error:
        warn(error)
        return
    _follow(question(import_release, found, label=f"Reading {found.name}", lane="io", keep=True))


def _want(path: str) -> None:
    """Bring in the copy at this path, or fetch the release when it is empty."""
    jobs.require_change("bringing the release in")
    jobs.again()
    st.session_state["_release"] = path


def _follow(asked: Question[ImportReport]) -> None:
    try:
        job = jobs.ask(asked)
    except TailscopeError as error:
        warn(error)
        return
    if not job.wait(0):
        jobs.watch(job)
        return
    st.session_state["_release"] = None
    st.rerun()


def _fetch_and_import(*, report: Report) -> ImportReport:
    return import_release(fetch.fetch_release(report=report), report=report)


def imported() -> None:
    """What the last import read, what it left out and why, and the oddities it found with the rule for each."""
    try:
        found = last_report()
    except TailscopeError as error:
        warn(error)
        return
    kinds = ", ".join(f"{n} {kind}" for kind, n in found.read.items())
    read = sum(found.read.values())
    quiet(f"{read:,} files read ({kinds}); {len(found.skipped)} skipped, {len(found.missing)} missing.")
    odd = [
        {
            "What": item.kind,
            "Where": item.where,
            "Names": item.n,
            "In words": item.sentence,
            "What is done": item.handled,
        }
        for item in found.anomalies
    ]
    st.dataframe(pd.DataFrame(odd), hide_index=True, alt="Oddities of the release and the rule that handles each")
    left = [("skipped", item.item, item.reason) for item in found.skipped]
    left += [("used, unlisted", item.item, item.reason) for item in found.unlisted]
    left += [("missing", name, "not in this copy") for name in found.missing]
    if left:
        frame = pd.DataFrame(left, columns=["State", "File", "Why"])
        st.dataframe(frame, hide_index=True, alt="Files that were not read as listed")


def source_line() -> None:
    """Where the figures of a page come from, with the import report one click away."""
    with st.container(horizontal=True, vertical_alignment="center"):
        opened = st.popover("Import report", type="tertiary", key="import-report", on_change="rerun")
        if opened.open:
            with opened:
                imported()
        quiet(f"{manifest.CITATION}.")


def headline() -> None:
    """Which version of the release is in use, as the sentence of Models and images."""
    try:
        found = last_report()
    except TailscopeError:
        finding("Models and images", "The published release on this disk is damaged.")
        return
    rows = f"{found.rows['counts']:,} counts and {found.rows['scores']:,} scores"
    which = "An imported version of the release" if store.imported() else "The published release"
    finding("Models and images", f"{which} is in use: {rows}, with {len(found.anomalies)} oddities handled by rule.")


def draw() -> None:
    """The release as a part of Models and images."""
    imported()
    panel()
