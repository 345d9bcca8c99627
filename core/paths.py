"""Where Tailscope lies on this disk."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "assets"

IMPORT_ROOT = Path(__file__).resolve().parents[__name__.count(".")]
"""What must be on ``sys.path`` so that another process finds these modules: the checkout, or site-packages."""
