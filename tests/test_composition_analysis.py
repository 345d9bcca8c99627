"""Additivity, association in captions and the gap between seen and never-seen pairs, by hand or by dense algebra."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from core.composition import association, probe, sets
from core.composition import generalisation as generalisation_module
from core.composition.additive import additivity, pair_means
from core.composition.counts import icon_counts, nmi, pmi, read_counts
from core.composition.generalisation import ModelResult, generalisation
from core.composition.pairs import compositions
from core.composition.seen import headline, seen_gap
from core.datasets import open_set
from core.errors import UnreadableData
from core.icons.concepts import held_out
from core.types import Interval
from tests.helpers.compositions import NAMES, blobs, counts


def test_additive_vectors_have_r2_of_one_and_interaction_lowers_it():
    rng = np.random.default_rng(1)
    pairs = np.array([(a, o) for a in range(6) for o in range(9) if (a + o) % 4])
    u, v = rng.normal(size=(6, 5)), rng.normal(size=(9, 5))
    exact = u[pairs[:, 0]] + v[pairs[:, 1]] + 3
    found = additivity(exact, pairs)
    assert found.r2 == pytest.approx(1)
    assert found.factors == 6 + 9 - 2
    noisy = additivity(rng.normal(size=exact.shape), pairs)
    assert abs(noisy.adjusted) < 0.35 < 0.6
    assert noisy.r2 > noisy.adjusted


def test_additivity_is_the_share_that_a_dense_regression_explains():
    rng = np.random.default_rng(2)
    pairs = rng.integers(0, [4, 5], (40, 2))
    vectors = rng.normal(size=(40, 3))
    design = np.column_stack([np.eye(4)[pairs[:, 0]], np.eye(5)[pairs[:, 1]]])
    fitted = design @ np.linalg.pinv(design) @ vectors
    expected = 1 - ((vectors - fitted) ** 2).sum() / ((vectors - vectors.mean(0)) ** 2).sum()
    assert additivity(vectors, pairs).r2 == pytest.approx(expected)


def test_vectors_that_do_not_vary_have_no_r2():
    assert np.isnan(additivity(np.ones((4, 2)), np.array([[0, 0], [0, 1], [1, 0], [1, 1]])).r2)


def test_pair_means_average_the_images_of_a_pair():
    means, present = pair_means(np.array([[1.0, 0], [3, 0], [0, 5]]), np.array([2, 2, 7]))
    assert present.tolist() == [2, 7]
    assert means.tolist() == [[2, 0], [0, 5]]


def test_nmi_is_0_when_independent_1_when_identical_and_known_between():
    assert nmi({("r", "x"): 2, ("r", "y"): 4, ("b", "x"): 3, ("b", "y"): 6}) == pytest.approx(0, abs=1e-12)
    assert nmi({("r", "x"): 5, ("b", "y"): 7}) == pytest.approx(1)
    # p = [[1/2, 0], [1/4, 1/4]]: in bits H(A) = 1, H(O) = 0.811278, H(A,O) = 1.5, I = 0.311278.
    assert nmi({("r", "x"): 2, ("b", "x"): 1, ("b", "y"): 1}) == pytest.approx(2 * 0.311278 / 1.811278, abs=1e-6)
    assert np.isnan(nmi({}))
    assert np.isnan(nmi({("r", "x"): 3}))


def test_pmi_by_hand_with_never_and_unknown_told_apart():
    found = compositions(["r", "b", "r", "b"], ["ant", "ant", "bee", "bee"], NAMES)
    table = {("r", "ant"): 4, ("b", "ant"): 2, ("b", "bee"): 2}
    values = dict(zip(found.names, pmi(counts(table), found), strict=True))
    assert values["r ant"] == pytest.approx(np.log2(4 * 8 / (4 * 6)))
    assert values["b bee"] == pytest.approx(np.log2(2 * 8 / (4 * 2)))
    assert np.isneginf(values["r bee"])
    assert np.isnan(pmi(counts(table, "unknown"), found)[found.names.index("r bee")])


def test_a_table_of_counts_is_read_and_bad_ones_are_named(tmp_path: Path):
    file = tmp_path / "c.csv"
    file.write_text("attribute,object,count\nRed,ant,3\nred,ant,2\nblue,bee,0\n")
    found = read_counts(file)
    assert found.counts == {("red", "ant"): 5, ("blue", "bee"): 0}
    assert found.absent == "unknown"
    file.write_text("attribute,object,count\nred,ant,-1\n")
    with pytest.raises(UnreadableData, match="row 2"):
        read_counts(file)
    file.write_text("attribute,object\nred,ant\n")
    with pytest.raises(UnreadableData, match="'count'"):
        read_counts(file)


def test_counted_captions_tell_never_from_unknown(tmp_path: Path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"attribute": ["r", "b"], "concept": ["ant", "bee"], "together": [5, 3], "pmi": [1.0, 0.5]}
    pq.write_table(pa.table(columns), tmp_path / "pairs.parquet")
    found = compositions(["r", "r", "g"], ["ant", "bee", "ant"], NAMES)
    known = dict(zip(found.names, read_counts(tmp_path / "pairs.parquet").of(found).tolist(), strict=True))
    assert known["r ant"] == 5
    assert known["r bee"] == 0
    assert np.isnan(known["g ant"])


def test_no_corpus_draws_a_held_out_pair_and_the_margins_are_the_icon_counts():
    from core.frequency.icons import table

    for name in ("icons-10k", "icons-200k"):
        drawn = icon_counts(name, "image")
        assert not set(held_out()) & {pair for pair, count in drawn.counts.items() if count}
        images = sets.composition_set(open_set("icons-composition")).compositions
        _, seen = drawn.margins(images)
        known = table(name, "image").counts
        assert [int(n) for n in seen] == [known[key] for key in images.objects]


def test_committed_pair_counts_are_those_of_the_corpus():
    from core.composition.counts import count_icons

    counted = count_icons("icons-10k")
    for kind, place in (("text", 0), ("image", 1)):
        assert dict(icon_counts("icons-10k", kind).counts) == {pair: both[place] for pair, both in counted.items()}


def gap(right, seen, attributes, objects, attribute_counts, object_counts):
    arrays = (np.asarray(values) for values in (right, np.asarray(seen, bool), attributes, objects))
    return seen_gap(*arrays, attribute_counts=np.asarray(attribute_counts), object_counts=np.asarray(object_counts))


def test_the_matched_gap_by_hand():
    # Object 0 is common and easy, object 1 rare and hard; seen images are mostly of the easy one.
    objects = [0] * 6 + [1] * 6
    seen = [1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0]
    right = [1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 1, 0]
    found = gap(right, seen, [0] * 12, objects, [5], [100, 2])
    assert found.seen.value == pytest.approx(5 / 6)
    assert found.unseen.value == pytest.approx(2 / 6)
    # Strata: (1 - 1/2) with weight 2, (1/2 - 1/4) with weight 4.
    assert found.matched.value == pytest.approx((2 * 0.5 + 4 * 0.25) / 6)
    assert (found.strata, found.unmatched, found.n_seen, found.n_unseen) == (2, 0, 6, 6)


def test_a_stratum_without_seen_pairs_is_counted_not_used():
    found = gap([1, 0, 0, 1], [1, 0, 0, 0], [0] * 4, [0, 0, 1, 1], [1], [100, 2])
    assert found.matched.value == pytest.approx(1)
    assert found.unmatched == 2


def test_the_within_gap_is_the_coefficient_of_a_dense_regression():
    rng = np.random.default_rng(3)
    n = 400
    attributes, objects = rng.integers(0, 5, n), rng.integers(0, 12, n)
    seen = rng.random((5, 12))[attributes, objects] < 0.6
    right = rng.random(n) < 0.2 + 0.3 * seen + 0.04 * attributes
    found = gap(right, seen, attributes, objects, np.arange(5) + 1, np.arange(12) + 1)
    design = np.column_stack([seen, np.eye(5)[attributes], np.eye(12)[objects]])
    expected = np.linalg.lstsq(design, right.astype(float), rcond=None)[0][0]
    assert found.within.value == pytest.approx(expected)
    assert found.within.low < found.within.value < found.within.high


def test_a_confounded_gap_vanishes_when_matched():
    """Accuracy depends on the object's frequency alone, and seen pairs are those of frequent objects."""
    rng = np.random.default_rng(4)
    objects = np.repeat(np.arange(200), 30)
    frequency = 10.0 ** (np.arange(200) / 50)
    rate = np.arange(200) / 200
    seen = rng.random(len(objects)) < 0.1 + 0.8 * rate[objects]
    right = rng.random(len(objects)) < rate[objects]
    found = gap(right, seen, np.zeros(len(objects), int), objects, [1], frequency)
    assert found.raw.low > 0.2
    assert abs(found.matched.value) < 0.06
    assert found.within.low < 0 < found.within.high


