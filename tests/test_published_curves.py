"""Both recipes on a small release: the paper's against the notebooks' loop, the honest one against slow definitions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.errors import BadInput, NotHere, UnknownName
from core.published import catalogue, curves, recipe_honest, sensitivity, store
from core.published.anomalies import spelling_flags
from core.published.decades import column_of
from core.published.pool import Combination, Recipe, Rows, pool
from core.published.sentences import difference, finding
from core.stats.bootstrap import Resampler, interval
from tests import published_release

RECORD_KEYS = [
    "family", "pretraining", "method", "prompts", "model", "recipe", "datasets", "n_rows", "n_zero", "edges",
    "bin_mean", "bin_n", "kept", "n_points", "r", "p",
]  # fmt: skip
CC3M = {"family": "zero-shot", "pretraining": "cc3m", "method": "rampp0.7", "model": "RN50", "prompts": "class"}


def rows_of(asked: Combination, *, recipe: Recipe = "honest") -> Rows:
    """The raw rows of one curve."""
    return pool(store.open_store(), asked, catalogue.choose_sets(asked.family, asked.method, None), recipe)


def test_the_paper_recipe_is_the_notebooks_loop(release: Path):
    records = list(curves.curves(recipe="paper"))
    # Four models with counts: 3 methods x (3 prompt strategies + 6 metrics); then 2 models x 2 metrics x 3 methods.
    assert len(records) == 4 * 3 * 9 + 12
    for record in records:
        expected = published_release.notebook(release, record)
        assert (record["n_rows"], record["n_zero"]) == (expected["n_rows"], expected["n_zero"])
        for name in ("edges", "bin_mean", "r", "p"):
            np.testing.assert_allclose(record[name], expected[name], rtol=1e-9, atol=1e-12, err_msg=str(record))
        assert sum(record["bin_n"]) == record["n_rows"]
        assert record["n_points"] == record["kept"][1] - record["kept"][0]


def test_a_record_has_the_promised_keys(release: Path):
    record = curves.curve_record(**CC3M, recipe="paper")
    assert list(record) == RECORD_KEYS
    assert (record["kept"], len(record["edges"])) == ([1, 11], 12)
    retrieval = {
        "family": "retrieval",
        "pretraining": "cc3m",
        "method": "rampp0.7",
        "model": "RN50",
        "metric": "t2i_k=10",
    }
    record = curves.curve_record(**retrieval, recipe="paper")
    assert (record["metric"], record["kept"], len(record["edges"])) == ("t2i_k=10", [3, 7], 7)


def test_text_methods_leave_sketch_out(release: Path):
    text = curves.curve_record(**{**CC3M, "method": "lemmatized"}, recipe="paper")
    assert len(text["datasets"]) == 17
    assert "imagenet-sketch" not in text["datasets"]
    assert len(curves.curve_record(**CC3M, recipe="paper")["datasets"]) == 18


def test_chosen_data_sets_come_in_the_order_of_the_release(release: Path):
    record = curves.curve_record(**CC3M, datasets=["dtd", "imagenet", "dtd"], recipe="paper")
    assert record["datasets"] == ["imagenet", "dtd"]
    assert record["n_rows"] == 2 * published_release.CLASSES


def test_only_the_honest_recipe_repairs_spelling(release: Path):
    asked = {**CC3M, "method": "integrated_tlemmatized_i0.7"}
    with pytest.raises(BadInput, match="No concept has both"):
        curves.curve_record(**asked, datasets=["imagenet-r"], recipe="paper")
    assert curves.curve_record(**asked, datasets=["imagenet-r"])["n_rows"] == published_release.CLASSES


def test_only_the_paper_recipe_keeps_the_empty_name(release: Path):
    asked = {"family": "retrieval", "pretraining": "cc3m", "method": "rampp0.7", "model": "RN50", "metric": "i2t_k=1"}
    assert curves.curve_record(**asked, recipe="paper")["n_rows"] == 81
    honest = curves.curve_record(**asked)
    assert honest["n_rows"] == 80
    assert honest["left_out"] == [{"item": "coco: ", "reason": "empty name"}]
    assert honest["n_concepts"] == 40


def test_what_one_side_lacks_is_left_out_and_listed(release: Path):
    asked = {"family": "t2i", "pretraining": "laion_aesthetics", "method": "rampp0.7", "model": "craiyon_dalle-mini"}
    honest = curves.curve_record(**asked, metric="human_align")
    assert honest["family"] == "text-to-image"
    assert {(item["item"], item["reason"]) for item in honest["left_out"]} == {
        ("t2i: counted only", "counted, but without a result"),
        ("t2i: prompt 29", "has a result, but its count is unknown"),
    }


def test_every_combination_is_listed_with_its_state(release: Path):
    listed = curves.listing()
    states = {(item["family"], item["pretraining"], item["method"], item["status"]) for item in listed}
    assert ("zero-shot", "cc3m", "lowercased", "truncated") in states
    assert ("zero-shot", "laion2b", None, "absent") in states
    assert ("retrieval", "cc3m", "rampp0.5", "absent") in states
    assert all(bool(item["reason"]) == (item["status"] != "ok") for item in listed)
    truncated = next(item for item in listed if item["status"] == "truncated")
    assert "imagenet (1 of 14)" in truncated["reason"]
    assert any(item["status"] == "absent" and item.get("metric") == "max_clip" for item in listed)


def test_what_cannot_be_drawn_says_why(release: Path):
    with pytest.raises(BadInput, match="cut short"):
        curves.curve_record(**{**CC3M, "method": "lowercased"})
    with pytest.raises(NotHere, match="no counts of laion2b"):
        curves.curve_record(**{**CC3M, "pretraining": "laion2b", "model": "ViT-H-14"})
    with pytest.raises(UnknownName, match="RN50, ViT-B-16"):
        curves.curve_record(**{**CC3M, "model": "RN5"})
    for wrong in ({"method": "guess"}, {"prompts": "guess"}, {"family": "guess"}):
        with pytest.raises(UnknownName, match="guess"):
            curves.curve_record(**{**CC3M, **wrong})
    with pytest.raises(UnknownName, match="coco"):
        curves.curve_record(**CC3M, datasets=["coco"])
    with pytest.raises(BadInput, match="--metric"):
        curves.curve_record(**{**CC3M, "family": "retrieval"})


def test_honest_figures_are_the_textbook_ones(release: Path):
    record = curves.curve_record(**CC3M)
    rows = rows_of(curves.combination(**CC3M))
    x, found = np.log10(np.maximum(rows.counts, 1)), rows.counts > 0
    values = {
        ("raw", "pearson"): stats.pearsonr(x, rows.values)[0],
        ("raw", "spearman"): stats.spearmanr(x, rows.values)[0],
        ("nonzero", "pearson"): stats.pearsonr(x[found], rows.values[found])[0],
        ("nonzero", "spearman"): stats.spearmanr(x[found], rows.values[found])[0],
        ("zero_vs_nonzero", "auc"): stats.mannwhitneyu(rows.values[found], rows.values[~found])[0]
        / (found.sum() * (~found).sum()),
    }
    for (part, name), value in values.items():
        figure = record[part][name]
        assert figure["value"] == pytest.approx(value, abs=1e-12)
        assert figure["low"] < figure["value"] < figure["high"]
    assert record["slope_per_decade"]["value"] == pytest.approx(np.polyfit(x[found], rows.values[found], 1)[0])
    within = [
        part - np.array([part[rows.datasets == name].mean() for name in rows.datasets]) for part in (x, rows.values)
    ]
    assert record["partial_r"]["value"] == pytest.approx(stats.pearsonr(*within)[0])
    assert sum(part["n"] for part in record["bins"]) + record["zero"]["n"] == record["n_rows"]
    for part in record["bins"]:
        inside = (rows.counts >= part["from"]) & (rows.counts < part["to"])
        assert part["n"] == inside.sum()
        assert part["mean"] == pytest.approx(rows.values[inside].mean())
        assert part["mean_count"] == pytest.approx(rows.counts[inside].mean())
        assert part["count"] == pytest.approx(stats.gmean(rows.counts[inside]))
    assert record["n_concepts"] == record["n_rows"] - published_release.CLASSES


@given(st.data())
def test_replicates_are_real_resamples(data: st.DataObject):
    n = data.draw(st.integers(4, 25))
    clusters = np.unique(data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n)), return_inverse=True)[1]
    numbers = st.lists(st.integers(0, 5), min_size=n, max_size=n)
    x, y = (np.array(data.draw(numbers), dtype=float) for _ in range(2))
    sampler = Resampler.of(clusters, replicates=4, seed=1)
    weights, ranks = sampler.weights(), sampler.ranks(x)
    sums = sampler.sums(np.column_stack((x, y)))
    assert (sampler.draws.sum(axis=0) == clusters.max() + 1).all()
    for replicate in range(4):
        drawn = np.repeat(np.arange(n), weights[:, replicate].astype(int))
        np.testing.assert_allclose(sums[:, replicate], [x[drawn].sum(), y[drawn].sum()])
        if len(drawn):
            real = stats.rankdata(x[drawn]) - (len(drawn) + 1) / 2
            np.testing.assert_allclose(ranks[drawn, replicate], real, atol=1e-4)


def test_clusters_widen_the_interval():
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=60), 8)
    y = np.repeat(rng.normal(size=60), 8) + 0.1 * rng.normal(size=480)
    clustered = recipe_honest.slope(Resampler.of(np.repeat(np.arange(60), 8)), x, y)
    single = recipe_honest.slope(Resampler.of(np.arange(480)), x, y)
    assert clustered.value == single.value
    assert clustered.high - clustered.low > 2 * (single.high - single.low)


def test_undefined_figures_are_nan_not_guesses():
    figure = recipe_honest.slope(Resampler.of(np.arange(5)), np.ones(5), np.arange(5.0))
    assert math.isnan(figure.value)
    assert math.isnan(interval(float("nan"), np.arange(5.0)).low)
    assert math.isnan(interval(1.0, np.full(5, np.nan)).high)


def test_between_data_sets_alone_is_no_partial_correlation():
    groups = np.repeat(np.arange(4), 500)
    rng = np.random.default_rng(2)
    x, y = groups * 10 + rng.normal(size=2_000), groups * 10 + rng.normal(size=2_000)
    assert stats.pearsonr(x, y)[0] > 0.9
    found = recipe_honest.partial_r(Resampler.of(np.arange(2_000), replicates=100), x, y, groups)
    assert abs(found.value) < 0.1
    assert found.high - found.low < 0.15


def test_sensitivity_contains_the_released_choice(release: Path):
    asked = curves.combination(**CC3M)
    rows = rows_of(asked, recipe="paper")
    found = sensitivity.sensitivity(rows, asked)
    r = curves.curve_record(**CC3M, recipe="paper")["r"]
    assert next(item["r"] for item in found["bins"] if item["edges"] == 12) == r
    assert next(item["r"] for item in found["cuts"] if (item["low"], item["high"]) == (1, 1)) == r


def test_decade_columns():
    counts = np.array([0, 1, 2, 9, 10, 99, 100, 999, 1000, 1001, 9999, 10000])
    assert column_of(counts).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5]


def test_decades_cover_the_rows_below_ten_thousand(release: Path):
    found = curves.decades("cc3m", "RN50")
    assert [(row["from"], row["to"]) for row in found["decades"]] == [
        (0, 1),
        (1, 10),
        (10, 100),
        (100, 1000),
        (1000, 10000),
    ]
    asked = {**CC3M, "method": found["recipe"]["method"], "prompts": found["recipe"]["prompts"]}
    rows = rows_of(curves.combination(**asked), recipe="paper")
    assert sum(row["n"] for row in found["decades"]) == (rows.counts < 10_000).sum()
    assert found["decades"][0]["mean"] == pytest.approx(rows.values[rows.counts <= 1].mean())
    assert set(found["recipe"]) == {"prompts", "method", "datasets", "edges_rule"}


def test_sentences_state_the_figures(release: Path):
    paper, honest = curves.curve_record(**CC3M, recipe="paper"), curves.curve_record(**CC3M)
    assert f"r = {paper['r']:.2f} over 10 bin means" in finding(paper)
    slope = f"{honest['slope_per_decade']['value']:+.1f}".replace("-", "−")
    assert f"{slope} points" in finding(honest)
    assert f"{honest['raw']['pearson']['value']:.2f}" in difference(paper, honest)


def test_flags_of_names():
    flags = spelling_flags(["american-flag", "Cessna 172", "Shih Tzu", "shih_tzu", "dog", "BAE_146-200", "B747"])
    assert flags["american-flag"] == ("hyphen",)
    assert flags["Cessna 172"] == ("digits", "dropped token")
    assert flags["Shih Tzu"] == flags["shih_tzu"] == ("case variants",)
    assert flags["dog"] == ()
    assert flags["BAE_146-200"] == ("hyphen", "digits", "dropped token")
    assert flags["B747"] == ("digits",)


def test_the_listing_knows_whether_a_set_was_scored(release: Path):
    asked = curves.combination(**CC3M)
    assert catalogue.state(store.open_store(), asked, ["dtd"]) == ("ok", "")
    assert catalogue.state(store.open_store(), asked, ["dtd", "eurovision"])[0] == "absent"
