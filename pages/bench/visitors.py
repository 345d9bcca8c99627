"""Sessions without a browser: websocket clients that open pages of a server and change the lens.

``python -m pages.bench.visitors URL --sessions 50 --seconds 60`` looks after itself: it talks to this machine only,
with a bounded number of sessions for a bounded time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.bench import Row
from core.bench.server import serving
from core.errors import BadInput, TailscopeError

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

MOST_SESSIONS, MOST_SECONDS = 1_000, 600.0
PATIENCE = 60.0
"""Seconds after which a run that has not ended counts as an error."""
SESSIONS, SECONDS, PAUSE = 50, 60.0, 5.0
_LARGEST = 64 << 20
_MODELS = ("ViT-B-16,laion400m_e32", "ViT-L-14,laion400m_e32", "RN50-quickgelu,cc12m", "RN50,cc3m")
LENSES = tuple(
    (page, urllib.parse.urlencode({"model": model, "set": images, "prompts": prompts}))
    for page in ("frequency", "tail")
    for model in _MODELS
    for images, prompts in (
        ("imagenet", "class"),
        ("imagenet", "simple"),
        ("cifar100", "class"),
        ("cifar100", "simple"),
    )
)
"""Pages and addresses that visitors go through: published answers, so that nothing is to be embedded."""


@dataclass(frozen=True, slots=True)
class Load:
    """What visitors met.

    Attributes:
        waits: seconds from a changed lens to the end of its run; errors: what went wrong instead, in words.
        opened: sessions that were opened.
    """

    waits: tuple[float, ...]
    errors: tuple[str, ...]
    opened: int

    def p(self, percent: float) -> float:
        """A percentile of the waits in seconds; NaN without any."""
        return float(np.percentile(self.waits, percent)) if self.waits else float("nan")


def load(url: str, *, sessions: int, seconds: float, pause: float = 0.0, least: int = 1, seed: int = 0) -> Load:
    """Let so many visitors change the lens for so long, each ``least`` times at least.

    Args:
        url: address of a server on this machine.
        pause: mean seconds that a visitor looks at a page before the next change (uniform from half to one and a half).

    Raises:
        BadInput: another machine, or more sessions or time than is sensible.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise BadInput(f"{url} is not on this machine; load is put on a server of one's own only.")
    if not (1 <= sessions <= MOST_SESSIONS and 0 < seconds <= MOST_SECONDS):
        raise BadInput(f"Between 1 and {MOST_SESSIONS:,} sessions for at most {MOST_SECONDS:.0f} seconds.")
    return asyncio.run(_visitors(parts.netloc, sessions, seconds, pause, least, seed))


async def _visitors(server: str, sessions: int, seconds: float, pause: float, least: int, seed: int) -> Load:
    until = time.monotonic() + seconds
    chances = [random.Random(seed * 10_000 + number) for number in range(sessions)]
    visits = [_visit(server, until, pause, least, chance) for chance in chances]
    found = await asyncio.gather(*visits)
    waits = tuple(wait for one, _ in found for wait in one)
    return Load(waits, tuple(error for _, errors in found for error in errors), sessions)