def test_only_one_kind_of_pair_leaves_the_gap_undefined():
    found = gap([1, 0], [1, 1], [0, 0], [0, 1], [1], [1, 1])
    assert np.isnan(found.matched.value)
    assert found.seen.value == 0.5
    assert "unknown" in headline(found)


def test_generalisation_is_the_residual_of_a_line_in_logits():
    def model(known: float, composed: float) -> ModelResult:
        return ModelResult("m", Interval(known, known, known), Interval(composed, composed, composed))

    def shifted(p: float) -> float:
        return 1 / (1 + np.exp(-(np.log(p / (1 - p)) - 1)))

    exact = generalisation([model(p, shifted(p)) for p in (0.2, 0.5, 0.8)])
    assert exact.fit.slope == pytest.approx(1)
    assert exact.fit.intercept == pytest.approx(-1)
    assert [one.value for one in exact.residual] == pytest.approx([0, 0, 0], abs=1e-12)
    assert generalisation([model(0.2, 0.1)] * 2).fit is None


def test_association_joins_pmi_with_the_accuracy_of_each_pair():
    found = compositions(["r", "b", "r", "b"], ["ant", "ant", "bee", "bee"], NAMES)
    order = [found.names.index(name) for name in ("r ant", "b ant", "b bee", "r bee")]
    table = counts({("r", "ant"): 4, ("b", "ant"): 2, ("b", "bee"): 2})
    labels = np.repeat(order, [4, 2, 2, 3])
    tied = association.association(table, found, labels, np.array([1, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0]))
    assert [found.names[c] for c in tied.composition] == [found.names[c] for c in sorted(order[:3])]
    rates = dict(zip(tied.composition.tolist(), tied.accuracy.tolist(), strict=True))
    assert [rates[c] for c in order[:3]] == [0.75, 0.5, 0]
    assert tied.never == (3, 1)
    assert tied.captions == 8
    # log2 of 4/3, 2/3 and 2: the best pair is the middle one of PMI, so three ranks correlate with minus one half.
    assert tied.spearman.value == pytest.approx(-0.5)
    assert "over 8 mentions of a pair in t" in association.headline(tied, "t")


def test_sentences_tell_what_is_chance():
    wide = Interval(0.3, 0.1, 0.5)
    exact = [ModelResult(name, Interval(p, p, p), wide) for name, p in (("a,b", 0.2), ("c,d", 0.5), ("e,f", 0.8))]
    assert "which may be chance" in generalisation_module.headline(generalisation(exact))
    assert "three models" in generalisation_module.headline(generalisation(exact[:2]))
    found = gap(
        [1, 1, 1, 1, 0, 0, 0, 0] * 9, [1, 1, 1, 1, 0, 0, 0, 0] * 9, [0] * 72, np.repeat(np.arange(9), 8), [1], [5] * 9
    )
    assert "seen pairs are correct 100.0 points more often" in headline(found)
    assert "does worse on pairs it never saw" in headline(found)
    foreign = headline(found, counted_in="icons-10k")
    assert "does worse on pairs never counted in icons-10k" in foreign
    assert not re.search(r"\b(seen|saw|pretraining)\b", foreign)
    points = probe.probe(blobs(), shots=(4,), methods=("linear",))
    assert probe.headline(points, ["all"]) == "With 4 images a class a linear probe reaches 100.0 % on all (96 images)."
