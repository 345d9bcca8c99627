"""The standard models of the icon world: small supervised classifiers that fix what a shift usually costs.

They differ in width, in pictures and in passes, never in kind, so that accuracy on a shift follows from accuracy on
``icons``; none of them is a model under test. Their weights are not kept, except those of the reference.
"""

from __future__ import annotations

from core.icons.training.classifier import ClassifierRun


def _run(width: int, images: int, epochs: int, *, seed: int = 0) -> ClassifierRun:
    return ClassifierRun("icon-RN", "icons-200k", epochs, batch=128, width=width, images=images, seed=seed)


BASELINES: dict[str, ClassifierRun] = {
    f"rn{run.width}-{run.images // 1000}k-x{run.epochs}": run
    for run in (
        _run(6, 10_000, 4),
        _run(8, 10_000, 12),
        _run(6, 50_000, 2),
        _run(8, 100_000, 1),
        _run(8, 50_000, 2),
        _run(8, 50_000, 4),
        _run(8, 200_000, 1),
        _run(12, 200_000, 1),
        _run(16, 200_000, 2, seed=1),
    )
}
"""Name -> run, the quickest first."""
STAND_IN = "rn8-50k-x4"
"""The baseline in AlexNet's place: its weights are kept, as ``icon-reference``."""
