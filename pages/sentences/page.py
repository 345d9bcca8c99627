"""New sentences: a language model behind an endpoint of your own writes prompts; its cost is stated first."""

from __future__ import annotations

import streamlit as st

from pages.sentences import panel
from pages.ui import jobs, lensbar
from pages.ui.text import finding, quiet, section

lens, image_set = lensbar.lens(), lensbar.images()
opening = st.container()
if not jobs.may_change():
    with opening:
        finding("New sentences", "This server is read-only, so no language model is asked from here.")
        quiet("Start it with TAILSCOPE_ALLOW_JOBS=1 to allow it. Sentences that were written before can be used.")
    panel.written(lens, image_set)
    st.stop()

settings = panel.settings()
with opening:
    if settings is None:
        finding("New sentences", "Generate prompts with a language model (optional)")
        quiet(
            "Any OpenAI-compatible endpoint can write descriptions of your classes with CuPL's questions: a local "
            "server such as Ollama, llama.cpp or vLLM, or a hosted one. Give its address and the name of a model."
        )
    else:
        finding("New sentences", panel.headline(settings, image_set))
        quiet("Only questions with class names are sent, no picture. Raw replies are kept beside the sentences.")
if settings is not None:
    panel.run(settings, image_set)
section("Sentences on this disk", f"Written about {image_set.id} before; each file is a prompt strategy.")
panel.written(lens, image_set)
