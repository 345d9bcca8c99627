"""Figures hold the numbers they were given and escape the names."""

from __future__ import annotations

import numpy as np
import pytest

from core import charts
from core.charts.palette import PARTS
from core.stats import intervals as stats
from core.types import Interval


def series_of(counts: list[int], *, label: str = "lens", names: list[str] | None = None) -> charts.Series:
    """Accuracy rises a tenth per tenfold count, from 0.1 at one."""
    found = np.array(counts)
    accuracy = np.where(found > 0, 0.1 + 0.1 * np.log10(np.maximum(found, 1)), 0.0)
    return charts.Series(
        label=label,
        classes=np.arange(len(counts)),
        names=names or [f"c{i}" for i in range(len(counts))],
        counts=found,
        accuracy=accuracy,
        n=np.full(len(counts), 20),
        bins=stats.log_bins(found, accuracy),
        trend=stats.trend(found, accuracy),
    )


def cloud(figure):
    """The trace of single concepts."""
    return next(trace for trace in figure.data if trace.customdata is not None and np.ndim(trace.customdata) == 2)


def test_every_concept_is_drawn_at_its_count_with_its_class() -> None:
    points = cloud(charts.frequency_figure([series_of([1, 10, 100, 1000])]))
    assert points.x.tolist() == [1, 10, 100, 1000]
    assert points.y == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert points.customdata.tolist() == [[0, 1, 20], [1, 10, 20], [2, 100, 20], [3, 1000, 20]]


def test_names_of_chosen_concepts_stay_inside_the_figure() -> None:
    figure = charts.frequency_figure([series_of([1, 100, 10_000])], chosen=[0, 1, 2])
    ring = next(trace for trace in figure.data if trace.name == "selected")
    assert ring.textposition == ("top right", "top center", "top left")


def test_zero_counts_have_a_lane_left_of_everything_and_a_tick() -> None:
    figure = charts.frequency_figure([series_of([0, 3, 30, 300])])
    points = cloud(figure)
    assert 0 < points.x[0] < points.x[1:].min() / 2
    assert figure.layout.xaxis.ticktext[0] == "0"
    assert abs(np.log10(points.x[0] / figure.layout.xaxis.tickvals[0])) < 0.21
    assert "0" not in charts.frequency_figure([series_of([3, 30, 300])]).layout.xaxis.ticktext


def test_binned_means_carry_interval_and_n() -> None:
    one = series_of([1, 1, 2, 2, 50, 60, 70, 5000])
    figure = charts.frequency_figure([one])
    means = next(trace for trace in figure.data if trace.name and trace.name.startswith("mean of"))
    assert list(means.y) == pytest.approx([b.mean for b in one.bins])
    assert [row[2] for row in means.customdata] == [b.n for b in one.bins]
    told = next(trace for trace in figure.data if trace.mode == "text")
    assert told.text[0] == f"n {one.bins[0].n}"


def test_the_line_is_drawn_only_where_accuracies_can_be() -> None:
    one = series_of([1, 10, 100, 1000])
    steep = charts.Series(**{**vars(one), "trend": stats.trend(one.counts, np.array([0.0, 0.9, 1.0, 1.0]))})
    line = next(trace for trace in charts.frequency_figure([steep]).data if trace.name and trace.name.startswith("fit"))
    assert max(line.y) <= 1
    assert line.name == f"fit: {100 * steep.trend.slope.value:+.1f} points per tenfold"


def test_six_series_are_six_clouds_and_no_more_traces_than_that_needs() -> None:
    figure = charts.frequency_figure([series_of([1, 10, 100, 1000], label=f"s{i}") for i in range(6)])
    assert len(figure.data) == 18
    assert len({trace.line.color for trace in figure.data if trace.mode == "lines"}) == 6


def test_many_points_are_left_to_webgl() -> None:
    assert cloud(charts.frequency_figure([series_of(list(range(1, 2500)))])).type == "scattergl"
    assert cloud(charts.frequency_figure([series_of([1, 10, 100])])).type == "scatter"


def test_groups_are_told_by_colour_and_symbol_in_one_trace() -> None:
    figure = charts.frequency_figure([series_of([1, 10, 100])], groups=["tail", "torso", "head"])
    assert len(set(cloud(figure).marker.color)) == len(set(cloud(figure).marker.symbol)) == 3
    assert {trace.name for trace in figure.data if trace.x is not None and trace.x[0] is None} == set(PARTS)


def test_selected_concepts_are_ringed_and_named() -> None:
    figure = charts.frequency_figure([series_of([1, 10, 100])], chosen=[2])
    ring = next(trace for trace in figure.data if trace.name == "selected")
    assert (list(ring.x), list(ring.text)) == ([100], ["c2"])


def test_names_are_escaped() -> None:
    figure = charts.frequency_figure([series_of([1, 10, 100], names=["<b>x</b>", "a&b", "c"])])
    assert list(cloud(figure).text) == ["&lt;b&gt;x&lt;/b&gt;", "a&amp;b", "c"]
    bars = charts.top_bars(["<i>x</i>", "y"], [0.5, 0.4], true="y")
    assert list(bars.layout.yaxis.ticktext) == ["× &lt;i&gt;x&lt;/i&gt;", "✓ y"]


def test_the_axis_of_cosines_says_where_it_starts() -> None:
    bars = charts.top_bars(["x", "y", "z"], [0.71, 0.68, 0.62], true="z", ranks=[1, 2, None], chances=[0.4, None, None])
    assert bars.layout.xaxis.range[0] == pytest.approx(0.6)
    assert bars.layout.xaxis.title.text == "cosine, axis from 0.60 · probability"
    assert {shape.x0 for shape in bars.layout.shapes} == {bars.layout.xaxis.range[0]}
    assert list(bars.layout.yaxis.ticktext) == ["× 1. x", "2. y", "✓ &gt; 2. z"]
    assert list(bars.data[0].text) == ["  0.710 · 40.0%", "  0.680", "  0.620"]


def test_no_data_is_no_error() -> None:
    assert charts.frequency_figure([]).layout.xaxis.type == "log"
    empty = charts.frequency_figure([series_of([])])
    assert len(cloud(empty).x) == 0


def test_models_below_the_identity_line_and_their_intervals() -> None:
    point = charts.ModelPoint("m", Interval(0.6, 0.5, 0.7), Interval(0.3, 0.2, 0.45), "icon", chosen=True)
    figure = charts.tail_scatter([point], x_title="all", y_title="tail")
    drawn = figure.data[1]
    assert (drawn.x[0], drawn.y[0]) == (0.6, 0.3)
    assert drawn.error_y.array[0] == pytest.approx(0.15)
    assert drawn.error_y.arrayminus[0] == pytest.approx(0.1)
    assert list(figure.data[0].x) == list(figure.data[0].y)


def test_a_figure_travels_as_one_page_without_links_outside() -> None:
    page = charts.standalone_html(charts.frequency_figure([series_of([1, 10, 100])]), title="<x>")
    assert "&lt;x&gt;" in page
    assert 'src="http' not in page
    assert len(page) > 1_000_000


@pytest.mark.parametrize(
    ("count", "text"), [(7, "7"), (940, "940"), (1200, "1.2k"), (34_000, "34k"), (2_100_000, "2.1M")]
)
def test_counts_are_short(count: int, text: str) -> None:
    assert charts.compact(count) == text
