"""A multimodal language model asked about pictures, its answers read and matched, and those that are here already."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import streamlit as st

from core.errors import TailscopeError
from core.evaluation import free_text, imported
from core.evaluation import picture_questions as asking
from core.evaluation.free_text import MATCHES, Kept, Match
from core.evaluation.picture_questions import CLOSED, OPEN, Answered, Asked, Cost
from core.prompts import generate
from core.runtime.jobs import Question, question
from core.stats.format import percent
from core.types import ClassAnswer, ImageSet, Lens, Report
from pages.sentences import panel
from pages.ui import jobs, served
from pages.ui.answers import IMPORTED
from pages.ui.docs import documented
from pages.ui.downloads import downloads
from pages.ui.jobs import need
from pages.ui.links import to_page
from pages.ui.switches import switch
from pages.ui.text import finding_of, plain, quiet, section, warn

WORLDS: dict[Literal["open", "closed"], str] = {"open": OPEN, "closed": CLOSED}
ABOUT = (
    "inclusion: the answer names the true class. similarity: the class whose name is nearest to the answer under the "
    "sidebar's model. choice: the option that was chosen, for answers with options."
)


def headline(image_set: ImageSet) -> str:
    """How many language models have answered about this set, and the best of them."""
    found = _here(image_set)
    if not found:
        return f"No language model has answered about {image_set.id} yet."
    name, best = max(found.items(), key=lambda pair: pair[1].acc1 or 0)
    return (
        f"{len(found)} sets of answers about {image_set.id}; {best.lens.model} names {percent(best.acc1 or 0, 1)} of "
        f"its pictures correctly ({name}, {best.lens.prompts})."
    )


def answers_section(lens: Lens, image_set: ImageSet) -> None:
    """Ask, read a file, and what is here."""
    if jobs.may_change():
        _ask(lens, image_set)
        _read_file(lens, image_set)
    else:
        quiet("This server is read-only: it sends no pictures to language models and imports no answers.")
    _listed(image_set)


def _ask(lens: Lens, image_set: ImageSet) -> None:
    section("Ask a model", "Pictures go to the endpoint that you give, and nowhere else.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        url, model = panel.endpoint()
        world = switch(
            "Question", "llm-world", list(WORLDS), default="open",
            help=f"open: “{OPEN}” closed: “{plain(CLOSED)}” (arXiv 2405.18415)",
        )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = 0
        if world == "closed":
            most = min(1000, len(image_set.keys))
            options = st.number_input("Names to choose from", 2, most, min(10, most), key="llm-options", width=190)
        per_class = st.number_input("Pictures a class", 1, 1000, 1, key="llm-per-class", width=150)
        most = st.number_input("Pictures at most", 1, 1_000_000, 100, key="llm-most", width=150)
        side = st.number_input("Longest side, pixels", 32, 4096, 512, key="llm-side", width=170)
        tokens = st.number_input("Longest reply, tokens", 1, generate.MOST_TOKENS, 100, key="llm-words", width=170)
    quiet(panel.about_key(url))
    if not url or not model:
        return
    host = generate.check_address(url, key=generate.key_for(url))
    asked = Asked(
        base_url=url, model=model, options=int(options), per_class=int(per_class), most=int(most), side=int(side),
        max_tokens=int(tokens),
    )  # fmt: skip
    run = question(_run, asked, image_set, label=f"{model} about pictures of {image_set.id}", lane="io", keep=True)
    if not panel.under_way(run) and run.key not in st.session_state.setdefault("_generations", set()):
        expected = need(_cost(asked, image_set, panel.prices()))
        quiet(expected.sentence)
        label = f"Send {expected.pictures:,} pictures to {plain(host)}" if expected.pictures else "Match the answers"
        st.button(label, key="llm-ask", type="primary", on_click=panel.start, args=(run.key,))
        return
    try:
        job = jobs.ask(run)
    except TailscopeError as error:
        warn(error)
        st.button("Go on", key="llm-ask-again", on_click=panel.start, args=(run.key,))
        return
    if not job.wait(0):
        jobs.watch(job)
        return
    made = job.value()
    quiet(" ".join((f"{made.n:,} answers by {', '.join(made.models)}; {made.tokens_in:,} tokens sent, "
                    f"{made.tokens_out:,} received.", *made.notes)))  # fmt: skip
    how = _how("asked", "choice" if options else "inclusion", [*MATCHES] if options else ["inclusion", "similarity"])
    _matched(lens, image_set, made.path, model, how, f"{model}-{made.path.stem[:6]}-{how}")
    st.download_button(
        "Answers (JSON lines)", made.path.read_bytes(), f"{made.path.stem}.jsonl", "application/jsonl",
        on_click="ignore", key="llm-answers-file", type="tertiary",
    )  # fmt: skip


def _run(asked: Asked, image_set: ImageSet, *, report: Report) -> Answered:
    key = generate.key_for(asked.base_url)
    return asking.ask_about(asked, image_set, asking.place(asked, image_set), key=key, report=report)


def _cost(asked: Asked, image_set: ImageSet, prices: tuple[float | None, float | None]) -> Question[Cost]:
    file = asking.place(asked, image_set)
    size = file.stat().st_size if file.exists() else 0
    return question(_expected, asked, image_set, prices, size, label="Reading a few pictures", lane="io")


def _expected(
    asked: Asked, image_set: ImageSet, prices: tuple[float | None, float | None], _size: int, *, report: Report
) -> Cost:
    file = asking.place(asked, image_set)
    return asking.cost(asked, image_set, file, price_in=prices[0], price_out=prices[1])


def _read_file(lens: Lens, image_set: ImageSet) -> None:
    section("Read answers from a file", "JSON lines: image, answer, and options for multiple choice.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        typed = st.text_input("File", key="answers-file", placeholder="/path/to/answers.jsonl", width=360)
        model = st.text_input("Model", key="answers-model", placeholder="What to call it", width=240, max_chars=200)
        how = _how("read", "inclusion", [*MATCHES])
    if typed and (model or "").strip():
        file = served.path(typed)
        _matched(lens, image_set, file, model.strip(), how, f"{file.stem}-{how}")
    documented("METHODS", "How answers are matched")


def _how(key: str, first: Match, offered: list[Match]) -> Match:
    found = switch("Match by", f"match-{key}-{len(offered)}", offered, default=first, linked=False, help=ABOUT)
    return found or first


def _matched(lens: Lens, image_set: ImageSet, file: Path, model: str, how: Match, name: str) -> None:
    """Match a file of answers, keep them, and say what came of it."""
    named = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name).strip("._-")[:60]
    state = file.stat().st_mtime_ns if file.exists() else 0
    asked = question(_keep, file, image_set, model, how, lens.model, named, state, label=f"Matching {file.name}")
    kept = jobs.here(asked, small=True, failing="")
    if kept is None:
        return
    finding_of(free_text.headline(kept))
    found = kept.found
    more = [f"{percent(found.letters, 1)} hold the letters of the true name (the rule of the papers' code)."]
    if how == "similarity":
        more.append(f"Mean cosine of answer and true name under {lens.model}: {found.closeness:.3f}.")
    if found.unknown:
        more.append(f"{len(found.unknown):,} answers are about pictures that this set does not have.")
    quiet(" ".join(more))


def _keep(
    file: Path, image_set: ImageSet, model: str, how: Match, text_model: str, name: str, _state: int, *, report: Report
) -> Kept:
    return free_text.keep(file, image_set, model=model, how=how, text_model=text_model, name=name, report=report)


def _here(image_set: ImageSet) -> dict[str, ClassAnswer]:
    """Matched answers about this set, by name."""
    return {
        name: found
        for name, found in imported.about(image_set.id).items()
        if found.lens.prompts.startswith("answers by ")
    }


def _listed(image_set: ImageSet) -> None:
    section("Answers on this disk", f"About {image_set.id}; each is an imported answer.")
    found = _here(image_set)
    if not found:
        quiet("None yet.")
        return
    header = ["name", "model", "matched", "classes", "images", "accuracy"]
    rows = [
        [name, one.lens.model, one.lens.prompts.removeprefix("answers by "), len(one.keys),
         sum(score.n or 0 for score in one.classes), one.acc1]
        for name, one in found.items()
    ]  # fmt: skip
    st.dataframe(
        [dict(zip(header, row, strict=True)) for row in rows], hide_index=True, key="llm-answers",
        column_config={"accuracy": st.column_config.NumberColumn(format="percent")},
        alt="Answers of language models about these images",
    )  # fmt: skip
    downloads("language-models", header, rows)
    to_page("frequency", "Set them against frequency", overlay=[f"{IMPORTED}{name}" for name in list(found)[-3:]])
