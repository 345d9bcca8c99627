"""``python -m tailscope``: the command line, as ``tailscope`` of the installed package."""

from __future__ import annotations

import sys

from core.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
