"""Intervals, correlations and trends against SciPy, published values and simulation."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from core.frequency.table import split
from core.stats import intervals as stats
from core.stats.bootstrap import Resampler
from core.types import FrequencyTable
from tests.shipped_release import load


def released(path: str) -> dict:
    return load(Path(path))


@pytest.fixture
def zipf() -> tuple[np.ndarray, np.ndarray]:
    """300 concepts whose accuracy, in steps of 1/20, rises by 0.15 per decade of a tied, Zipf-like count."""
    rng = np.random.default_rng(0)
    counts = np.round(10 ** rng.uniform(0, 4, 300)).astype(int)
    return counts, np.round(20 * np.clip(0.1 + 0.15 * np.log10(counts) + rng.normal(0, 0.2, 300), 0, 1)) / 20


@pytest.mark.parametrize(("right", "n"), [(0, 10), (1, 10), (5, 10), (263, 3000), (81, 263), (20, 20), (1, 1)])
def test_wilson_equals_scipy(right, n):
    expected = scipy.stats.binomtest(right, n).proportion_ci(method="wilson")
    found = stats.wilson(right, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.low <= found.value == right / n <= found.high


def test_wilson_equals_newcombes_published_examples():
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
    for (right, n), bounds in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (1, 29): (0.0061, 0.1718),
    }.items():
        found = stats.wilson(right, n)
        assert (round(found.low, 4), round(found.high, 4)) == bounds


def test_no_images_no_share():
    assert np.isnan(stats.wilson(0, 0).value)


def test_correlations_and_slope_equal_scipy(zipf):
    counts, accuracy = zipf
    x = np.log10(counts)
    assert stats.pearson(x, accuracy).value == pytest.approx(scipy.stats.pearsonr(x, accuracy)[0], abs=1e-12)
    assert stats.spearman(counts, accuracy).value == pytest.approx(scipy.stats.spearmanr(x, accuracy)[0], abs=1e-6)
    line = scipy.stats.linregress(x, accuracy)
    found = stats.trend(counts, accuracy, points=7)
    assert found.slope.value == pytest.approx(line.slope, abs=1e-12)
    np.testing.assert_allclose(found.fitted, line.intercept + line.slope * np.log10(found.counts))
    assert (found.low < found.fitted).all()
    assert (found.fitted < found.high).all()


@pytest.mark.slow
def test_bootstrap_equals_one_resample_at_a_time(zipf):
    """The matrix of weights gives what a loop over resampled rows gives, Spearman's ranks included."""
    counts, accuracy = zipf
    x = np.log10(counts)
    weights = Resampler.of(np.arange(len(x)), replicates=stats.RESAMPLES, seed=3).weights().T.astype(int)
    assert (weights.sum(1) == len(x)).all()
    loops = {"pearson": [], "spearman": [], "slope": []}
    for row in weights:
        a, b = np.repeat(x, row), np.repeat(accuracy, row)
        loops["pearson"].append(scipy.stats.pearsonr(a, b)[0])
        loops["spearman"].append(scipy.stats.spearmanr(a, b)[0])
        loops["slope"].append(np.polyfit(a, b, 1)[0])
    for found, name in [
        (stats.pearson(x, accuracy, seed=3), "pearson"),
        (stats.spearman(x, accuracy, seed=3), "spearman"),
        (stats.slope_per_decade(counts, accuracy, seed=3), "slope"),
    ]:
        assert (found.low, found.high) == pytest.approx(tuple(np.quantile(loops[name], (0.025, 0.975))), abs=1e-5)


@pytest.mark.slow
def test_intervals_cover_the_truth_about_95_times_in_100():
    """400 simulated worlds of 60 concepts: correlated normals with r = 0.6 and slope 0.6."""
    rng = np.random.default_rng(1)
    true_spearman = 6 / np.pi * np.arcsin(0.6 / 2)
    covered = np.zeros(4)
    worlds = 400
    for world in range(worlds):
        x = rng.normal(size=60)
        y = 0.6 * x + 0.8 * rng.normal(size=60)
        counts = 10 ** (x + 6)
        intervals = [
            (stats.pearson(x, y, seed=world), 0.6),
            (stats.spearman(x, y, seed=world), true_spearman),
            (stats.slope_per_decade(counts, y, seed=world), 0.6),
            (stats.mean(y, seed=world), 0.0),
        ]
        covered += [interval.low <= truth <= interval.high for interval, truth in intervals]
    assert (covered / worlds > 0.90).all(), covered / worlds
    assert (covered / worlds < 0.985).all(), covered / worlds


