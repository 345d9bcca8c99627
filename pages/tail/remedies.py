"""What can be done about the tail on cached vectors: adjusted scores, and heads trained on a few pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import streamlit as st

from core.analysis import few_shot_head, label_bias
from core.analysis.group_change import GroupChange
from core.charts.remedies import change_figure, lines_figure
from core.stats.format import signed
from core.types import Answer, ImageSet, Interval
from pages.ui.answers import provenance
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import here, question
from pages.ui.switches import switch
from pages.ui.text import finding_of, quiet, section

T = TypeVar("T")
PRIORS = {
    "label-free": "Label-free: how the model's own predictions spread over the classes (Frolic).",
    "labelled": "Labelled: the same from the true labels of the other half of the images (GLA).",
    "counts": "Counts: the logarithm of the pretraining counts.",
}
HEADER = ["group", "classes", "n", "before", "after", "change", "low", "high", "fixed", "broken"]


def remedies_section(answer: Answer, image_set: ImageSet, counts: Mapping[str, int]) -> None:
    """Each remedy under its heading."""
    bias(answer, image_set, counts)
    few_shots(answer, image_set, counts)
    quiet("Learned prompts: python -m core prompts learn makes a strategy, learned:FILE, that every page takes.")


def bias(answer: Answer, image_set: ImageSet, counts: Mapping[str, int]) -> None:
    """Logit adjustment with its null and its strengths."""
    section(
        "Correcting the label bias",
        "Some classes score high whatever the picture shows and are predicted too often. The log prior times a "
        "strength is subtracted from the logits; grey bars are the same priors dealt to the classes at random.",
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        methods = [name for name in PRIORS if counts or name != "counts"]
        method = switch("Prior", "prior", methods, show=str.capitalize, help=" ".join(PRIORS[name] for name in methods))
        strength = st.select_slider("Strength", label_bias.STRENGTHS[1:], value=1.0, key="strength")
    found = here(
        question(
            label_bias.adjust_lens,
            answer.lens,
            image_set=image_set,
            counts=dict(counts),
            method=method,
            strength=strength,
            label=f"Adjusting {answer.lens.model} by {method}",
        ),
        small=True,
        failing="",
    )
    if found is None:
        return
    sentence = label_bias.headline(found)
    finding_of(sentence)
    if found.follows_counts.value == found.follows_counts.value:
        rho = found.follows_counts
        words = f"Spearman’s correlation {signed(rho.value, 2)} (95 % CI {signed(rho.low, 2)} to {signed(rho.high, 2)})"
        quiet(f"This prior against the pretraining counts: {words}.")
    left, right = st.columns(2, gap="large")
    with left:
        figure = change_figure(found.changes, found.null)
        plot(figure, key="bias-change", alt=sentence, toolbar=False)
        downloads("label-bias", HEADER, rows(found.changes), figure=figure, title=sentence, source=provenance(answer))
    with right:
        lines = {
            one.group: [
                (step, Interval(groups[one.group], *2 * [float("nan")])) for step, groups in found.sweep.items()
            ]
            for one in found.changes
        }
        figure = lines_figure(lines, x_title="Strength")
        plot(
            figure, key="bias-sweep", alt="Mean class accuracy of head, torso and tail at every strength", toolbar=False
        )


def few_shots(answer: Answer, image_set: ImageSet, counts: Mapping[str, int]) -> None:
    """A linear head on a few pictures a class, mixed with the zero-shot head; trained when a person wants it."""
    section(
        "A few pictures a class",
        "A linear head starts at the text vectors, is trained on a few pictures of each class (at most half; the "
        "others test) and is mixed with the zero-shot head in equal parts (REAL-Linear).",
    )
    parts = ["all classes", *(["tail"] if counts else [])]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        given = switch("Pictures for", "pictures-for", parts)
        head = switch("Head", "head", ("mixed", "alone"), show=str.capitalize)
    only = ("tail",) if given == "tail" else ()
    asked = question(
        few_shot_head.heads_of_lens, answer.lens, image_set=image_set, counts=dict(counts), only=only,
        label=f"Heads on a few pictures of {answer.lens.image_set}",
    )  # fmt: skip
    if asked.key not in st.session_state.setdefault("_heads", set()):
        st.button(
            "Train 12 heads", key=f"train-{given}", on_click=lambda: st.session_state["_heads"].add(asked.key),
            help=f"1, 2, 4 and 8 pictures of {len(image_set.keys):,} classes, three draws each, on cached vectors.",
        )  # fmt: skip
        return
    found = here(asked, small=True, failing="")
    if found is None:
        return
    points = [one for one in found if one.head == head]
    sentence = few_shot_head.headline(found)
    finding_of(sentence)
    first = points[0].changes
    lines = {one.group: [(0.5, one.before)] for one in first}
    for point in points:
        for change in point.changes:
            lines[change.group].append((float(point.shots), change.after))
    figure = lines_figure(lines, x_title="Pictures a class (first: zero-shot)", log=True)
    figure.update_xaxes(
        tickvals=[0.5, *(one.shots for one in points)], ticktext=["0", *(str(one.shots) for one in points)]
    )
    left, right = st.columns(2, gap="large")
    with left:
        plot(figure, key="shots", alt=sentence, toolbar=False)
        listed = [[one.shots, one.pictures, one.head, *row] for one in found for row in rows(one.changes)]
        downloads(
            "few-shot", ["shots", "pictures", "which_head", *HEADER], listed, figure=figure, title=sentence,
            source=provenance(answer),
        )  # fmt: skip
    with right:
        last = change_figure(points[-1].changes)
        alt = f"Change of head, torso and tail with {points[-1].shots} pictures a class"
        plot(last, key="shots-change", alt=alt, toolbar=False)


def rows(changes: tuple[GroupChange, ...]) -> list[list[object]]:
    """Changes as they are downloaded; fractions."""
    return [
        [
            one.group, one.classes, one.n, one.before.value, one.after.value, one.change.value, one.change.low,
            one.change.high, one.fixed, one.broken,
        ]
        for one in changes
    ]  # fmt: skip
