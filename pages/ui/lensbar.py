"""The lens in the sidebar: model, images, prompts and frequency, all kept in the URL.

A page sees those parts of it that it needs (``pages.registry``); the others keep their values meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cache import CacheError, kept, keys
from core import questions
from core.datasets import open_set, split_option
from core.datasets.freshness import Freshness
from core.datasets.layout import stamp
from core.errors import TailscopeError, UnknownName, UnreadableData
from core.evaluation import origins
from core.faults import writing
from core.frequency import choice, labels, published, sources
from core.frequency.table import join, split
from core.models import registry as models
from core.prompts import AGGREGATIONS, strategies
from core.published.answers import find_set, published_answer, published_sets
from core.published.models import find_model, published_models
from core.runtime import thumbnails as thumbs
from core.runtime.jobs import engine, question
from core.stats.intervals import Tag
from core.types import FrequencyTable, ImageSet, Lens
from pages.registry import Need
from pages.ui import model_labels, served
from pages.ui.jobs import finished, need, recall
from pages.ui.selection import Named
from pages.ui.text import plain, quiet, toast, warn

OWN, NONE = "auto", "none"


def defaults() -> dict[str, Any]:
    """The lens of a visitor who chose nothing: the icon model with the largest corpus."""
    icons = [info.id for info in models.icon_models()]
    best = next((id for id in icons if id == "icon-RN,icons-200k"), icons[0] if icons else "ViT-B-32-quickgelu,openai")
    return {"model": best, "set": "icons", "prompts": "simple", "frequency": OWN}


def reset() -> None:
    """Go back to the built-in world; call it from a widget callback."""
    st.session_state.update(defaults(), concept=[], image=None)


def known_models(*, wait: bool = False) -> list[models.ModelInfo]:
    """All models, those on disk first; only the icon models until open_clip's list has been read.

    Reading it for the first time imports open_clip, so it is left to the worker that needs open_clip anyway.
    """
    if wait:
        need(_READ_MODELS)
    elif finished(_READ_MODELS) is None:
        return models.icon_models()
    return _listed()


def read_models() -> None:
    """Have open_clip's list of models read, for the next run to offer."""
    engine().submit(_READ_MODELS)


@st.cache_resource(ttl=20, show_spinner=False)
def _listed() -> list[models.ModelInfo]:
    return _ranked()


def _ranked() -> list[models.ModelInfo]:
    return sorted(models.list_models(), key=lambda info: (info.kind != "icon", not info.available))


def _count_models() -> int:
    return len(models.list_models())


_READ_MODELS = question(_count_models, label="Reading open_clip's list of models", keep=True)


def _options(key: str, values: Sequence[str], first: str) -> list[str]:
    """Choices with the default first (the URL leaves it out), and whatever the person typed."""
    listed = list(dict.fromkeys([first, *values]))
    typed = st.session_state.get(key) or st.query_params.get(key)
    return listed if not typed or typed in listed else [*listed, typed]


def _choose(label: str, key: str, values: Sequence[str], first: str, help: str, *, free: bool = True) -> str:
    if st.query_params.get(key) == first:
        # A link asks for the default; the widget would drop it from the URL and keep what was chosen before.
        st.session_state[key] = first
    options = _options(key, values, first) if free else list(dict.fromkeys([first, *values]))
    found = st.selectbox(
        label, options, key=key, bind="query-params", persist_state="session", accept_new_options=free, help=help
    )
    return found or first


def _labelled(
    label: str, key: str, values: Sequence[str], first: str, help: str, *, show: Callable[[str], str], free: bool
) -> None:
    """A choice shown in plain words whose value stands in the address; Streamlit's binding would put the words there.

    A value in the address is taken when it changes, that is, when a link is followed.
    """
    linked, noted = st.query_params.get(key), f"_linked_{key}"
    arrived = key in st.session_state.get("_asked", {})
    if linked is not None and (arrived or linked != st.session_state.get(noted)):
        st.session_state[key] = linked
    options = _options(key, values, first) if free else list(dict.fromkeys([first, *values]))
    if st.session_state.get(key, first) not in options:
        del st.session_state[key]
    found = st.selectbox(
        label, options, key=key, format_func=show, persist_state="session", accept_new_options=free, help=help
    )
    st.session_state[noted] = None if found in (None, first) else found
    if st.session_state[noted] is None:
        st.query_params.pop(key, None)
    elif found is not None and linked != found:
        st.query_params[key] = found


