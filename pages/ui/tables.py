"""Tables that select what a click in a plot selects: the keyboard's way to every point and cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import streamlit as st

from core.analysis.curve import measure_of
from core.types import Answer, ClassAnswer
from pages.ui.jobs import recall
from pages.ui.selection import select
from pages.ui.text import quiet

NO_FLAGS: Mapping[str, tuple[str, ...]] = {}


def fitting(rows: int, most: int) -> int | Literal["content"]:
    """Height of a table with so many rows: no empty row under few, at most so many pixels."""
    return "content" if 33 * (rows + 1) + 2 <= most else most


def concept_rows(
    answer: Answer | ClassAnswer,
    shown: Sequence[int],
    counts: Mapping[str, int],
    families: Mapping[str, str],
    parts: Mapping[str, str],
    flags: Mapping[str, tuple[str, ...]] = NO_FLAGS,
) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of the given classes, as they are downloaded; accuracies are fractions."""
    header = ["key", "name", "family", "part", "count", "accuracy", "low", "high", "n", "flags"]
    rows = []
    for index in shown:
        score = answer.classes[index]
        known = (families.get(score.key), parts.get(score.key), counts.get(score.key))
        rows.append([score.key, score.name, *known, score.accuracy, score.low, score.high, score.n])
        rows[-1].append(", ".join(flags.get(score.key, ())) or None)
    return header, rows


def _concept_columns(
    answer: Answer | ClassAnswer,
    shown: Sequence[int],
    counts: Mapping[str, int],
    families: Mapping[str, str],
    parts: Mapping[str, str],
    flags: Mapping[str, tuple[str, ...]],
) -> pa.Table:
    """The columns of ``concept_table`` as they are sent; those without any value are dropped."""
    header, rows = concept_rows(answer, shown, counts, families, parts, flags)
    frame = pd.DataFrame(rows, columns=header)
    known = [name for name in ("count", "part", "family", "flags") if frame[name].notna().any()]
    percent = frame["accuracy"].map(lambda value: math.nan if value is None else 100 * value)
    columns = ["name", *known[:1], "accuracy", *known[1:]]
    return pa.Table.from_pandas(frame.assign(accuracy=percent)[columns], preserve_index=False)


def concept_table(
    answer: Answer | ClassAnswer,
    shown: Sequence[int],
    counts: Mapping[str, int],
    families: Mapping[str, str],
    parts: Mapping[str, str],
    flags: Mapping[str, tuple[str, ...]] = NO_FLAGS,
    *,
    key: str,
    height: int = 460,
    narrow: bool = False,
) -> None:
    """The classes as a table to search and sort; choosing rows makes them the selection.

    Args:
        narrow: it stands beside something, so that it has room for five columns: flags come before parts and families.
    """
    table = recall(_concept_columns, answer, shown, counts, families, parts, flags)
    if narrow and "flags" in table.column_names:
        table = table.drop_columns([name for name in ("part", "family") if name in table.column_names])
    st.dataframe(
        table,
        key=key,
        height=fitting(len(shown), height),
        hide_index=True,
        on_select=lambda: _choose(key, [answer.keys[index] for index in shown]),
        selection_mode="multi-row",
        column_config={
            "name": st.column_config.TextColumn("Concept", width=104 if narrow and table.num_columns > 3 else None),
            "count": st.column_config.NumberColumn(
                "Count", width=54, format="localized", help="How often it was counted, by the source under Frequency"
            ),
            "part": st.column_config.TextColumn(
                "Part", width=46, help="tail: the rarest fifth; head: the commonest fifth"
            ),
            "family": st.column_config.TextColumn("Family", width=60 if narrow else None),
            "flags": st.column_config.TextColumn(
                "Flags", width=106 if narrow else None, help="What is doubtful about the count"
            ),
            "accuracy": st.column_config.ProgressColumn(
                measure_of(answer).capitalize(),
                width=74,
                min_value=0,
                max_value=100,
                format="%.0f %%",
                help="Top-1 accuracy over the concept's images; of retrieval, recall over its queries",
            ),
        },
        placeholder="–",
        alt="Concepts with count and accuracy",
    )


def _choose(key: str, listed: Sequence[str]) -> None:
    rows = st.session_state[key].selection.rows
    if rows:
        select([listed[row] for row in rows if row < len(listed)])


def plotted(
    columns: Mapping[str, Sequence[Any]],
    choose: Callable[[int], None],
    *,
    key: str,
    of: str,
    shares: Collection[str] = (),
) -> None:
    """What a plot shows as a table to search, sort and choose from with the keyboard; folded away at first.

    Args:
        columns: title -> values in the order of the rows.
        choose: does with a row what a click on its mark does; called as a widget callback.
        of: what the rows are, in the plural.
        shares: columns that hold fractions, shown in percent.
    """
    frame = pd.DataFrame({title: list(values) for title, values in columns.items()})
    if frame.empty:
        return
    for name in shares:
        frame[name] = 100 * frame[name].astype(float)
    config = {
        name: st.column_config.NumberColumn(format="%.1f %%" if name in shares else "localized")
        for name in columns
        if frame[name].dtype.kind in "if"
    }

    def chosen() -> None:
        rows = st.session_state[key].selection.rows
        if rows and rows[0] < len(frame):
            choose(rows[0])

    shown = st.expander(f"{len(frame):,} {of} as a table", key=f"{key}-open", on_change="rerun")
    if not shown.open:
        return
    with shown:
        quiet("Choosing a row, by Shift and Space on the keyboard, does what a click in the plot does.")
        st.dataframe(
            frame, key=key, hide_index=True, height=fitting(len(frame), 380), on_select=chosen,
            selection_mode="single-row", column_config=config, placeholder="–", alt=f"The {of} of the plot",
        )  # fmt: skip
