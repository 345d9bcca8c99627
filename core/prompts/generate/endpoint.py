"""One conversation with an OpenAI-compatible endpoint: asked politely, checked strictly, its key kept out of sight."""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx2

from core.errors import BadInput, DownloadFailed

KEY_VARIABLES = ("TAILSCOPE_LLM_KEY", "OPENAI_API_KEY")
URL_VARIABLE = "TAILSCOPE_LLM_URL"
"""Names the one endpoint that a browser may send the key to."""

_TIMEOUT = httpx2.Timeout(120, connect=15)
_MOST_BYTES = 4 * 2**20
_TRIES = 6
_LONGEST_WAIT = 60.0


class Manner(Protocol):
    """How an endpoint is asked: which model, with what system message (or none), how freely and for how long."""

    @property
    def model(self) -> str: ...
    @property
    def instruction(self) -> str: ...
    @property
    def temperature(self) -> float: ...
    @property
    def max_tokens(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer as it came: model id as the endpoint names it, one text a choice (empty for none), token usage."""

    model: str
    id: str
    texts: tuple[str, ...]
    finish: tuple[str, ...]
    usage: dict[str, int]


class Endpoint:
    """A place that answers questions; close it after use.

    Args:
        key: sent along; none by default, for an address that was typed in a browser must not receive it.
        pause: called with the seconds to wait before the next try; raises Stopped to give up.

    Raises:
        BadInput: the address is not one, or the key would cross a network in the clear.
    """

    def __init__(self, base_url: str, *, key: str = "", pause: Callable[[float], None] = time.sleep) -> None:
        check_address(base_url, key=key)
        self._key = key
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._pause = pause
        self._refused: dict[str, None] = {}
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        # A redirect would carry the key to another host, so none is followed.
        self._client = httpx2.Client(timeout=_TIMEOUT, follow_redirects=False, headers=headers)

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def adapted(self) -> tuple[str, ...]:
        """What this endpoint refused and what was sent instead, one sentence each."""
        return tuple(_ADAPTED[name] for name in self._refused)

    def ask(
        self, settings: Manner, question: str, *, count: int = 1, seed: int | None = None, picture: bytes = b""
    ) -> Reply:
        """Ask one question for ``count`` choices; busy and failing servers are asked again, ever later.

        A setting that the endpoint refuses is left out from then on (``adapted``).

        Args:
            picture: JPEG that the question is about; none for a question of words alone.

        Raises:
            BadInput: the endpoint refuses the key, the model or a setting that cannot be left out.
            DownloadFailed: it cannot be reached, stays busy, or answers something else.
        """
        # A loop of its own: a wait can be stopped and is as long as the endpoint asks; a refused setting costs no try.
        problem, tries = "", 0
        while tries < _TRIES:
            wait = min(_LONGEST_WAIT, 2.0**tries)
            body = self._body(settings, question, count=count, seed=seed, picture=picture)
            try:
                status, content, after = self._post(body)
            except httpx2.HTTPError as error:
                problem = f"cannot be reached ({self._hidden(str(error)) or type(error).__name__})"
            else:
                refusal = _error(content)
                if status == 200 and refusal is None:
                    return _read(content, self._url)
                status = _code(refusal) if status == 200 else status
                problem = f"answered {status}: {self._hidden(_message(content))}"
                if status in (400, 422) and self._leave_out(_refused_name(content, body)):
                    continue
                if status in (400, 401, 403, 404, 422):
                    tried = f" (also without {', '.join(self._refused)})" if self._refused else ""
                    raise BadInput(
                        f"{self._url} {problem}{tried}. Check the key ({KEY_VARIABLES[0]}), model and settings."
                    )
                if status < 500 and status not in (408, 409, 429):
                    break
                wait = max(wait, min(_LONGEST_WAIT, after))
            tries += 1
            if tries < _TRIES:
                self._pause(wait)
        raise DownloadFailed(f"{self._url} {problem}. What was answered so far is kept; run again to go on.")

    def _body(self, settings: Manner, question: str, *, count: int, seed: int | None, picture: bytes) -> dict[str, Any]:
        """The request without what the endpoint refused so far."""
        alone = bool(settings.instruction) and "system" in self._refused
        text = f"{settings.instruction} {question}" if alone else question
        messages: list[dict[str, Any]] = [
            {"role": "user", "content": _with_picture(text, picture) if picture else text}
        ]
        if settings.instruction and not alone:
            messages.insert(0, {"role": "system", "content": settings.instruction})
        longest = "max_completion_tokens" if "max_tokens" in self._refused else "max_tokens"
        wanted = {"temperature": settings.temperature, longest: settings.max_tokens, "n": count, "seed": seed}
        sent = {name: value for name, value in wanted.items() if value is not None and name not in self._refused}
        return {"model": settings.model, "messages": messages, **sent}

    def _leave_out(self, name: str) -> bool:
        if name:
            self._refused[name] = None
        return bool(name)

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


def _with_picture(text: str, picture: bytes) -> list[dict[str, Any]]:
    address = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
    return [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": address}}]


def key_variable() -> str:
    """Name of the environment variable that holds the key; empty when none is set."""
    return next((name for name in KEY_VARIABLES if os.environ.get(name)), "")


def own_key() -> str:
    """The owner's key, for an endpoint that the owner named on the command line; empty when none is set."""
    return os.environ.get(key_variable(), "")


def own_url() -> str:
    """The endpoint that the owner named in the server's environment; empty when none is."""
    return os.environ.get(URL_VARIABLE, "").strip().rstrip("/")


def key_for(base_url: str) -> str:
    """The owner's key if this address, which came from a browser, is the one that the owner named; else empty."""
    return own_key() if own_url() and base_url.strip().rstrip("/") == own_url() else ""


def check_address(base_url: str, *, key: str = "") -> str:
    """The host that would be asked.

    Args:
        key: what would be sent along, if anything.

    Raises:
        BadInput: the address is not one, or the key would cross a network in the clear.
    """
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.username
        host, name = parts.netloc, parts.hostname or ""
    except ValueError:
        usable, host, name = False, "", ""
    if not usable:
        raise BadInput(f"{base_url!r} is no endpoint; write for example http://localhost:11434/v1.")
    if key and parts.scheme == "http" and not _is_loopback(name):
        variable = key_variable() or KEY_VARIABLES[0]
        raise BadInput(f"{name} would get your key unencrypted; use https, or unset {variable}.")
    return host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


_ADAPTED = {
    "max_tokens": "max_tokens is refused, so the longest reply is sent as max_completion_tokens",
    "max_completion_tokens": "no limit of tokens is accepted, so replies are as long as the endpoint likes",
    "temperature": "the temperature is refused, so the endpoint's own is used",
    "n": "several choices at once are refused, so they are requested one at a time",
    "seed": "a seed is refused, so replies cannot be repeated",
    "system": "a system message is refused, so the instruction stands before each question",
}
# How servers name a setting in a refusal; the first that was sent and occurs is the one.
_NAMED = {
    "system": r"messages\[\d+\]\.role|(?:system|developer)[ _-]?(?:role|message|prompt|instruction)s?"
    r"|role[^.]{0,20}system",
    "max_tokens": r"\bmax_tokens\b|\bmaxtokens\b",
    "max_completion_tokens": r"\bmax_completion_tokens\b|\bmaxcompletiontokens\b",
    "temperature": r"\btemperature\b",
    "seed": r"\b(?:random_)?seed\b",
    "n": r"['\"`‘“]n['\"`’”]|\bn\b\s*(?:=|>|<|:|must|should|is|has|value|parameter|greater|other)"
    r"|\b(?:parameter|argument|field|value|only|support)\s+n\b"
    r"|(?:candidate|multiple (?:choice|completion|generation|output)|number of (?:choice|completion)|best_of)",
}


def _refused_name(content: bytes, body: Mapping[str, Any]) -> str:
    """The setting of this request that an error is about; empty when it is about none that can be left out."""
    sent = [name for name in _NAMED if name in body or (name == "system" and len(body["messages"]) > 1)]
    error = _error(content)
    if isinstance(error, Mapping):
        named = str(error.get("param") or "")
        for name in sent:
            if named == name or (name == "system" and re.fullmatch(r"messages(\[0\])?(\.role)?", named)):
                return name
    said = _message(content) if not isinstance(error, Mapping) else json.dumps(error, ensure_ascii=False)
    return next((name for name in sent if re.search(_NAMED[name], said, re.IGNORECASE)), "")


def _error(content: bytes) -> Any:
    """The error object or text of an answer in the layouts of several makers; None when there is none."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    found = found[0] if isinstance(found, list) and found else found
    if not isinstance(found, dict):
        return None
    if error := found.get("error"):
        return error
    choices = found.get("choices")
    if isinstance(choices, list) and choices and all(isinstance(one, dict) and one.get("error") for one in choices):
        return choices[0]["error"]
    return None if choices else found.get("detail") or found.get("message") or found.get("errors")


def _code(error: object) -> int:
    """The status that an error names which came as a success; 200 when it names none."""
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 200


def _message(content: bytes) -> str:
    error = _error(content)
    if error is None:
        return content[:200].decode("utf-8", "replace")
    said = error.get("message", error) if isinstance(error, Mapping) else error
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)


def _read(content: bytes, url: str) -> Reply:
    try:
        found = json.loads(content)
        choices = found["choices"]
        texts = tuple(_text(choice) for choice in choices)
        finish = tuple(str(choice.get("finish_reason") or "") for choice in choices)
        used = found.get("usage")
        counted = {name: (used or {}).get(name) for name in ("prompt_tokens", "completion_tokens")}
        if not texts:
            raise ValueError("no choice")
        usage = {name: int(n) for name, n in counted.items() if isinstance(n, int | float) and 0 <= n < 1e12}
        return Reply(str(found.get("model") or ""), str(found.get("id") or ""), texts, finish, usage)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DownloadFailed(f"{url} answered something that is no chat completion; is it OpenAI-compatible?") from None


def _text(choice: Mapping[str, Any]) -> str:
    """The text of one choice: a string, the text parts of a list, or a refusal; empty for none."""
    message = choice["message"] if "message" in choice else {"content": choice["text"]}
    content = message.get("content")
    if isinstance(content, Mapping):
        content = [content]
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
        content = "".join(part for part in parts if isinstance(part, str))
    if content is not None and not isinstance(content, str):
        raise ValueError("no text")
    return content or str(message.get("refusal") or "")
