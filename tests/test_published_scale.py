"""Slopes of the published models against their size, checked against an independent regression."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from core.errors import BadInput
from core.published import scale
from core.published.scale import SizePoint
from core.types import Interval


def point(pretraining: str, size: float | None, slope: float) -> SizePoint:
    return SizePoint("m", pretraining, size, Interval(slope, slope - 1, slope + 1), 100)


def test_the_change_with_size_is_that_of_a_regression_with_an_intercept_a_set() -> None:
    rng = np.random.default_rng(0)
    found = [
        point(name, size, base - 0.5 * np.log10(size) + rng.normal(0, 0.1))
        for name, base in (("a", 9.0), ("b", 5.0))
        for size in (30, 100, 400, 1200)
    ]
    told = scale.effect([*found, point("alone", 100, 3.0), point("a", None, 99.0)])
    x = np.array([[np.log10(one.parameters), one.pretraining == "a", one.pretraining == "b"] for one in found], float)
    y = np.array([one.slope.value for one in found])
    fit, residual, *_ = np.linalg.lstsq(x, y, rcond=None)
    error = np.sqrt(residual[0] / 5 * np.linalg.inv(x.T @ x)[0, 0])
    assert told.change.value == pytest.approx(fit[0])
    assert told.change.high - told.change.value == pytest.approx(stats.t.ppf(0.975, 5) * error)
    assert (told.n, told.sets) == (8, 2)
    assert "flatter" in told.sentence


def test_one_size_a_set_is_not_enough() -> None:
    with pytest.raises(BadInput, match="two sizes"):
        scale.effect([point("a", 100, 5.0), point("b", 400, 4.0)])


@pytest.mark.slow
def test_the_release_gives_a_slope_for_every_counted_model() -> None:
    found, absent = scale.slopes()
    slopes = {(one.model, one.pretraining): one for one in found}
    assert slopes["ViT-L-14", "laion400m"].slope.value == pytest.approx(5.25, abs=0.01)
    assert slopes["ViT-L-14", "laion400m"].parameters == pytest.approx(427.62)
    assert [item.item for item in absent] == ["ViT-B-32 · LAION-200M"]
    change = scale.effect(found)
    assert change.n == 10
    assert change.change.low < 0 < change.change.high
