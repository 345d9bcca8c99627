"""Head against tail along severity: does the tail break first?"""

from __future__ import annotations

import streamlit as st

from core.charts.corruptions import severity_lines
from core.frequency import labels
from core.robustness.corruptions import findings
from core.robustness.corruptions.registry import IN_MEMORY, words
from core.supervised.names import known_as
from core.types import ImageSet, Lens
from pages.corruptions import sample, shared
from pages.ui import lensbar
from pages.ui.downloads import downloads, plot
from pages.ui.text import finding_of, quiet


def head_and_tail(lens: Lens, image_set: ImageSet, other: Lens | None) -> None:
    """Accuracy along severity of head and tail, averaged or under one corruption."""
    found = sample.measured(lens, image_set, other)
    if not found:
        return
    names = list(dict.fromkeys(name for records in found.values() for name, _ in findings.cells(records)))
    name = st.selectbox(
        "Corruption", names, index=None, key="along", bind="query-params", placeholder="Mean of the fifteen",
        format_func=words, width=300,
    )  # fmt: skip
    lines = {
        known_as(model): {
            part: points for part in ("head", "tail") if (points := findings.along_severity(records, part, name))
        }
        for model, records in found.items()
    }
    lines = {model: parts for model, parts in lines.items() if all(parts.values())}
    if not lines:
        quiet("No pretraining counts are known for these classes, so there are no groups of head and tail.")
        return
    told = [
        f"{known_as(model)}. {sentence}"
        for model, records in found.items()
        if (whole := findings.total(records)) and (sentence := findings.tail_sentence(whole))
    ]
    for sentence in told:
        finding_of(sentence)
    figure = severity_lines(lines)
    title = f"Accuracy of head and tail under {words(name) if name else 'the mean of all corruptions'}"
    plot(figure, key="head-tail", alt=title)
    own = lensbar.chosen_counts() is None
    counts = "each model's own pretraining counts" if own else f"the counts in {labels.place(lens.frequency)}"
    quiet(
        "Bars are Wilson 95 % intervals of one condition; head and tail are the commonest and rarest fifth by "
        f"{counts}. Kept is accuracy over all conditions divided by clean accuracy, its interval "
        "from resampling concepts: points lost alone would favour the part with less to lose."
    )
    first = next(iter(found.values()))
    source = f"{lens.image_set} · n = {first[0].n:,} · {IN_MEMORY}"
    records = [one for each in found.values() for one in each]
    downloads(
        "head-and-tail", *shared.record_rows(records), figure=figure, title=told[0] if told else title, source=source
    )
