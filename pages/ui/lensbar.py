"""The lens of this run: model, images, prompts and counts as they were chosen, typed or linked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from core import questions
from core.datasets import open_set, split_option
from core.datasets.freshness import Freshness
from core.datasets.layout import stamp
from core.errors import BadInput, TailscopeError, UnknownName, UnreadableData
from core.evaluation import origins
from core.frequency import choice, published, sources
from core.frequency.table import flags as flags_of
from core.frequency.table import join, split
from core.models import registry as models
from core.published.answers import find_set, published_answer
from core.published.models import find_model, published_models
from core.published.names import RETRIEVAL_METRICS
from core.runtime import thumbnails as thumbs
from core.runtime.jobs import engine, question
from core.stats.intervals import Tag
from core.types import FrequencyTable, ImageSet, Lens
from pages.ui import corrections, served
from pages.ui.jobs import finished, need, recall
from pages.ui.selection import Named

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
    elif not models_are_read():
        return models.icon_models()
    return _listed()


def models_are_read() -> bool:
    """Whether open_clip's list of models has been read."""
    return finished(_READ_MODELS) is not None


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


def value(key: str) -> str:
    """A part of the lens as it was chosen, typed or linked, whether or not this page shows it."""
    return st.session_state.get(key) or st.query_params.get(key) or defaults()[key]


def usable(key: str) -> tuple[str, BadInput | None]:
    """A part of the lens as it can be used, and what is wrong with what was typed or linked there.

    An unknown name changes nothing: the part that was there before it stays.
    """
    checks: Mapping[str, Callable[[str], object]] = {
        "model": canonical_model, "set": _image_set, "prompts": served.prompts,
    }  # fmt: skip
    before: dict[str, str] = st.session_state.setdefault("_before", {})
    typed = value(key)
    try:
        checks[key](typed)
    except BadInput as error:
        return before.get(key, defaults()[key]), error
    before[key] = typed
    return typed, None


def use_model(id: str) -> None:
    """Make this the model of the lens; call it from a widget callback. The sidebar offers the way back."""
    st.session_state["_model_was"] = value("model")
    st.session_state["model"] = id


def validated(model: str, image_set: str, prompts: str, frequency: str) -> Lens:
    """A lens of typed or linked text; paths outside the served folders are refused here."""
    image_set = _image_set(image_set)
    model = canonical_model(model)
    found = Lens(model, image_set, served.prompts(prompts), "" if frequency in (NONE, OWN) else frequency)
    return replace(found, frequency=own_counts(found).source) if frequency == OWN else found


def canonical_model(text: str) -> str:
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
        model, image_set, prompts = (usable(key)[0] for key in ("model", "set", "prompts"))
        st.session_state["_lens"] = validated(model, image_set, prompts, value("frequency"))
    return st.session_state["_lens"]


def question_of(lens: Lens) -> origins.Question:
    """The lens as a question to published and imported answers, with the usual prompts where none were chosen."""
    scored = find_set(lens.image_set)
    usual = scored is not None and lens.prompts == defaults()["prompts"] and lens.prompts not in scored.strategies
    return origins.Question(lens.model, lens.image_set, None if usual else lens.prompts, lens.precision)


def is_retrieval(image_set: str) -> bool:
    """Whether what was published of a set is retrieval, with a metric in place of prompts."""
    scored = find_set(image_set)
    return scored is not None and scored.strategies == RETRIEVAL_METRICS


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
    return value("frequency") == NONE


def counted_in(classes: Named) -> str:
    """Where the counts of the lens come from and how many classes they join, in one sentence."""
    found = own_counts(lens(), classes)
    if value("frequency") == OWN and found.source == lens().frequency:
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


def captioned() -> ImageSet | None:
    """The lens's image set, open, if it holds captions and no classes: it is for retrieval."""
    id = lens().image_set
    if is_known(id) or find_set(id) is not None:
        return None
    try:
        opened = recall(open_set, id, captions=True, roots=served.set_roots(id))
    except TailscopeError:
        return None
    return opened if opened.kind == "captions" else None


def images(id: str | None = None) -> ImageSet:
    """The lens's image set (or another), open, with corrected names, its pictures ready to be fetched.

    Raises:
        ImagesMissing: it has published scores, but no pictures on this disk.
    """
    id = id or lens().image_set
    if not is_known(id) and find_set(id) is not None and (missing := origins.why_no_pictures(origins.Question("", id))):
        raise missing
    names = corrections.of(id) or None
    roots = served.set_roots(id)
    if is_known(id):
        found = open_set(id, names=names, roots=roots)
    else:
        known = questions.in_use(id)
        changes = _freshness().generation(known) if known else 0
        state = (stamp(Path(split_option(id)[0])), changes)
        found = need(question(_open, id, state, names=names, roots=roots, label=f"Reading {id}", lane="io"))
        shown: dict[str, int] = st.session_state.setdefault("_changes", {})
        shown[id] = changes if known else _freshness().generation(found)
    questions.use(found)
    thumbs.publish(found)
    return found


def _open(id: str, _state: object, *, names: Mapping[str, str] | None, roots: Sequence[Path] | None) -> ImageSet:
    """The set as it is in this state of its files."""
    return open_set(id, names=names, roots=roots, fresh=True)


@st.cache_resource(show_spinner=False)
def _freshness() -> Freshness:
    return Freshness()


def changes_shown() -> dict[str, int]:
    """Image sets of this run with files of their own: how often those had changed when the run opened the set."""
    return dict(st.session_state.get("_changes", {}))


def are_as_shown(shown: Mapping[str, int]) -> bool:
    """Whether the picture files of these sets are still as they were (``changes_shown``)."""
    sets = ((questions.in_use(id), changes) for id, changes in shown.items())
    return all(_freshness().generation(known, now=True) == changes for known, changes in sets if known is not None)


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


def flags(classes: Named) -> Mapping[str, tuple[str, ...]]:
    """What is doubtful about the counts of the set's classes (``homonym``, ``hyphen`` …), for those of which it is."""
    found = table(lens().frequency)
    return recall(flags_of, found, tuple(classes.keys), tuple(classes.names)) if found else {}


def table(source: str) -> FrequencyTable | None:
    """The counts of a source by the method that a person chose; None without a source."""
    return recall(sources.load, sources.info(source), count_method(source)) if source else None


def chosen_counts() -> sources.Frequency:
    """Counts that tell head from tail for every model of a page: those a person chose, or each model's own."""
    return None if value("frequency") == OWN else table(lens().frequency) or NONE


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
    found = sources.info(source) if source else None
    return recall(sources.families_in, found, tuple(classes.keys), tuple(classes.names)) if found else {}
