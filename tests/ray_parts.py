"""What workers of a test cluster are given: an encoder that writes down what it computes, sets with known faults."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.cluster.counting import PartCounter
from core.errors import BadInput
from tests.fakes import FakeEncoder, FakeImageSet

N, SHARD_ROWS, BATCH = 60, 10, 5
BROKEN = (7, *range(20, 30))  # one picture, and all of shard 2


class LoggingEncoder(FakeEncoder):
    """Appends the process and the number of pictures of every forward pass to a file."""

    def __init__(self, log: Path, *, pause: float = 0.0) -> None:
        super().__init__()
        self._log, self._pause = log, pause

    def encode_images(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        time.sleep(self._pause)
        with self._log.open("a") as file:
            file.write(f"{os.getpid()} {len(batch)}\n")
        return super().encode_images(batch)


class KillingEncoder(LoggingEncoder):
    """Kills its own process in a forward pass: every time, or once ``shards`` are in the store and only once."""

    def __init__(self, log: Path, *, once_there: Path | None = None) -> None:
        super().__init__(log)
        self._once_there = once_there

    def encode_images(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        if self._once_there is None:
            os.kill(os.getpid(), signal.SIGKILL)
        found = super().encode_images(batch)
        mark = self._log.with_suffix(".killed")
        if not mark.exists() and any(self._once_there.glob("*.shards/*.npy")) and self.images_encoded > SHARD_ROWS:
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return found


class OtherEncoder(FakeEncoder):
    """Has other weights in every process."""

    def __init__(self) -> None:
        super().__init__()
        self.fingerprint = {"weights": str(os.getpid())}


class RefusingEncoder(FakeEncoder):
    def encode_images(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        raise BadInput("These pictures are refused.")


class KillingCounter(PartCounter):
    """Writes down every part it begins; one of them kills its process in the second part it is given, once."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._begun = 0

    def __call__(self, number: int) -> str | None:
        self._begun += 1
        with (self._store.parent / "log").open("a") as file:
            file.write(f"{os.getpid()} {number}\n")
        mark = self._store.parent / "killed"
        if self._begun == 2 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(number)


def images() -> FakeImageSet:
    return FakeImageSet(n=N, broken=BROKEN)
