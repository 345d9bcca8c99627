"""The lab's what-if: call a class something else and see what it keeps, whom it takes from, and who takes from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from core.analysis.compare import Difference, compare, headline
from core.analysis.renaming import Effect, Taken, effect
from core.datasets.subset import renamed
from core.deck import slides as deck_slides
from core.deck.deck import Picture
from core.errors import BadInput, TailscopeError
from core.evaluation import evaluate
from core.prompts import real
from core.stats.format import percent, span
from core.text.search import meant_names
from core.types import Answer, ImageSet, Interval, Lens, Report
from pages.ui import choice, detail, gallery, pins, selection
from pages.ui.downloads import downloads
from pages.ui.jobs import here, question
from pages.ui.text import finding_of, quiet, section

TO = " → "


def what_if(found: Mapping[str, Answer], image_set: ImageSet) -> None:
    """The renamed classes, what each of them did, and the pictures whose answer changed."""
    section(
        "What if it were called something else?",
        "Only words change: pictures keep their vectors. Remove a name below to undo it, all of them to start again.",
    )
    labels = selection.labels_of(image_set.keys, image_set.names)
    _ask_for_name(image_set, labels)
    renames = _chosen(labels)
    under = st.selectbox("Under the prompts of", list(found), key="rename-lens", width=420) if len(found) > 1 else None
    lens = found[under or next(iter(found))].lens
    if not renames:
        return
    renamed = here(question(_work, lens, image_set, renames, label="Classifying under other names"), small=True)
    if renamed is None:
        return
    before, after, difference = renamed
    sentence = headline(difference, names={difference.a: "the old one", difference.b: "the new naming"})
    sentence = sentence[0].upper() + sentence[1:]
    finding_of(sentence)
    index = {key: place for place, key in enumerate(before.keys)}
    effects = [effect(before, after, index[key]) for key in renames]
    _table(effects, before, after)
    if (before.top[:, 0] == after.top[:, 0]).all():
        quiet(f"If {lens.prompts} does not use the class name, no other name can change an answer.")
    _pictures(before, after, image_set, difference)
    rows = [(before.names[one.index], after.names[one.index], _rate(one.before), _rate(one.after)) for one in effects]
    pins.pin(
        lambda: deck_slides.comparison_slide(
            sentence, ("class", "called", "before", "after"), rows, deck_slides.source_line(before, after),
            shown=_slide_pictures(after, image_set, difference),
        ),
        key="rename", label="Pin this what-if",
    )  # fmt: skip


def _ask_for_name(image_set: ImageSet, labels: Mapping[str, str]) -> None:
    chosen = selection.chosen(image_set)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Class", list(labels.values()), index=chosen[0] if chosen else 0, key="what", width=300)
        st.text_input("Call it", key="called", max_chars=100, width=300, placeholder="Another name")
        st.button("Rename", on_click=_add, type="primary")
    known = _spellings(image_set, list(labels.values()).index(name)) if name else None
    if known and len(known.counts) > 1:
        listed = sorted(known.counts.items(), key=lambda item: -item[1])[:6]
        quiet("Captions of icons-200k that use it: " + " · ".join(f"{term} {count:,}" for term, count in listed))


def _spellings(image_set: ImageSet, index: int) -> real.Synonyms | None:
    if not image_set.drawn:
        return None
    try:
        return real.synonyms(image_set)[index]
    except TailscopeError:
        return None


def _add() -> None:
    name, called = st.session_state.get("what"), " ".join((st.session_state.get("called") or "").split())
    if not name or not called:
        return
    kept = [entry for entry in st.session_state.get("renames") or [] if not entry.startswith(name + TO)]
    st.session_state["renames"] = [*kept, f"{name}{TO}{called}"]
    st.session_state["called"] = ""


def _chosen(labels: Mapping[str, str]) -> dict[str, str]:
    """Class key -> new name, from the URL or the list; entries that name no class are told."""
    if not (st.session_state.get("renames") or st.query_params.get_all("renames")):
        return {}
    keys_of = {label: key for key, label in labels.items()}

    def renaming(entry: str) -> tuple[str, str]:
        label, _, called = entry.rpartition(TO)
        if label in keys_of and called.strip():
            return keys_of[label], called[:100].strip()
        raise BadInput(f"{entry!r} names no class of this set; write the class, {TO.strip()}, and the new name.")

    def near(entry: str) -> list[str]:
        label, _, called = entry.rpartition(TO)
        return [f"{name}{TO}{called}" for name in meant_names(label, list(keys_of))] if called.strip() else []

    return dict(choice.several("Renamed", "renames", [], renaming, near=near, most=len(labels)).values())


def _work(
    lens: Lens, image_set: ImageSet, renames: Mapping[str, str], *, report: Report
) -> tuple[Answer, Answer, Difference]:
    """Both answers afresh and their paired difference; runs on the engine's worker."""
    before = evaluate.evaluate(lens, image_set=image_set, report=report)
    after = evaluate.evaluate(lens, image_set=renamed(image_set, renames), report=report)
    (found,) = compare({"old names": before, "new names": after}).pairs
    return before, after, found


def _rate(found: Interval) -> str:
    if found.value != found.value:
        return "–"
    return f"{percent(found.value)} ({span(found)})"


def _table(effects: Sequence[Effect], before: Answer, after: Answer) -> None:
    def taken(listed: Sequence[Taken]) -> str:
        return ", ".join(f"{before.names[one.other]} {one.n}" for one in listed[:3]) + (" …" if len(listed) > 3 else "")

    header = ["Class", "Called", "Before", "After", "Loses to", "Takes from", "Gives back"]
    rows = [
        [
            before.names[one.index], after.names[one.index], _rate(one.before), _rate(one.after),
            taken(one.lost), taken(one.stolen), taken(one.released),
        ]
        for one in effects
    ]  # fmt: skip
    st.dataframe(
        pd.DataFrame(rows, columns=header), key="effects", hide_index=True,
        column_config={
            "Before": st.column_config.TextColumn(help="Accuracy of the class with its 95 % interval"),
            "Takes from": st.column_config.TextColumn(help="Images of other classes, predicted as this only now"),
            "Gives back": st.column_config.TextColumn(help="Images of other classes, predicted as this before"),
            "Loses to": st.column_config.TextColumn(help="Own images, correct before, by what is predicted now"),
        },
        alt="What every new name did",
    )  # fmt: skip
    downloads("renamed", header, rows)


def _pictures(before: Answer, after: Answer, image_set: ImageSet, found: Difference) -> None:
    groups = []
    for title, rows in (("Broken by the new name", found.broken), ("Fixed by the new name", found.fixed)):
        places = after.rows.searchsorted(rows[:12]).tolist()
        items = [gallery.tile(after, image_set, place) for place in places]
        if items:
            groups.append({"key": "", "title": title, "note": f"{len(rows):,} images", "rate": "", "items": items})
    gallery.gallery(
        groups, image_set, key="renamed", layout="strips", empty="No image changes its verdict.",
        draw=detail.side_by_side({"old names": before, "new names": after}, image_set),
    )  # fmt: skip


def _slide_pictures(after: Answer, image_set: ImageSet, found: Difference) -> tuple[Picture, ...]:
    rows = [*found.broken[:6], *found.fixed[:6]]
    return deck_slides.pictures(after, image_set, after.rows.searchsorted(rows).tolist())