def sidebar(needs: Collection[Need], top: DeltaGenerator) -> None:
    """Draw those parts of the lens that a page needs, and check it; nothing for a page that reads none of it.

    Args:
        top: the head of the page, where an unknown model is said and the nearest ones are offered.

    Raises:
        TailscopeError: what was typed or linked names nothing that can be used here.
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
    if not needs:
        return
    if "model" in needs:
        try:
            _model(_value("model"))
        except UnknownName as error:
            _offer(_value("model"), error, top)
    if "model" in needs and finished(_READ_MODELS) is not None and (warning := _warning(lens().model)):
        quiet(warning)
    if "frequency" in needs:
        _choose_steps(lens().frequency)
    usual = question_of(lens()).prompts is None
    if "classes" in needs and usual and not is_here(lens().image_set):
        quiet("Its published accuracies are under other prompts; those are shown.")


def _warning(model: str) -> str | None:
    """What is wrong with a pair of open_clip's; nothing is known of other weights of the release."""
    try:
        return models.quickgelu_warning(model)
    except UnknownName:
        return None


GROUPS = {"here": "On this disk", "published": "Published scores", "elsewhere": "Can be fetched"}


def model_groups() -> dict[str, list[str]]:
    """Ids of all models by where their answers come from: weights on this disk, published scores, to be fetched."""
    known = known_models()
    here = [info.id for info in known if info.available]
    scored = [id for id in _scored_models() if id not in here]
    return {
        "here": here,
        "published": scored,
        "elsewhere": [info.id for info in known if not info.available and info.id not in scored],
    }


def _scored_models() -> list[str]:
    """Models of the release; none while it is damaged, which ``published.problem`` tells."""
    try:
        return [model.id for model in published_models()]
    except UnreadableData:
        return []


def _choose_model() -> None:
    groups = model_groups()
    shown = st.segmented_control(
        "Models", list(GROUPS), key="model-group", format_func=GROUPS.__getitem__, persist_state="session",
        help="On this disk: answers are computed here. Published scores: the authors of “No ‘Zero-Shot’ Without "
        "Exponential Data” released per-class accuracies. Can be fetched: all others that open_clip releases.",
    )  # fmt: skip
    sizes = {info.id: info.size_bytes for info in known_models()}
    words = {id: GROUPS[name].lower() for name, ids in groups.items() for id in ids}
    _labelled(
        "Model", "model", groups[shown] if shown else [id for ids in groups.values() for id in ids],
        defaults()["model"],
        "Any model that open_clip loads, in its own spelling: ARCH,PRETRAINED, hf-hub:ORG/REPO, local-dir:PATH, "
        "or ARCH,CHECKPOINT-FILE. The release's spellings (RN50,cc12m) are understood too.",
        show=lambda id: model_labels.label(id, words[id], sizes.get(id)) if id in words else model_labels.short(id),
        free=True,
    )  # fmt: skip


def _choose_set() -> None:
    here = [info.id for info in served.sets() if info.available]
    scored = [one.id for one in published_sets() if one.id not in here]
    _choose(
        "Images", "set", [*here, *scored], defaults()["set"],
        "A built-in set, a data set with published accuracies (paper-17, imagenet, letitwag …), or the path of a "
        "folder: class folders, a webdataset, a table, or saved embeddings. "
        "PATH#split=val, #label-column=breed and #path-column=file say how to read it.",
    )  # fmt: skip
    known = find_set(_value("set")) if _value("set") not in here else None
    if known:
        quiet(f"{known.title}: published accuracies, no pictures on this disk.")


def _choose_prompts() -> None:
    named = strategies()
    _choose(
        "Prompts", "prompts", [strategy.id for strategy in named], defaults()["prompts"],
        "A strategy, a template of your own such as `a drawing of a {c}.`, or the path of a prompt file.\n\n"
        + "\n".join(f"- **{strategy.id}**: {strategy.help}" for strategy in named)
        + "\n\nA rule at its end says how sentences make a class score, as in `ensemble@max`:\n\n"
        + "\n".join(f"- **@{rule}** {told}" for rule, told in AGGREGATIONS.items()),
    )  # fmt: skip


