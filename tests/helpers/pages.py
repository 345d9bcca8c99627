"""Pages as Streamlit runs them: opened by address, drawn until their jobs are over, read as text and figures."""

from __future__ import annotations

import functools
import inspect
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qs

import numpy as np
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from core.datasets import open_set
from core.deck.deck import Deck
from core.evaluation import evaluate
from core.prompts import prompt_set
from core.runtime import jobs as engine
from core.types import Answer, ImageSet, Lens, Progress, PromptSet, Report

# Every ``AppTest`` is a new runtime, which reads the metadata of all installed packages for components of theirs: half
# a second, and the same each time.
manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)

SHELL = Path(__file__).resolve().parents[2] / "pages" / "_shell.py"
MODEL = "icon-RN,icons-200k"
PATIENCE = 300.0  # seconds after which a job hangs


def answered(
    lens: Lens, *, report: Report, image_set: ImageSet | None = None, prompts: PromptSet | None = None
) -> Answer:
    """A live answer at once: every third image of class i + 1 is predicted as class i, the rest is correct."""
    image_set = image_set or open_set(lens.image_set)
    prompt_set(lens.prompts, image_set)
    labels = np.asarray(image_set.labels)
    predicted = np.where(np.arange(len(labels)) % 3 == 0, (labels + 1) % len(image_set.keys), labels)
    top = np.stack([predicted, (predicted + 1) % len(image_set.keys)], axis=1).astype(np.int32)
    ones = np.ones(len(labels), np.float32)
    stored = {
        "rows": np.arange(len(labels)),
        "top": top,
        "scores": np.stack([ones, 0.5 * ones], axis=1),
        "margin": np.where(predicted == labels, 0.1, -0.1).astype(np.float32),
        "probability": 0.5 * ones,
    }
    return evaluate.assemble(lens, image_set, stored, about={"left_out": [], "fingerprint": {"test": lens.model}})


def answered_by_prompts(
    lens: Lens, *, report: Report, image_set: ImageSet | None = None, prompts: PromptSet | None = None
) -> Answer:
    """Class i is said for some images of class i + 1: every third under ``simple``, every fourth under others."""
    image_set = image_set or open_set(lens.image_set)
    prompt_set(lens.prompts, image_set)
    labels, classes = np.asarray(image_set.labels), len(image_set.keys)
    every = 3 if lens.prompts == "simple" else 4
    said = np.where(np.arange(len(labels)) % every == 0, (labels + 1) % classes, labels)
    top = np.stack([(said + step) % classes for step in range(5)], axis=1).astype(np.int32)
    stored = {
        "rows": np.arange(len(labels)),
        "top": top,
        "scores": np.tile(np.linspace(0.5, 0.3, 5, dtype=np.float32), (len(labels), 1)),
        "margin": np.where(said == labels, 0.05, -0.05).astype(np.float32),
        "probability": np.full(len(labels), 0.7, np.float32),
    }
    about = {"left_out": [], "fingerprint": {"model": {"model": lens.model}, "prompts": {"strategy": lens.prompts}}}
    return evaluate.assemble(lens, image_set, stored, about=about)


class Stub:
    """A function in the place of a real one; unlike a closure it can be part of a question."""

    def __init__(self, work: Callable[..., Any]) -> None:
        self.work = work
        self.digest = f"stub {id(self)}"
        self.__signature__ = inspect.signature(work)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.work(*args, **options)


class Endless:
    """An evaluation that stays at one image of 1,000 until it is stopped; ``begun`` is set once that is reported."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.digest = f"endless {id(self)}"

    def __call__(self, lens: Lens, *, report: Report, **_: object) -> NoReturn:
        while True:
            report(Progress(1, 1000, "Embedding images"))
            self.begun.set()
            time.sleep(0.005)


def launched(page: str, **query: str | list[str]) -> AppTest:
    """The app at a page and a query string, run once."""
    app = AppTest.from_file(str(SHELL), default_timeout=PATIENCE)
    for key, value in query.items():
        app.query_params[key] = value
    switch(app, page)
    return app.run()


def switch(app: AppTest, page: str) -> None:
    """Have the next run show this page.

    ``AppTest.switch_page`` guesses a page's hash from its file name until the app has run once, and every page here
    is called ``page.py``; Streamlit's own hash is that of the address.
    """
    app._page_hash = calc_hash(page)


def opened(page: str = "explore", **query: str | list[str]) -> AppTest:
    """The app at a page and a query string, drawn with all that its jobs answered."""
    return settled(launched(page, **query))


def settled(app: AppTest) -> AppTest:
    """Draw the page again until a run finds every job over and starts none.

    Looking only at the jobs under way is not enough: one that ended after the page was drawn is not in the page yet.
    """
    seen: list[engine.Job[Any]] = []
    for _ in range(8):
        jobs = engine.engine().jobs()
        if all(any(job is old for old in seen) for job in jobs):
            break
        for job in jobs:
            assert job.wait(PATIENCE), f"{job.label} hangs"
        seen = jobs
        app.run()
    return app


def words(app: AppTest) -> str:
    """Everything that the page says in HTML, Markdown and boxes."""
    shown = [*app.get("html"), *app.markdown, *app.warning, *app.info]
    said = " ".join(str(getattr(item, "body", None) or getattr(item, "value", "")) for item in shown)
    return said.replace("\u00a0", " ")


def galleries(app: AppTest) -> list[dict[str, Any]]:
    """Data of every gallery on the page."""
    found = [json.loads(item.proto.json) for item in app.get("bidi_component") if item.proto.json]
    return [data for data in found if "groups" in data]


def links(app: AppTest) -> dict[str, tuple[str, dict[str, list[str]]]]:
    """Links of the page to other pages: label -> page and the fields that they fill."""
    found = (item.proto for item in app.get("page_link"))
    return {plain.label: (plain.page, parse_qs(plain.query_string)) for plain in found}


def figures(app: AppTest) -> list[dict[str, Any]]:
    """Specifications of the plots on the page."""
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def deck_of(app: AppTest) -> Deck:
    """The deck of the tab."""
    return app.session_state["_deck"]
