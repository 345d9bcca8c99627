"""Downloads of files, whole and in parts, from a hub on loopback: what is asked for, what arrives, what goes wrong."""

from __future__ import annotations

import hashlib
import io
import random
from pathlib import Path

import pytest
from huggingface_hub import constants

from core.downloads import hub, ranges
from core.errors import DownloadFailed, Stopped, UnknownName
from tests.hub import StandIn


@pytest.fixture
def remote(stand_in: StandIn) -> hub.RemoteFile:
    stand_in.add("dataset", "org/set", {"big.bin": random.Random(0).randbytes(1 << 20), "small.txt": b"hello"})
    return next(file for file in hub.files("org/set", kind="dataset") if file.path == "big.bin")


def test_files_are_announced_with_size_and_checksum_at_one_commit(stand_in: StandIn, remote: hub.RemoteFile) -> None:
    content = stand_in.repositories["dataset", "org/set"]["big.bin"]
    assert (remote.size, remote.sha256) == (1 << 20, hashlib.sha256(content).hexdigest())
    assert remote.repository == hub.Repository("org/set", "dataset", stand_in.commit("dataset", "org/set"))
    small = next(file for file in hub.files("org/set", kind="dataset") if file.path == "small.txt")
    assert (small.sha256, small.blob) == ("", "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0")  # git hash-object
    assert hub.read_text(small) == "hello"


def test_a_stopped_download_goes_on_where_it_ended(stand_in: StandIn, remote: hub.RemoteFile, tmp_path: Path) -> None:
    target = tmp_path / "big.bin"
    arrived: list[int] = []

    def stop_in_the_middle(count: int) -> None:
        arrived.append(count)
        if sum(arrived) >= 500_000:
            raise Stopped("stopped")

    with pytest.raises(Stopped):
        hub.download(remote, target, advance=stop_in_the_middle)
    assert not target.exists()
    kept = hub.partial_of(target).stat().st_size
    assert 500_000 <= kept < 700_000
    stand_in.requests.clear()
    arrived.clear()
    hub.download(remote, target, advance=arrived.append)
    assert target.read_bytes() == stand_in.repositories["dataset", "org/set"]["big.bin"]
    assert arrived[0] == kept
    assert sum(arrived) == remote.size
    assert stand_in.sent("big.bin") == remote.size - kept


def test_broken_connections_and_busy_servers_are_tried_again(
    stand_in: StandIn, remote: hub.RemoteFile, tmp_path: Path
) -> None:
    stand_in.break_after["big.bin"] = [300_000, 0, 200_000]
    stand_in.fail["big.bin"] = [503]
    arrived: list[int] = []
    hub.download(remote, tmp_path / "big.bin", advance=arrived.append)
    assert sum(arrived) == remote.size
    assert stand_in.sent("big.bin") == remote.size


def test_a_server_that_ignores_ranges_sends_everything_again(
    stand_in: StandIn, remote: hub.RemoteFile, tmp_path: Path
) -> None:
    stand_in.break_after["big.bin"] = [300_000]
    stand_in.ranges = False
    arrived: list[int] = []
    path = hub.download(remote, tmp_path / "big.bin", advance=arrived.append)
    assert path.read_bytes() == stand_in.repositories["dataset", "org/set"]["big.bin"]
    assert sum(arrived) == remote.size
    assert min(arrived) < 0


def test_another_checksum_is_refused_and_thrown_away(stand_in: StandIn, remote: hub.RemoteFile, tmp_path: Path) -> None:
    stand_in.corrupt.add("big.bin")
    with pytest.raises(DownloadFailed, match="another checksum"):
        hub.download(remote, tmp_path / "big.bin", advance=lambda n: None)
    assert list(tmp_path.glob("big.bin*")) == []


