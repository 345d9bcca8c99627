"""``run``: the dashboard."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from core.paths import ROOT


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(run)


def run(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    address: Annotated[
        str, typer.Option(help="Address to listen on; beyond this machine the dashboard is read-only.")
    ] = "127.0.0.1",
) -> None:
    """Open the dashboard; it runs until you stop it."""
    # The process becomes the server, so that whoever stops the command stops the server. Streamlit reads its settings
    # from .streamlit beside app.py. -P: a folder called core where the command is typed is none of ours.
    streamlit = ["-P", "-m", "streamlit", "run", str(ROOT / "app.py")]
    options = ["--server.port", str(port), "--server.address", address]
    os.execv(sys.executable, [sys.executable, *streamlit, *options])
