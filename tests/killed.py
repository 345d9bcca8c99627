"""Runs a piece of code in a child that is killed (SIGKILL) before its k-th step on the disk, for every k."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_FORKS = """
import os, shutil, signal, sys, traceback
left = 0
def counted(module, name):
    plain = getattr(module, name)
    def step(*args, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(*args, **options)
    setattr(module, name, step)
exec(sys.argv[1])
for module, names in ((os, ("fsync", "replace", "rename", "unlink", "mkdir", "rmdir")), (shutil, ("rmtree",))):
    for name in names:
        counted(module, name)
for line in sys.stdin:
    child = os.fork()
    if not child:
        left = int(line)
        try:
            exec(sys.argv[2])
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def at_every_step(code: str, *, prepare: str = "", most: int = 200) -> Iterator[int]:
    """Run ``code`` in one fork after another, killed one step later each time; yields after every kill.

    A step is a call that makes something durable or changes a name: fsync, replace, rename, unlink, mkdir, rmdir,
    rmtree. Ends when the code runs to its end. ``prepare``, the imports, runs once, before the forks.
    """
    command = [sys.executable, "-c", _FORKS, prepare, code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as parent:
        assert parent.stdin
        assert parent.stdout
        assert parent.stderr
        try:
            for step in range(1, most):
                print(step, file=parent.stdin, flush=True)
                ended = parent.stdout.readline().strip()
                if ended == "0":
                    return
                assert ended == str(-signal.SIGKILL), parent.stderr.readline()
                yield step
        finally:
            parent.kill()
    raise AssertionError(f"more than {most} steps")
