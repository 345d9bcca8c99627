"""Views of failures from classes and single images: worst, attractors, confident mistakes, suspect labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.analysis import findings
from core.analysis.failures import attractors, confident_mistakes, label_suspects
from core.deck import slides as deck_slides
from core.evaluation.similar import search_for
from core.frequency.choice import place
from core.stats.format import percent
from core.types import Answer, ImageSet, Lens, Report
from pages.ui import detail, gallery, lensbar, pins
from pages.ui.downloads import downloads
from pages.ui.jobs import here, question
from pages.ui.paging import page_of
from pages.ui.text import finding_of, quiet

WORST = 12


def worst(answer: Answer, image_set: ImageSet) -> None:
    """Classes by falling failure, with pictures."""
    counts = lensbar.counts(image_set)
    judged = [index for index, score in enumerate(answer.classes) if score.n]
    ranked = sorted(judged, key=lambda index: (answer.classes[index].accuracy, -answer.classes[index].n))
    never = sum(answer.classes[index].accuracy == 0 for index in judged)
    known = [counts[answer.keys[index]] for index in ranked[:WORST] if answer.keys[index] in counts]
    where = place(answer.lens.model, answer.lens.frequency)
    count = f" The {WORST} worst were counted {min(known):,} to {max(known):,} times in {where}." if known else ""
    finding_of(f"{never:,} of {len(judged):,} classes are never recognised.{count}")
    shown = ranked[page_of(len(ranked), WORST, of=ranked, key="worst-page")]
    groups = [
        gallery.group(answer, image_set, label, gallery.positions_of(answer, label, most=5), counts) for label in shown
    ]
    gallery.gallery(
        groups, image_set, key="worst", layout="cards", empty="No class has pictures.",
        draw=detail.of(answer.lens, answer, image_set),
    )  # fmt: skip
    name = st.selectbox("Pin a concept", shown, format_func=lambda i: answer.names[i], key="worst-pin", width=300)
    if name is not None:
        places = gallery.positions_of(answer, name, most=12)
        pins.pin(
            lambda: deck_slides.concept_slide(answer, image_set, name, places, counts.get(answer.keys[name])),
            key="worst",
        )


def attracting(answer: Answer, image_set: ImageSet) -> None:
    """Classes that attract images of others: how many, of how many classes."""
    found = attractors(answer, top=40)
    if not found:
        quiet("No class attracts images of another.")
        return
    first = found[0]
    wrong = int((answer.top[:, 0] != answer.labels).sum())
    total = sum(one.n for one in found[:10])
    sentence = (
        f"“{answer.names[first.label]}” attracts {first.n} images of {first.classes} other classes; the ten strongest "
        f"attractors account for {percent(total / wrong)} of all {wrong:,} errors."
    )
    finding_of(sentence)
    left, right = st.columns([2, 3], gap="large")
    with left:
        counts = lensbar.counts(image_set)
        rows = [
            [answer.names[one.label], one.n, one.classes, 100 * one.precision, counts.get(answer.keys[one.label])]
            for one in found
        ]
        event = st.dataframe(
            pd.DataFrame(rows, columns=["Class", "Attracted", "Classes", "Precision", "Count"]),
            key="absorbers", hide_index=True, height=520, on_select="rerun", selection_mode="single-row",
            column_config={
                "Class": st.column_config.TextColumn(width=104),
                "Attracted": st.column_config.NumberColumn(width=64),
                "Classes": st.column_config.NumberColumn(width=54, help="Of how many other classes"),
                "Precision": st.column_config.NumberColumn(width=60, format="%.0f %%", help="Share that is correct"),
                "Count": st.column_config.NumberColumn(
                    width=50, format="localized", help="How often it was counted, by the source under Frequency"
                ),
            },
            alt=sentence,
        )  # fmt: skip
        downloads("absorbers", ["class", "attracted", "classes", "precision_percent", "count"], rows)
    with right:
        said = found[event.selection.rows[0] if event.selection.rows else 0].label
        places = np.flatnonzero((answer.top[:, 0] == said) & (answer.labels != said))
        places = places[np.argsort(answer.margin[places], kind="stable")][:24].tolist()
        quiet(f"Images of other classes that are predicted as {answer.names[said]}, most confident first.")
        grid(answer, image_set, places, key="attracted", title=f"Images predicted as “{answer.names[said]}”")


def confident(answer: Answer, image_set: ImageSet) -> None:
    """Mistakes made with the highest probability."""
    places = confident_mistakes(answer)
    if not len(places):
        quiet("There is no mistake.")
        return
    sure = float(np.mean(answer.probability[answer.top[:, 0] != answer.labels] > 0.5))
    finding_of(
        f"{findings.percent(sure)} of all mistakes are made with more than 50 % probability; the surest one predicts "
        f"“{answer.names[int(answer.top[places[0], 0])]}” at {findings.percent(answer.probability[places[0]])}."
    )
    grid(answer, image_set, places.tolist(), key="confident", title="The most confident mistakes")


def suspects(lens: Lens, answer: Answer, image_set: ImageSet) -> None:
    """Images whose label may be wrong: most of their nearest neighbours have the predicted class."""
    done = here(question(_suspects, lens, answer, image_set, label="Nearest neighbours of every mistake"))
    if done is None:
        return
    found, note = done
    finding_of(
        f"{len(found):,} labels are suspect: the model predicts another class, and most of the ten nearest "
        "neighbours have that class too."
        if len(found)
        else "No suspect labels: for no error do most of the ten nearest neighbours have the predicted class."
    )
    quiet(
        "A suspect is a reason to look, not a verdict: similar classes can mislead both classifier and neighbours. "
        + ("In the icon world every label is correct by construction. " if image_set.drawn else "")
        + note
    )
    grid(answer, image_set, found.tolist(), key="suspects", title="Labels to check")


def _suspects(lens: Lens, answer: Answer, image_set: ImageSet, *, report: Report) -> tuple[np.ndarray, str]:
    """Runs on the engine's worker; with the sentence on how neighbours were found."""
    mistakes = int((answer.top[:, 0] != answer.labels).sum())
    _, search = search_for(lens, image_set=image_set, questions=mistakes, report=report)
    return label_suspects(answer, search, report=report), search.note


def grid(answer: Answer, image_set: ImageSet, places: Sequence[int], *, key: str, title: str) -> None:
    """Pictures in order, with a pin for the first dozen."""
    items = [gallery.tile(answer, image_set, place) for place in places]
    groups = [{"key": "", "title": "", "items": items}] if items else []
    gallery.gallery(
        groups, image_set, key=key, empty="There is nothing to show.", draw=detail.of(answer.lens, answer, image_set)
    )
    if items:
        pins.pin(
            lambda: deck_slides.comparison_slide(
                title,
                (),
                (),
                deck_slides.source_line(answer),
                shown=deck_slides.pictures(answer, image_set, places[:12]),
            ),
            key=key,
            label="Pin these pictures",
        )
