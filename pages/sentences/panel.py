"""The parts of the page of new sentences: what is asked of whom, what it costs, the run, and what came of it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.errors import TailscopeError
from core.prompts import generate
from core.prompts.generate import QUESTIONS, Estimate, Generated, Settings
from core.runtime.jobs import Question, engine, question
from core.text.lines import lines_of
from core.types import ImageSet, Lens, Report
from pages.ui import jobs
from pages.ui.links import to_page
from pages.ui.switches import switch
from pages.ui.text import finding_of, plain, quiet, warn

OWN = "own"


def endpoint() -> tuple[str, str]:
    """Address and model as typed, empty where nothing is; call it in a horizontal container.

    The address is never taken from the page's own, and only the one that the owner named receives the key.
    """
    url = st.text_input(
        "Endpoint", generate.own_url(), key="llm-url", placeholder="http://localhost:11434/v1", width=360,
        max_chars=500, help=f"OpenAI-compatible address up to /v1. {generate.URL_VARIABLE} fills it in.",
    )  # fmt: skip
    model = st.text_input("Model", key="llm-model", placeholder="As the endpoint calls it", width=240, max_chars=200)
    return (url or "").strip(), (model or "").strip()


def settings() -> Settings | None:
    """What the fields say; None until there is an address and a model."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        url, model = endpoint()
        chosen = switch(
            "Questions", "llm-questions", [*QUESTIONS, OWN], default="full",
            help="CuPL's question sets: three questions for every data set, or five as for ImageNet.",
        )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.number_input("Sentences a question", 1, 100, 10, key="llm-count", width=170)
        temperature = st.number_input("Temperature", 0.0, 2.0, 0.99, 0.05, key="llm-temperature", width=150)
        seed = st.number_input(
            "Seed", 0, 2**31 - 1, None, key="llm-seed", width=150, placeholder="none",
            help="Where the endpoint takes one; the same seed should give the same sentences.",
        )  # fmt: skip
        tokens = st.number_input("Longest reply, tokens", 1, generate.MOST_TOKENS, 50, key="llm-tokens", width=170)
    quiet(about_key(url))
    questions = _own() if chosen == OWN else QUESTIONS[chosen]
    if not url or not model:
        return None
    generate.check_address(url, key=generate.key_for(url))
    return Settings(url, model, questions, int(count), float(temperature), int(tokens), seed)


def about_key(url: str) -> str:
    """Whether a key would be sent to this address, and where it comes from."""
    variable = generate.key_variable()
    if not variable:
        return f"No key is set ({' or '.join(generate.KEY_VARIABLES)}); local endpoints need none."
    if url and not generate.key_for(url):
        return (
            f"No key is sent to this address: the key from {variable} goes only to the endpoint that "
            f"{generate.URL_VARIABLE} names in the server's environment."
        )
    return f"The key comes from {variable} in the server's environment; it is never shown, stored or logged."


def _own() -> tuple[str, ...]:
    typed = st.text_area(
        "Questions, one a line", "\n".join(QUESTIONS["base"]), key="llm-own", max_chars=4000, height=110,
        help="{name} is the class, {a} its article.",
    )  # fmt: skip
    return tuple(line.strip() for line in lines_of(typed or "") if line.strip())


def _writing(asked: Settings, image_set: ImageSet) -> Question[Generated]:
    label = f"{asked.model} writes about {image_set.id}"
    return question(_write, asked, image_set, label=label, lane="io", keep=True)


def _write(asked: Settings, image_set: ImageSet, *, report: Report) -> Generated:
    place, key = generate.place(asked, image_set), generate.key_for(asked.base_url)
    return generate.generate(asked, image_set, place, key=key, report=report)


def under_way(writing: Question[Any]) -> bool:
    """Whether a run with these settings is under way in any tab."""
    job = engine().find(writing)
    return job is not None and job.state in ("queued", "running")


def _expected(asked: Settings, image_set: ImageSet, prices: tuple[float | None, float | None]) -> Estimate:
    have = generate.answered(generate.place(asked, image_set), asked)
    answered = {question: len(texts) for question, texts in have.items()}
    return generate.estimate(asked, image_set.names, answered=answered, price_in=prices[0], price_out=prices[1])


def headline(asked: Settings, image_set: ImageSet) -> str:
    """What the run would take, or that it is under way."""
    start = f"{len(asked.questions)} questions about each of {len(image_set.keys):,} classes of {image_set.id}"
    if under_way(_writing(asked, image_set)):
        return f"{asked.model} is answering {start}."
    left = _expected(asked, image_set, (None, None)).requests
    return f"{start}: {left:,} requests to {asked.model}." if left else f"{start}: all answered by {asked.model}."


def run(asked: Settings, image_set: ImageSet) -> None:
    """The estimate with a button that starts; then progress, Stop and, after a stop, the way on."""
    writing = _writing(asked, image_set)
    key, open_ = writing.key, under_way(writing)
    started = st.session_state.setdefault("_generations", set())
    if not open_ and key not in started:
        expected = _expected(asked, image_set, prices())
        quiet(expected.sentence)
        host = generate.check_address(asked.base_url, key=generate.key_for(asked.base_url))
        label = f"Send {expected.requests:,} requests to {plain(host)}" if expected.requests else "Write the file again"
        st.button(label, key="llm-start", type="primary", on_click=start, args=(key,))
        return
    try:
        job = jobs.ask(writing)
    except TailscopeError as error:
        warn(error)
        st.button("Go on", key="llm-again", on_click=start, args=(key,))
        return
    if not job.wait(0):
        jobs.watch(job)
        return
    made = job.value()
    finding_of(
        f"{made.sentences:,} sentences for {made.classes:,} classes by {', '.join(made.models) or asked.model}; "
        f"{made.tokens_in:,} tokens sent, {made.tokens_out:,} received."
    )
    for note in made.notes:
        quiet(note)


def prices() -> tuple[float | None, float | None]:
    """What a million tokens sent and received cost, where both were given."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        price_in = st.number_input("Price of a million tokens sent", 0.0, value=None, key="llm-in", width=230)
        price_out = st.number_input("… and received", 0.0, value=None, key="llm-out", width=180)
    return (price_in, price_out) if price_in is not None and price_out is not None else (None, None)


def start(key: str) -> None:
    """Note that a person wants this job; call it from a widget callback."""
    st.session_state["_generations"].add(key)
    jobs.again()


def written(lens: Lens, image_set: ImageSet) -> None:
    """Files that were finished, to be used as this lens's prompts or compared in the lab."""
    found = {path.name: path for path in generate.written(image_set)}
    if not found:
        quiet("None yet.")
        return
    name = st.selectbox("File", list(found), key=f"llm-file-{len(found)}", width=520)
    with st.container(horizontal=True):
        st.button("Use as prompts", key="llm-use", on_click=_use, args=(str(found[name]),))
        to_page("lab", "Compare in the lab", lenses=list(dict.fromkeys([lens.prompts, str(found[name])])))
        st.download_button(
            "Download", found[name].read_bytes, name, "application/json", on_click="ignore", key="llm-download"
        )


def _use(path: str) -> None:
    st.session_state["prompts"] = path
