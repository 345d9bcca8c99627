"""Your model: a run of Tailscope, or results from elsewhere, laid over the published curves."""

from __future__ import annotations

import streamlit as st

from core.charts import published
from core.published import findings, view
from core.published.manifest import CITATION
from core.published.names import METHODS, PROMPTS, ZERO_SHOT, ZERO_SHOT_SETS
from core.published.overlay import kept_mapping, lay_over
from core.published.store import open_store
from core.published.view import View
from pages.among import parts
from pages.published import parts as parts_view
from pages.published.choices import one_of
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import need, question
from pages.ui.text import finding, quiet, section

ANY = "any"

store = open_store()
head = st.container()
run = parts.choose_run(head)
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    sets = view.pretraining_sets(store, ZERO_SHOT)
    first = parts.guess(run.name, sets)
    pretraining = one_of(
        "Counts of", "counts-of", [first, *(name for name in sets if name != first)], show=view.set_name, width=200,
        help="The set that your model was trained on, if it is one of these; else the one you take for closest.",
    )  # fmt: skip
    method = one_of(
        "Counted by", "among-search", view.methods(store, [pretraining]), show=lambda name: METHODS[name], width=240
    )
    dataset = one_of("Class names from", "names-of", [ANY, *ZERO_SHOT_SETS], width=190)
    prompts = one_of("Prompts of the published", "among-score", PROMPTS, width=170)
chosen = None if dataset == ANY else dataset
where = view.Where(pretraining, method, chosen)
usable = view.applicable(store, kept_mapping(run), where)
overlay = lay_over(run, pretraining=pretraining, method=method, dataset=chosen, mapping=usable)
if len(overlay.rows.counts) < 3:
    with head:
        finding(
            parts.PLACE, f"{len(overlay.rows.counts)} of {len(run.values):,} classes of {run.name} have a count here."
        )
    parts.names(store, overlay, where)
    st.stop()

mine = view.own(overlay)
models = tuple(found for found in view.models(store, ZERO_SHOT) if found[1] == pretraining)
asked = View(ZERO_SHOT, method, prompts, models, (chosen,) if chosen else ())
others, left_out = need(question(view.draw, store, asked, label="Drawing the published curves", lane="io"))
shown = [mine, *others]
with head:
    finding(parts.PLACE, findings.own(mine), findings.own_evidence(mine, others, len(run.values)))
    quiet(f"{run.note}. Its classes take the counts of the same names in the release.")
for item in left_out:
    quiet(f"Not drawn: {item.item}. {item.reason}")

left, right = st.columns([3, 2], gap="medium")
with left:
    section("Per concept", "Half-decade means with 95 % intervals over concepts; zeros in a lane.")
    figure = published.honest_figure(shown, about=st.session_state.get("about") or "")
    plot(figure, key="among", alt=findings.own(mine))
    title = findings.own(mine)
    source = f"{run.name} · {CITATION}"
    downloads("your-model", *parts_view.concept_rows(shown), figure=figure, title=title, source=source)
with right:
    section("As in the paper", "The same rows as the paper would bin them.")
    figure = published.paper_figure(shown)
    plot(figure, key="among-paper", alt=f"{run.name} in the paper's recipe")
    title = f"{run.name} in the paper's recipe"
    downloads("your-model-paper", *parts_view.bin_rows(shown), figure=figure, title=title, source=source)
parts_view.table(shown)
parts.names(store, overlay, where)