def _choose_frequency() -> None:
    """The set that was counted; how, and by which threshold, is chosen below it (:func:`_choose_steps`)."""
    sets = labels.counted_sets(sources.list_sources())
    _one_kind_of_count()
    now = st.session_state.get("frequency") or st.query_params.get("frequency")
    named = {now if now in one.sources else one.first: one.label for one in sets}
    shown = {OWN: "Auto: what this model was trained on", **named, NONE: "None"}
    _labelled(
        "Frequency", "frequency", list(shown), OWN,
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


def _value(key: str) -> str:
    """A part of the lens as it was chosen, typed or linked, whether or not this page shows it."""
    return st.session_state.get(key) or st.query_params.get(key) or defaults()[key]


def _offer(typed: str, error: UnknownName, top: DeltaGenerator) -> None:
    """Offer the models that an unknown name may mean; the page stays with the model that it had."""
    before = st.session_state.get("_model_before") or defaults()["model"]
    st.session_state["_instead"] = {typed: before}
    with top:
        warn(f"{error} The page stays with {before}.")
        with st.container(horizontal=True):
            for id in models.nearest(typed):
                st.button(f"Use {plain(id)}", key=f"use-{id}", on_click=use_model, args=(id,))
            st.button("Use the built-in model and images", on_click=reset)


def use_model(id: str) -> None:
    """Make this the model of the lens; call it from a widget callback."""
    st.session_state["model"] = id


def validated(model: str, image_set: str, prompts: str, frequency: str) -> Lens:
    """A lens of typed or linked text; paths outside the served folders are refused here."""
    image_set = _image_set(image_set)
    model = _model(model)
    found = Lens(model, image_set, served.prompts(prompts), "" if frequency in (NONE, OWN) else frequency)
    return replace(found, frequency=own_counts(found).source) if frequency == OWN else found


def _model(text: str) -> str:
    """A model in open_clip's spelling, or one of the release that open_clip does not have."""
    try:
        published = find_model(text)
    except UnreadableData:
        published = None
    if published is not None and published.id == text:
        return text
    _await_models(text)
    try:
        return served.model(text)
    except UnknownName:
        if published is None:
            raise
        return published.id


def _await_models(model: str) -> None:
    """Wait for open_clip's list, with its progress, unless the model needs none of it."""
    if model not in {info.id for info in models.icon_models()}:
        known_models(wait=True)


def _image_set(text: str) -> str:
    """An image set on this disk, or one of which there are published scores."""
    published = find_set(text) if not {"/", "\\", "~"} & set(text) else None
    if published is None or published.id in {info.id for info in served.sets()}:
        return served.image_set(published.id if published else text)
    return published.id


def lens() -> Lens:
    """The lens of this run; a page that shows no part of it has the one that was chosen elsewhere."""
    if "_lens" not in st.session_state:
        model = _value("model")
        model = st.session_state.get("_instead", {}).get(model, model)
        found = validated(model, *(_value(key) for key in ("set", "prompts", "frequency")))
        st.session_state.update(_lens=found, _model_before=found.model)
    return st.session_state["_lens"]


def question_of(lens: Lens) -> origins.Question:
    """The lens as a question to published and imported answers, with the usual prompts where none were chosen."""
    scored = find_set(lens.image_set)
    usual = scored is not None and lens.prompts == defaults()["prompts"] and lens.prompts not in scored.strategies
    return origins.Question(lens.model, lens.image_set, None if usual else lens.prompts, lens.precision)


def why_not_live(lens: Lens) -> TailscopeError | None:
    """What a live run of this lens lacks, or None; a folder of a person's own is not opened for it."""
    question = question_of(lens)
    named = is_known(lens.image_set) or find_set(lens.image_set) is not None
    if named and (missing := origins.why_no_pictures(question)):
        return missing
    _await_models(lens.model)
    return origins.why_no_model(question)


def has_scores(lens: Lens) -> bool:
    """Whether per-class accuracies of this lens were published."""
    return _scored_classes(lens) is not None


def own_counts(lens: Lens, classes: Named | None = None) -> choice.Choice:
    """The counts of a model's own pretraining set for the classes of a set, or what is near.

    Args:
        classes: those of the image set, where they are known; by themselves only those of published scores are.
    """
    classes = classes or _scored_classes(lens)
    return choice.choose(lens.model, classes.keys, classes.names) if classes else choice.choose(lens.model)


def choose_counts(source: str) -> None:
    """Take a source of counts; call it from a widget callback."""
    st.session_state["frequency"] = source


def switched_off() -> bool:
    """Whether a person wants no counts."""
    return _value("frequency") == NONE


def counted_in(classes: Named) -> str:
    """Where the counts of the lens come from and how many classes they join, in one sentence."""
    found = own_counts(lens(), classes)
    if _value("frequency") == OWN and found.source == lens().frequency:
        return found.sentence
    source = sources.info(lens().frequency)
    other = "; not the pretraining set of this model" if choice.elsewhere(lens().model, lens().frequency) else ""
    return f"{source.source}{other}; {len(counts(classes)):,} of {len(classes.keys):,} classes matched."


def _scored_classes(lens: Lens) -> Named | None:
    """The classes of a set with published scores, which are known without its pictures."""
    if find_set(lens.image_set) is None or is_here(lens.image_set):
        return None
    question = question_of(lens)
    try:
        return published_answer(question.model, question.image_set, question.prompts)
    except TailscopeError:
        return None


def classes() -> Named:
    """The classes of the lens's image set, also where it has published scores and no pictures."""
    scored = _scored_classes(lens())
    return images() if scored is None else scored


def images(id: str | None = None) -> ImageSet:
    """The lens's image set (or another), open, with corrected names, its pictures ready to be fetched.

    Raises:
        ImagesMissing: it has published scores, but no pictures on this disk.
    """
    id = id or lens().image_set
    if not is_known(id) and find_set(id) is not None and (missing := origins.why_no_pictures(origins.Question("", id))):
        raise missing
    names = corrections(id) or None
    roots = served.set_roots(id)
    if is_known(id):
        found = open_set(id, names=names, roots=roots)
    else:
        known = questions.in_use(id)
        state = (stamp(Path(split_option(id)[0])), _freshness().generation(known) if known else 0)
        found = need(question(_open, id, state, names=names, roots=roots, label=f"Reading {id}", lane="io"))
    questions.use(found)
    thumbs.publish(found)
    return found


def _open(id: str, _state: object, *, names: Mapping[str, str] | None, roots: Sequence[Path] | None) -> ImageSet:
    """The set as it is in this state of its files."""
    return open_set(id, names=names, roots=roots, fresh=True)


@st.cache_resource(show_spinner=False)
def _freshness() -> Freshness:
    return Freshness()


def corrections(id: str) -> dict[str, str]:
    """Class names that a person corrected for this set: class key -> name."""
    try:
        found = kept.read(_corrections_file(id))
    except (CacheError, OSError) as error:
        toast(f"The corrected names of {id} are lost: {error}")
        return {}
    return found["names"] if found else {}


def correct(id: str, names: Mapping[str, str]) -> None:
    """Keep corrected class names where nothing is evicted; the set's own folder is never written to.

    Raises:
        StorageFault: the disk refuses.
    """
    file = _corrections_file(id)
    with writing(file.parent):
        kept.write(file, {"set": id, "names": dict(names)})


def _corrections_file(id: str) -> Path:
    return kept.place("names", keys.digest(id))


def is_known(id: str) -> bool:
    """Whether this is the id of a set that is built in or can be fetched."""
    return any(info.id == id for info in served.sets())


def is_here(id: str) -> bool:
    """Whether the images of a named set are on this disk."""
    return any(info.id == id and info.available for info in served.sets())


def count_method(source: str) -> str:
    """The kind of count a person chose, or the source's own."""
    methods = sources.info(source).methods
    wanted = None if source.startswith(published.PREFIX) else st.session_state.get("count")
    return wanted if wanted in methods else sources.info(source).default


def counts(classes: Named) -> Mapping[str, int]:
    """Pretraining counts of the set's classes, empty without a source; a class that is absent is unknown."""
    found = table(lens().frequency)
    return recall(join, found, tuple(classes.keys), tuple(classes.names)) if found else {}


def table(source: str) -> FrequencyTable | None:
    """The counts of a source by the method that a person chose; None without a source."""
    return recall(sources.load, sources.info(source), count_method(source)) if source else None


def chosen_counts() -> sources.Frequency:
    """Counts that tell head from tail for every model of a page: those a person chose, or each model's own."""
    return None if _value("frequency") == OWN else table(lens().frequency) or NONE


def parts(classes: Named, model: str = "") -> Mapping[str, Tag]:
    """Head, torso or tail of every class with a known count.

    Args:
        model: take the counts of this model's own pretraining data where they are known.
    """
    found = table((model and sources.own(model)) or lens().frequency)
    return recall(split, found, tuple(classes.keys), tuple(classes.names)) if found else {}


def families(classes: Named, source: str | None = None) -> Mapping[str, str]:
    """Family of every class, where the frequency source (the lens's) knows it."""
    source = lens().frequency if source is None else source
    return sources.families_of(source, classes.keys, classes.names) if source else {}