def test_clusters_widen_the_interval():
    """Every concept copied four times is no more evidence than once."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=80)
    y = 0.5 * x + rng.normal(size=80)
    once = stats.pearson(x, y)
    copies = stats.pearson(np.tile(x, 4), np.tile(y, 4), clusters=np.tile(np.arange(80), 4))
    naive = stats.pearson(np.tile(x, 4), np.tile(y, 4))
    assert (copies.value, copies.low, copies.high) == pytest.approx((once.value, once.low, once.high), abs=1e-9)
    assert naive.high - naive.low < 0.6 * (once.high - once.low)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), factor=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_order_scale_and_shift_leave_correlations_alone(seed, factor, shift):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 9, 30).astype(float), rng.integers(0, 5, 30).astype(float)
    order = rng.permutation(30)
    for measure in (stats.pearson, stats.spearman):
        plain = measure(x, y).value
        assert measure(x[order], y[order]).value == pytest.approx(plain, abs=1e-9)
        assert measure(factor * x + shift, y).value == pytest.approx(plain, abs=1e-6)
        assert measure(y, x).value == pytest.approx(plain, abs=1e-9)


def test_what_has_no_spread_is_undefined_not_zero():
    flat, rising = np.ones(5), np.arange(5.0)
    for found in (stats.pearson(flat, rising), stats.pearson(rising, flat), stats.spearman(rising, flat)):
        assert np.isnan(found.value)
        assert np.isnan(found.low)
    assert np.isnan(stats.pearson(rising[:2], rising[:2]).value)
    assert np.isnan(stats.slope_per_decade(np.full(5, 7), rising).value)
    assert stats.trend(np.array([0, 0, 3]), np.ones(3)).counts.size == 0
    one = stats.mean([0.25])
    assert (one.value, np.isnan(one.low)) == (0.25, True)
    assert np.isnan(stats.mean([]).value)


def test_zero_counts_do_not_touch_the_slope(zipf):
    counts, accuracy = zipf
    with_zeros = stats.slope_per_decade(np.r_[counts, np.zeros(50)], np.r_[accuracy, np.ones(50)])
    assert with_zeros == stats.slope_per_decade(counts, accuracy)


def test_log_bins_by_hand():
    counts = np.array([0, 1, 2, 3, 4, 9, 10, 1000, 1000])
    values = np.array([9.0, 0.0, 0.2, 0.4, 0.6, 0.8, 0.5, 0.7, 0.9])
    bins = stats.log_bins(counts, values, per_decade=2)
    assert [b.n for b in bins] == [3, 2, 1, 2]
    assert [round(b.start, 3) for b in bins] == [1, 3.162, 10, 1000]
    assert bins[0].count == pytest.approx(6 ** (1 / 3))
    assert [b.mean for b in bins] == pytest.approx([0.2, 0.7, 0.5, 0.8])
    assert np.isnan(bins[2].low)
    assert 0 <= bins[0].low < 0.2 < bins[0].high < 0.401
    assert sum(b.n for b in stats.log_bins(counts, values, per_decade=5)) == 8


@pytest.mark.parametrize("power", range(16))
def test_a_power_of_ten_opens_its_bin(power):
    (found,) = stats.log_bins(np.array([10**power]), np.array([0.5]), per_decade=3)
    assert found.start == pytest.approx(10.0**power)


def rule(counts: dict[str, int]) -> dict[str, str]:
    """The stated rule, by counting: how many concepts are rarer, or commoner, than a fifth of all."""
    n = len(counts)
    fifth = math.ceil(n / 5)
    tail = {key for key in counts if sum(other < counts[key] for other in counts.values()) < fifth}
    head = {key for key in counts if sum(other > counts[key] for other in counts.values()) < fifth}
    if tail & head:
        return {}
    return {key: "tail" if key in tail else "head" if key in head else "torso" for key in counts}


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=4), st.integers(0, 8), max_size=40))
def test_groups_follow_the_stated_rule_and_never_split_ties(counts):
    found = stats.groups(counts)
    assert found.tags == stats.tags(counts) == rule(counts)
    assert bool(found.reason) == (not found.tags)
    for tag, (n, low, high) in found.sizes.items():
        inside = [counts[key] for key, own in found.tags.items() if own == tag]
        assert (n, low, high) == (len(inside), min(inside), max(inside))
    by_count: dict[int, set[str]] = {}
    for key, tag in found.tags.items():
        by_count.setdefault(counts[key], set()).add(tag)
    assert all(len(tags) == 1 for tags in by_count.values())


def test_a_tail_of_zeros_is_exactly_the_never_counted_and_called_so():
    found = stats.groups({**{f"z{i}": 0 for i in range(5)}, **{f"s{i}": i for i in range(1, 6)}})
    assert {key for key, tag in found.tags.items() if tag == "tail"} == {f"z{i}" for i in range(5)}
    assert found.never_counted
    assert found.tail == "the concepts that were never counted"
    assert found.told("tail") == "5 concepts, counted 0 times"
    assert found.told("head") == "2 concepts, counted 4 to 5 times"


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({}, "no concept"),
        ({"a": 3}, "only one concept"),
        (dict.fromkeys("abcd", 1), "4 of 4 concepts were counted 1 time, so that head and tail would meet"),
        ({**dict.fromkeys("abcdefgh", 0), "i": 2, "j": 2}, ""),
        ({**dict.fromkeys("abcdefghij", 0), "k": 2}, "10 of 11 concepts were never counted"),
    ],
)
def test_without_groups_the_reason_is_told(counts, reason):
    found = stats.groups(counts)
    assert reason in found.reason
    assert bool(found.tags) == (not reason)


def test_imagenet_under_cc3m_has_one_tail_of_all_uncounted_classes():
    counts = released("search_counts/imagenet_cc3m_integrated_tlemmatized_i0.7_search_counts.json")
    scores = released("zero_shot_evaluations/imagenet_ensemble_results.json")
    scores = scores["backboneRN50_pretrainedcc3m"]["classwise"]
    found = stats.groups(counts)
    tail = [key for key, tag in found.tags.items() if tag == "tail"]
    assert sorted(tail) == sorted(key for key, count in counts.items() if count == 0)
    assert found.sizes["tail"] == (433, 0, 0)
    # 5.59 % for the 200 that come first by wnid and 10.46 % for the others were told apart: one group of 8.2 %.
    assert np.mean([scores[key] for key in tail]) == pytest.approx((200 * 5.59 + 233 * 10.46) / 433, abs=0.03)


class TestNoIntervalOfZeroWidth:
    def test_nothing_right_is_wilsons_over_all_images(self):
        for images in ([114], [60, 54], [2] * 57):
            found = stats.mean(np.zeros(len(images)), images=np.array(images))
            assert (found.value, found.low) == (0, 0)
            assert found.high == pytest.approx(0.0326, abs=5e-5)
        all_right = stats.mean(np.ones(4), images=np.full(4, 5))
        assert (all_right.value, all_right.high) == (1, 1)
        assert all_right.low == pytest.approx(1 - stats.wilson(0, 20).high)

    def test_unknown_images_leave_classes_as_what_is_counted(self):
        found = stats.mean(np.zeros(30))
        assert (found.low, found.high) == (0, pytest.approx(stats.wilson(0, 30).high))
        same = stats.mean(np.full(30, 0.5))
        assert same.low < 0.5 < same.high

    def test_bins_at_the_ends_have_a_width(self):
        counts = np.array([1, 2, 2, 20, 20, 20])
        bins = stats.log_bins(counts, np.array([0, 0, 0, 1.0, 1, 1]), images=np.full(6, 10))
        assert bins[0].low == 0 < bins[0].high < 0.2
        assert bins[1].low < bins[1].high == 1

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=12))
    def test_never(self, cells):
        right = np.array([min(hits, n) for hits, n in cells])
        images = np.array([n for _, n in cells])
        found = stats.mean(right / images, images=images)
        assert found.low < found.high
        assert found.low <= found.value <= found.high

    def test_classes_and_images_are_both_drawn(self):
        rng = np.random.default_rng(3)
        images = rng.integers(3, 9, 12)
        share = rng.binomial(images, rng.uniform(0, 1, 12)) / images
        drawn = [
            np.mean([rng.binomial(images[i], share[i]) / images[i] for i in rng.integers(0, 12, 12)])
            for _ in range(6_000)
        ]
        found = stats.mean(share, images=images)
        assert (found.low, found.high) == pytest.approx(np.percentile(drawn, (2.5, 97.5)), abs=0.025)
        assert found.high - found.low > stats.mean(share).high - stats.mean(share).low


def test_a_line_through_accuracies_stays_within_them():
    counts = np.array([1, 10, 100, 1000, 10_000, 100_000] * 5)
    found = stats.trend(counts, np.clip(np.log10(counts) / 2 - 1, 0, 1))
    assert len(found.counts) < 50
    for values in (found.fitted, found.low, found.high):
        assert values.min() >= 0
        assert values.max() <= 1


def test_split_ranks_only_the_classes_that_are_known():
    table = FrequencyTable(
        "t", "", "image", {"tree frog": 3, "axolotl": 0, "dog": 900, "cat": 800, "newt": 7, "Cat": 1}
    )
    assert split(table, ["tree_frog", "axolotl", "dog", "cat", "newt", "yeti"]) == {
        "tree_frog": "torso",
        "axolotl": "tail",
        "dog": "head",
        "cat": "torso",
        "newt": "torso",
    }
