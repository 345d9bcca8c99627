"""Webdatasets behind an address: the same set as from the disk, by ranges, and plain words where a store refuses."""

from __future__ import annotations

import tarfile
from types import SimpleNamespace
from typing import ClassVar

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from cache.matrices import MatrixStore
from core.cluster.embedding import embeddings_on_ray
from core.datasets import open_set
from core.datasets.io.addresses import is_url
from core.datasets.io.remote import SMALL, WINDOW, Windows, open_address
from core.datasets.io.tars import Shards
from core.errors import BadInput, DownloadFailed, ExtraMissing, PathRefused, UnknownName, UnreadableData
from core.evaluation.embed import embed_images
from core.types import Lens
from pages.ui import jobs, served
from tests.fakes import FakeEncoder
from tests.helpers.sets import benchmark, reasons
from tests.pictures import encoded, write_tar, write_tree


class Counted(MemoryFileSystem):
    """A store that notes what is asked of it."""

    protocol = "counted"
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]
    asked: ClassVar[list] = []

    def find(self, path, **options):
        self.asked.append(("list", path))
        return super().find(path, **options)

    def cat_file(self, path, start=None, end=None, **options):
        self.asked.append((start, end))
        return super().cat_file(path, start=start, end=end, **options)


fsspec.register_implementation("counted", Counted, clobber=True)


def put(root, address: str) -> str:
    """Copy a folder to an address of a store that lives in this process."""
    scheme, _, path = address.partition("://")
    store = fsspec.filesystem(scheme)
    for file in root.rglob("*"):
        if file.is_file():
            store.pipe(f"/{path}/{file.relative_to(root).as_posix()}", file.read_bytes())
    return address


@pytest.fixture
def counted(tmp_path):
    """A set of twelve shards in the counting store."""
    address = put(benchmark(tmp_path / "wds"), "counted://bucket/wds")
    Counted.asked.clear()
    yield address
    Counted.store.clear()
    Counted.pseudo_dirs[:] = [""]
    Counted.asked.clear()


def same(one, other) -> bool:
    assert (one.kind, one.fingerprint, one.keys, one.names) == (other.kind, other.fingerprint, other.keys, other.names)
    assert (one.image_ids, one.templates, one.left_out) == (other.image_ids, other.templates, other.left_out)
    assert np.array_equal(one.labels, other.labels)
    return True


@pytest.mark.parametrize("scheme", ["file", "memory", "counted"])
@pytest.mark.parametrize("below", ["", "/test", "/test/3.tar", "/"])
def test_an_address_gives_the_same_set_as_the_path(tmp_path, scheme, below):
    root = benchmark(tmp_path / "wds")
    address = root.as_uri() if scheme == "file" else put(root, f"{scheme}://{tmp_path.name}{len(below)}/wds")
    local, found = open_set(f"{root}{below}"), open_set(address + below, fresh=True)
    assert same(found, local)
    assert found.id == address + below
    assert found.kind == "webdataset"
    for index in range(len(local.labels)):
        assert found.image(index).tobytes() == local.image(index).tobytes()


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_vectors_are_those_of_the_path_bit_for_bit_and_found_again_under_its_key(tmp_path, scheme):
    root = benchmark(tmp_path / "wds")
    address = root.as_uri() if scheme == "file" else put(root, f"memory://{tmp_path.name}/vectors")
    remote, encoder = open_set(address), FakeEncoder()
    found = embed_images(encoder, remote, MatrixStore(tmp_path / "a"))
    local = embed_images(FakeEncoder(), open_set(root), MatrixStore(tmp_path / "b"))
    assert found.key == local.key
    assert found.vectors.tobytes() == local.vectors.tobytes()
    assert encoder.images_encoded == 36
    assert not found.left_out
    again = FakeEncoder()
    embed_images(again, open_set(root), MatrixStore(tmp_path / "a"))
    assert not again.images_encoded


