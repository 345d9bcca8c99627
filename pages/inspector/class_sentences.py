"""The prompt inspector's class: its sentences with what is odd about them, and what happens when they are edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from cache import keys
from core.analysis.prompt_inspection import Rescored, SentenceCheck, flagged, inspect_class, lint, rescore
from core.deck import slides as deck_slides
from core.evaluation import evaluate
from core.evaluation.sentences import Sentences, edit, read_sentences
from core.prompts import AGGREGATIONS, prompt_set, split_aggregation
from core.stats.format import percent
from core.types import Answer, ImageSet, Lens, Report
from pages.ui import detail, gallery, pins, selection
from pages.ui.downloads import downloads
from pages.ui.jobs import here, need, question
from pages.ui.text import finding_of, quiet, section


def sentences_of(lens: Lens, image_set: ImageSet) -> Sentences:
    """All sentences of the lens as vectors, or the progress of encoding them in the page's place."""
    return need(question(_read, lens, image_set, label=f"Reading {lens.prompts} sentences"))


def _read(lens: Lens, image_set: ImageSet, *, report: Report) -> Sentences:
    return read_sentences(lens, prompt_set(lens.prompts, image_set), report=report)


def flaws(lens: Lens, image_set: ImageSet, sentences: Sentences) -> str:
    """What is wrong with the sentences of the whole set, in one sentence."""
    found = lint(sentences.prompts, image_set.names, tokens=sentences.tokens, context_length=sentences.context_length)
    classes = len(image_set.keys)
    each = "one prompt" if found.sentences == classes else f"{found.sentences / classes:.3g} prompts"
    start = f"“{lens.prompts}” uses {each} per class"
    told = {
        "repeat another of their class": found.duplicates,
        "stand under several classes": found.shared,
        "are longer than the model reads": found.cut,
        "do not name their class": found.name_missing,
    }
    odd = [f"{count:,} {words}" for words, count in told.items() if count]
    clean = "No duplicates, none truncated, all contain the class name."
    return f"{start}: {', '.join(odd)}." if odd else f"{start}. {clean}"


def aggregation(lens: Lens, image_set: ImageSet, sentences: Sentences) -> None:
    """How the sentences of a class make its score: the choice, and what it means."""
    plain, _ = split_aggregation(lens.prompts)
    key, now = f"rule-{lens.prompts}", sentences.prompts.aggregation

    def take() -> None:
        own = prompt_set(plain, image_set).aggregation
        rule = st.session_state[key]
        st.session_state["prompts"] = plain if rule == own else f"{plain}@{rule}"

    names = {"embedding": "mean of embeddings", "similarity": "mean of similarities", "max": "best sentence"}
    st.segmented_control(
        "How sentences are combined", list(AGGREGATIONS), default=now, required=True, key=key, on_change=take,
        format_func=names.__getitem__,
    )  # fmt: skip
    quiet(AGGREGATIONS[now])


def choose(answer: Answer, image_set: ImageSet) -> int:
    """The class looked at; at first the selected one, else the one most often wrong."""
    labels = list(selection.labels_of(image_set.keys, image_set.names).values())
    chosen = selection.chosen(image_set)
    judged = [index for index, score in enumerate(answer.classes) if score.n]
    worst = min(judged, key=lambda index: answer.classes[index].accuracy, default=0)
    start = chosen[0] if chosen else worst
    name = st.selectbox("Class", labels, index=start, key="inspector-class", bind="query-params", width=360)
    return labels.index(name)


