"""Tailscope's own version, and those of installed packages, from any thread."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, distributions

TAILSCOPE = "0.2.0"


@cache
def version(package: str) -> str:
    """The version of an installed package; PackageNotFoundError when it is absent.

    A copy of ``sys.path`` is searched: Streamlit edits the list while scripts run, and a search that walks it at that
    moment skips an entry.
    """
    for found in distributions(name=package, path=list(sys.path)):
        return found.version
    raise PackageNotFoundError(package)
