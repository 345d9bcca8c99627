"""The lens in the sidebar: model, images, prompts and frequency, all kept in the URL.

A page sees those parts of it that it needs (``pages.registry``); the others keep their values meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.errors import BadInput, UnknownName
from core.frequency import labels, published, sources
from core.models import registry as models
from core.prompts import AGGREGATIONS, strategies
from core.published.answers import find_set, published_sets
from pages.registry import Need
from pages.ui import address, choice, lensbar, model_labels, served
from pages.ui.text import plain, quiet


def _choose(label: str, key: str, values: Sequence[str], first: str, help: str, *, free: bool = True) -> str:
    if st.query_params.get(key) == first:
        # A link asks for the default; the widget would drop it from the URL and keep what was chosen before.
        st.session_state[key] = first
    options = list(dict.fromkeys([first, *values]))  # the default first: the URL leaves it out
    if free:
        return choice.draw(label, key, options, persist_state="session", help=help) or first
    return st.selectbox(label, options, key=key, bind="query-params", persist_state="session", help=help) or first


def _labelled(
    label: str, key: str, values: Sequence[str], first: str, help: str, *, show: Callable[[str], str], free: bool
) -> None:
    """A choice shown in plain words whose value stands in the address; Streamlit's binding would put the words there.

    A value in the address is taken when it changes, that is, when a link is followed.
    """
    linked, noted = st.query_params.get(key), f"_linked_{key}"
    arrived = key in st.session_state.get("_asked", {})
    if address.restored():
        st.session_state[key] = linked or first
    elif linked is not None and (arrived or linked != st.session_state.get(noted)):
        st.session_state[key] = linked
    options = list(dict.fromkeys([first, *values]))
    if free:
        found = choice.draw(label, key, options, bind=None, format_func=show, persist_state="session", help=help)
    else:
        if st.session_state.get(key, first) not in options:
            del st.session_state[key]
        found = st.selectbox(label, options, key=key, format_func=show, persist_state="session", help=help)
    st.session_state[noted] = None if found in (None, first) else found
    if st.session_state[noted] is None:
        st.query_params.pop(key, None)
    elif found is not None and linked != found:
        st.session_state.setdefault("_to_address", {})[key] = found


def _write_address() -> None:
    """Put what was chosen into the address at once, so that the browser sees one change."""
    if chosen := st.session_state.pop("_to_address", None):
        st.query_params.update(chosen)


def sidebar(needs: Collection[Need], top: DeltaGenerator) -> None:
    """Draw those parts of the lens that a page needs, and check it; nothing for a page that reads none of it.

    Args:
        top: the head of the page, where an unknown name is said and the nearest ones are offered.

    Raises:
        NotHere: what was chosen has to be fetched first.
    """
    st.session_state.pop("_lens", None)
    draw: Mapping[Need, Callable[[], None]] = {
        "model": _choose_model,
        "classes": _choose_set,
        "images": _choose_set,
        "prompts": _choose_prompts,
        "frequency": _choose_frequency,
    }
    for part, choose in draw.items():
        if part in needs:
            choose()
    _write_address()
    if not needs:
        return
    unknown = False
    for key, parts in {"model": {"model"}, "set": {"classes", "images"}, "prompts": {"prompts"}}.items():
        if parts & {*needs}:
            used, error = lensbar.usable(key)
            if error is not None:
                unknown = True
                _offer(key, used, error, top)
    if unknown:
        top.button("Use the built-in model and images", key="reset", on_click=lensbar.reset)
    if "model" in needs and lensbar.models_are_read() and (warning := _warning(lensbar.lens().model)):
        quiet(warning)
    if "frequency" in needs:
        _choose_steps(lensbar.lens().frequency)
    usual = lensbar.question_of(lensbar.lens()).prompts is None
    if "classes" in needs and usual and not lensbar.is_here(lensbar.lens().image_set):
        quiet(
            "Retrieval takes the captions themselves, not these prompts."
            if lensbar.is_retrieval(lensbar.lens().image_set)
            else "Its published accuracies are under other prompts; those are shown."
        )


def _warning(model: str) -> str | None:
    """What is wrong with a pair of open_clip's; nothing is known of other weights of the release."""
    try:
        return models.quickgelu_warning(model)
    except UnknownName:
        return None


def _choose_model() -> None:
    groups = lensbar.model_groups()
    shown = st.segmented_control(
        "Models", list(lensbar.GROUPS), key="model-group", format_func=lensbar.GROUPS.__getitem__,
        persist_state="session",
        help="On this disk: answers are computed here. Published scores: the authors of “No ‘Zero-Shot’ Without "
        "Exponential Data” released per-class accuracies. Can be fetched: all others that open_clip releases.",
    )  # fmt: skip
    sizes = {info.id: info.size_bytes for info in lensbar.known_models()}
    words = {id: lensbar.GROUPS[name].lower() for name, ids in groups.items() for id in ids}
    _labelled(
        "Model", "model", groups[shown] if shown else [id for ids in groups.values() for id in ids],
        lensbar.defaults()["model"],
        "Any model that open_clip loads, in its own spelling: ARCH,PRETRAINED, hf-hub:ORG/REPO, local-dir:PATH, "
        "or ARCH,CHECKPOINT-FILE. The release's spellings (RN50,cc12m) are understood too.",
        show=lambda id: model_labels.label(id, words[id], sizes.get(id)) if id in words else model_labels.short(id),
        free=True,
    )  # fmt: skip
    was = st.session_state.get("_model_was")
    if was and was != lensbar.value("model"):
        st.button(
            f"Back to {plain(model_labels.short(was))}", key="model-back", type="tertiary", icon=":material/undo:",
            on_click=lensbar.use_model, args=(was,),
        )  # fmt: skip
    chosen = lensbar.value("model")
    if chosen in words:
        quiet(model_labels.about(chosen, words[chosen], sizes.get(chosen)))


