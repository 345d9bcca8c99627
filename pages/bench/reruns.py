"""Bench row of what the server does for one rerun of a page."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from core.bench import Row, paired


def page_rerun() -> list[Row]:
    """A warm rerun of a page that draws 5,000 concepts as the pages do, against an empty page."""

    def empty() -> None:
        import streamlit as st

        st.write("")

    def full() -> None:
        from core.bench.drawing import example_series
        from core.charts import frequency_figure
        from pages.ui.downloads import plot
        from pages.ui.jobs import recall

        plot(recall(frequency_figure, [example_series(5_000)]), key="cloud", alt="5,000 concepts")

    pages = [AppTest.from_function(page, default_timeout=30).run() for page in (full, empty)]
    ratio = paired(pages[0].run, pages[1].run, repeat=7)
    return [Row("page_rerun", ratio, "<=", 3.0, "a rerun of an empty page (server side)", 5_000)]
