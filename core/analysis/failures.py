"""Where a model fails: who is taken for whom, in an order that shows groups, and which mistakes stand out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.evaluation.similar import Search
from core.stats.paired import pair
from core.types import Answer, Report, silent


@dataclass(frozen=True)
class Cells:
    """Cells of a confusion matrix that are not empty.

    Attributes:
        true, said: int64 [z], class indices, never equal.
        value: float64 [z], images (or their difference between two runs); share: of the true class's images.
    """

    true: np.ndarray
    said: np.ndarray
    value: np.ndarray
    share: np.ndarray


@dataclass(frozen=True, slots=True)
class Attractor:
    """A class that is predicted for images of others.

    Attributes:
        label: class index; n: images of other classes predicted as it; classes: how many those are.
        precision: fraction correct of all images predicted as it.
    """

    label: int
    n: int
    classes: int
    precision: float


def cells(answer: Answer) -> Cells:
    """Wrong answers by true class and class said, the largest first."""
    return _cells(answer.labels, answer.top[:, 0], np.ones(len(answer.labels)), len(answer.keys))


def correct_of(answer: Answer) -> tuple[np.ndarray, np.ndarray]:
    """Correct and all used images of every class, int64 [c] each."""
    classes, hit = len(answer.keys), answer.top[:, 0] == answer.labels
    return np.bincount(answer.labels[hit], minlength=classes), np.bincount(answer.labels, minlength=classes)


def cell_differences(a: Answer, b: Answer) -> Cells:
    """Wrong answers of b less those of a on the images both used; the largest change first, equal cells left out.

    Raises:
        BadInput: they are about different images.
    """
    found, classes = pair(a, b), len(a.keys)
    labels = np.concatenate([found.labels, found.labels])
    signs = np.repeat([-1.0, 1.0], len(found.labels))
    return _cells(labels, np.concatenate([found.said_a, found.said_b]), signs, classes, halves=2)


def _cells(true: np.ndarray, said: np.ndarray, weight: np.ndarray, classes: int, *, halves: int = 1) -> Cells:
    wrong = said != true
    codes, place = np.unique(true[wrong].astype(np.int64) * classes + said[wrong], return_inverse=True)
    value = np.bincount(place, weights=weight[wrong], minlength=len(codes))
    order = np.argsort(-np.abs(value), kind="stable")
    order = order[value[order] != 0]
    owner, rival = np.divmod(codes[order], classes)
    totals = np.bincount(true, minlength=classes) / halves
    return Cells(owner, rival, value[order], value[order] / totals[owner])


def attractors(answer: Answer, top: int) -> tuple[Attractor, ...]:
    """Classes by how many images of other classes are predicted as them, most first, ties by class index."""
    found, size = cells(answer), len(answer.keys)
    wrong = np.bincount(found.said, weights=found.value, minlength=size).astype(int)
    owners, predicted = (np.bincount(labels, minlength=size) for labels in (found.said, answer.top[:, 0]))
    order = [index for index in np.argsort(-wrong, kind="stable")[:top].tolist() if wrong[index]]
    return tuple(
        Attractor(index, int(wrong[index]), int(owners[index]), float(1 - wrong[index] / predicted[index]))
        for index in order
    )


def merged(found: Cells, labels: np.ndarray) -> Cells:
    """Both directions of every pair as one cell with ``true`` < ``said``; shares are of both classes' images.

    Args:
        labels: true class of every image, as the cells were made of.
    """
    totals = np.bincount(labels, minlength=1 + max(found.true.max(initial=0), found.said.max(initial=0)))
    low, high = np.minimum(found.true, found.said), np.maximum(found.true, found.said)
    codes, place = np.unique(low * len(totals) + high, return_inverse=True)
    value = np.bincount(place, weights=found.value, minlength=len(codes))
    order = np.argsort(-np.abs(value), kind="stable")
    order = order[value[order] != 0]
    low, high = np.divmod(codes[order], len(totals))
    return Cells(low, high, value[order], value[order] / (totals[low] + totals[high]))


def exchanged(answer: Answer, true: int, said: int, *, other: Answer | None = None) -> np.ndarray:
    """Places of the answer (int64) where one class is taken for the other, the most confident mistake first.

    Args:
        other: leave out images that this run takes for the same class.
    """
    places = np.flatnonzero((answer.labels == true) & (answer.top[:, 0] == said))
    if other is not None:
        same = other.rows[(other.labels == true) & (other.top[:, 0] == said)]
        places = places[~np.isin(answer.rows[places], same)]
    return places[np.argsort(answer.margin[places], kind="stable")]


def cluster_order(found: Cells, classes: int) -> np.ndarray:
    """An order of all classes, int64 [c], that puts those taken for each other side by side.

    Average linkage on the share of images that two classes exchange, both directions added; classes without
    confusions come last, in label order.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    used = np.unique(np.concatenate([found.true, found.said]))
    rest = np.setdiff1d(np.arange(classes), used)
    if len(used) < 3:
        return np.concatenate([used, rest])
    place = np.full(classes, -1)
    place[used] = np.arange(len(used))
    near = np.zeros((len(used), len(used)))
    np.add.at(near, (place[found.true], place[found.said]), np.abs(found.share))
    near += near.T
    np.fill_diagonal(near, 0)
    far = near.max() - near
    np.fill_diagonal(far, 0)
    return np.concatenate([used[leaves_list(linkage(squareform(far, checks=False), "average"))], rest])


def confident_mistakes(answer: Answer, top: int = 48) -> np.ndarray:
    """Rows of the answer (int64) that are wrong with the highest probability of the class said."""
    wrong = np.flatnonzero(answer.top[:, 0] != answer.labels)
    return wrong[np.argsort(-answer.probability[wrong], kind="stable")[:top]]


def label_suspects(
    answer: Answer, search: Search, *, k: int = 10, top: int = 48, report: Report = silent
) -> np.ndarray:
    """Rows of the answer (int64) whose label may be wrong: most of the k nearest other images have the predicted class.

    The text classifier and the images' own neighbourhood err in different ways; here both speak against the label. The
    largest share of such neighbours comes first.

    Args:
        search: among the image vectors, in the order of the answer's rows.
    """
    wrong = np.flatnonzero(answer.top[:, 0] != answer.labels)
    said, agree = answer.top[wrong, 0], np.zeros(len(wrong))
    if len(wrong) and len(search.vectors) > 1:
        near = search.nearest_of_many(wrong, k, report=report)
        agree = (answer.labels[near] == said[:, None]).mean(1)
    order = np.lexsort((answer.margin[wrong], -agree))
    order = order[agree[order] > 0.5][:top]
    return wrong[order]
