"""Foreign names and foreign pages are refused: DNS rebinding, by HTTP and by websocket, on a real server."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import BadInput
from core.runtime import hosts
from tests.live import Live, serving

FOREIGN = ("evil.example", "evil.example:8501", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.7", "")


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(hosts.VARIABLE, raising=False)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("live"), TAILSCOPE_HOSTS="dash.example.org") as found:
        yield found


def refused(host: str, origin: str = "", *, address: str = "127.0.0.1") -> str:
    headers = [(b"host", host.encode()), *([(b"origin", origin.encode())] if origin else [])]
    return hosts.refusal(headers, hosts.allowed_hosts(address))


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8501", "LOCALHOST:1", "localhost.", "127.0.0.1:80", "[::1]", "[::1]:8501",
     "[0:0:0:0:0:0:0:1]:9"],
)  # fmt: skip
def test_this_machine_is_answered_on_any_port(host: str) -> None:
    assert not refused(host)


@pytest.mark.parametrize(
    "host",
    [*FOREIGN, "localhost:99999", "localhost:x", "user@localhost", "localhost/evil", "[::1", "::1]", "[::2]:8501",
     "localhost, evil.example", "127.0.0.2", "0.0.0.0:8501", "2130706433", "localhost\x00"],
)  # fmt: skip
def test_other_names_are_refused(host: str) -> None:
    assert "does not answer to the name" in refused(host)


def test_a_request_without_or_with_two_names_is_refused() -> None:
    allowed = hosts.allowed_hosts("127.0.0.1")
    assert hosts.refusal([], allowed)
    assert hosts.refusal([(b"host", b"localhost"), (b"Host", b"localhost")], allowed)


def test_the_owner_names_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hosts.VARIABLE, "Dash.Example.org., 10.0.0.5 [fe80::1]")
    for host in ("dash.example.org", "DASH.example.org:443", "10.0.0.5:8501", "[fe80:0::1]:8501"):
        assert not refused(host)
    assert refused("example.org")
    assert refused("a.dash.example.org")


@pytest.mark.parametrize("address", ["192.168.7.7", "box.lan", "fd00::7"])
def test_the_address_that_it_is_bound_to_is_answered(address: str) -> None:
    assert not refused(f"[{address}]:1" if ":" in address else f"{address}:1", address=address)
    assert refused("192.168.7.8", address=address)


@pytest.mark.parametrize("address", ["", "0.0.0.0", "::"])
def test_bound_to_every_address_only_named_hosts_are_answered(address: str) -> None:
    assert refused("192.168.7.7:8501", address=address)
    assert not refused("localhost:8501", address=address)


@pytest.mark.parametrize("listed", ["http://dash.example.org", "a.example:8501", "*", "a_/b", "-x"])
def test_a_list_that_holds_no_hosts_is_named(monkeypatch: pytest.MonkeyPatch, listed: str) -> None:
    monkeypatch.setenv(hosts.VARIABLE, listed)
    with pytest.raises(BadInput, match=r"TAILSCOPE_HOSTS lists .* no host"):
        hosts.allowed_hosts("127.0.0.1")


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8501", "http://localhost:8501"),
        ("localhost:8501", "http://127.0.0.1:9000"),
        ("[::1]:8501", "http://[::1]:8501"),
        ("dash.example.org", "https://dash.example.org"),
        ("dash.example.org:443", "https://dash.example.org"),
        ("dash.example.org:8501", "http://DASH.example.org:8501"),
    ],
)
def test_own_pages_may_ask(monkeypatch: pytest.MonkeyPatch, host: str, origin: str) -> None:
    monkeypatch.setenv(hosts.VARIABLE, "dash.example.org")
    assert not refused(host, origin)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8501", "http://evil.example"),
        ("localhost:8501", "http://evil.example:8501"),
        ("localhost:8501", "null"),
        ("localhost:8501", "file://"),
        ("localhost:8501", "http://localhost.evil.example"),
        ("localhost:8501", "http://localhost@evil.example"),
        ("localhost:8501", "localhost:8501"),
        ("localhost:8501", "chrome-extension://localhost"),
        ("dash.example.org", "http://dash.example.org:8080"),
        ("dash.example.org", "http://localhost"),
    ],
)
def test_other_pages_may_not(monkeypatch: pytest.MonkeyPatch, host: str, origin: str) -> None:
    monkeypatch.setenv(hosts.VARIABLE, "dash.example.org")
    assert "page of another site" in refused(host, origin)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/data", "/_stcore/health", "/_stcore/host-config", "/thumbs/x/192/0.webp"])
def test_a_server_answers_no_foreign_name_or_page(live: Live, path: str) -> None:
    own = f"localhost:{live.port}"
    status, _ = live.get(path, {"Host": own})
    assert status == (404 if path.startswith("/thumbs") else 200)
    for host in FOREIGN:
        status, text = live.get(path, {"Host": host})
        assert status in (400, 403)
        assert "<html" not in text
    status, text = live.get(path, {"Host": own, "Origin": "http://evil.example"})
    assert status == 403
    assert "another site" in text
    assert live.get(path, {"Host": own, "Origin": f"http://{own}"})[0] != 403


@pytest.mark.slow
def test_no_foreign_page_may_frame_or_steer_the_dashboard(live: Live) -> None:
    for path in ("/", "/data", "/_stcore/health"):
        assert live.header(path, "Content-Security-Policy") == "frame-ancestors 'self' dash.example.org:*"
    own = {"Host": f"localhost:{live.port}"}
    assert json.loads(live.get("/_stcore/host-config", own)[1])["allowedOrigins"] == []


@pytest.mark.slow
def test_a_server_accepts_no_foreign_upload(live: Live) -> None:
    foreign = {"Host": f"localhost:{live.port}", "Origin": "http://evil.example", "Content-Length": "0"}
    for method in ("PUT", "POST", "DELETE"):
        assert live.get("/_stcore/upload_file/a/b", foreign, method=method)[0] == 403


@pytest.mark.slow
def test_a_server_accepts_websockets_of_its_own_pages_only(live: Live) -> None:
    for own in (f"localhost:{live.port}", f"127.0.0.1:{live.port}", f"[::1]:{live.port}", "dash.example.org"):
        assert live.upgrade({"Host": own, "Origin": f"http://{own}"}) == 101
        assert live.upgrade({"Host": own}) == 101
        assert live.upgrade({"Host": own, "Origin": "http://evil.example"}) == 403
        assert live.upgrade({"Host": own, "Origin": "null"}) == 403
    for host in FOREIGN:
        assert live.upgrade({"Host": host, "Origin": f"http://{host}"}) in (400, 403)


@pytest.mark.slow
def test_a_server_on_ipv6(tmp_path: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with serving(tmp_path, address="::1") as six:
        own = f"[::1]:{six.port}"
        assert six.get("/_stcore/health", {"Host": own})[0] == 200
        assert six.get("/_stcore/health", {"Host": f"[::2]:{six.port}"})[0] == 403
        assert six.upgrade({"Host": own, "Origin": f"http://{own}"}) == 101
        assert six.upgrade({"Host": own, "Origin": "http://[::2]"}) == 403


@pytest.mark.slow
def test_a_server_that_listens_elsewhere_than_it_believes_says_so(tmp_path: Path) -> None:
    """Started by another server, its own rules of who is local would hold for everyone."""
    own = _other_address()
    if not own:
        pytest.skip("this machine has no address but loopback")
    command = (sys.executable, "-m", "uvicorn", "app:app", "--host", "0.0.0.0", "--port", "{port}")
    with serving(tmp_path, address="0.0.0.0", command=command) as live:
        assert live.get("/_stcore/health", {"Host": "localhost"})[0] == 200
        beyond = Live(own, live.port, live.log)
        status, text = beyond.get("/_stcore/health", {"Host": "localhost"})
        assert status == 403
        assert "run --address ADDRESS" in text
        assert beyond.upgrade({"Host": "localhost"}) == 403


def _other_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: asks which address would be used
        except OSError:
            return ""
        return probe.getsockname()[0]
