"""Every threshold and way of counting, checked against the tables by an independent join and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from core.published import thresholds
from core.published.names import METHODS, threshold_of
from core.published.store import open_store
from core.types import Interval

ASKED = (("RN50", "cc3m"),)
SETS = ("dtd", "cifar10")


def counts(method: str) -> dict[tuple[str, str], int]:
    rows = open_store().rows(
        "SELECT dataset, concept, count FROM counts JOIN units USING (unit) WHERE pretraining = 'cc3m' AND method = ? "
        "AND dataset IN ('dtd', 'cifar10')",
        [method],
    )
    return {(dataset, concept): count for dataset, concept, count in rows}


def test_counts_beside_the_headline_are_those_of_the_tables() -> None:
    found, absent = thresholds.thresholds(ASKED, datasets=SETS)
    assert [one.method for one in found] == list(METHODS)
    assert absent == []
    headline = counts(thresholds.HEADLINE_METHOD)
    for one in found:
        own = counts(one.method)
        assert set(own) == set(headline)
        mine, theirs = (np.array([table[key] for key in own]) for table in (own, headline))
        both = (mine > 0) & (theirs > 0)
        assert (one.n, one.zeros) == (len(mine), int((mine == 0).sum()))
        assert one.median == np.median(mine[mine > 0])
        assert one.ratio == pytest.approx(np.median(mine[both] / theirs[both]))
        assert one.agreement == pytest.approx(stats.spearmanr(mine, theirs).statistic)
    assert "from RAM++ 0.7 to 0.5" in thresholds.finding(found)


def test_thresholds_that_were_not_released_are_named() -> None:
    found, absent = thresholds.thresholds((("ViT-B-32", "laion200m_train_test_sim_normalized"),), datasets=SETS)
    assert [one.method for one in found] == ["rampp0.7"]
    assert len(absent) == len(METHODS) - 1
    assert "one threshold only" in thresholds.finding(found)


@pytest.mark.parametrize(
    ("method", "threshold"), [("rampp0.55", 0.55), ("integrated_tlemmatized_i0.7", 0.7), ("lemmatized", None)]
)
def test_the_threshold_is_read_from_the_name(method: str, threshold: float | None) -> None:
    assert threshold_of(method) == threshold


@pytest.mark.slow
def test_printed_correlations_of_the_threshold_figures_come_out() -> None:
    found, _ = thresholds.thresholds((("ViT-L-14", "laion400m"),))
    printed = {"rampp0.7": 0.87, "rampp0.6": 0.58, "rampp0.5": 0.07}
    tagged = {one.method: one for one in found}
    assert {method: round(tagged[method].r, 2) for method in printed} == printed
    assert isinstance(tagged["rampp0.5"].slope, Interval)
