"""The lab's strategies on several image sets beside one another, for the sidebar's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from core.analysis import across_sets, references
from core.deck import slides as deck_slides
from core.models.names import model_name
from core.published import openclip
from core.stats.format import many
from core.supervised import ask as classifiers
from core.types import Answer, ImageSet, Lens
from pages.ui import choice, lensbar, pins, served
from pages.ui.downloads import downloads
from pages.ui.jobs import expected, finished, here, question
from pages.ui.text import finding_of, quiet, section

MOST = 20


def sets_and_strategies(lens: Lens, lenses: Mapping[str, Lens], found: Mapping[str, Answer]) -> None:
    """A table of sets x strategies: accuracy with its interval, marked where it clearly differs from the baseline."""
    strategies = [one.prompts for one in lenses.values() if one.model == lens.model]
    section(
        "Sets and strategies",
        f"Top-1 accuracy in percent (95 % interval) under {model_name(lens.model)}. ▲ and ▼: clearly above or "
        f"below {strategies[0] if strategies else 'the first strategy'} on the same images.",
    )
    chosen = choice.several(
        "Image sets", "lab-sets", [lens.image_set, *(one.id for one in served.sets() if one.available)],
        served.image_set, default=[lens.image_set], most=MOST,
        help="Built-in ids or paths. Pictures that are not embedded yet under this model are embedded first.",
    )  # fmt: skip
    if not strategies or not chosen:
        quiet("Choose at least one image set, and one strategy of the sidebar's model under Compare.")
    else:
        _own(lens, found, strategies, list(dict.fromkeys(chosen.values())))
    _published(lens, list(chosen.values()))


def _own(lens: Lens, found: Mapping[str, Answer], strategies: Sequence[str], chosen: Sequence[str]) -> None:
    sets: Sequence[ImageSet] = [lensbar.images(id) for id in chosen]
    label = f"{many(len(strategies), 'prompt set')} on {many(len(sets), 'image set')} under {model_name(lens.model)}"
    known = [one for one in found.values() if one.lens.model == lens.model]
    asked = question(across_sets.set_table, lens, sets, strategies, known=known, label=label)
    there = {(one.lens.image_set, one.lens.prompts) for one in known}
    left = [one for one in sets if not there >= {(one.id, strategy) for strategy in strategies}]
    timing = question(
        classifiers.estimate, [lens.model], left, prompts=strategies[0], label="Estimating the time of these sets"
    )
    if finished(asked) is None and not expected(timing):
        return
    table = here(asked, failing="")
    if table is None:
        return
    sentence = across_sets.headline(table)
    finding_of(sentence)
    shown = [[cell.image_set for cell in table.of(table.strategies[0])]]
    shown += [[across_sets.cell_text(cell) for cell in table.of(strategy)] for strategy in table.strategies]
    header = ["set", *table.strategies]
    listed = [list(row) for row in zip(*shown, strict=True)]
    listed.append(["mean over sets", *(f"{100 * table.mean(strategy):.1f}" for strategy in table.strategies)])
    st.dataframe(pd.DataFrame(listed, columns=header), hide_index=True, key="set-table", alt=sentence)
    with st.container(horizontal=True):
        downloads("sets-and-strategies", *across_sets.rows(table))
        source = deck_slides.source_line(*found.values())
        pins.pin(lambda: deck_slides.comparison_slide(sentence, header, listed, source), key="set-table",
                 label="Pin table")  # fmt: skip
    quiet(
        "Clear: the interval of the change in mean class accuracy (resampling classes) excludes zero, and McNemar's "
        f"exact p over images is below {across_sets.SIGNIFICANT:g} after Holm over all changes of this table."
    )
    for cell in table.cells:
        if cell.notes:
            quiet(f"{cell.strategy} on {cell.image_set}: {' '.join(cell.notes)}")


def _published(lens: Lens, chosen: Sequence[str]) -> None:
    """The printed and released tables of prompts, for the sidebar's model where there are any; chosen sets first."""
    section(
        "Published tables",
        "Top-1 accuracy in percent under CuPL, DCLIP and WaffleCLIP with the baseline of each source. Splits, "
        "templates and class names differ between sources and from yours; compare within a source.",
    )
    models = list(references.prompt_models())
    own = next((one for one in models if references.prompt_figures(lens.model) == references.prompt_figures(one)), "")
    if not own:
        quiet(f"Nothing is published for {model_name(lens.model)}; other models:")
    models.sort(key=lambda model: model != own)
    model = st.selectbox("Model of the published tables", models, key="published-prompts", bind="query-params",
                         width=320)  # fmt: skip
    asked = {openclip.set_name(one) for one in chosen}
    figures = sorted(references.prompt_figures(model or models[0]), key=lambda one: one.set not in asked)
    by_row: dict[tuple[str, str], dict[str, float]] = {}
    for one in figures:
        by_row.setdefault((one.set, one.source.partition(",")[0]), {})[one.prompts] = 100 * one.acc1
    prompts = list(dict.fromkeys(one.prompts for one in figures))
    listed = [{"set": set, "source": source} | values for (set, source), values in by_row.items()]
    st.dataframe(
        pd.DataFrame(listed, columns=["set", *prompts, "source"]), hide_index=True, placeholder="–",
        column_config={one: st.column_config.NumberColumn(format="%.1f") for one in prompts},
        alt=f"Published accuracy of {model} by set and prompts",
    )  # fmt: skip
    sources = dict.fromkeys(one.source for one in figures)
    quiet(" ".join(f"{one}." for one in sources))
    header = ["arch", "pretrained", "set", "prompts", "acc1", "images", "classes", "source"]
    downloads("published-prompts", header, [[getattr(one, name) for name in header] for one in figures])
