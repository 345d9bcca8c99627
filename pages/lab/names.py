"""The lab's arrows: every class that REAL-Prompt renames, from its name to the spelling that captions use most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from core.analysis.renaming import Arrow, arrows
from core.charts.lab_names import arrow_figure
from core.deck import slides as deck_slides
from core.errors import NotHere, TailscopeError
from core.prompts import other_names, real
from core.stats import intervals as stats
from core.stats.format import points
from core.types import Answer, ImageSet
from pages.frequency import overlay
from pages.ui import lensbar, selection, tables
from pages.ui.downloads import downloads, plot
from pages.ui.text import finding_of, quiet, section

RENAMING = ("real", "other-name")


def synonyms(found: Mapping[str, Answer], image_set: ImageSet) -> None:
    """The arrows between the first lens with names and the first with synonyms, of one model."""
    after = next((label for label, one in found.items() if one.lens.prompts.partition(":")[0] in RENAMING), None)
    if after is None:
        section(
            "Names and synonyms",
            "Choose real or other-name:FILE among the setups to see arrows from names to synonyms.",
        )
        return
    same = [k for k, one in found.items() if k != after and one.lens.model == found[after].lens.model]
    # The sentences of real are those of simple, so that the name is the only difference.
    before = next((label for label in same if found[label].lens.prompts == "simple"), next(iter(same), None))
    if before is None:
        section("Names and synonyms", "Arrows need a setup of the same model under the classes' own names: add simple.")
        return
    option = found[after].lens.prompts.partition(":")[2]
    section("From a name to its most frequent synonym", f"Ring: {before}. Arrowhead: {after}, coloured by frequency.")
    try:
        listed = arrows(found[before], found[after], _synonyms(found[after], image_set))
    except TailscopeError as error:
        quiet(str(error))
        return
    sentence = told(listed, len(found[before].keys))
    finding_of(sentence)
    if not listed:
        return
    corpus = option if option in real.CORPORA else real.CORPUS if not option else "the counted captions"
    figure = arrow_figure(listed, before=before, after=after, corpus=corpus)
    plot(
        figure,
        key="arrows",
        alt=sentence,
        on_select=lambda: overlay.selected("arrows", found[before].keys),
        select=("points", "box", "lasso"),
    )
    tables.plotted(
        {
            "Name": [one.name for one in listed], "Synonym": [one.spelling for one in listed],
            before: [one.before for one in listed], f"{after} ": [one.after for one in listed],
        },
        lambda row: _select(listed[row].name, found[before]), key="arrows-table", of="synonyms",
        shares=(before, f"{after} "),
    )  # fmt: skip
    rows = [[one.name, one.spelling, *one.counts, one.before, one.after, one.n] for one in listed]
    header = ["name", "synonym", "captions_name", "captions_synonym", before, after, "n"]
    source = deck_slides.source_line(found[after], found[before])
    downloads("synonyms", header, rows, figure=figure, title=sentence, source=source)


def _synonyms(answer: Answer, image_set: ImageSet) -> tuple[real.Synonyms, ...]:
    """Every class with the name that this answer's strategy uses for it, and the counts of both."""
    strategy, _, option = answer.lens.prompts.partition(":")
    if strategy == "real":
        return real.synonyms(image_set, option)
    table = lensbar.table(answer.lens.frequency)
    if table is None:
        raise NotHere("Arrows from names to other names need counts: choose a source in the sidebar.")
    names, _ = other_names.read(image_set, option)
    counted = other_names.counted(image_set, table, names)
    return tuple(
        replace(one, chosen=given[0] if given else one.name) for one, given in zip(counted, names, strict=True)
    )


def _select(name: str, answer: Answer) -> None:
    selection.select([answer.keys[list(answer.names).index(name)]])


def told(listed: tuple[Arrow, ...], classes: int) -> str:
    """What the synonyms did, in one sentence."""
    if not listed:
        return "No class is renamed: every name is its own most frequent spelling, or was not counted."
    better, worse = sum(one.after > one.before for one in listed), sum(one.after < one.before for one in listed)
    change = stats.mean(np.array([one.after - one.before for one in listed]))
    size = f"{points(change.value, plus=True)} points"
    if np.isfinite(change.low):
        size += f" on average (95 % CI {points(change.low)} to {points(change.high)})"
    n = f"1 of {classes:,} classes has" if len(listed) == 1 else f"{len(listed):,} of {classes:,} classes have"
    return f"{n} a more frequent synonym: {better:,} gain and {worse:,} lose, {size}."
