"""Three ways on: a model that fails live, one's own model and pictures, prompts compared."""

from __future__ import annotations

import shlex

import streamlit as st

from core.models.registry import icon_models
from pages.overview.links import into
from pages.ui import lensbar, own_picture
from pages.ui.text import quiet, section

MODEL = "ViT-B-32-quickgelu,openai"


def page_links() -> None:
    """The three doors side by side."""
    for column, door in zip(st.columns(3, gap="large"), (_live, _own, _prompts), strict=True):
        with column, st.container(border=True, height="stretch"):
            door()


def _live() -> None:
    section("See a model fail live")
    quiet(
        f"Tailscope ships {len(icon_models())} small CLIP models, trained from scratch on captioned icons: a world "
        "small enough that every count is exact, and every mistake opens offline."
    )
    lens = _built_in()
    into("failures", "Its mistakes", **lens)
    into("frequency", "Its accuracy by frequency", **lens)


def _own() -> None:
    section("Bring your own model and pictures")
    path = st.text_input("Folder", key="own-path", placeholder="/path/to/images, one folder a class")
    model = st.text_input("Model", key="own-model", placeholder=MODEL)
    place, name = (path or "").strip(), (model or "").strip() or MODEL
    if place:
        into("explore", f"Open {place}", model=name, set=place)
    into("explore", "Or drop in one picture", look=own_picture.OWN, **_built_in())
    quiet("Or from the command line:")
    command = f"python -m core evaluate {shlex.quote(name)} {shlex.quote(place or '/path/to/images')}"
    st.code(command, language="bash", wrap_lines=True)


def _prompts() -> None:
    section("Compare prompts")
    quiet(
        "The class name alone, one template or 80 for the published models over 18 data sets; on pictures also "
        "descriptions by a language model or a template of your own: what is more than noise, and what flips."
    )
    lens = _built_in()
    into("lab", "On the published models", **{"for": "published"}, **lens)
    into("lab", "On the built-in icons, picture by picture", **{"for": "lens"}, **lens)
    into("inspector", "Read the sentences behind a class", **lens)


def _built_in() -> dict[str, str]:
    """The lens of the built-in world; its links say so, because a person may come back with another one."""
    start = lensbar.defaults()
    return {"model": start["model"], "set": start["set"], "prompts": start["prompts"]}
