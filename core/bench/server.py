"""A dashboard, or a bare Streamlit script to compare with, as a server of its own that a bench row talks to."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.errors import TailscopeError
from core.paths import ROOT

PATIENCE = 120.0
"""Seconds after which a server or a page hangs."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers; ``started`` is the ``time.perf_counter`` of its start."""

    url: str
    pid: int
    started: float


@contextmanager
def serving(script: Path = ROOT / "app.py", *, cache: Path | None = None) -> Iterator[Server]:
    """Start a script as its user would, on a free port of this machine, and stop it at the end.

    The bare script is served with the dashboard's settings, so that both sides differ by what they draw.

    Args:
        cache: folder of cached answers; that of this process by default.

    Raises:
        TailscopeError: the server ended or did not answer in time; the message has the last lines of its log.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    env = os.environ | {"HF_HUB_OFFLINE": "1"} | ({"TAILSCOPE_CACHE": str(cache)} if cache else {})
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    started = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
        try:
            _wait_for(url, process, log)
            yield Server(url, process.pid, started)
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            log.seek(0)
            raise TailscopeError(f"the server ended: {log.read().decode('utf-8', 'replace').strip()[-500:]}")
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        time.sleep(0.02)
    raise TailscopeError(f"the server did not answer within {PATIENCE:.0f} seconds")