def _choose_set() -> None:
    here = [info.id for info in served.sets() if info.available]
    scored = [one.id for one in published_sets() if one.id not in here]
    _choose(
        "Images", "set", [*here, *scored], lensbar.defaults()["set"],
        "A built-in set, a data set with published accuracies (paper-17, imagenet, letitwag …), or the path of a "
        "folder: class folders, a webdataset, a table, or saved embeddings. "
        "PATH#split=val, #label-column=breed and #path-column=file say how to read it.",
    )  # fmt: skip
    known = find_set(lensbar.value("set")) if lensbar.value("set") not in here else None
    if known:
        quiet(f"{known.title}: published accuracies, no pictures on this disk.")


def _choose_prompts() -> None:
    named = strategies()
    _choose(
        "Prompts", "prompts", [strategy.id for strategy in strategies(alone=True)], lensbar.defaults()["prompts"],
        "A strategy, a template of your own such as `a drawing of a {c}.`, or the path of a prompt file.",
    )  # fmt: skip
    with st.popover("Strategies explained", type="tertiary", icon=":material/menu_book:"):
        st.markdown(
            "\n".join(f"- **{strategy.id}**: {strategy.help}" for strategy in named)
            + "\n\nA rule at its end says how sentences make a class score, as in `ensemble@max`:\n\n"
            + "\n".join(f"- **@{rule}** {told}" for rule, told in AGGREGATIONS.items())
        )


def _choose_frequency() -> None:
    """The set that was counted; how, and by which threshold, is chosen below it (:func:`_choose_steps`)."""
    sets = labels.counted_sets(sources.list_sources())
    _one_kind_of_count()
    now = st.session_state.get("frequency") or st.query_params.get("frequency")
    named = {now if now in one.sources else one.first: one.label for one in sets}
    shown = {lensbar.OWN: "Auto: its training data", **named, lensbar.NONE: "None"}
    _labelled(
        "Frequency", "frequency", list(shown), lensbar.OWN,
        "Where the pretraining counts come from. Auto: the data that this model was trained on, where they were "
        "counted.",
        show=lambda name: shown.get(name, name), free=False,
    )  # fmt: skip
    if reason := published.problem():
        quiet(reason)


def _one_kind_of_count() -> None:
    """Read addresses of the time when the columns of published counts were chosen apart from their source."""
    source, kind = st.query_params.get("frequency") or "", st.query_params.get("count")
    if not source.startswith(published.PREFIX) or published.problem() or not kind or "count" in st.session_state:
        return
    with suppress(StopIteration):
        found = {one.how: one.name for one in published.steps() if one.name in labels.ways(source)}
        st.query_params["frequency"] = found.get(kind, source)


def _choose_steps(source: str) -> None:
    """How the set was counted and by which threshold, each where there is a choice; the source's name stands below."""
    if not source:
        return
    if source.startswith(published.PREFIX):
        _step("How counted", "how-counted", source, labels.ways(source))
        _step(
            "Threshold" if "rampp" in source or "_i" in source else "Words",
            "threshold",
            source,
            labels.variants(source),
        )
    else:
        _choose_count(source)
    quiet(" ".join(filter(None, (source, labels.truncation(source)))))


def _step(label: str, key: str, source: str, offered: Mapping[str, str]) -> None:
    if len(offered) < 2:
        return
    st.session_state[key] = source

    def take() -> None:
        if st.session_state[key] != source:  # it is also called when a link brings another lens
            st.session_state["frequency"] = st.session_state[key]

    st.selectbox(label, list(offered), key=key, format_func=offered.__getitem__, on_change=take)


def _choose_count(source: str) -> None:
    """Which of a source's columns is read, where it has several; another source starts with its own."""
    if st.session_state.get("_counted_in", source) != source:
        st.session_state.pop("count", None)
    st.session_state["_counted_in"] = source
    offered = sources.info(source)
    if st.session_state.get("count", offered.default) not in offered.methods:
        del st.session_state["count"]
    if len(offered.methods) < 2:
        return
    _choose(
        "How counted", "count", offered.methods, offered.default,
        "image: samples whose picture shows the concept. text: samples whose caption names it. "
        "integrated: both on the same sample.",
        free=False,
    )  # fmt: skip


def _offer(key: str, used: str, error: BadInput, top: DeltaGenerator) -> None:
    """Say what is wrong with a part of the lens, with the names that it may mean."""
    options: Mapping[str, Callable[[], list[str]]] = {
        "model": lambda: [info.id for info in lensbar.known_models()],
        "set": lambda: [*(one.id for one in served.sets()), *(one.id for one in published_sets())],
        "prompts": lambda: [strategy.id for strategy in strategies(alone=True)],
    }
    with top:
        near = models.nearest if key == "model" else None
        typed, more = lensbar.value(key), f"The page stays with {used}."
        choice.unknown(key, typed, error, options[key](), near=near, more=more)