def test_more_bytes_than_announced_are_refused(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.add("dataset", "org/set", {"big.bin": bytes(100_000)})
    stand_in.announce["big.bin"] = 5_000
    (file,) = hub.files("org/set", kind="dataset")
    with pytest.raises(DownloadFailed, match="More than the announced 5,000 bytes"):
        hub.download(file, tmp_path / "big.bin", advance=lambda n: None)
    assert not (tmp_path / "big.bin").exists()


@pytest.mark.parametrize("path", ["../evil", "a/../../evil", "/etc/evil", "a\\..\\evil"])
def test_names_outside_the_repository_are_refused(stand_in: StandIn, path: str) -> None:
    stand_in.add("dataset", "org/set", {path: b"x"})
    with pytest.raises(DownloadFailed, match="outside its folder"):
        hub.files("org/set", kind="dataset")


def test_a_hostile_commit_name_is_refused(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in.add("dataset", "org/set", {"a": b"x"})
    monkeypatch.setattr(stand_in, "commit", lambda kind, id: "../../../evil")
    with pytest.raises(DownloadFailed, match="did not say which commit"):
        hub.files("org/set", kind="dataset")


def test_what_goes_wrong_is_said_in_a_sentence(
    stand_in: StandIn, remote: hub.RemoteFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DownloadFailed, match="org/nothing does not exist on http"):
        hub.files("org/nothing", kind="dataset")
    with pytest.raises(UnknownName, match="names look like org/name"):
        hub.files("org/../x", kind="dataset")
    del stand_in.repositories["dataset", "org/set"]["big.bin"]
    with pytest.raises(DownloadFailed, match=r"has no big\.bin: it was renamed or removed"):
        hub.download(remote, tmp_path / "a", advance=lambda n: None)
    stand_in.gated.add("org/set")
    with pytest.raises(DownloadFailed, match="terms are accepted"):
        hub.files("org/set", kind="dataset")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadFailed, match="HF_HUB_OFFLINE is set"):
        hub.files("org/set", kind="dataset")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadFailed, match=r"could not be fetched from http://127\.0\.0\.1:9"):
        hub.files("org/set", kind="dataset")


def test_the_token_goes_to_the_hub_and_not_to_its_storage(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.add("dataset", "org/set", {"big.bin": bytes(5000)})
    stand_in.token = "secret"
    with pytest.raises(DownloadFailed, match="HF_TOKEN"):
        hub.files("org/set", kind="dataset")
    monkeypatch.setenv("HF_TOKEN", "secret")
    (file,) = hub.files("org/set", kind="dataset")
    hub.download(file, tmp_path / "big.bin", advance=lambda n: None)
    ranges.RangeFile(file).read(10)
    tokens = {request.path.split("/")[1]: request.token for request in stand_in.requests[1:]}
    assert tokens == {"api": "Bearer secret", "datasets": "Bearer secret", "storage": ""}


def test_a_range_file_reads_like_the_file_and_asks_for_little(stand_in: StandIn, remote: hub.RemoteFile) -> None:
    content = stand_in.repositories["dataset", "org/set"]["big.bin"]
    source = ranges.RangeFile(remote, window=4096)
    stand_in.requests.clear()
    source.seek(-10, io.SEEK_END)
    assert source.read() == content[-10:]
    source.seek(500_000)
    assert source.read(100) + source.read(3000) == content[500_000:503_100]
    assert source.tell() == 503_100
    assert stand_in.sent("big.bin") == 10 + 4096
    source.preload([(0, 100), (200_000, 200_300)])
    source.seek(200_100)
    assert source.read(200) == content[200_100:200_300]
    assert stand_in.sent("big.bin") == 10 + 4096 + 400


def test_an_expired_storage_address_is_asked_for_again(stand_in: StandIn, remote: hub.RemoteFile) -> None:
    stand_in.signed = 2
    source = ranges.RangeFile(remote)
    content = stand_in.repositories["dataset", "org/set"]["big.bin"]
    assert [source.fetch(start, start + 9) for start in range(5)] == [content[start : start + 9] for start in range(5)]


def test_range_reads_are_bounded_and_need_a_server_that_serves_them(stand_in: StandIn, remote: hub.RemoteFile) -> None:
    with pytest.raises(DownloadFailed, match="damaged"):
        ranges.RangeFile(remote, largest=1000).read(1001)
    stand_in.ranges = False
    with pytest.raises(DownloadFailed, match="fetch the whole set instead"):
        ranges.RangeFile(remote).read(10)
