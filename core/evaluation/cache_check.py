"""Verifying all that is cached, and removing what killed processes left behind."""

from __future__ import annotations

import shutil

from cache import CacheError, files, keys
from cache.results import IN_USE
from core.datasets.formats.icons import verify_drawn
from core.evaluation.evaluate import matrices, results
from core.runtime.jobs import engine


def verify_all() -> list[str]:
    """Compare everything with its checksum and remove orphans; one sentence for each thing that was damaged.

    What is damaged is set aside or deleted, so that it is made again when it is needed; answers made from it are
    discarded, also those that this process still holds.
    """
    problems = [*matrices().verify_all().values(), *verify_drawn()]
    if problems:
        engine().forget()
    return problems


def clear_results() -> None:
    """Delete all small values, also on a disk too full for their database to write down what it deletes.

    CacheError while another process writes to it, and where nothing may be deleted.
    """
    try:
        results().clear()
    except CacheError as error:
        if IN_USE in str(error):
            raise
        try:
            shutil.rmtree(keys.root() / "results")
        except OSError:
            raise error from None


def remove_orphans() -> int:
    """Delete the unfinished files that killed processes left in the cache; returns how many."""
    return sum(len(files.remove_orphans(folder)) for folder in {keys.root(), matrices().folder})
