"""What a record says, in one computed sentence."""

from __future__ import annotations

import math
from typing import Any

from core.published.names import METHODS, METRIC_WORDS, PRETRAINING, RETRIEVAL, TEXT_TO_IMAGE
from core.stats.format import signed


def unit(record: dict[str, Any]) -> tuple[str, float, int]:
    """Word for a difference in this record's scores, factor to show it in, and digits."""
    if record["family"] == RETRIEVAL:
        return "points of recall", 100.0, 1
    if record["family"] == TEXT_TO_IMAGE:
        return f"units of {METRIC_WORDS.get(record['metric'], record['metric'])}", 1.0, 3
    return "points", 1.0, 1


def finding(record: dict[str, Any]) -> str:
    """The finding of one curve, in either recipe."""
    what = f"{record['model']} on {PRETRAINING.get(record['pretraining'], record['pretraining'])}"
    how = METHODS.get(record["method"], record["method"])
    if record["recipe"] == "paper":
        r, p = record["r"], record["p"]
        if not math.isfinite(r):
            return f"{what}, counted by {how}: r is undefined over {record['n_points']} bin means."
        star = "p < 0.05" if p < 0.05 else f"p = {p:.2f}, not significant"
        return (
            f"{what}, counted by {how}: r = {r:.2f} over {record['n_points']} bin means ({star}); the bins hold "
            f"{record['n_rows']:,} rows, {record['n_zero']:,} of them with a count of zero."
        )
    word, factor, digits = unit(record)
    slope, raw = record["slope_per_decade"], record["raw"]["pearson"]
    if not math.isfinite(slope["value"]):
        return f"{what}, counted by {how}: too few concepts with a count for a trend (n = {record['nonzero']['n']})."
    value, low, high = (signed(slope[name] * factor, digits, plus=True) for name in ("value", "low", "high"))
    return (
        f"{what}, counted by {how}: each tenfold rise in frequency goes with {value} {word} (95 % CI {low} to {high}; "
        f"{record['nonzero']['n']:,} rows). Over all {record['n_rows']:,} raw rows r = {raw['value']:.2f}, within data "
        f"sets {record['partial_r']['value']:.2f}; {record['n_zero']:,} rows have a count of zero."
    )


def difference(paper: dict[str, Any], honest: dict[str, Any]) -> str:
    """What sets the two recipes apart on the same rows."""
    start, stop = paper["kept"]
    left, bins = paper["n_rows"] - sum(paper["bin_n"][start:stop]), len(paper["edges"])
    fate = "are left out" if start else "stay in the first bin"
    zeros = f"its {paper['n_zero']:,} rows with a count of zero {fate}"
    return (
        f"The paper's r = {paper['r']:.2f} is over {stop - start} of {bins} bin means, placed at the bins' upper "
        f"edges; {left:,} of {paper['n_rows']:,} rows lie in bins that were cut, {zeros}. Over the raw rows r = "
        f"{honest['raw']['pearson']['value']:.2f}, and {honest['partial_r']['value']:.2f} when every data set is "
        "compared with itself."
    )
