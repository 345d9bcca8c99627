"""A stand-in language model on loopback that speaks the real protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "sk-very-secret-0123456789"


@dataclass
class StandIn:
    """An endpoint whose answers are numbered; ``fail`` holds status codes of the next ones.

    Attributes:
        most: choices given at most in one answer.
        body: sent instead of a completion.
    """

    url: str = ""
    most: int = 100
    fail: list[int] = field(default_factory=list)
    body: bytes | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def serve() -> Iterator[StandIn]:
    """Start the endpoint on a free port of 127.0.0.1; it ends with the block."""
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with stand_in.lock:
                stand_in.keys.add(self.headers.get("Authorization", ""))
                status = stand_in.fail.pop(0) if stand_in.fail else 200
                number = len(stand_in.requests)
                if status == 200:
                    stand_in.requests.append(asked)
            question = asked["messages"][-1]["content"]
            choices = [
                {
                    "message": {"content": f'"Reply {number} {i} to {question[:-1]}\nwith more. And more"'},
                    "finish_reason": "stop",
                }
                for i in range(min(asked["n"], stand_in.most))
            ]
            content = {"id": f"r{number}", "model": "stand-in-1b", "choices": choices}
            content["usage"] = {"prompt_tokens": 10, "completion_tokens": 5 * len(choices)}
            if status != 200:
                content = {"error": {"message": f"no, {self.headers.get('Authorization')} failed"}}
            data = json.dumps(content).encode() if stand_in.body is None else stand_in.body
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if status in (301, 307):
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    stand_in.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
