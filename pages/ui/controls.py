"""The two controls of the paper beside the main sets: similarity taken out, and a purely synthetic distribution."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.charts import published
from core.published import findings, view
from core.published.manifest import CITATION
from core.published.names import HEADLINE_METHOD, ZERO_SHOT
from core.published.sentences import finding as sentence_of
from core.published.store import Store
from core.published.view import Shown, View
from pages.published import parts, release
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import need, question
from pages.ui.switches import switch
from pages.ui.text import finding, quiet, section

PRUNED, SYNTHETIC, WHOLE = "laion200m_train_test_sim_normalized", "synthci30m", "laion400m"
PAIRS = (
    (
        "Similarity taken out",
        "LAION-200M is LAION-400M deduplicated, less the 50 million samples most similar to the ImageNet validation "
        "images. Meant to rule out that frequent concepts do well because near copies of the test images were trained "
        "on. Only image counts were released for it, so both are counted by image.",
        "rampp0.7",
        (("ViT-B-32", PRUNED), ("ViT-B-32", WHOLE)),
    ),
    (
        "A synthetic distribution",
        "SynthCI-30M: captions written by a language model for a list of concepts, pictures by a diffusion model. "
        "Meant to rule out that the trend is a property of web data. The paper keeps its zero bin and cuts its last "
        "four bins, unlike every other curve.",
        HEADLINE_METHOD,
        tuple(("ViT-B-16", name) for name in (SYNTHETIC, "cc3m", "cc12m", "yfcc15m", WHOLE)),
    ),
)


def two_controls(store: Store, head: DeltaGenerator) -> None:
    """Both controls on one screen, each with what it was meant to rule out; the sentence goes to the head."""
    prompts = switch("Prompts", "corpora-score", ("class", "simple", "ensemble"))
    drawn = [_shown(store, method, prompts, models) for _, _, method, models in PAIRS]
    own = [one for shown in drawn for one in shown if one.combination.pretraining in (PRUNED, SYNTHETIC)]
    with head:
        finding("Controls", findings.controls(own), findings.controls_evidence(own))
        release.source_line()
    for column, (title, note, _, _), shown in zip(st.columns(2, gap="large"), PAIRS, drawn, strict=True):
        with column:
            section(title, note)
            if not shown:
                quiet("This copy of the release lacks it.")
                continue
            for recipe, make in (("honest", published.honest_figure), ("paper", published.paper_figure)):
                figure = make(shown, height=400)
                plot(figure, key=f"{title}-{recipe}", alt=sentence_of(shown[0].honest))
                name = f"control-{shown[0].combination.pretraining.partition('_')[0]}-{recipe}"
                rows = parts.concept_rows(shown)
                downloads(
                    name,
                    *rows,
                    figure=figure,
                    title=f"{title}, {'per concept' if recipe == 'honest' else 'as in the paper'}",
                    source=CITATION,
                )
    everything = [one for shown in drawn for one in shown]
    section(
        "Figures",
        "Upper plots: per concept. Lower plots: as in the paper. The models of a pair share their architecture.",
    )
    if everything:
        parts.table(everything)


def _shown(store: Store, method: str, prompts: str, models: tuple[tuple[str, str], ...]) -> list[Shown]:
    asked = View(ZERO_SHOT, method, prompts, models)
    shown, left_out = need(question(view.draw, store, asked, label="Drawing the controls", lane="io"))
    for item in left_out:
        quiet(f"Not drawn: {item.item}. {item.reason}")
    return shown
