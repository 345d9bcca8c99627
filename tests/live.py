"""A real server in a process of its own, started as a user starts it, and bare requests to it."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Live:
    """Where a server listens, and the file that it logs to."""

    address: str
    port: int
    log: Path

    def get(self, path: str, headers: Mapping[str, str], *, method: str = "GET") -> tuple[int, str]:
        """Status and text of one answer; ``headers`` are sent as they are, Host included."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def header(self, path: str, name: str) -> str:
        """One header of what a visitor of this machine gets."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=30)
        try:
            connection.request("GET", path, headers={"Host": f"localhost:{self.port}"})
            return connection.getresponse().getheader(name, "")
        finally:
            connection.close()

    def upgrade(self, headers: Mapping[str, str], path: str = "/_stcore/stream") -> int:
        """Status of the answer to a websocket's first request: 101 when it is accepted."""
        asked = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13",
            **headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in asked.items())
        with socket.create_connection((self.address, self.port), timeout=30) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
            answer = b""
            while b"\r\n" not in answer and (part := connection.recv(4096)):
                answer += part
        return int(re.match(rb"HTTP/1\.1 (\d+)", answer)[1])


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nothing listens on."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as free:
        free.bind((address, 0))
        return free.getsockname()[1]


@contextmanager
def serving(
    folder: Path, *, address: str = "127.0.0.1", command: tuple[str, ...] = (), cwd: Path = ROOT, **env: str
) -> Iterator[Live]:
    """The dashboard with a cache of its own in ``folder``, on a free port, until the block ends.

    Args:
        address: what it is bound to. command: another way to start it, with ``{port}`` for the port. cwd: where.
    """
    port = free_port(address if address not in ("0.0.0.0", "::") else "127.0.0.1")
    usual = (sys.executable, "-m", "streamlit", "run", "app.py", "--server.port={port}", f"--server.address={address}")
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.txt"
    known = {"TAILSCOPE_HOSTS", "TAILSCOPE_DATA_ROOTS", "TAILSCOPE_ALLOW_JOBS"}
    inherited = {name: value for name, value in os.environ.items() if name not in known}
    with log.open("w") as out:
        process = subprocess.Popen(
            [part.format(port=port) for part in command or usual],
            cwd=cwd,
            env={**inherited, "TAILSCOPE_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1", **env},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
            live = Live(reached, port, log)
            _await(live, process)
            yield live
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(live: Live, process: subprocess.Popen[bytes]) -> None:
    for _ in range(3000):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended: {live.log.read_text()}")
        try:
            live.get("/_stcore/health", {"Host": "localhost"})
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server did not come up: {live.log.read_text()}")
