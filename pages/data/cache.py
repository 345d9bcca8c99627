"""The cache: what is kept, how large it is, whether it is whole, and clearing it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from cache import CacheError, keys
from core.evaluation import cache_check, evaluate
from pages.ui import jobs
from pages.ui.text import finding, quiet, section, size, toast, warn, warn_each


def headline() -> None:
    """How much is kept, and where."""
    entries, small = evaluate.matrices().entries(), evaluate.results().info()
    total = sum(entry.bytes for entry in entries)
    matrices = "1 matrix" if len(entries) == 1 else f"{len(entries)} matrices"
    finding("Models and images", f"Embeddings take {size(total)} in {matrices}, small results {size(small.bytes)}.")
    kept = f"Matrices stay until cleared; small results are dropped, oldest first, beyond {size(small.limit)}."
    quiet(f"In {keys.root()}. {kept}" if jobs.may_change() else kept)


def draw() -> None:
    """Matrices with their sizes; verify and clear."""
    store = evaluate.matrices()
    entries = store.entries()
    if entries:
        described = [entry.meta or {} for entry in entries]
        st.dataframe(
            pd.DataFrame(
                {
                    "Model": [str(meta.get("model", "–")) for meta in described],
                    "Image set": [_shown(str(meta.get("set", "–"))) for meta in described],
                    "Vectors": [entry.rows for entry in entries],
                    "Width": [entry.dim for entry in entries],
                    "Kind": [str(entry.dtype) for entry in entries],
                    "Size": [size(entry.bytes) for entry in entries],
                    "Complete": [entry.complete for entry in entries],
                    "Key": [entry.key for entry in entries],
                }
            ),
            hide_index=True,
            alt="Embedding matrices in the cache",
        )
    for sentence in store.damaged if jobs.may_change() else ():
        warn(sentence)
    _verify()
    _clear()


def _shown(id: str) -> str:
    """An image set as visitors see it: where it lies on the disk is for the owner alone."""
    return id if jobs.may_change() or not Path(id).is_absolute() else f"…/{Path(id).name}"


def _verified(_turn: int) -> list[str]:
    return cache_check.verify_all()


def _verify() -> None:
    section("Verify", "Reads all vectors and cached pictures, compares their checksums and sets damaged ones aside.")
    st.button("Verify all", key="verify", disabled=not jobs.may_change(), on_click=_verify_all)
    turn = st.session_state.get("_verify", 0)
    if turn:
        job = jobs.ask(jobs.question(_verified, turn, label="Verifying the cache", lane="io"))
        if not job.wait(0):
            jobs.watch(job)
        elif problems := job.value():
            warn_each(problems)
        else:
            quiet("Everything in the cache is intact.")


def _verify_all() -> None:
    jobs.require_change("setting damaged matrices aside")
    st.session_state["_verify"] = st.session_state.get("_verify", 0) + 1


def _clear() -> None:
    section("Clear", "What is cleared is computed again when it is next needed. Fetched models and images stay.")
    sure = st.checkbox("Clear embeddings and results", key="sure", disabled=not jobs.may_change())
    st.button("Clear", disabled=not sure, on_click=_clear_all)


def _clear_all() -> None:
    jobs.require_change("clearing the cache")
    kept = evaluate.matrices()
    stores: list[Callable[[], None]] = [partial(kept.remove, entry.key) for entry in kept.entries()]
    for clear in [*stores, cache_check.clear_results]:
        try:
            clear()
        except CacheError as error:
            toast(error)
    cache_check.remove_orphans()
    st.session_state["sure"] = False