def test_a_set_is_listed_and_walked_once_in_a_process(counted):
    first = open_set(counted, fresh=True)
    assert [what for what, _ in Counted.asked].count("list") == 2  # the folder, and test/
    # One window a shard, 36 sampled pictures (shorter than 64 KiB: one range each), and three short lists, asked twice.
    assert len(Counted.asked) <= 2 + 12 + 36 + 6
    Counted.asked.clear()
    assert open_set(counted) is first
    assert open_set(counted, names={"class 0": "zero"}).names[0] == "zero"
    assert not [what for what, _ in Counted.asked if what == "list"]
    assert Counted.asked.count((0, 10240)) == 1  # a look at the first tar tells the layout; none is walked
    assert open_set(counted, fresh=True).fingerprint == first.fingerprint
    assert "list" in [what for what, _ in Counted.asked]


def test_large_pictures_are_stepped_over(tmp_path):
    noise = np.random.default_rng(0).bytes(3 << 20)
    members = {}
    for number in range(6):
        members |= {f"{number}.cls": str(number), f"{number}.jpg": noise}
    write_tar(tmp_path / "big" / "test" / "0.tar", members)
    address = put(tmp_path / "big", "counted://bucket/big")
    Counted.asked.clear()
    shards = Shards([open_address(address, fresh=True) / "test" / "0.tar"])
    assert [shards.read_label(sample.parts["cls"]) for sample in shards.samples] == [b"%d" % n for n in range(6)]
    read = sum(end - start for start, end in Counted.asked if start != "list")
    assert read <= 2 * WINDOW + 12 * SMALL < 6 * len(noise)


