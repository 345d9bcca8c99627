"""``python -m core bench``: speed as ratios within one run, each against a peer or a limit.

Nothing here is a test: a slow minute on a shared machine makes a row worse, not a build red. Both sides of every ratio
use the same batch and precision. Architectures without weights run with random ones.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from core.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Row:
    """One measured ratio; ``ratio`` is None with a ``reason`` when the row could not run."""

    name: str
    ratio: float | None
    op: str
    aim: float
    against: str
    n: int
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The row in the shape of ``bench --json``."""
        return {
            "name": self.name,
            "ratio": self.ratio,
            "aim": {"op": self.op, "value": self.aim},
            "against": self.against,
            "n": self.n,
            "reason": self.reason,
        }


def seconds(work: Callable[[], object], *, repeat: int = 3) -> float:
    """Best wall-clock time of ``repeat`` runs, the usual estimate of the undisturbed cost."""
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def paired(ours: Callable[[], object], theirs: Callable[[], object], *, repeat: int = 3) -> float:
    """Median of ours / theirs over alternating runs, so that a busy minute hits both sides."""
    return statistics.median(seconds(ours, repeat=1) / seconds(theirs, repeat=1) for _ in range(repeat))


GROUPS: dict[str, tuple[str, ...]] = {
    "core.bench.encoding:embedding": (
        "cold_embedding_jpeg",
        "cold_embedding_decoded",
        "cold_embedding_vs_clip_benchmark",
        "cold_embedding_gpu",
    ),
    "core.bench.gpu:checks": (
        "gpu_half_precision",
        "gpu_out_of_memory",
        "gpu_unload",
        "gpu_two_models",
        "gpu_attack",
        "gpu_corruption",
        "gpu_ray_actor",
    ),
    "core.bench.encoding:texts": ("text_classifier",),
    "core.bench.scoring:prompt_switch": ("prompt_switch_top1", "prompt_switch_answers"),
    "core.bench.scoring:prompt_switch_max": ("prompt_switch_max",),
    "pages.bench.reruns:page_rerun": ("page_rerun",),
    "core.bench.drawing:published_redraw": ("published_redraw",),
    "pages.bench.browsing:first_chart": ("first_chart",),
    "pages.bench.browsing:interactions": ("interactions", "interactions_large"),
    "pages.bench.visitors:sessions": ("sessions_50",),
    "core.bench.serving:server_memory": ("server_memory",),
    "core.bench.serving:verification": ("verification",),
    "core.bench.counting:count_captions": ("count_captions",),
    "core.bench.counting:count_size": ("count_captions_size", "count_captions_memory"),
    "core.bench.searching:search": ("search_1e6",),
    "core.bench.searching:against_faiss": ("search_1e5_vs_faiss", "search_1e6_vs_faiss"),
    "core.bench.searching:through_index": ("search_1e6_index",),
    "core.bench.searching:from_disk": ("answers_1e6_from_disk",),
}
"""``module:function`` that measures each group of rows; those that need Streamlit stand with the pages."""

GPU = ("cold_embedding_gpu", *GROUPS["core.bench.gpu:checks"])
"""Rows that need a graphics card."""


def rows(only: Sequence[str] | None = None) -> list[Row]:
    """Measure all rows, or those named; a row that cannot run says why."""
    known = {name for names in GROUPS.values() for name in names}
    if unknown := set(only or ()) - known:
        raise UnknownName(f"No bench row is called {min(unknown)!r}; there are {', '.join(sorted(known))}.")
    measured: list[Row] = []
    for place, names in GROUPS.items():
        if only and not set(names) & set(only):
            continue
        module, function = place.split(":")
        measured += getattr(import_module(module), function)()
    return [row for row in measured if not only or row.name in only]
