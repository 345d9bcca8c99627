"""What this process may use of its machine."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path


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


def return_freed_memory() -> None:
    """Hand memory that was freed back to the system: glibc keeps half of a freed model in its heap until asked."""
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
