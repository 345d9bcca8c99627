"""What this process may use of its machine."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

from core.errors import BadInput

_PRECISIONS = ("auto", "float32", "bf16", "fp16")


def settled_precision(asked: str) -> str:
    """What ``auto`` means where ``$TAILSCOPE_PRECISION`` settles it for a whole fleet, so that all find one cache."""
    named = os.environ.get("TAILSCOPE_PRECISION") or "auto"
    if named not in _PRECISIONS:
        raise BadInput(f"TAILSCOPE_PRECISION is {named!r}; it can be {', '.join(_PRECISIONS)}.")
    return named if asked == "auto" else asked


@cache
def cores() -> int:
    """Processor cores this process may really use: its affinity, and a container's quota when there is one."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        usable = min(usable, int(quota) // int(period))
    except (OSError, ValueError):  # no cgroup, or a quota of "max"
        pass
    return max(1, usable)


def threads() -> int:
    """Threads for one computation: ``$OMP_NUM_THREADS`` where a person set it, else one for each core."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(asked) if asked.isdecimal() and int(asked) else cores()


def available_memory() -> int | None:
    """Bytes that this process can still get: free in the machine, and under a container's limit; None if not known."""
    found = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
        # Cached files count as used, and are given back when memory is wanted.
        stats = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        found.append(limit - used + int(stats.get("inactive_file", 0)))
    except (OSError, ValueError):  # no cgroup, or a limit of "max"
        pass
    return min(found, default=None)


def return_freed_memory() -> None:
    """Hand memory that was freed back to the system: glibc keeps half of a freed model in its heap until asked."""
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
