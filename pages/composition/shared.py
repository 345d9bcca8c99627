"""What the composition page asks: the lens on a set of compositions, with a person's own tables, as jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import streamlit as st

from core.composition import measure, scores
from core.composition.answers import Composed
from core.composition.pairs import CompositionSet
from core.composition.sets import PARTNER
from core.composition.shipped import shipped_comparison
from core.deck import slides as deck_slides
from core.errors import UnreadableData
from core.frequency import labels, sources
from core.runtime.jobs import Job
from core.stats.format import percent
from core.supervised import ask as classifiers
from core.types import Answer, ImageSet, Lens
from pages.ui import answers, detail, gallery, lensbar, served
from pages.ui.downloads import downloads
from pages.ui.jobs import ask, expected, finished, may_change, question, watch
from pages.ui.text import finding, quiet

T = TypeVar("T")
HELD_OUT = "icons-composition"
Side = tuple[Lens, Composed, CompositionSet]


def asked(lens: Lens) -> measure.Question:
    """The question of this page, opened; `icons` stands for its held-out pairs, which are compared with it."""
    if lens.image_set in PARTNER:
        lens = replace(lens, image_set=HELD_OUT)
    images = lensbar.images(lens.image_set)
    overrides = counts = None
    if images.drawn:
        lensbar.images(PARTNER.get(lens.image_set, lens.image_set))  # so that the partner's pictures can be fetched
    else:
        with st.expander("Tables of your own", on_change="rerun", key="composition-tables"):
            overrides = _file("Overrides", "overrides", "CSV folder,attribute,object,imagenet_index: folders whose "
                              "name the longest object name at its end splits wrongly, or not at all.")  # fmt: skip
            counts = _file("Pair counts", "paircounts", "CSV attribute,object,count: how many pretraining captions "
                           "name both. A pair that is not listed is unknown.")  # fmt: skip
    reading = question(
        measure.question, lens, image_set=images, overrides=overrides, counts=counts,
        label=f"Reading the compositions of {lens.image_set}", lane="io",
    )  # fmt: skip
    job = ask(reading)
    return _first(job, lens)


def _first(job: Job[T], lens: Lens) -> T:
    """The value of a job that the whole page needs, or what it waits for in the page's place."""
    if not job.wait(0):
        finding("Composition", f"Evaluating {answers.label(lens)}, attribute and object together.")
        quiet("Pictures are embedded once for each model; every question after that is quick. Stopping keeps vectors.")
        watch(job)
        st.stop()
    return job.value()


def _file(label: str, key: str, help: str) -> Path | None:
    typed = st.text_input(label, key=key, bind="query-params", placeholder="Path of a CSV file", help=help)
    if not typed:
        return None
    found = served.path(typed)
    if not found.is_file():
        raise UnreadableData(f"There is no file {typed}; give the path of a CSV file.")
    return found


def measured(asked: measure.Question) -> measure.Measured:
    """The committed answer at once where there is one, else the live one or its progress in the page's place."""
    live = question(measure.measure, asked, label=f"Compositions: {answers.label(asked.lens)}", keep=may_change())
    if (here := finished(live)) is not None:
        return here
    reading = question(shipped_comparison, asked, label=f"Reading the run on {asked.lens.image_set}", lane="io")
    if (committed := _first(ask(reading), asked.lens)) is None:
        sets = [asked.images, *([asked.partner] if asked.partner else [])]
        timing = question(
            classifiers.estimate,
            [asked.lens.model],
            sets,
            prompts=asked.lens.prompts,
            label="Estimating the time of this run",
        )
        if not expected(timing):
            st.stop()
        return _first(ask(live), asked.lens)
    answers.may_compute(live, asked.lens, *([asked.partner_lens] if asked.partner else []))
    return committed


def origin(asked: measure.Question, found: measure.Measured) -> None:
    """Badge of the origin, images used, candidates, partner."""
    partner = [f"compared with {asked.partner_lens.image_set}"] if asked.partner else []
    answers.origin_line(found.found.answer, "prompts say “attribute object”", *partner)


def source(asked: measure.Question, found: measure.Measured) -> str:
    """Where numbers come from, for a slide."""
    return deck_slides.source_line(found.found.answer)


def unmatched(asked: measure.Question) -> None:
    """Folders without attribute and object, listed."""
    listed = asked.images.compositions.left_out
    if listed:
        quiet(
            f"{len(listed):,} folders are not used because no known object ends their name; "
            "give them in a table of overrides."
        )
        downloads("unmatched-folders", ["folder", "attribute", "object", "imagenet_index"],
                  [[item.item, "", "", ""] for item in listed])  # fmt: skip


def sides(asked: measure.Question, found: measure.Measured) -> list[Side]:
    """Lens, answers and pictures of the set and of its partner, all among the same compositions."""
    return [
        (lens, one, images) for (lens, images), one in zip(measure.among_all(asked), found.sides.composed, strict=True)
    ]


def pictures(shown: tuple[Lens, Answer, ImageSet], positions: Sequence[int], *, key: str, empty: str) -> None:
    """Pictures at rows of an answer of a lens on a set."""
    lens, answer, images = shown
    items = [gallery.tile(answer, images, position) for position in positions]
    groups = [{"key": "", "title": "", "note": "", "rate": "", "items": items}] if items else []
    gallery.gallery(groups, images, key=key, empty=empty, draw=detail.of(lens, answer, images))


def by_frequency(asked: measure.Question, found: measure.Measured) -> None:
    """Accuracy of head, torso and tail objects, where their counts are known."""
    objects = asked.images.compositions
    groups = sources.groups(asked.lens.model, objects.objects, objects.object_names, frequency=lensbar.chosen_counts())
    shares = scores.by_group(found.found.object, found.found.right, groups.tags, objects.objects)
    told = [
        f"{group} {percent(shares[group])} (95 % CI {100 * shares[f'{group}_low']:.0f}–"
        f"{100 * shares[f'{group}_high']:.0f}, {shares[f'{group}_n']:.0f} objects)"
        for group in ("head", "torso", "tail")
        if group in shares
    ]
    if told:
        quiet(f"Composition accuracy by counts of the object in {labels.label(groups.source)}: " + ", ".join(told))
