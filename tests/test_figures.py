"""Figures in sentences never round to none, all or a negative zero."""

from __future__ import annotations

import math

import pytest

from core.stats.format import percent, point_span, points, signed, span
from core.types import Interval


@pytest.mark.parametrize(
    ("fraction", "words"),
    [
        (0, "0 %"), (0.0004, "under 0.1 %"), (0.001, "0.1 %"), (0.0094, "0.9 %"), (0.01, "1 %"), (0.126, "13 %"),
        (0.5, "50 %"), (0.99, "99 %"), (0.996, "99.6 %"), (0.99949, "99.9 %"), (0.9999, "over 99.9 %"), (1, "100 %"),
        (math.nan, "unknown"),
    ],
)  # fmt: skip
def test_percentages(fraction: float, words: str):
    assert percent(fraction) == words


@pytest.mark.parametrize(
    ("fraction", "words"), [(-0.0004, "0.0"), (0.0, "0.0"), (-0.01, "−1.0"), (0.126, "12.6"), (-0.004, "−0.4")]
)
def test_points_have_no_negative_zero(fraction: float, words: str):
    assert points(fraction) == words
    assert signed(-0.3, 0) == "0"


def test_spans():
    assert span(Interval(0, 0, 0.033)) == "0–3 %"
    assert span(Interval(0.001, 0.0002, 0.998)) == "under 0.1–99.8 %"
    assert point_span(Interval(0.1, -0.02, 0.2)) == "−2.0 to 20.0"
    assert point_span(Interval(0.1, 0.02, 0.2)) == "2.0–20.0"


@pytest.mark.parametrize(
    ("share", "digits", "written"),
    [
        (0.0004, 1, "under 0.1 %"), (0.27242, 1, "27.2 %"), (0.9996, 1, "over 99.9 %"), (0.00004, 2, "under 0.01 %"),
        (0.0002, 2, "0.02 %"), (0.99996, 2, "over 99.99 %"), (1, 1, "100.0 %"), (0, 1, "0.0 %"),
    ],
)  # fmt: skip
def test_decimals_do_not_round_to_none_or_all_either(share: float, digits: int, written: str) -> None:
    assert percent(share, digits) == written
    assert span(Interval(share, share, 1), digits).startswith(written.removesuffix(" %"))
