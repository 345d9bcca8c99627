"""Runs a piece of code in a child that is killed (SIGKILL) before its k-th step on the disk, for every k."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_COUNTED = """
import os, shutil, signal, sys
left = int(sys.argv[1])
def counted(module, name):
    plain = getattr(module, name)
    def step(*args, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(*args, **options)
    setattr(module, name, step)
"""
_START = """
for module, names in ((os, ("fsync", "replace", "rename", "unlink", "mkdir", "rmdir")), (shutil, ("rmtree",))):
    for name in names:
        counted(module, name)
"""


def at_every_step(code: str, *, prepare: str = "", most: int = 200) -> Iterator[int]:
    """Run ``prepare`` and then ``code`` again and again, killed one step later each time; yields after every kill.

    A step is a call that makes something durable or changes a name: fsync, replace, rename, unlink, mkdir, rmdir,
    rmtree. Ends when the code runs to its end.
    """
    for step in range(1, most):
        child = subprocess.run(
            [sys.executable, "-c", f"{_COUNTED}\n{prepare}\n{_START}\n{code}", str(step)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if child.returncode == 0:
            return
        assert child.returncode == -signal.SIGKILL, child.stderr
        yield step
    raise AssertionError(f"more than {most} steps")
