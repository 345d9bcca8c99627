"""What to show of the published evidence: the choices of one curve page, all in the URL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core.published import view
from core.published.anomalies import FLAGS
from core.published.names import (
    FAMILIES,
    METHODS,
    METRIC_WORDS,
    MORE_SETS,
    RETRIEVAL,
    RETRIEVAL_SETS,
    TEXT_TO_IMAGE,
    ZERO_SHOT,
    ZERO_SHOT_SETS,
)
from core.published.store import Store
from core.published.view import View, set_name
from pages.ui import address
from pages.ui.switches import switch

FIRST_OF_MANY = 6
HEADLINES = ("class", "t2i_k=10", "human_align")


def one_of(label: str, key: str, options: Sequence[str], *, show: Callable[[str], str] = str, **more: Any) -> str:
    """A choice among options that may change under it: what is no longer offered falls back to the first."""
    if st.session_state.get(key, options[0]) not in options:
        del st.session_state[key]
    return st.selectbox(label, options, key=key, bind="query-params", format_func=show, **more) or options[0]


def any_of(label: str, key: str, options: Sequence[Any], *, show: Callable[[Any], str] = str, **more: Any) -> list[Any]:
    """Any of some options, with what is no longer offered dropped."""
    if key in st.session_state:
        st.session_state[key] = [value for value in st.session_state[key] if value in options]
    return st.multiselect(
        label, options, key=key, bind="query-params", format_func=show, select_all=False, filter_mode="contains", **more
    )


def family() -> str:
    """Which of the three families of results."""
    address.by_id("results", FAMILIES)
    return switch("Results", "results", FAMILIES, default=ZERO_SHOT, show=lambda name: name.capitalize(), bare=True)


def choose(store: Store) -> View:
    """Draw the choices and return the view."""
    kind = family()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        # The best known set opens the page.
        offered = sorted(view.pretraining_sets(store, kind), key=lambda name: name != "laion400m")
        if kind == TEXT_TO_IMAGE:
            sets = offered
        else:
            sets = any_of(
                "Pretraining sets", "corpus", offered, show=set_name, placeholder=set_name(offered[0]), width=240,
                help="Each model is drawn against the counts of the set it was trained on.",
            ) or offered[:1]  # fmt: skip
        models = [found for found in view.models(store, kind) if found[1] in sets]
        preset = models[:FIRST_OF_MANY] if kind == TEXT_TO_IMAGE else models
        chosen = any_of(
            "Models", "published-of", models, show=_model, width=260, wrap=True,
            placeholder=f"All {len(models)}" if preset == models else f"The first {len(preset)} of {len(models)}",
        )  # fmt: skip
        method = one_of(
            "Counted by", "published-search", view.methods(store, sets), show=lambda name: METHODS[name], width=230,
            help="text: captions that name the concept. image: pictures that RAM++ tags with it above a threshold. "
            "text and image: both on the same sample, the paper's headline.",
        )  # fmt: skip
        conditions = view.conditions(store, kind)
        conditions = sorted(conditions, key=lambda name: name not in HEADLINES)
        address.by_id("published-score", conditions)
        prompted = "class: the bare class name. simple: A photo of a … ensemble: 80 templates."
        condition = one_of(
            "Prompts" if kind == ZERO_SHOT else "Metric", "published-score", conditions,
            show=lambda name: METRIC_WORDS.get(name, name), width=160 if kind == ZERO_SHOT else 230,
            help=prompted if kind == ZERO_SHOT else None,
        )  # fmt: skip
        datasets = () if kind == TEXT_TO_IMAGE else _datasets(kind)
        hidden = any_of(
            "Hide concepts with", "published-hide", list(FLAGS), placeholder="Nothing hidden", width=210,
            help="Quality flags of the counts.\n\n" + "\n".join(f"- **{flag}**: {why}" for flag, why in FLAGS.items()),
        )  # fmt: skip
    return View(kind, method, condition, tuple(chosen or preset), tuple(datasets), tuple(hidden))


def _datasets(kind: str) -> list[str]:
    offered = [*RETRIEVAL_SETS] if kind == RETRIEVAL else [*ZERO_SHOT_SETS, *MORE_SETS]
    return any_of(
        "Downstream data sets", "published-on", offered, width=240, placeholder="Those of the figures",
        help="The figures pool 18 classification sets (17 for counts by text, which lack ImageNet-Sketch).",
    )  # fmt: skip


def _model(found: tuple[str, str]) -> str:
    return f"{view.model_name(found[0])} · {set_name(found[1])}"
