"""Two further shapes of a curve, against SciPy, brute force and simulation."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

from core.stats.fits import logit_fit, shape


def world(bend: float, *, n: int = 400, seed: int = 0, noise: float = 0.08) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies that rise by 0.15 a decade up to 100 and by ``bend`` behind it."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 4, n)
    y = 0.15 + 0.15 * np.minimum(x, 2) + bend * np.maximum(x - 2, 0) + rng.normal(0, noise, n)
    return np.maximum(1, np.round(10**x)).astype(int), np.clip(y, 0, 1)


@pytest.mark.slow
def test_a_straight_line_is_left_straight_at_the_stated_rate():
    found = [shape(*world(0.15, n=120, seed=seed), seed=seed).p for seed in range(60)]
    assert np.mean(np.array(found) < 0.05) <= 0.15
    assert 0.3 < np.mean(found) < 0.7


def test_a_plateau_is_found_with_its_place():
    counts, accuracy = world(0.0)
    found = shape(counts, accuracy)
    assert found.kind == "plateau"
    assert found.p < 0.01
    assert found.at.low <= 100 <= found.at.high
    assert found.before.low < 0.15 < found.before.high
    assert found.after.low < 0 < found.after.high
    assert found.n == 400


def test_a_fall_behind_the_break_is_no_plateau():
    found = shape(*world(-0.1))
    assert found.kind == "broken line"
    assert found.after.high < 0


def test_the_break_is_the_best_of_all_tried():
    counts, accuracy = world(0.02, n=150, seed=4)
    x = np.log10(counts)
    knots = np.unique(np.quantile(x, np.linspace(0.1, 0.9, 25)))

    def left(knot: float) -> tuple[float, np.ndarray]:
        design = np.column_stack((np.ones_like(x), x, np.maximum(x - knot, 0)))
        line, *_ = np.linalg.lstsq(design, accuracy)
        return float(((accuracy - design @ line) ** 2).sum()), line

    best = min(knots, key=lambda knot: left(knot)[0])
    line = left(best)[1]
    found = shape(counts, accuracy)
    assert found.at.value == pytest.approx(10**best)
    assert (found.before.value, found.after.value) == pytest.approx((line[1], line[1] + line[2]))
    fitted = np.column_stack((np.ones_like(x), x, np.maximum(x - best, 0))) @ line
    np.testing.assert_allclose(found.fitted(counts), np.clip(fitted, 0, 1), atol=1e-9)


def test_too_few_or_flat_concepts_have_no_shape():
    assert shape(np.arange(1, 20), np.linspace(0, 1, 19)).kind == ""
    assert shape(np.arange(1, 60), np.full(59, 0.5)).kind == ""
    assert shape(np.full(60, 7), np.linspace(0, 1, 60)).kind == ""
    assert shape(np.zeros(60), np.linspace(0, 1, 60)).n == 0


def test_log_odds_maximise_the_likelihood_and_stay_within_bounds():
    counts, accuracy = world(0.15, n=300, seed=2)
    x = np.log10(counts)

    def loss(line: np.ndarray) -> float:
        level = line[0] + line[1] * x
        return float(np.sum(np.logaddexp(0, level) - accuracy * level))

    best = scipy.optimize.minimize(loss, np.zeros(2), tol=1e-12).x
    found = logit_fit(counts, accuracy)
    assert found.slope.value == pytest.approx(best[1], abs=1e-4)
    assert found.slope.low < found.slope.value < found.slope.high
    for values in (found.fitted, found.low, found.high):
        assert values.min() > 0
        assert values.max() < 1
    assert (found.low <= found.fitted).all()
    assert (found.fitted <= found.high).all()


def test_log_odds_have_an_honest_interval():
    inside = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        counts = 10 ** rng.uniform(0, 4, 200)
        p = 1 / (1 + np.exp(-(-1 + 0.5 * np.log10(counts))))
        found = logit_fit(counts, rng.binomial(20, p) / 20)
        inside += found.slope.low <= 0.5 <= found.slope.high
    assert inside >= 70


@pytest.mark.parametrize("accuracy", [np.zeros(40), np.ones(40), np.r_[np.zeros(20), np.ones(20)]])
def test_what_has_no_finite_log_odds_is_not_fitted(accuracy: np.ndarray):
    assert not len(logit_fit(np.arange(1, 41), accuracy).counts)
