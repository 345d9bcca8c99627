"""The lens in the sidebar: model, images, prompts and frequency, all kept in the URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cache import CacheError, kept, keys
from core.datasets import open_set, split_option
from core.datasets.freshness import Freshness
from core.datasets.layout import stamp
from core.errors import UnknownName
from core.evaluation import questions
from core.faults import writing
from core.frequency import published, sources
from core.frequency.table import METHODS, join
from core.models import registry as models
from core.prompts import AGGREGATIONS, strategies
from core.runtime import thumbnails as thumbs
from core.runtime.jobs import engine, question
from core.stats.intervals import Tag, split
from core.types import Answer, Classes, FrequencyTable, ImageSet, Lens
from pages.ui import served
from pages.ui.jobs import finished, need, recall
from pages.ui.text import plain, quiet, toast, warn

OWN, NONE = "auto", "none"


def defaults() -> dict[str, Any]:
    """The lens of a visitor who chose nothing: the icon model with the largest corpus."""
    icons = [info.id for info in models.icon_models()]
    best = next((id for id in icons if id == "icon-RN,icons-200k"), icons[0] if icons else "ViT-B-32-quickgelu,openai")
    return {"model": best, "set": "icons", "prompts": "simple", "frequency": OWN, "count": METHODS[1]}


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
    options = _options(key, values, first) if free else list(dict.fromkeys([first, *values]))
    found = st.selectbox(label, options, key=key, bind="query-params", accept_new_options=free, help=help)
    return found or first


def sidebar(top: DeltaGenerator) -> Lens:
    """Draw the lens and return it, validated.

    Args:
        top: the head of the page, where an unknown model is said and the nearest ones are offered.

    Raises:
        TailscopeError: what was typed or linked names nothing that can be used here.
    """
    start, named = defaults(), strategies()
    ids = [info.id for info in known_models()]
    model = _choose(
        "Model", "model", ids, start["model"],
        "Any model that open_clip loads, in its own spelling: ARCH,PRETRAINED, hf-hub:ORG/REPO, local-dir:PATH, "
        "or ARCH,CHECKPOINT-FILE.",
    )  # fmt: skip
    try:
        served.model(model)
    except UnknownName as error:
        model = _instead(model, error, top)
    image_set = _choose(
        "Images", "set", [info.id for info in served.sets() if info.available], start["set"],
        "A built-in set, or the path of a folder: class folders, a webdataset, a table, or saved embeddings. "
        "PATH#split=val, #label-column=breed and #path-column=file say how to read it.",
    )  # fmt: skip
    prompts = _choose(
        "Prompts", "prompts", [strategy.id for strategy in named], start["prompts"],
        "A strategy, a template of your own such as `a drawing of a {c}.`, or the path of a prompt file.\n\n"
        + "\n".join(f"- **{strategy.id}**: {strategy.help}" for strategy in named)
        + "\n\nA rule at its end says how sentences make a class score, as in `ensemble@max`:\n\n"
        + "\n".join(f"- **@{rule}** {told}" for rule, told in AGGREGATIONS.items()),
    )  # fmt: skip
    frequency = _choose(
        "Frequency", "frequency", [*(source.name for source in sources.list_sources()), NONE], OWN,
        "Where the pretraining counts come from. auto: the data that this model was trained on, where known.",
        free=False,
    )  # fmt: skip
    if model not in {info.id for info in models.icon_models()}:
        known_models(wait=True)
    lens = validated(model, image_set, prompts, frequency)
    if lens.frequency:
        offered = sources.info(lens.frequency)
        if st.session_state.get("count", offered.default) not in offered.methods:
            del st.session_state["count"]  # another source was chosen, which counts otherwise
        first = start["count"] if start["count"] in offered.methods else offered.default
        _choose(
            "Counts", "count", offered.methods, first,
            "image: samples whose picture shows the concept. text: samples whose caption names it. "
            "integrated: both on the same sample.",
            free=False,
        )  # fmt: skip
    else:
        quiet("No pretraining counts are known for this model; choose a source under Frequency.")
    if reason := published.problem():
        quiet(reason)
    warning = models.quickgelu_warning(lens.model)
    if warning:
        quiet(warning)
    st.session_state["_lens"] = lens
    return lens


def _instead(typed: str, error: UnknownName, top: DeltaGenerator) -> str:
    """Offer the models that an unknown name may mean; the page stays with the model that it had."""
    before = st.session_state["_lens"].model if "_lens" in st.session_state else defaults()["model"]
    with top:
        warn(f"{error} The page stays with {before}.")
        with st.container(horizontal=True):
            for id in models.nearest(typed):
                st.button(f"Use {plain(id)}", key=f"use-{id}", on_click=use_model, args=(id,))
            st.button("Use the built-in model and images", on_click=reset)
    return before


def use_model(id: str) -> None:
    """Make this the model of the lens; call it from a widget callback."""
    st.session_state["model"] = id


def validated(model: str, image_set: str, prompts: str, frequency: str) -> Lens:
    """A lens of typed or linked text; paths outside the served folders are refused here."""
    model, image_set = served.model(model), served.image_set(image_set)
    prompts = served.prompts(prompts)
    if frequency == OWN:
        frequency = sources.own(model)
    return Lens(model, image_set, prompts, "" if frequency == NONE else frequency)


def lens() -> Lens:
    """The lens of this run."""
    return st.session_state["_lens"]


def images(id: str | None = None) -> ImageSet:
    """The lens's image set (or another), open, with corrected names, its pictures ready to be fetched."""
    id = id or lens().image_set
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
    """The kind of count a person chose, or the first that this source has."""
    methods = sources.info(source).methods
    wanted = st.session_state.get("count")
    return wanted if wanted in methods else methods[0]


def counts(image_set: ImageSet) -> Mapping[str, int]:
    """Pretraining counts of the set's classes, empty without a source; a class that is absent is unknown."""
    found = table(lens().frequency)
    return recall(join, found, tuple(image_set.keys), tuple(image_set.names)) if found else {}


def table(source: str) -> FrequencyTable | None:
    """The counts of a source by the method that a person chose; None without a source."""
    return recall(sources.load, sources.info(source), count_method(source)) if source else None


def parts(image_set: ImageSet, model: str = "") -> Mapping[str, Tag]:
    """Head, torso or tail of every class with a known count.

    Args:
        model: take the counts of this model's own pretraining data where they are known.
    """
    found = table(sources.own(model) or lens().frequency)
    return recall(split, found, tuple(image_set.keys), tuple(image_set.names)) if found else {}


def families(classes: Classes | Answer, source: str | None = None) -> Mapping[str, str]:
    """Family of every class, where the frequency source (the lens's) knows it."""
    source = lens().frequency if source is None else source
    return sources.families_of(source, classes.keys, classes.names) if source else {}
