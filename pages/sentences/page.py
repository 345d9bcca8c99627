"""Language models: one behind an endpoint of your own writes prompts or answers about pictures; cost comes first."""

from __future__ import annotations

import streamlit as st

from pages.sentences import panel, pictures
from pages.ui import jobs, lensbar
from pages.ui.switches import switch
from pages.ui.text import finding, quiet, section

VIEWS = ("new sentences", "answers about pictures")

lens, image_set = lensbar.lens(), lensbar.images()
opening = st.container()
view = switch(
    "View", "llm-view", VIEWS,
    help="new sentences: descriptions of the classes, as prompts. answers about pictures: what a multimodal model "
    "names, by concept and against frequency.",
)  # fmt: skip
if view == VIEWS[1]:
    with opening:
        finding("Language models", pictures.headline(image_set))
        quiet(
            "A multimodal model says what is in a sample of pictures, in its own words or by choosing among names. Its "
            "answers are matched with the classes and stand on the same frequency axis as every other model."
        )
    pictures.answers_section(lens, image_set)
    st.stop()
if not jobs.may_change():
    with opening:
        finding("Language models", "This server is read-only, so it sends nothing to language models.")
        quiet("Start it with TAILSCOPE_ALLOW_JOBS=1 to allow it. Sentences that were written before can be used.")
    panel.written(lens, image_set)
    st.stop()

settings = panel.settings()
with opening:
    if settings is None:
        finding("Language models", "Generate prompts with a language model (optional)")
        quiet(
            "Any OpenAI-compatible endpoint can write descriptions of your classes with CuPL's questions: a local "
            "server such as Ollama, llama.cpp or vLLM, or a hosted one. Give its address and the name of a model."
        )
    else:
        finding("Language models", panel.headline(settings, image_set))
        quiet("Only questions with class names are sent, no picture. Raw replies are kept beside the sentences.")
if settings is not None:
    panel.run(settings, image_set)
section("Sentences on this disk", f"Written about {image_set.id} before; each file is a prompt strategy.")
panel.written(lens, image_set)
