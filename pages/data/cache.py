"""The cache: what is kept, how large it is, whether it is whole, and clearing it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from cache import CacheError, keys
from core import cache_check
from core.evaluation import evaluate
from pages.ui import jobs
from pages.ui.text import finding, plain, quiet, section, size


def headline() -> None:
    """How much is kept, and where."""
    entries, small = evaluate.matrices().entries(), evaluate.results().info()
    total = sum(entry.bytes for entry in entries)
    matrices = "1 matrix" if len(entries) == 1 else f"{len(entries)} matrices"
    finding("Data", f"Embeddings take {size(total)} in {matrices}, small results {size(small.bytes)}.")
    quiet(
        f"In {keys.root()}. Matrices stay until cleared; "
        f"small results are dropped, oldest first, beyond {size(small.limit)}."
    )


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
                    "Image set": [str(meta.get("set", "–")) for meta in described],
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
    for sentence in store.damaged:
        st.warning(plain(sentence))
    _verify()
    _clear()


def _verify_all(_turn: int) -> list[str]:
    return cache_check.verify_all()


def _verify() -> None:
    section("Verify", "Reads all vectors and drawn pictures and compares their checksums.")
    if st.button("Verify all", key="verify"):
        st.session_state["_verify"] = st.session_state.get("_verify", 0) + 1
    turn = st.session_state.get("_verify", 0)
    if turn:
        job = jobs.ask(jobs.question(_verify_all, turn, label="Verifying the cache", lane="io"))
        if not job.wait(0):
            jobs.watch(job)
        elif problems := job.value():
            st.warning("\n".join(f"- {plain(problem)}" for problem in problems))
        else:
            quiet("Everything is whole.")


def _clear() -> None:
    section("Clear", "What is cleared is computed again when it is next asked for. Fetched models and images stay.")
    sure = st.checkbox("Clear embeddings and results", key="sure", disabled=not jobs.may_change())
    st.button("Clear", disabled=not sure, on_click=_clear_all)


def _clear_all() -> None:
    jobs.require_change("clearing the cache")
    for entry in evaluate.matrices().entries():
        try:
            evaluate.matrices().remove(entry.key)
        except CacheError as error:
            st.toast(plain(error))
    evaluate.results().clear()
    cache_check.remove_orphans()
    st.session_state["sure"] = False
