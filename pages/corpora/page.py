"""Corpora: long tails, agreement and misalignment of the pretraining sets, and the two controls of the paper."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.charts import corpora as charts
from core.published import corpora, findings, view
from core.published.flags import flags as flagged
from core.published.manifest import CITATION
from core.published.names import METHODS
from core.published.stated import TABLE_4, TABLE_7
from core.published.store import open_store
from core.published.view import set_name
from pages.published import release
from pages.published.choices import one_of
from pages.ui import address, controls, hiding
from pages.ui.downloads import downloads, plot
from pages.ui.switches import switch
from pages.ui.text import finding, quiet, section

PLACE = "Corpora"
PARTS = ("the sets", "controls")

store = open_store()
head = st.container()
address.by_id("part-of", PARTS)
part = switch("Part", "part-of", PARTS, show=str.capitalize, bare=True)
if part == PARTS[1]:
    controls.two_controls(store, head)
    st.stop()

sets = view.counted_sets(store)
method = one_of(
    "Counted by", "corpora-search", view.methods(store, sets), show=lambda name: METHODS[name], width=260,
    help="Which search the counts come from; not every set was searched in every way.",
)  # fmt: skip
flags = {(name, concept): found for name in sets for concept, found in flagged(name).items()}
hidden = tuple(hiding.hidden(flags))
tails = [found for name in sets if (found := corpora.long_tail(store, name, method, hidden)) is not None]
pairs = corpora.correlations(store, method)
with head:
    finding(PLACE, findings.corpora(tails), findings.corpora_evidence(tails, pairs))
    release.source_line()

if tails:
    section(
        "Long tails",
        f"Concepts of {len(corpora.LONG_TAIL_SETS)} downstream sets by rank, on log–log axes; a straight line would "
        "be a power law. Zeros cannot be drawn there and are stated.",
    )
    figure = charts.tails_figure(tails)
    plot(figure, key="tails", alt=findings.corpora(tails))
    rows = [[t.pretraining, t.method, rank, int(n)] for t in tails for rank, n in enumerate(t.counts, 1)]
    downloads(
        "corpora-ranks",
        ["pretraining", "method", "rank", "count"],
        rows,
        figure=figure,
        title=findings.corpora(tails),
        source=CITATION,
    )
    frame = pd.DataFrame(
        {
            "Pretraining set": [set_name(tail.pretraining) for tail in tails],
            "Concepts": [tail.rows for tail in tails],
            "Zero": [tail.zeros for tail in tails],
            "Never occur": [100 * tail.zeros / tail.rows for tail in tails],
            "Under 1 % of the largest": [100 * tail.share_below for tail in tails],
            "Largest count": [int(tail.counts[0]) for tail in tails],
            "Gini": [tail.gini for tail in tails],
        }
    )
    percent = {
        name: st.column_config.NumberColumn(format="%.1f %%") for name in ("Never occur", "Under 1 % of the largest")
    }
    whole = {name: st.column_config.NumberColumn(format="localized") for name in ("Concepts", "Zero", "Largest count")}
    gini = st.column_config.NumberColumn(
        format="%.3f", help="Of the counts above zero: 0 all equal, 1 one has everything"
    )
    st.dataframe(frame, hide_index=True, column_config={**percent, **whole, "Gini": gini}, alt="Long tails in figures")
    downloads("corpora-tails", [*map(str, frame)], frame.to_numpy().tolist())

if pairs:
    section(
        "Do the sets agree?",
        "Rank correlation of concept counts. By name: the same concept in both sets. By position: as the released "
        "notebook compares its lists, which line up for some pairs only. Table 4 does not say which search its "
        "figures are from.",
    )
    figure = charts.pairs_figure(pairs, TABLE_4)
    title = "Rank correlation of concept counts for every pair of sets"
    plot(figure, key="pairs", alt=title)
    header = ["a", "b", "method", "n", "by_name", "n_position", "by_position", "aligned"]
    rows = [[pair[key] for key in header] for pair in pairs]
    downloads("corpora-correlations", header, rows, figure=figure, title=title, source=CITATION)
    lined = [f"{set_name(pair['a'])}–{set_name(pair['b'])}" for pair in pairs if pair["aligned"]]
    n = [pair["n"] for pair in pairs]
    common = f"{min(n):,}" if min(n) == max(n) else f"{min(n):,} to {max(n):,}"
    quiet(f"{common} names in common. Lists that line up: {', '.join(lined) or 'none'}.")

rates = corpora.misalignment(store)
if rates:
    section("Captions and images that share no concept", " ".join(corpora.MISALIGNMENT_CAVEATS))
    figure = charts.misalignment_figure(rates, TABLE_7)
    plot(figure, key="misaligned", alt="Misalignment rates of the pretraining sets")
    header = ["pretraining", "pairs", "of_fixed", "fixed_size", "of_extracted", "extracted_size"]
    kinds = [(kind, key) for kind in ("fixed", "extracted") for key in ("rate", "size")]
    rows = [[row["pretraining"], row["pairs"], *(row[kind][key] for kind, key in kinds)] for row in rates]
    title = "Misalignment rates of the pretraining sets"
    downloads("corpora-misalignment", header, rows, figure=figure, title=title, source=CITATION)
