"""Prompts on the published models: class name, one template, 80 templates over 18 data sets, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.analysis import prompt_gains
from core.analysis.compare import ClassChange
from core.analysis.prompt_gains import WORDS, Gain, Scores
from core.charts.lab import change_scatter
from core.charts.prompt_gains import gains_figure, told
from core.published.answers import find_set
from core.published.manifest import CITATION
from core.published.names import PROMPTS, ZERO_SHOT_SETS
from core.published.store import open_store
from core.stats.format import percent, point_span, points
from core.types import Interval, Lens
from pages.ui import address, lensbar, tables
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import need, question, recall
from pages.ui.links import to_page
from pages.ui.points import clicked
from pages.ui.switches import switch
from pages.ui.text import finding, plain, quiet, section

SCOPES = {"lens": "This model, picture by picture", "published": "Published models, 18 data sets"}
PAIRS = [(a, b) for at, a in enumerate(PROMPTS) for b in PROMPTS[at + 1 :]]
VIEWS = ("by data set", "by model")
FOREST, CLOUD, MODELS, PAIR, SET, VIEW = "gains", "gained", "lab-of", "change", "lab-on", "gains-by"
ALL, LISTED = "all 18", 6


def chosen(lens: Lens) -> bool:
    """Whether the lab looks at the published models: because it was chosen, or because nothing can be run here."""
    if lensbar.has_scores(lens) and lensbar.why_not_live(lens) is not None:
        return True
    address.by_id("for", SCOPES)
    scope = switch("Compare prompts on", "for", SCOPES, default="lens", bare=True)
    return scope == "published"


def published_prompts(lens: Lens, head: DeltaGenerator) -> None:
    """The finding, the choices, the forest of data sets or models, and the concepts behind it."""
    store = open_store()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        a, b = _pair()
        models = _models(lens, prompt_gains.models(store))
        view = switch("Table", VIEW, VIEWS)
    label = f"{WORDS[b]} against {WORDS[a]}"
    whole, sets = need(question(prompt_gains.by_set, store, models, a, b, label=label, lane="io"))
    found = prompt_gains.scores(store, models, a, b)
    with head:
        finding("Prompt lab", prompt_gains.headline(found, whole))
        quiet(_facts(whole, found))
    gains = sets if view == VIEWS[0] else need(
        question(prompt_gains.by_model, store, models, a, b, label=f"{label}, each model", lane="io")
    )  # fmt: skip
    _forest(gains, found, by_set=view == VIEWS[0])
    _concepts(lens, found, sets)


def _pair() -> tuple[str, str]:
    shown = {f"{a}-{b}": f"{WORDS[a].removeprefix('the ')} → {WORDS[b]}" for a, b in PAIRS}
    address.by_id(PAIR, shown)
    picked = switch("From one strategy to another", PAIR, shown, default="class-ensemble")
    a, _, b = picked.partition("-")
    return a, b


def _models(lens: Lens, offered: Sequence[str]) -> tuple[str, ...]:
    """The models looked at, none for all; a lens that cannot be run here starts with its own."""
    if MODELS not in st.session_state and MODELS not in st.query_params and lens.model in offered:
        st.session_state[MODELS] = [lens.model]
    return tuple(
        st.multiselect(
            "Models", offered, key=MODELS, bind="query-params", select_all=False, filter_mode="contains", width=320,
            placeholder=f"All {len(offered)}", help="The change of a concept is its mean over these models.", wrap=True,
        )
    )  # fmt: skip


def _facts(whole: Gain, found: Scores) -> str:
    told = [
        f"{whole.n:,} concepts: {percent(whole.before)} → {percent(whole.after)}, {points(whole.change.value)} points "
        f"(95 % CI {point_span(whole.change)})",
        f"{whole.better:,} concepts better, {whole.worse:,} worse",
    ]
    counted = sum(bool(row.any()) for row in found.groups)
    if whole.head and whole.tail:
        told.append(
            f"head {points(whole.head.value)}, tail {points(whole.tail.value)} points by the counts of each model’s "
            f"own pretraining set" + (f" ({counted} of {whole.models} models)" if whole.models > 1 else "")
        )
    return " · ".join((*told, CITATION.partition(" (arXiv")[0]))


def _forest(gains: Sequence[Gain], found: Scores, *, by_set: bool) -> None:
    what = "data set" if by_set else "model"
    section(
        f"By {what}",
        f"Change of mean class accuracy with 95 % intervals over concepts. Open grey marks may be noise: the interval "
        f"holds zero, or p is above 0.05 after Holm over these {len(gains)}. Click one for its concepts.",
    )
    order = sorted(gains, key=lambda one: -one.change.value)
    figure = gains_figure(order, chosen=st.session_state.get(SET) or "")
    title = f"{WORDS[found.b]} against {WORDS[found.a]}"
    plot(
        figure,
        key=FOREST,
        alt=f"{title}: " + "; ".join(f"{one.title} {points(one.change.value)} points" for one in order),
        on_select=_pick,
    )
    tables.plotted(
        {what.capitalize(): [one.title for one in order], "Change": [one.change.value for one in order]},
        lambda row: _pick_one(order[row].of), key="gains-table", of=f"{what}s",
        shares=("Change",),
    )  # fmt: skip
    downloads(f"prompts-by-{what.replace(' ', '-')}", *_rows(order), figure=figure, title=title, source=CITATION)


def _pick() -> None:
    """A click on a data set shows its concepts, one on a model those of this model."""
    for name, _ in clicked(FOREST, length=2)[:1]:
        _pick_one(name)


def _pick_one(name: str) -> None:
    st.session_state.update({SET: name} if name in ZERO_SHOT_SETS else {MODELS: [name], VIEW: VIEWS[0]})


def _rows(gains: Sequence[Gain]) -> tuple[list[str], list[list[object]]]:
    header = ["of", "concepts", "models", "before", "after"]
    spans = ("change", "head", "tail", "tail_less_head")
    header += [f"{name}{end}" for name in spans for end in ("", "_low", "_high")] + ["better", "worse", "p", "p_holm"]
    rows = []
    for one in gains:
        row: list[object] = [one.of, one.n, one.models, one.before, one.after]
        for name in spans:
            span: Interval | None = getattr(one, name)
            row += [None] * 3 if span is None else [span.value, span.low, span.high]
        rows.append([*row, one.better, one.worse, one.p, one.p_holm])
    return header, rows


def _concepts(lens: Lens, found: Scores, sets: Sequence[Gain]) -> None:
    """Which concepts of a data set gain and lose, each a link into the lens."""
    titles = {one.of: one.title for one in sets}
    address.by_id(SET, titles)
    section("Which concepts")
    start = (known.id if (known := find_set(lens.image_set)) else "") or ALL
    if SET not in st.session_state and SET not in st.query_params and start in titles:
        st.session_state[SET] = start
    name = st.selectbox(
        "Data set", [ALL, *titles], key=SET, bind="query-params", width=320,
        format_func=lambda id: titles.get(id, "All 18 data sets"),
    )  # fmt: skip
    inside = found if name == ALL else found.rows(found.sets == name)
    changes = recall(prompt_gains.changes, inside)
    quiet(told(next(one for one in sets if one.of == name)) if name in titles else f"{len(changes):,} concepts.")
    left, right = st.columns([3, 2], gap="large")
    with left:
        index = {one.key: at for at, one in enumerate(changes)}
        picked = st.session_state.get("_gained")
        figure = change_scatter(
            changes, index, recall(prompt_gains.counts_of, inside), a=WORDS[found.a], b=WORDS[found.b],
            chosen=[index[picked]] if picked in index else [],
        )  # fmt: skip
        plot(
            figure,
            key=CLOUD,
            alt="Accuracy of every concept under both strategies",
            on_select=lambda: _choose([one.key for one in changes]),
        )
        rows = [[one.key, one.name, one.before, one.after, one.change, one.n] for one in changes]
        header = ["key", "name", found.a, found.b, "change", "images"]
        downloads("prompts-concepts", header, rows, figure=figure, title="Concepts under both", source=CITATION)
    with right:
        if picked in index:
            _links("Selected", [changes[index[picked]]], inside)
        _links("Gain most", [one for one in changes[: -LISTED - 1 : -1] if one.change > 0], inside)
        _links("Lose most", [one for one in changes[:LISTED] if one.change < 0], inside)
    tables.plotted(
        {
            "Concept": [one.name for one in changes], "Data set": [one.key.partition("/")[0] for one in changes],
            "Before": [one.before for one in changes], "After": [one.after for one in changes],
            "Change": [one.change for one in changes],
        },
        lambda row: st.session_state.update(_gained=changes[row].key), key="gained-table", of="concepts",
        shares=("Before", "After", "Change"),
    )  # fmt: skip


def _choose(keys: Sequence[str]) -> None:
    for place, *_ in clicked(CLOUD, length=3)[:1]:
        st.session_state["_gained"] = keys[int(place)]


def _links(title: str, shown: Sequence[ClassChange], found: Scores) -> None:
    """Links to concepts under the strategy looked at."""
    if not shown:
        return
    section(title)
    several = len(set(found.sets.tolist())) > 1
    for one in shown:
        name, _, concept = one.key.partition("/")
        where = f" ({name})" if several else ""
        label = f"{plain(one.name)}{where}: {percent(one.before)} → {percent(one.after)}"
        to_page(
            "explore", label, model=found.models[0].id, set=name, prompts=found.b, concept=concept.replace("_", " ")
        )
