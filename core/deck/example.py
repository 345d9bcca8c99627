"""The deck that ships, for a lecturer to start from: real models' curves, an icon that fails, a concept, prompts.

``python -m core.deck.example`` computes it from the release and the committed runs and writes
``assets/deck/example.tailscope.json``; every number in it is computed, only the notes are written by hand.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from cache.files import write_bytes
from core.analysis import concepts, overview, prompt_gains
from core.charts.overview import curves_figure
from core.charts.prompt_gains import gains_figure
from core.datasets import open_set
from core.deck.deck import Deck, Slide, from_json, to_json
from core.deck.slides import comparison_slide, concept_slide, plot_slide
from core.errors import NotHere
from core.evaluation.shipped import SET, STRATEGY, shipped_answer
from core.frequency import sources
from core.frequency.table import join
from core.paths import ASSETS
from core.published.manifest import CITATION
from core.published.names import HEADLINE_METHOD, METHODS
from core.published.store import open_store
from core.published.view import set_name
from core.stats.format import percent
from core.types import Lens

FILE = ASSETS / "deck" / "example.tailscope.json"
MODEL, ICON_MODEL = "ViT-L-14,laion400m_e32", "icon-RN,icons-200k"
ICON, CONCEPT, PICTURES = "apple", "vine snake", 12


@cache
def example() -> Deck:
    """The deck that ships."""
    return from_json(FILE.read_bytes())


def compute() -> Deck:
    """The example from the release and the committed runs."""
    return Deck("CLIP in the long tail: an example", (_curves(), _icon(), _concept(), _prompts()))


def _curves() -> Slide:
    found = overview.curves()
    shown = next(one for one in found if one.model == MODEL)
    slide = plot_slide(overview.headline(found), curves_figure(found, MODEL), CITATION)
    return replace(
        slide,
        facts=(overview.summary(shown),),
        notes="Each line is a model, each mark the mean accuracy of the concepts counted so often. Ask first what the "
        "lines would look like if zero-shot meant zero-shot. The lane at the left holds concepts never counted in "
        "the model's own pretraining set: images without a caption that names them may still have been there.",
    )


def _icon() -> Slide:
    answer = shipped_answer(Lens(ICON_MODEL, SET, STRATEGY))
    if answer is None:
        raise NotHere(f"No run of {ICON_MODEL} on {SET} was committed.")
    label = answer.names.index(ICON)
    table = sources.load_source(sources.own(ICON_MODEL))
    count = join(table, answer.keys, answer.names)[answer.keys[label]]
    rows = np.flatnonzero(answer.labels == label)
    worst = rows[np.argsort(answer.margin[rows], kind="stable")][:PICTURES]
    slide = concept_slide(answer, open_set(SET), label, worst.tolist(), count)
    return replace(
        slide,
        title=slide.facts[0],
        facts=(),
        notes="A small CLIP model trained from scratch on captioned icons, so that every count is exact. Let people "
        "guess what the model saw before reading the labels. Open Explore for the other concepts.",
    )


def _concept() -> Slide:
    found = concepts.find(CONCEPT)
    if found is None:
        raise NotHere(f"The release does not know {CONCEPT}.")
    rows = []
    for one in found.counts:
        own = [score for score in found.scores if score.pretraining == one.pretraining]
        place = own and [score for score in own if score.image_set == found.places[0].image_set]
        if place and HEADLINE_METHOD in one.by_method:
            best, worst = place[0], place[-1]
            span = percent(best.accuracy) if best == worst else f"{percent(worst.accuracy)} to {percent(best.accuracy)}"
            rows.append((set_name(one.pretraining), f"{one.by_method[HEADLINE_METHOD]:,}", str(len(place)), span))
    rows.sort(key=lambda row: int(row[1].replace(",", "")))
    first = found.scores[0]
    slide = comparison_slide(
        f"“{found.name}”: counted {rows[-1][1]} times at most, and recognised best by {first.model}",
        ("pretraining set", f"counted, {METHODS[HEADLINE_METHOD]}", "models", f"accuracy on {found.places[0].title}"),
        rows,
        CITATION,
    )
    return replace(
        slide,
        notes="One concept in every counted pretraining set. Look up another one on the Overview and pin its plot.",
    )


def _prompts() -> Slide:
    store = open_store()
    whole, sets = prompt_gains.by_set(store, (), "class", "ensemble")
    found = prompt_gains.scores(store, (), "class", "ensemble")
    order = sorted(sets, key=lambda one: -one.change.value)
    slide = plot_slide(prompt_gains.headline(found, whole), gains_figure(order), CITATION)
    return replace(
        slide,
        facts=("Change of mean class accuracy with 95 % intervals over concepts; open marks may be noise after Holm.",),
        notes="Templates are the cheapest remedy. Compare where they help: the right half shows head and tail apart.",
    )


def write(file: Path = FILE) -> None:
    """Compute the example and write it."""
    write_bytes(file, to_json(compute()).encode())


if __name__ == "__main__":
    write()
