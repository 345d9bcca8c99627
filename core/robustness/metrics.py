"""Figures of robustness: differences with their intervals, relative robustness, and agreement over nearby frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.stats.intervals import UNDEFINED, wilson
from core.types import Interval


@dataclass(frozen=True, slots=True)
class Frames:
    """What a model does on anchors and their neighbours: pm-0 and pm-k with Wilson intervals.

    Attributes:
        anchors: share of anchor frames that are right (pm-0).
        all_near: share of anchors where the anchor and every neighbour within k are right (pm-k).
        flipped: int [f], positions of the tracks whose anchor is right and some neighbour wrong.
        n: tracks; k: frames to either side, None for every listed neighbour.
    """

    anchors: Interval
    all_near: Interval
    flipped: tuple[int, ...]
    n: int
    k: int | None


def difference(a: Interval, b: Interval) -> Interval:
    """``a - b`` of two independent figures, its 95 % interval from theirs.

    The square-and-add rule of Zou and Donner (2008); for two Wilson intervals it is Newcombe's method 10 (1998).
    """
    value = a.value - b.value
    return Interval(
        value,
        value - math.hypot(a.value - a.low, b.high - b.value),
        value + math.hypot(a.high - a.value, b.value - b.low),
    )


def relative_robustness(changed: np.ndarray, unchanged: np.ndarray) -> Interval:
    """Relative robustness tau: accuracy under shift of one model minus that of another on the same images.

    Args:
        changed, unchanged: bool [m], which images each model gets right, in the same order.

    Returns:
        A fraction with the adjusted 95 % interval of a paired difference (Bonett and Price, 2012, equation 6), which
        has a width also when the two never differ; undefined without images. Taori et al. (2020), section 2, where the
        second model is the same network without the robustness intervention.
    """
    gained = np.asarray(changed, int) - np.asarray(unchanged, int)
    n = len(gained)
    if not n:
        return UNDEFINED
    won, lost = ((int((gained == sign).sum()) + 1) / (n + 2) for sign in (1, -1))
    half = 1.959963984540054 * math.sqrt((won + lost - (won - lost) ** 2) / (n + 2))
    value = float(gained.mean())
    return Interval(value, max(-1.0, min(value, won - lost - half)), min(1.0, max(value, won - lost + half)))


def frame_accuracy(
    right: np.ndarray,
    anchors: Sequence[int],
    neighbours: Sequence[Sequence[int]],
    *,
    offsets: Sequence[Sequence[int]] | None = None,
    k: int | None = None,
) -> Frames:
    """pm-0 and pm-k of Shankar et al. (2021, arXiv 1906.02168), each anchor counted once.

    Args:
        right: bool [n], whether every frame is right (for several true labels: whether the class said is one of them).
        anchors: index of each anchor frame; neighbours: indices of the frames near it, the anchor not among them.
        offsets: distance of every neighbour in frames, with a sign; needed for a ``k``.
        k: only neighbours at most this far; None for all that are listed. An anchor without any counts by itself.
    """
    right = np.asarray(right, bool)
    first = right[np.asarray(anchors, np.int64)] if len(anchors) else np.zeros(0, bool)
    near = np.ones(len(anchors), bool)
    for position, listed in enumerate(neighbours):
        used = np.asarray(listed, np.int64)
        if k is not None:
            if offsets is None:
                raise ValueError("frames within k need the offsets of the neighbours")
            used = used[np.abs(np.asarray(offsets[position], np.int64)) <= k]
        near[position] = bool(right[used].all())
    both = first & near
    return Frames(
        wilson(int(first.sum()), len(first)),
        wilson(int(both.sum()), len(first)),
        tuple(np.flatnonzero(first & ~near).tolist()),
        len(first),
        k,
    )
