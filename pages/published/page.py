"""Published curves: accuracy against pretraining frequency as released, in the paper's recipe and in an honest one."""

from __future__ import annotations

import streamlit as st

from core.published import findings, one_concept, view
from core.published.names import TEXT_TO_IMAGE
from core.published.store import open_store
from core.published.view import View
from pages.published import choices, concept, parts, release
from pages.ui.jobs import need, question
from pages.ui.switches import switch
from pages.ui.text import finding, quiet, section

PLACE = "Published curves"
VIEWS = ("pooled", "by data set", "slope and size", "thresholds")

store = open_store()
head = st.container()
asked: View = choices.choose(store)
shown, left_out = need(question(view.draw, store, asked, label="Drawing published curves", lane="io"))
with head:
    if shown:
        finding(PLACE, findings.curves(shown), findings.curves_evidence(shown))
    else:
        finding(PLACE, "None of these curves can be drawn.")
    release.source_line()
for item in left_out:
    quiet(f"Not drawn: {item.item}. {item.reason}")
if not shown:
    st.stop()

mode = switch("View", "published-view", VIEWS, bare=True)
if mode == VIEWS[0]:
    parts.pooled(shown)
elif mode == VIEWS[2]:
    parts.size(asked)
elif mode == VIEWS[3]:
    parts.by_threshold(asked)
else:
    split = need(question(view.by_dataset, store, asked, shown, label="Each data set by itself", lane="io"))
    parts.by_dataset(split, shown)

section(
    "Figures", "Every curve in both recipes; intervals resample concepts, so that ImageNet and its sketches count once."
)
parts.table(shown)
hidden = sum(one.hidden for one in shown)
quiet(
    parts.flags_told(shown)
    + (f" {hidden:,} rows hidden per concept; the paper's stays as released." if hidden else "")
    + f" {len(shown[0].rows.left_out):,} names present on one side only are skipped."
)
parts.choices_matter(shown)
if asked.family == TEXT_TO_IMAGE:
    quiet(one_concept.ABSENT)
concept.concept(store, shown)
