"""Processes that tests start, talk to and kill; none outlives its block."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300.0  # seconds after which a process hangs


@contextmanager
def python(
    script: str, *arguments: str, env: Mapping[str, str] | None = None, quiet: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """A Python that runs this script in the checkout, with pipes for input and output; it is killed with the block.

    Args:
        env: variables beside those of this process.
        quiet: standard error goes into a pipe as well; read it with ``communicate``.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if quiet else None,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def told(process: subprocess.Popen[str], start: str) -> str:
    """Wait for the line that starts so, and return the rest of it."""
    for line in process.stdout or ():
        if line.startswith(start):
            return line.removeprefix(start).strip()
    raise AssertionError(f"the process ended before it printed {start!r}")


def go_on(process: subprocess.Popen[str]) -> None:
    """Give a process that waits for a line its line."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def killed(process: subprocess.Popen[str]) -> list[str]:
    """Kill a process and return the whole lines that it still printed: the last one may be torn."""
    process.kill()
    assert process.stdout is not None
    text = process.stdout.read()
    process.wait()
    return text[: text.rfind("\n") + 1].splitlines()


def ended(process: subprocess.Popen[str]) -> str:
    """Wait until a process has ended well, and return what it printed; of one read before, a part is lost."""
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, (err or "")[-3000:]
    return out
