"""The written word: pictures that carry another class's name, ours or published ones, and what is predicted of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from core.charts.attacks import written_figure
from core.errors import UnreadableData
from core.frequency.sources import Frequency
from core.robustness.attacks import written
from core.robustness.attacks.findings import DIRECT
from core.robustness.committed import committed
from core.robustness.records import Record
from core.runtime.jobs import question
from core.supervised import ask
from core.supervised.names import PROMPTS, known_as
from core.types import ImageSet, Interval, Lens, Report
from pages.attacks import shared
from pages.ui import choice, lensbar, served
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import expected, finished, here, need
from pages.ui.switches import switch
from pages.ui.text import finding_of, quiet, section

SOURCES = ("written here", "on the files")
ATTACKS = ("typographic", "letters")


def written_word(lens: Lens, image_set: ImageSet) -> None:
    """How often the written word is predicted: words written here on the set's pictures, or a set that carries some."""
    source = switch(
        "Words", "words-from", SOURCES,
        help="written here: the name of another class on each picture of a sample, and as many meaningless letters as "
        "the control. on the files: the image set itself carries words, such as ImageNet-T.",
    )  # fmt: skip
    if source == SOURCES[0]:
        _written_here(lens, image_set)
    else:
        _on_files(lens, image_set)


def _written_here(lens: Lens, image_set: ImageSet) -> None:
    kept = committed(lens.image_set, *DIRECT) if lensbar.chosen_counts() is None else []
    rows = [one for one in kept if one.condition in ATTACKS and one.prompts in (lens.prompts, PROMPTS)]
    if not any(one.model == lens.model for one in rows):
        n = st.select_slider("Images", (50, 100, 200, 400), 100, key="written-n", bind="query-params", width=220)
        label = f"Words on pictures for {known_as(lens.model)}"
        asked = question(_sampled, replace(lens, frequency=""), image_set, n, lensbar.chosen_counts(), label=label)
        timing = question(shared.estimate, [(lens.model, lens.prompts)], image_set, ATTACKS, n, label=shared.TIMING)
        cost = f"{n} pictures are embedded twice more."
        if shared.wanted(f"written-{asked.key[:8]}", lens, cost, timing if finished(asked) is None else None):
            rows = [*(here(asked, small=True, failing="") or []), *rows]
    _show(lens, rows, f"{lens.image_set}, 8 copies of the word, letters 12 % of the height")


def _sampled(lens: Lens, image_set: ImageSet, n: int, frequency: Frequency, *, report: Report) -> list[Record]:
    from core.robustness.attacks.run import Question, attack_records, with_prompt_notes

    sample = Question(image_set, n=n, attacks=ATTACKS, frequency=frequency)
    found = attack_records(lens.model, sample, prompts=lens.prompts, report=report)
    return with_prompt_notes(found, image_set)


def _on_files(lens: Lens, image_set: ImageSet) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        typed = st.text_input(
            "Table of words", key="words-file", bind="query-params", width=380, placeholder="imgNet_record.pickle",
            help="CSV or JSON of image and class, or ImageNet-T's imgNet_record.pickle, which is read and never "
            "executed; without one, words in file names such as label=cup_text=iPad.png.",
        )  # fmt: skip
        clean = choice.one(
            "Without words", "words-clean", [one.id for one in served.sets() if one.available], served.image_set,
            placeholder="The same pictures, as the control",
        )  # fmt: skip
    table = served.path(typed) if typed else None
    if table is None and not written.words_in_names(image_set):
        quiet(
            f"The pictures of {image_set.id} carry no words in their file names. Choose a set that does under Images, "
            "such as a copy of ImageNet-T, and give its table of words."
        )
        return
    sets = {"written": image_set} | ({"clean": lensbar.images(clean)} if clean else {})
    state = table.stat().st_mtime_ns if table is not None and table.exists() else 0
    label = f"{known_as(lens.model)} on written words"
    asked = question(_of_files, replace(lens, frequency=""), sets, table, state, label=label)
    timing = question(ask.estimate, [lens.model], [*sets.values()], prompts=lens.prompts, label=shared.TIMING)
    if finished(asked) is None and not expected(timing):
        return
    rows = need(asked)
    _show(lens, rows, " and ".join(one.id for one in sets.values()))
    if rows and rows[0].more["unmatched"]:
        quiet(f"{rows[0].more['unmatched']:,} words of the table belong to no picture or class of this set.")


def _of_files(
    lens: Lens, sets: dict[str, ImageSet], table: Path | None, _state: int, *, report: Report
) -> list[Record]:
    words = written.read_words(table) if table else written.words_in_names(sets["written"])
    found: list[Record] = []
    for condition, one in sets.items():
        answer = ask.answer_of(replace(lens, image_set=one.id), one, report=report)
        found += written.records(answer, written.written(one, words), condition=condition)
    if not found:
        raise UnreadableData("No picture carries the name of another class.")
    return found


def _show(lens: Lens, rows: list[Record], source: str) -> None:
    by_model: dict[str, list[Record]] = {}
    for one in rows:
        by_model.setdefault(one.model, []).append(one)
    by_model = {model: by_model[model] for model in sorted(by_model, key=lambda model: model != lens.model)}
    told: dict[str, dict[str, Interval]] = {model: written.shares(own) for model, own in by_model.items()}
    told = {model: shares for model, shares in told.items() if "predicted as the word" in shares}
    if not told:
        return
    first = next(iter(told))
    sentence = written.headline(known_as(first), told[first], by_model[first][0].n)
    finding_of(sentence)
    figure = written_figure({known_as(model): shares for model, shares in told.items()})
    section("What is predicted of pictures with a word on them", "Wilson 95 % intervals; every word is a wrong class.")
    plot(figure, key="written-word", alt=sentence)
    if any(one.condition in ATTACKS for one in rows):
        shared.about("typographic")
        header, listed = shared.record_rows(rows)
    else:
        header = ["model", "set", "prompts", "condition", "n", "acc1", "low", "high"]
        listed = [[getattr(one, name) for name in header] for one in rows]
    downloads("written-word", header, listed, figure=figure, title=sentence, source=f"{source} · {lens.prompts}")
