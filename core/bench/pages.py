"""Bench rows of what the server does for one redraw of a page."""

from __future__ import annotations

import numpy as np

from core.bench import Row, paired


def page_rerun() -> list[Row]:
    """A warm rerun of a page that draws 5,000 concepts, against an empty page."""
    from streamlit.testing.v1 import AppTest

    def empty() -> None:
        import streamlit as st

        st.write("")

    def full() -> None:
        import streamlit as st

        from core.bench.pages import example_curve
        from core.charts import frequency_figure

        st.plotly_chart(frequency_figure([("model", example_curve(5_000))]))

    pages = [AppTest.from_function(page, default_timeout=30).run() for page in (full, empty)]
    ratio = paired(pages[0].run, pages[1].run, repeat=7)
    return [Row("page_rerun", ratio, "<=", 3.0, "a rerun of an empty page (server side)", 5_000)]


def example_curve(n: int):
    """A frequency curve over ``n`` concepts with log-linear accuracy, for measuring; never shown as a result."""
    from core.curve import curve
    from core.types import Answer, ClassScore, FrequencyTable, Lens

    rng = np.random.default_rng(n)
    counts = np.floor(10 ** rng.uniform(0, 5, n)).astype(int)
    accuracy = np.clip(0.1 + 0.15 * np.log10(counts) + rng.normal(0, 0.15, n), 0, 1)
    keys = tuple(f"c{i}" for i in range(n))
    scores = tuple(ClassScore(k, k, float(a), float(a), float(a), 20) for k, a in zip(keys, accuracy, strict=True))
    nothing = np.zeros(0, np.float32)
    answer = Answer(Lens("m", "s"), keys, keys, nothing, nothing, nothing.reshape(0, 1), nothing.reshape(0, 1),
                    nothing, nothing, scores, (), 0, {})  # fmt: skip
    return curve(answer, FrequencyTable("bench", "generated", "text", dict(zip(keys, counts.tolist(), strict=True))))
