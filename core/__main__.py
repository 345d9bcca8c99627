"""``python -m core``: the same engine without a browser."""

from __future__ import annotations

import sys

from core.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
