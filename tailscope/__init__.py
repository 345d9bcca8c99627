"""Tailscope in a notebook: ``import tailscope``. The functions are those of ``core.api``; see docs/API.md."""

from core.api import compare, curve, evaluate, load_counts, open_set
from core.versions import TAILSCOPE as __version__

__all__ = ["__version__", "compare", "curve", "evaluate", "load_counts", "open_set"]
