"""The sentences that open the pages of published evidence, and the small summaries behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from core.published import letitwag
from core.published.claims import CLAIMS
from core.published.corpora import LongTail
from core.published.letitwag import Concept, Matrix
from core.published.sentences import difference, finding, unit
from core.published.stated import Claim
from core.published.view import Shown, set_name
from core.stats.format import percent, signed

SOLVED, LOST = 90.0, 50.0
"""Percent: the accuracy above which a concept is mastered, and below which even the best model is mostly wrong."""


def let_it_wag() -> str:
    """How far the best of 40 models falls on the 290 rare concepts."""
    best = letitwag.models()[0]
    return (
        f"On {len(letitwag.concepts())} rare concepts the best model, {best.name}, falls "
        f"{best.imagenet - best.letitwag:.1f} points below its ImageNet accuracy."
    )


def let_it_wag_evidence() -> str:
    """The accuracies behind ``let_it_wag``, and what a point on ImageNet goes with."""
    models = letitwag.models()
    best, gaps = models[0], [model.imagenet - model.letitwag for model in models]
    line = letitwag.fits()["all"]
    return (
        f"{best.name}: {percent(best.letitwag / 100, 1)} here, {percent(best.imagenet / 100, 1)} on ImageNet. The "
        f"median of {len(models)} models falls {median(gaps):.1f} points; each extra point on ImageNet comes with "
        f"{line.slope:.2f} points here."
    )


def one_concept(item: Concept) -> str:
    """One of the 290: how well it is known, and how often it was met."""
    zeros = [name for name, count in item.counts.items() if not count]
    kin = [other for other in letitwag.concepts() if other.family == item.family]
    harder = sum(other.mean_accuracy < item.mean_accuracy for other in kin)
    return (
        f"{item.name} ({item.family}) has a mean accuracy of {percent(item.mean_accuracy / 100)} over 40 models; "
        f"{harder} of {len(kin) - 1} others of its family are harder. "
        f"{len(zeros)} of {len(item.counts)} counts of it are zero."
    )


def kin(item: Concept, most: int = 8) -> list[Concept]:
    """The hardest other concepts of its family."""
    others = [other for other in letitwag.concepts() if other.family == item.family and other != item]
    return sorted(others, key=lambda other: (other.mean_accuracy, other.key))[:most]


@dataclass(frozen=True)
class Fate:
    """What scale does for every concept.

    Attributes:
        gain: points per tenfold parameters [c]; best, worst: accuracy over all models [c], percent.
        models: how many models the gains are from.
    """

    gain: np.ndarray
    best: np.ndarray
    worst: np.ndarray
    models: int

    def sentence(self, concepts: Sequence[Concept]) -> str:
        """Which concepts scale fixes, and which not."""
        order = np.argsort(-self.gain, kind="stable")
        most = ", ".join(concepts[index].name for index in order[:3])
        lost = np.flatnonzero(self.best < LOST)
        flat = int(np.sum((self.gain <= 0) & (self.best < SOLVED)))
        hardest = ", ".join(concepts[index].name for index in lost[np.argsort(self.best[lost], kind="stable")][:3])
        some = f", among them {hardest}" if len(lost) else ""
        return (
            f"Among models of one training set, tenfold parameters go with {self.gain.mean():.1f} more points on "
            f"average, with up to {self.gain.max():.0f} on {most}. {flat} concepts that no model has mastered gain "
            f"nothing, and {len(lost)} are wrong more often than right even for their best model{some}."
        )


def whole_matrix() -> Matrix | None:
    """Every model on every concept, or None when an imported copy lacks any of it."""
    found = letitwag.matrix()
    return found if np.isfinite(found.accuracy).all() else None


def fate(found: Matrix) -> Fate:
    """Gains with scale and the range of accuracies of every concept."""
    result = letitwag.scale(found)
    return Fate(result["gain"], result["best"], result["worst"], int(result["models"]))


def order_of(found: Matrix, by: str) -> list[int]:
    """Concepts in the order that a matrix shows them in: by ``gain``, ``accuracy``, ``family`` or ``likeness``."""
    means = np.nanmean(found.accuracy, axis=0)
    if by == "gain":
        return np.argsort(-fate(found).gain, kind="stable").tolist()
    if by == "family":
        return sorted(range(len(means)), key=lambda index: (found.concepts[index].family, -means[index]))
    if by == "likeness":
        from scipy.cluster.hierarchy import leaves_list, linkage

        return leaves_list(linkage(np.nan_to_num(found.accuracy.T), "average", optimal_ordering=True)).tolist()
    return np.argsort(-means, kind="stable").tolist()


def corpora(tails: Sequence[LongTail]) -> str:
    """How many of the concepts that are tested later the pretraining sets lack."""
    if not tails:
        return "None of these counts are in this copy of the release."
    zeros = [100 * tail.zeros / tail.rows for tail in tails]
    return f"{_range(zeros, 0)} % of the test concepts never occur in pretraining."


def corpora_evidence(tails: Sequence[LongTail], pairs: Sequence[dict[str, Any]]) -> str:
    """How unequal the concepts that occur are, and how far the pretraining sets agree."""
    if not tails:
        return ""
    ginis = [tail.gini for tail in tails]
    told = f"{len(tails)} pretraining sets. Frequencies are unequal within each (Gini {_range(ginis, 2)})"
    if not pairs:
        return f"{told}."
    rho = [pair["by_name"] for pair in pairs]
    return f"{told}; the sets largely agree on which concepts are common (Spearman {_range(rho, 2)}, joined by name)."


def curves(shown: Sequence[Shown]) -> str:
    """What a tenfold count goes with, in one curve or several."""
    word, factor, digits = unit(shown[0].honest)
    slopes = _range([one.honest["slope_per_decade"]["value"] * factor for one in shown], digits, sign=True)
    if slopes == "undefined":
        return "Too few concepts have a count for a trend."
    many = f" in {len(shown)} published models" if len(shown) > 1 else ""
    return f"A tenfold rise in frequency goes with {slopes} {word}{many}."


def curves_evidence(shown: Sequence[Shown]) -> str:
    """Interval, n and correlations of one curve, or the range of correlations over several."""
    if len(shown) == 1:
        return finding(shown[0].honest)
    raw = _range([one.honest["raw"]["pearson"]["value"] for one in shown], 2)
    paper = _range([one.paper["r"] for one in shown], 2)
    return f"The correlation is {raw} over concepts; the paper's {paper} is over bin averages."


def recipes(shown: Sequence[Shown]) -> str:
    """What sets the two recipes apart, for one curve or over several."""
    if len(shown) == 1:
        return difference(shown[0].paper, shown[0].honest)
    cut = [one.paper["n_rows"] - sum(one.paper["bin_n"][slice(*one.paper["kept"])]) for one in shown]
    share = [100 * n / one.paper["n_rows"] for n, one in zip(cut, shown, strict=True)]
    zeros = [100 * one.paper["n_zero"] / one.paper["n_rows"] for one in shown]
    points = _range([one.paper["n_points"] for one in shown], 0)
    within = _range([one.honest["partial_r"]["value"] for one in shown], 2)
    return (
        f"The paper's correlation is over {points} bin means, placed at the bins' upper edges; {_range(share, 0)} % "
        f"of the rows lie in bins that were cut, and {_range(zeros, 0)} % have a count of zero. When every data set is "
        f"compared with itself, r over rows is {within}."
    )


def _range(values: Sequence[float], digits: int, *, sign: bool = False) -> str:
    defined = [value for value in values if np.isfinite(value)]
    if not defined:
        return "undefined"
    low, high = (signed(value, digits, plus=sign) for value in (min(defined), max(defined)))
    return low if low == high else f"{low} to {high}"


def _slope(slope: Mapping[str, float]) -> str:
    """A slope in points with its interval; the bracket stays open."""
    value, low, high = (signed(slope[name], 1, plus=True) for name in ("value", "low", "high"))
    return f"{value} points (95 % CI {low} to {high}"


def controls(shown: Sequence[Shown]) -> str:
    """What is left of the trend in each control."""
    told = [
        f"{signed(one.honest['slope_per_decade']['value'], 1, plus=True)} points in "
        f"{set_name(one.combination.pretraining)}"
        for one in shown
    ]
    if not told:
        return "The controls are not in this copy of the release."
    return f"A tenfold rise in frequency goes with {' and '.join(told)}."


def controls_evidence(shown: Sequence[Shown]) -> str:
    """The intervals behind ``controls``, and what the paper's recipe gives."""
    return " ".join(
        f"{set_name(one.combination.pretraining)}: {_slope(one.honest['slope_per_decade'])}); the paper's r of "
        f"{one.paper['r']:.2f} is over the means of {one.paper['n_points']} of {len(one.paper['edges'])} bins."
        for one in shown
    )