def test_hostile_tars_lists_and_names(tmp_path):
    root = benchmark(tmp_path / "wds", shards=2)
    sound = (root / "test" / "0.tar").read_bytes()
    pax = tarfile.TarInfo("x")
    pax.type, pax.size = tarfile.XHDTYPE, 5 << 20
    broken = {
        "2.tar": sound[: len(sound) // 2 - 300],
        "3.tar": b"\x93not a tar" * 300,
        "4.tar": pax.tobuf() + b"1" * (6 << 20),
        "5.tar": b"",
    }
    write_tree(root / "test", broken)
    write_tar(root / "test" / "6.tar", {"../../up.cls": "1", "../../up.png": encoded((9, 9, 9)), "huge.cls": "1" * 99})
    write_tree(root, {"test/nshards.txt": "9" * 50, "classnames.txt": b"\xff\xfe"})
    found = open_set(put(root, "counted://bucket/hostile"), fresh=True)
    assert found.image_ids[-1] == "6/../../up"
    assert len(found.labels) >= 7
    said = reasons(found)
    assert "extended header of 5,242,880 bytes" in said["4.tar"]
    assert {"2.tar", "3.tar", "5.tar", "nshards.txt", "6/huge"} <= set(said)
    assert "not UTF-8" in said["classnames.txt"]


def test_a_store_that_lists_other_places_is_not_followed(tmp_path, monkeypatch):
    address = put(benchmark(tmp_path / "wds"), "counted://bucket/links")
    own = MemoryFileSystem.find

    def find(self, path, **options):
        found = own(self, path, **options)
        return found | {"/secret/7.tar": {"name": "/secret/7.tar", "size": 9, "type": "file"}}

    monkeypatch.setattr(Counted, "find", find)
    tree = open_address(address, fresh=True).tree
    assert tree.files
    assert all(path.startswith("bucket/links/") for path in tree.files)


def test_what_is_not_there_or_not_allowed_is_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(UnknownName, match=r"Nothing is at memory://no-such-bucket/set\. Check .*credentials"):
        open_set("memory://no-such-bucket/set")
    with pytest.raises(UnknownName, match="Nothing is at"):
        open_set("file:///")
    with pytest.raises(BadInput, match="no file system"):
        open_set("nonsense://a/b")
    with pytest.raises(ExtraMissing, match=r"fsspec\[abfs\]"):
        open_set("abfs://a/b")
    with pytest.raises(BadInput, match="must not hold a password") as refused:
        open_set("s3://KEY:SECRET@bucket/set")
    assert "SECRET" not in str(refused.value)

    def denied(self, path, **options):
        raise PermissionError("AccessDenied:\n no   credentials")

    monkeypatch.setattr(Counted, "info", denied)
    with pytest.raises(UnreadableData, match=r"cannot be listed: AccessDenied: no credentials\. Check the address"):
        open_set("counted://bucket/denied")


def test_a_bucket_that_arrow_cannot_reach_is_told_as_that(monkeypatch):
    from pyarrow import fs

    def unreachable(uri):
        raise OSError("Bucket 'no-such-bucket' not found")

    monkeypatch.setattr(fs, "FileSystem", SimpleNamespace(from_uri=unreachable))
    with pytest.raises(UnreadableData, match=r"s3:// cannot be reached: Bucket 'no-such-bucket' not found\. Check"):
        open_set("s3://no-such-bucket/set")


def test_other_layouts_are_refused_by_address(tmp_path):
    write_tar(tmp_path / "c" / "test" / "0.tar", {"0.png": encoded(), "0.txt": "a caption"})
    with pytest.raises(UnreadableData, match=r"captions for retrieval.*mount"):
        open_set((tmp_path / "c").as_uri())
    write_tree(tmp_path / "d", {"cat/1.png": encoded()})
    with pytest.raises(UnreadableData, match="holds no tar shards"):
        open_set((tmp_path / "d").as_uri())


def test_a_picture_that_is_not_delivered_ends_the_run_and_is_not_left_out(counted, tmp_path, monkeypatch):
    found = open_set(counted, fresh=True)

    def cut(self, path, **options):
        raise ConnectionError("reset by peer")

    monkeypatch.setattr(Counted, "cat_file", cut)
    with pytest.raises(DownloadFailed, match=r"0\.tar of counted://bucket/wds cannot be read: reset by peer"):
        embed_images(FakeEncoder(), found, MatrixStore(tmp_path / "m"))
    with pytest.raises(DownloadFailed, match="reset by peer"):
        open_set(counted, fresh=True)
    monkeypatch.setattr(Counted, "cat_file", lambda self, path, **options: b"0" * (1 << 20))
    with pytest.raises(DownloadFailed, match="whole files where a range"):
        found.image(0)


def test_windows_read_what_the_file_holds_wherever_one_looks(tmp_path):
    data = np.random.default_rng(1).bytes(3 * WINDOW + 77)
    write_tree(tmp_path, {"test/0.tar": data})
    file = open_address(tmp_path.as_uri(), fresh=True) / "test" / "0.tar"
    windows, rng = Windows(file), np.random.default_rng(2)
    for at, size in zip(
        rng.integers(0, len(data) + 50, 200).tolist(), rng.integers(0, 5000, 200).tolist(), strict=True
    ):
        windows.seek(at)
        assert windows.read(size) == data[at : at + size]


def test_addresses_are_refused_where_roots_are_given(counted, tmp_path, monkeypatch):
    for address in (counted, tmp_path.as_uri(), "s3://bucket/set"):
        with pytest.raises(PathRefused, match=r"is an address.*command line"):
            open_set(address, roots=[tmp_path])
    assert not [1 for what, _ in Counted.asked if what == "list"]
    monkeypatch.setattr(jobs, "is_local", lambda: False)
    for address in ("s3://bucket/set", "memory://bucket/set"):
        with pytest.raises(PathRefused, match="is an address"):
            served.image_set(address)
    monkeypatch.setattr(jobs, "is_local", lambda: True)
    assert served.image_set("s3://bucket/some-set/v2") == "s3://bucket/some-set/v2"
    for address in ("s3://bucket/set?endpoint_override=a.example", "s3://a:b@c/d", "file:///etc", "local://etc"):
        assert is_url(address)
        with pytest.raises(PathRefused, match="is an address"):
            served.image_set(address)


def test_a_cluster_does_not_get_what_one_process_holds():
    with pytest.raises(BadInput, match="one process only"):
        embeddings_on_ray(Lens("icon-RN,icons-200k", "memory://bucket/set"))
