"""CE, mCE, flip probability and T5D against numbers made by hand and against AlexNet itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.robustness.corruptions.metrics import (
    ALEXNET,
    corruption_error,
    flips,
    mean_over,
    relative_corruption_error,
    relative_to,
    top5_distance,
)
from core.robustness.corruptions.registry import BENCHMARK


def test_ce_is_the_ratio_of_summed_errors() -> None:
    # 0.2 + 0.4 against 0.5 + 0.7: 60 / 120
    assert corruption_error({1: 0.2, 5: 0.4}, (0.5 + 0.7) / 2) == pytest.approx(50)


def test_relative_ce_takes_the_clean_errors_off_first() -> None:
    # rises of 0.1 and 0.3 against 0.3 and 0.5
    assert relative_corruption_error({1: 0.2, 5: 0.4}, 0.1, (0.5 + 0.7) / 2, 0.2) == pytest.approx(50)


def test_relative_ce_is_undefined_where_the_reference_does_not_suffer() -> None:
    assert math.isnan(relative_corruption_error({1: 0.2}, 0.1, 0.3, 0.3))


def test_alexnet_against_itself_is_100() -> None:
    errors = {name: {severity: ALEXNET.errors[name] for severity in range(1, 6)} for name in BENCHMARK}
    ce = [corruption_error(errors[name], ALEXNET.errors[name]) for name in BENCHMARK]
    relative = [
        relative_corruption_error(errors[name], ALEXNET.clean, ALEXNET.errors[name], ALEXNET.clean)
        for name in BENCHMARK
    ]
    assert mean_over(ce) == pytest.approx(100)
    assert mean_over(relative) == pytest.approx(100)


def test_published_mce_of_another_alexnet_run_is_above_100() -> None:
    # imagenet-testbed's AlexNet on JPEG compression: error 65.06 against 60.65 published.
    assert corruption_error({s: 0.6506 for s in range(1, 6)}, ALEXNET.errors["jpeg_compression"]) == pytest.approx(
        107.3, abs=0.05
    )


def test_flips_compare_with_the_frame_before_and_noise_with_the_first() -> None:
    said = np.array([[1, 1, 2, 2, 1], [3, 3, 3, 3, 3]])
    assert flips(said, noise=False).tolist() == [[False, True, False, True], [False] * 4]
    assert flips(said, noise=False).mean() == pytest.approx((2 / 4 + 0) / 2)
    assert flips(said, noise=True).mean() == pytest.approx((2 / 4 + 0) / 2)
    assert flips(np.array([[1, 2, 2, 2]]), noise=False).mean() == pytest.approx(1 / 3)
    assert flips(np.array([[1, 2, 2, 2]]), noise=True).mean() == pytest.approx(1)


def test_flip_rate_of_the_reference_is_100() -> None:
    assert relative_to(0.2, 0.2) == pytest.approx(100)
    assert relative_to(0.05, 0.2) == pytest.approx(25)
    assert math.isnan(relative_to(0.1, 0.0))


def published_distance(first: list[int], second: list[int]) -> int:
    """The paper's double sum, written out: ranks i against sigma(i), counting only steps within the first five."""
    total = 0
    for i, label in enumerate(first, start=1):
        sigma = second.index(label) + 1 if label in second else 1000
        total += sum(1 <= j - 1 <= 5 for j in range(min(i, sigma) + 1, max(i, sigma) + 1))
    return total


@pytest.mark.parametrize("noise", [False, True])
def test_t5d_equals_the_published_double_sum(noise: bool) -> None:
    rng = np.random.default_rng(4)
    top = np.stack([[rng.permutation(9)[:5] for _ in range(6)] for _ in range(7)])
    expected = [
        np.mean([published_distance(list(s[0 if noise else f - 1]), list(s[f])) for f in range(1, len(s))]) for s in top
    ]
    assert top5_distance(top, noise=noise) == pytest.approx(np.mean(expected))


def test_t5d_of_a_swap_is_2_and_of_five_new_classes_15() -> None:
    assert top5_distance(np.array([[[0, 1, 2, 3, 4], [1, 0, 2, 3, 4]]]), noise=False) == 2
    assert top5_distance(np.array([[[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]]), noise=False) == 15
    with pytest.raises(ValueError, match="five best"):
        top5_distance(np.zeros((1, 2, 3)), noise=False)