def own(mine: Shown) -> str:
    """What a tenfold count goes with in one's own model."""
    slope = mine.honest["slope_per_decade"]
    name, where = mine.combination.model, set_name(mine.combination.pretraining)
    if not np.isfinite(slope["value"]):
        return f"Too few classes of {name} have a count in {where} for a trend."
    return f"A tenfold count in {where} goes with {signed(slope['value'], 1, plus=True)} points for {name}."


def own_evidence(mine: Shown, others: Sequence[Shown], classes: int) -> str:
    """The interval and n behind ``own``, beside the published models."""
    slope = mine.honest["slope_per_decade"]
    told = f"{len(mine.rows.counts):,} of {classes:,} classes have a count"
    if np.isfinite(slope["value"]):
        low, high = (signed(slope[end], 1, plus=True) for end in ("low", "high"))
        told = f"95 % CI {low} to {high}; {told}"
    published = [one.honest["slope_per_decade"]["value"] for one in others]
    if published:
        told += f". {_range(published, 1, sign=True)} points in {len(published)} published models"
    return f"{told}."


def claims(checked: Sequence[Claim]) -> str:
    """How the statements fare, all in one line."""
    by = {verdict: sum(claim.verdict == verdict for claim in checked) for verdict in ("agrees", "partly", "differs")}
    left = len(CLAIMS) - len(checked)
    told = f"; {left} cannot be checked here" if left else ""
    return (
        f"Of {len(checked)} statements recomputed from the released files, {by['agrees']} come out as the paper has "
        f"them, {by['partly']} in part and {by['differs']} differently{told}."
    )
