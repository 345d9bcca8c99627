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
        contents: message contents of the next answers, one choice each.
        refused: a setting (``system`` for that message) that must not be sent, the status and the answer to it.
        usage: token usage of every answer.
        together: no answer is sent before this many requests have come.
    """

    url: str = ""
    most: int = 100
    fail: list[int] = field(default_factory=list)
    body: bytes | None = None
    contents: list[Any] = field(default_factory=list)
    refused: tuple[str, int, Any] | None = None
    usage: Any = "counted"
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    together: int = 0
    gathered: threading.Event = field(default_factory=threading.Event)

    def refuses(self, asked: dict[str, Any]) -> tuple[int, Any] | None:
        """Status and answer to a request that holds the refused setting."""
        if not self.refused:
            return None
        name, *answer = self.refused
        sent = asked["messages"][0]["role"] == "system" if name == "system" else name in asked
        return (answer[0], answer[1]) if sent else None


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
                refused, content_given = stand_in.refuses(asked), stand_in.contents[:1]
                if status == 200 and not refused:
                    stand_in.requests.append(asked)
                    del stand_in.contents[:1]
                if len(stand_in.requests) >= stand_in.together:
                    stand_in.gathered.set()
            stand_in.gathered.wait(60)
            question = asked["messages"][-1]["content"]
            if isinstance(question, list):  # with a picture
                question = question[0]["text"]
            choices = [
                {
                    "message": {"content": f'"Reply {number} {i} to {question[:-1]}\nwith more. And more"'},
                    "finish_reason": "stop",
                }
                for i in range(min(asked.get("n", 1), stand_in.most))
            ]
            if content_given:
                choices = [{"message": {"content": content_given[0]}, "finish_reason": "stop"}]
            content = {"id": f"r{number}", "model": "stand-in-1b", "choices": choices}
            counted = {"prompt_tokens": 10, "completion_tokens": 5 * len(choices)}
            content["usage"] = counted if stand_in.usage == "counted" else stand_in.usage
            if status != 200:
                content = {"error": {"message": f"no, {self.headers.get('Authorization')} failed"}}
            if refused:
                status, content = refused
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
