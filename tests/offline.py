"""A network that fails the test which touches it."""

from __future__ import annotations

import socket

import pytest


class NetworkTouched(AssertionError):
    """Something asked the network."""


def forbid_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look-up and every connection of this process raises, also where HF_HUB_OFFLINE would not be asked."""

    def refuse(*args: object, **_options: object) -> None:
        raise NetworkTouched(f"asked for {args[:2]}")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
