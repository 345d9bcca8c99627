"""One conversation with an OpenAI-compatible endpoint: asked politely, checked strictly, its key kept out of sight."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from core.errors import BadInput, DownloadFailed
from core.prompts.generate.plan import Settings

KEY_VARIABLES = ("TAILSCOPE_LLM_KEY", "OPENAI_API_KEY")
_TIMEOUT = httpx2.Timeout(120, connect=15)
_MOST_BYTES = 4 * 2**20
_TRIES = 6
_LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer as it came: model id as the endpoint names it, one text a choice, token usage."""

    model: str
    id: str
    texts: tuple[str, ...]
    finish: tuple[str, ...]
    usage: dict[str, int]


class Endpoint:
    """A place that answers questions; close it after use.

    Args:
        pause: called with the seconds to wait before the next try; raises Stopped to give up.

    Raises:
        BadInput: the address is not one, or the key would cross a network in the clear.
    """

    def __init__(self, base_url: str, *, pause: Callable[[float], None] = time.sleep) -> None:
        check_address(base_url)
        self._key = os.environ.get(key_variable(), "")
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._pause = pause
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        # A redirect would carry the key to another host, so none is followed.
        self._client = httpx2.Client(timeout=_TIMEOUT, follow_redirects=False, headers=headers)

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, settings: Settings, question: str, *, count: int, seed: int | None) -> Reply:
        """Ask one question for ``count`` choices; busy and failing servers are asked again, ever later.

        Raises:
            BadInput: the endpoint refuses the key, the model or a setting.
            DownloadFailed: it cannot be reached, stays busy, or answers something else.
        """
        body: dict[str, Any] = {
            "model": settings.model,
            "messages": [{"role": "user", "content": question}],
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
            "n": count,
        }
        if settings.instruction:
            body["messages"].insert(0, {"role": "system", "content": settings.instruction})
        if seed is not None:
            body["seed"] = seed
        for attempt in range(_TRIES):
            wait = min(_LONGEST_WAIT, 2.0**attempt)
            try:
                status, content, after = self._post(body)
            except httpx2.HTTPError as error:
                problem = f"cannot be reached ({self._hidden(str(error)) or type(error).__name__})"
            else:
                if status == 200:
                    return _read(content, self._url)
                problem = f"answered {status}: {self._hidden(_message(content))}"
                if status in (400, 401, 403, 404, 422):
                    raise BadInput(f"{self._url} {problem}. Check the key ({KEY_VARIABLES[0]}), model and settings.")
                if status < 500 and status not in (408, 409, 429):
                    break
                wait = max(wait, min(_LONGEST_WAIT, after))
            if attempt + 1 < _TRIES:
                self._pause(wait)
        raise DownloadFailed(f"{self._url} {problem}. What was answered so far is kept; run again to go on.")

    def _post(self, body: dict[str, Any]) -> tuple[int, bytes, float]:
        with self._client.stream("POST", self._url, json=body) as response:
            content = b""
            for part in response.iter_bytes():
                content += part
                if len(content) > _MOST_BYTES:
                    raise DownloadFailed(f"{self._url} sent more than {_MOST_BYTES >> 20} MB for one question.")
            after = response.headers.get("retry-after", "")
            return response.status_code, content, float(after) if re.fullmatch(r"\d{1,5}(\.\d+)?", after) else 0.0

    def _hidden(self, text: str) -> str:
        """The text without the key or anything that looks like one: servers like to quote them."""
        if self._key:
            text = text.replace(self._key, "***")
        return re.sub(r"\b(sk|key)-[\w*-]{4,}", "***", " ".join(text.split()))[:200]


def key_variable() -> str:
    """Name of the environment variable that holds the key; empty when none is set."""
    return next((name for name in KEY_VARIABLES if os.environ.get(name)), "")


def check_address(base_url: str) -> str:
    """The host that would be asked.

    Raises:
        BadInput: the address is not one, or the key would cross a network in the clear.
    """
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.username
        host = parts.netloc
    except ValueError:
        usable, host = False, ""
    if not usable:
        raise BadInput(f"{base_url!r} is no endpoint; write for example http://localhost:11434/v1.")
    if key_variable() and parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise BadInput(f"{parts.hostname} would get your key unencrypted; use https, or unset {key_variable()}.")
    return host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _message(content: bytes) -> str:
    try:
        found = json.loads(content)["error"]
        return str(found["message"] if isinstance(found, dict) else found)
    except (ValueError, KeyError, TypeError, RecursionError):
        return content[:200].decode("utf-8", "replace")


def _read(content: bytes, url: str) -> Reply:
    try:
        found = json.loads(content)
        choices = found["choices"]
        texts = tuple(choice["message"]["content"] or "" for choice in choices)
        finish = tuple(str(choice.get("finish_reason")) for choice in choices)
        used = found.get("usage") or {}
        usage = {name: int(used[name]) for name in ("prompt_tokens", "completion_tokens") if name in used}
        if not texts or not all(isinstance(text, str) for text in texts):
            raise ValueError("no text")
        return Reply(str(found.get("model", "")), str(found.get("id", "")), texts, finish, usage)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DownloadFailed(f"{url} answered something that is no chat completion; is it OpenAI-compatible?") from None
