"""Bench row of drawing a figure on the server, and the example that rows of redrawn pages share."""

from __future__ import annotations

from functools import cache

import numpy as np

from core.bench import Row, seconds
from core.charts.frequency import Series
from core.stats import intervals as stats


@cache
def example_series(n: int) -> Series:
    """A log-linear trend over ``n`` concepts, for measuring how long it takes to draw; never shown as a result."""
    rng = np.random.default_rng(n)
    counts = np.floor(10 ** rng.uniform(0, 5, n)).astype(np.int64)
    accuracy = np.clip(0.1 + 0.15 * np.log10(counts) + rng.normal(0, 0.15, n), 0, 1)
    names = [f"concept {i}" for i in range(n)]
    bins, trend = stats.log_bins(counts, accuracy), stats.trend(counts, accuracy)
    return Series("model", np.arange(n), names, counts, accuracy, np.full(n, 20), bins, trend)


def published_redraw() -> list[Row]:
    """Server time of drawing the raw concepts of 12 models as one figure and its JSON, against 200 ms."""
    from core.charts.published import honest_figure
    from core.published import store
    from core.published.names import HEADLINE_METHOD, ZERO_SHOT
    from core.published.view import View, draw, models

    opened = store.open_store()
    chosen = tuple(models(opened, ZERO_SHOT)[:12])
    shown, _ = draw(opened, View(ZERO_SHOT, HEADLINE_METHOD, "class", chosen))
    took = seconds(lambda: honest_figure(shown).to_json())
    return [Row("published_redraw", took / 0.2, "<=", 1.0, "200 ms", sum(len(one.rows.counts) for one in shown))]
