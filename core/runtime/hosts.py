"""Under which names the server answers: the rule of ``TAILSCOPE_HOSTS``, against DNS rebinding and foreign pages.

A page of another site cannot read this server, but it can give its own name this machine's address and then ask as if
it were at home. Such a request carries the foreign name as its Host (and Origin), and is refused for that.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from core.errors import BadInput

VARIABLE = "TAILSCOPE_HOSTS"
LOCAL = ("localhost", "127.0.0.1", "::1")
"""Names of this machine that no other machine can reach; always answered to, on any port."""

_EVERY_ADDRESS = ("", "0.0.0.0", "::")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_WITH_PORT = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(:(?P<port>[0-9]{1,5}))?")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def is_local(address: str) -> bool:
    """Whether a server bound to this address is reached from this machine only."""
    return address in LOCAL


def allowed_hosts(address: str) -> frozenset[str]:
    """Host names, lower case and without port, that a server bound to ``address`` answers to.

    Raises:
        BadInput: ``TAILSCOPE_HOSTS`` lists something that is no name or IP address.
    """
    hosts = set(LOCAL)
    if address not in _EVERY_ADDRESS:
        hosts.add(_bare(address) or address.lower())
    for text in re.split(r"[,\s]+", os.environ.get(VARIABLE, "")):
        if text:
            host = _bare(text)
            if host is None:
                raise BadInput(
                    f"{VARIABLE} lists {text[:80]!a}, which is no host; give names or IP addresses with commas between "
                    "them, without http:// and port, such as dash.example.org,10.0.0.5."
                )
            hosts.add(host)
    return frozenset(hosts)


def refusal(headers: Iterable[tuple[bytes, bytes]], hosts: frozenset[str]) -> str:
    """Why a request with these headers is refused, one sentence; empty when it may pass.

    The Host must be one of ``hosts``, on any port. An Origin, which browsers send with every websocket and upload,
    must be the address that Host names; pages of this machine may ask each other.
    """
    found = [(name.lower(), value.decode("latin-1")) for name, value in headers]
    named = [value for name, value in found if name == b"host"]
    origins = [value for name, value in found if name == b"origin"]
    host = _split(named[0]) if len(named) == 1 else None
    if host is None or host[0] not in hosts:
        shown = ", ".join(named)[:80]
        return (
            f"This server does not answer to the name {shown!a}. Whoever runs it can allow a name "
            f"or address with {VARIABLE}, for example {VARIABLE}=dash.example.org."
        )
    if origins and not (len(origins) == 1 and _is_own(origins[0], host)):
        return "This request comes from a page of another site, and this server answers only its own pages."
    return ""


def _is_own(origin: str, host: tuple[str, int | None]) -> bool:
    scheme, mark, rest = origin.partition("://")
    asking = _split(rest) if mark and scheme in ("http", "https") else None
    if asking is None:
        return False
    if asking[0] in LOCAL[:2] and host[0] in LOCAL[:2]:
        return True
    usual = 443 if scheme == "https" else 80
    return (asking[0], asking[1] or usual) == (host[0], host[1] or usual)


def _split(text: str) -> tuple[str, int | None] | None:
    """Host and port of a Host header; None for what is none."""
    match = _WITH_PORT.fullmatch(text)
    host = _bare(match["host"]) if match else None
    port = int(match["port"]) if match and match["port"] else None
    return None if host is None or (port is not None and port > 65535) else (host, port)


def _bare(text: str) -> str | None:
    """One spelling of a host without port: lower case, IPv6 short and without brackets; None for what is none."""
    text = text.lower()
    try:
        if text.startswith("[") or ":" in text:
            return str(ipaddress.IPv6Address(text.removeprefix("[").removesuffix("]")))
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        name = text.removesuffix(".")
        return name if len(name) < 254 and _NAME.fullmatch(name) else None


def reached_beyond(address: str, scope: Scope) -> bool:
    """Whether a server that believes to be local was reached through another address of this machine."""
    try:
        reached = ipaddress.ip_address((scope.get("server") or ("", None))[0])
    except ValueError:  # a Unix socket, or no word of it
        return False
    inner = getattr(reached, "ipv4_mapped", None) or reached
    return is_local(address) and not inner.is_loopback


def frame_rule(hosts: frozenset[str]) -> bytes:
    """A Content-Security-Policy that lets only the server's own pages, and those of hosts that were named, frame it."""
    named = sorted(f"[{host}]:*" if ":" in host else f"{host}:*" for host in hosts - set(LOCAL))
    return " ".join(["frame-ancestors", "'self'", *named]).encode()


class OnlyOwnHosts:
    """ASGI middleware: requests and websockets under foreign names, or from foreign pages, get one sentence (403).

    What is answered may not be shown inside a frame of a foreign page, whose clicks would be the visitor's.

    Args:
        address: gives the address that the server is bound to.
    """

    def __init__(self, app: Application, *, address: Callable[[], str]) -> None:
        self._app, self._address = app, address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        address = self._address()
        hosts: frozenset[str] = frozenset()
        try:
            hosts = allowed_hosts(address)
            reason = refusal(scope["headers"], hosts)
        except BadInput as error:
            reason = str(error)
        if not reason and reached_beyond(address, scope):
            reason = (
                "This server is set up for its own machine but listens on other addresses. Start it with "
                "python -m core run --address ADDRESS, which tells it so."
            )

        async def framed(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"content-security-policy", frame_rule(hosts))]
            await send(message)

        if not reason:
            await self._app(scope, receive, framed)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": reason[:120]})
        else:
            body = reason.encode()
            headers = [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
                (b"x-content-type-options", b"nosniff"),
            ]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