def sentences_of_class(lens: Lens, answer: Answer, image_set: ImageSet, sentences: Sentences, index: int) -> None:
    """The table to edit, and the scores after the edit."""
    checks = inspect_class(sentences, index, answer.names)
    told = flagged(checks, answer.names)
    section(
        f"{len(checks)} sentence{'s' * (len(checks) != 1)} of {answer.names[index]}",
        "Untick or edit a sentence and the scores change: only this class's vector is computed again. "
        "Cosines are with the mean of the class's sentences.",
    )
    kept = st.data_editor(
        _frame(checks, told, answer),
        key=f"edit-{keys.digest([lens.prompts, lens.model, index])}",
        hide_index=True,
        disabled=["Cosine", "Nearest other class", "Its cosine", "Remarks"],
        column_config={
            "Use": st.column_config.CheckboxColumn(width="small"),
            "Sentence": st.column_config.TextColumn(width="large", max_chars=400),
            "Cosine": st.column_config.NumberColumn(format="%.3f", width="small", help="With the class mean"),
            "Its cosine": st.column_config.NumberColumn(format="%.3f", width="small"),
            "Remarks": st.column_config.TextColumn(width="medium"),
        },
    )
    header, rows = _rows(checks, told, answer)
    downloads("sentences", header, rows)
    texts = tuple(text for text, used in zip(kept["Sentence"], kept["Use"], strict=True) if used and str(text).strip())
    if not texts:
        quiet("At least one sentence must stay.")
        return
    if texts != tuple(check.text for check in checks):
        _rescored(lens, answer, image_set, index, texts)


def _frame(checks: tuple[SentenceCheck, ...], told: Mapping[int, Sequence[str]], answer: Answer) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Use": [True] * len(checks),
            "Sentence": [check.text for check in checks],
            "Cosine": [check.cosine for check in checks],
            "Nearest other class": [answer.names[check.nearest] for check in checks],
            "Its cosine": [check.nearest_cosine for check in checks],
            "Remarks": ["; ".join(told.get(row, ())) for row in range(len(checks))],
        }
    )


def _rows(
    checks: tuple[SentenceCheck, ...], told: Mapping[int, Sequence[str]], answer: Answer
) -> tuple[list[str], list[list[object]]]:
    header = ["sentence", "cosine", "nearest", "nearest_cosine", "tokens", "remarks"]
    return header, [
        [one.text, one.cosine, answer.keys[one.nearest], one.nearest_cosine, one.tokens, "; ".join(told.get(row, ()))]
        for row, one in enumerate(checks)
    ]


def _rescored(lens: Lens, answer: Answer, image_set: ImageSet, index: int, texts: tuple[str, ...]) -> None:
    done = here(
        question(_work, lens, answer, image_set, index, texts, label="Scoring with other sentences"), small=True
    )
    if done is None:
        return
    found, name = done, answer.names[index]
    inside = answer.labels == index
    before = float(np.mean(answer.top[inside, 0] == index)) if inside.any() else float("nan")
    after = float(np.mean(found.said[inside] == index)) if inside.any() else float("nan")
    sentence = (
        f"With {len(texts)} sentences “{name}” goes from {percent(before)} to {percent(after)} and the whole set "
        f"from {percent(answer.acc1, 2)} to {percent(found.acc1, 2)}: {len(found.fixed):,} images fixed, "
        f"{len(found.broken):,} broken, also of other classes."
    )
    finding_of(sentence)
    _pictures(answer, image_set, found)
    pins.pin(
        lambda: deck_slides.comparison_slide(
            sentence, ("sentence",), [(text,) for text in texts], deck_slides.source_line(answer)
        ),
        key="rescored",
        label="Pin this edit",
    )


def _work(
    lens: Lens, answer: Answer, image_set: ImageSet, index: int, texts: tuple[str, ...], *, report: Report
) -> Rescored:
    """Runs on the engine's worker."""
    embedded = evaluate.embeddings_for(lens, image_set=image_set, report=report)
    edited = edit(lens, _read(lens, image_set, report=report), index, texts)
    return rescore(answer, embedded.vectors, edited, index)


def _pictures(answer: Answer, image_set: ImageSet, found: Rescored) -> None:
    groups = []
    for title, rows in (("Fixed (before the edit)", found.fixed), ("Broken (before the edit)", found.broken)):
        places = np.searchsorted(answer.rows, rows[:6]).tolist()
        items = [gallery.tile(answer, image_set, place) for place in places]
        if items:
            groups.append({"key": "", "title": title, "note": f"{len(rows):,} images", "rate": "", "items": items})
    gallery.gallery(
        groups, image_set, key="rescored", layout="strips", empty="No image changes its verdict.",
        draw=detail.of(answer.lens, answer, image_set),
    )  # fmt: skip
