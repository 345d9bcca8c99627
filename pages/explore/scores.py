"""Explore where only per-class scores are known: the hardest of the concepts found, with counts beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.analysis import findings
from core.charts.concepts import accuracies_figure
from core.published.answers import find_set
from core.types import ClassAnswer
from pages.ui.downloads import plot
from pages.ui.jobs import recall
from pages.ui.points import clicked
from pages.ui.selection import select
from pages.ui.text import section

MOST = 20


def title(answer: ClassAnswer) -> str:
    """The image set in words."""
    known = find_set(answer.lens.image_set)
    return known.title if known else answer.lens.image_set


def finding_of(answer: ClassAnswer, chosen: Sequence[int]) -> str:
    """The page's sentence: of the one concept chosen, of several, or of the whole set."""
    if len(chosen) == 1:
        return findings.published_concept(answer, chosen[0], title(answer))
    if chosen:
        return findings.published_several(answer, chosen)
    return findings.published_overall(answer, title(answer))


def published_concepts(
    answer: ClassAnswer, chosen: Sequence[int], found: Sequence[int], counts: Mapping[str, int]
) -> None:
    """The chosen concepts, or the hardest of those found, as bars with intervals; a click chooses one."""

    def hardest_and_commonest(index: int) -> tuple[float, int]:
        score = answer.classes[index]
        return score.accuracy, -counts.get(score.key, 0)

    shown = sorted(chosen or found, key=hardest_and_commonest)[:MOST]
    equal = ", those counted most often first among equals" if counts and not chosen else ""
    section("Chosen" if chosen else "Hardest concepts", f"Click one to see all that was published on it{equal}.")
    classes = [answer.classes[index] for index in shown]
    known = {one.key: counts[one.key] for one in classes if one.key in counts}
    figure = recall(accuracies_figure, classes, known)
    plot(figure, key="hardest", alt="Accuracy of the hardest concepts", on_select=_select)


def _select() -> None:
    if found := clicked("hardest", length=2):
        select([str(found[0][0])])