async def _visit(
    server: str, until: float, pause: float, least: int, chance: random.Random
) -> tuple[list[float], list[str]]:
    """One session; its first run opens the page and is no change, so it is not among the waits."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException
    from websockets.typing import Subprotocol

    waits: list[float] = []
    errors: list[str] = []
    try:
        await asyncio.sleep(chance.random() * pause)
        async with connect(
            f"ws://{server}/_stcore/stream", subprotocols=[Subprotocol("streamlit")], max_size=_LARGEST, proxy=None,
            open_timeout=PATIENCE, compression=None,
        ) as socket:  # fmt: skip
            lenses = chance.sample(LENSES, len(LENSES))
            turn = 0
            while turn <= least or time.monotonic() < until:  # on however slow a machine
                began = time.perf_counter()
                errors += await asyncio.wait_for(run_page(socket, *lenses[turn % len(lenses)]), PATIENCE)
                if turn:
                    waits.append(time.perf_counter() - began)
                turn += 1
                await asyncio.sleep(pause * (0.5 + chance.random()))
    except (OSError, TimeoutError, WebSocketException) as error:
        errors.append(f"{type(error).__name__}: {error}")
    return waits, errors


async def run_page(socket: ClientConnection, page: str, query: str) -> list[str]:
    """Ask for one run of a page and read until it is over; the exceptions that it drew."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    asked = BackMsg()
    asked.rerun_script.query_string = query
    asked.rerun_script.page_name = page
    await socket.send(asked.SerializeToString())
    errors: list[str] = []
    while True:
        message: Any = ForwardMsg.FromString(await socket.recv(decode=False))
        kind = message.WhichOneof("type")
        if kind == "delta" and message.delta.new_element.WhichOneof("type") == "exception":
            errors.append(message.delta.new_element.exception.message)
        if kind == "script_finished":
            if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                errors.append("the script did not compile")
            return errors


def held(pid: int) -> tuple[int, int]:
    """Open file descriptors and bytes of resident memory of a process; Linux only."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return len(os.listdir(f"/proc/{pid}/fd")), pages * os.sysconf("SC_PAGE_SIZE")


def sessions() -> list[Row]:
    """Fifty sessions that change the lens every few seconds, against one session alone on the same server."""
    name, op, aim = "sessions_50", "<=", 5.0
    against = f"the median wait of one session alone; a change every {PAUSE:.0f} s for {SECONDS:.0f} s"
    try:
        with tempfile.TemporaryDirectory() as folder, serving(cache=Path(folder)) as server:
            load(server.url, sessions=1, seconds=1, least=len(LENSES))  # all are known before anything is measured
            alone = load(server.url, sessions=1, seconds=15)
            before = held(server.pid)
            many = load(server.url, sessions=SESSIONS, seconds=SECONDS, pause=PAUSE)
            after = held(server.pid)
    except (TailscopeError, OSError) as error:
        return [Row(name, None, op, aim, against, 0, str(error))]
    return [row(alone, many, before, after)]


def row(alone: Load, many: Load, before: tuple[int, int], after: tuple[int, int]) -> Row:
    """The 95th percentile of many sessions in medians of one alone; without a ratio when anything went wrong."""
    unit = statistics.median(alone.waits) if alone.waits else float("nan")
    against = (
        f"the median wait of one session alone ({unit:.2f} s); {many.opened} sessions, each with a change every "
        f"{PAUSE:.0f} s for {SECONDS:.0f} s: p50 {many.p(50):.2f} s, p95 {many.p(95):.2f} s; "
        f"descriptors {before[0]} to {after[0]}, memory {before[1] >> 20:,} to {after[1] >> 20:,} MiB"
    )
    errors: Sequence[str] = (*alone.errors, *many.errors)
    if errors or not (alone.waits and many.waits):
        reason = f"{len(errors)} errors, the first: {errors[0]}" if errors else "no run was finished in time"
        return Row("sessions_50", None, "<=", 5.0, against, len(many.waits), reason)
    return Row("sessions_50", many.p(95) / unit, "<=", 5.0, against, len(many.waits))


def main() -> None:
    """Print what visitors of a running server of this machine wait."""
    parser = argparse.ArgumentParser(description=load.__doc__)
    parser.add_argument("url")
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--pause", type=float, default=PAUSE)
    given = parser.parse_args()
    try:
        found = load(given.url, sessions=given.sessions, seconds=given.seconds, pause=given.pause)
    except BadInput as error:
        parser.error(str(error))
    print(f"{len(found.waits)} runs, {len(found.errors)} errors, p50 {found.p(50):.2f} s, p95 {found.p(95):.2f} s")
    for told in found.errors[:5]:
        print(f"  {told}")


if __name__ == "__main__":
    main()
