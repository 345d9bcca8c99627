from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.datasets import open_set
from core.datasets.io.tars import Shards
from core.errors import UnreadableData
from tests.helpers.sets import benchmark, reasons
from tests.pictures import encoded, snapshot, write_tar, write_tree


def npy(value, **options) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, value, **options)
    return buffer.getvalue()


def test_reads_clip_benchmarks_layout_in_numeric_order(tmp_path):
    root = benchmark(tmp_path / "wds")
    before = snapshot(root)
    found = open_set(root)
    assert found.kind == "webdataset"
    assert found.keys == found.names == ["class 0", "class 1", "class 2", "class 3"]
    assert len(found.labels) == 36
    for index in (0, 7, 30, 35):  # shard 10 comes after shard 9
        assert found.image(index).getpixel((0, 0)) == (index, 0, 0)
        assert found.labels[index] == index % 4
        assert found.image_ids[index] == f"{index // 3}/s{index:07d}"
    assert found.templates == ("a photo of a {c}.", "art of {c}")
    assert reasons(found) == {"zeroshot_classification_templates.txt, line 3": "a template without a {c} slot"}
    assert snapshot(root) == before


def test_a_single_tar_and_a_plain_folder_of_tars_are_sets_too(tmp_path):
    root = benchmark(tmp_path / "wds", shards=2)
    one = open_set(root / "test" / "1.tar")
    assert one.names[0] == "class 0"
    assert len(one.labels) == 3
    assert open_set(root / "test").names[0] == "class 0"
    found = open_set(write_tar(tmp_path / "bare" / "0.tar", {"x.cls": "7", "x.png": encoded()}).parent)
    assert found.keys == ["7"]
    assert found.labels.tolist() == [0]


def test_labels_may_be_arrays_or_names(tmp_path):
    root = tmp_path / "wds"
    picture = encoded()
    write_tar(
        root / "test" / "0.tar",
        {
            "a.npy": npy(np.int64(1)), "a.png": picture,
            "b.npy": npy(np.array([1, 0, 0])), "b.png": picture,
            "c.npy": npy(np.array([1, 0, 1])), "c.png": picture,
            "d.cls": "dog", "d.png": picture,
            "e.npy": npy(np.array([{"a": 1}], object), allow_pickle=True), "e.png": picture,
            "f.npy": b"\x93NUMPY\x01\x00\xff\xff", "f.png": picture,
        },
    )  # fmt: skip
    write_tree(root, {"classnames.txt": "cat\ndog\ncow\n"})
    found = open_set(root)
    assert [(id, found.keys[label]) for id, label in zip(found.image_ids, found.labels, strict=True)] == [
        ("0/a", "dog"), ("0/b", "cat"), ("0/d", "dog")
    ]  # fmt: skip
    assert "2 labels" in reasons(found)["0/c"]
    assert reasons(found)["0/e"] == reasons(found)["0/f"] == "its .npy label cannot be read"
    assert "class cow" in reasons(found)


def test_repeated_class_names_give_keys_of_their_own(tmp_path):
    root = tmp_path / "wds"
    write_tar(
        root / "test" / "0.tar", {f"{n}.{e}": d for n in range(3) for e, d in (("cls", str(n)), ("png", encoded()))}
    )
    write_tree(root, {"classnames.txt": "crane\nheron\ncrane\n"})
    found = open_set(root)
    assert found.keys == ["crane#0", "heron", "crane#2"]
    assert found.names == open_set(root, naming="released").names == ["crane", "heron", "crane"]
    assert found.labels.tolist() == [0, 1, 2]
    assert "“crane” names more than one class" in found.note


def test_digits_as_class_names_are_read_as_indices(tmp_path):
    root = tmp_path / "mnist"
    write_tar(root / "test" / "0.tar", {"a.cls": "0", "a.png": encoded(), "b.cls": "2", "b.png": encoded()})
    write_tree(root, {"classnames.txt": "2\n1\n0\n"})
    found = open_set(root)
    assert [found.keys[label] for label in found.labels] == ["2", "0"]


def test_bad_samples_are_listed(tmp_path):
    root = tmp_path / "wds"
    write_tar(
        root / "test" / "0.tar",
        {"a.cls": "0", "a.png": encoded(), "b.cls": "9", "b.png": encoded(), "c.cls": "0", "d.png": encoded()},
    )
    write_tar(root / "test" / "1.tar", {"e.cls": "zebra", "e.png": encoded(), "f.cls": "0", "f.png": b"no picture"})
    write_tree(root, {"classnames.txt": "cat\ndog\n", "test/nshards.txt": "4"})
    found = open_set(root)
    assert found.image_ids == ["0/a", "1/f"]
    why = reasons(found)
    assert why["0/b"] == "label 9 is not among the 2 classes"
    assert why["0/c"] == "no picture belongs to this key"
    assert why["0/d"] == "no .cls or .npy label belongs to this key"
    assert why["1/e"] == "its label 'zebra' is no class"
    assert "announces" in why["2.tar"]
    assert "announces" in why["3.tar"]
    with pytest.raises(UnreadableData, match=r"^1/f cannot be read as a picture"):
        found.image(1)


@pytest.mark.parametrize("damage", ["cut in a picture", "cut in a header", "garbage header", "not a tar", "empty"])
def test_a_broken_tar_is_listed_and_the_rest_goes_on(tmp_path, damage):
    root = benchmark(tmp_path / "wds", shards=3)
    path = root / "test" / "1.tar"
    data = bytearray(path.read_bytes())
    with tarfile.open(path) as tar:
        fourth = tar.getmembers()[3]  # the picture of the second sample
    if damage == "cut in a picture":
        data = data[: fourth.offset_data + 20]
    elif damage == "cut in a header":
        data = data[: fourth.offset + 100]
    elif damage == "garbage header":
        data[fourth.offset : fourth.offset + 512] = b"\xa5" * 512
    elif damage == "not a tar":
        data = bytearray(b"PK\x03\x04" + bytes(range(256)) * 20)
    else:
        data = bytearray()
    path.write_bytes(data)
    found = open_set(root)
    shards = [id.split("/")[0] for id in found.image_ids]
    assert shards.count("0") == shards.count("2") == 3
    assert shards.count("1") == (1 if "header" in damage or "picture" in damage else 0)
    assert ("no tar but a zip file" if damage == "not a tar" else "broken") in reasons(found)["1.tar"]
    assert found.image(len(shards) - 1).getpixel((0, 0)) == (8, 0, 0)


def test_links_and_devices_in_a_tar_are_not_followed(tmp_path):
    path = tmp_path / "test" / "0.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as tar:
        for name, kind in (("a.png", tarfile.SYMTYPE), ("b.png", tarfile.LNKTYPE), ("c.png", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/hostname"
            tar.addfile(info)
        for name, data in (("../../d.cls", b"0"), ("../../d.png", encoded())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    found = open_set(tmp_path)
    assert found.image_ids == ["0/../../d"]  # a name only: nothing is ever unpacked
    assert found.image(0).size == (8, 6)


def test_a_shard_that_shrank_says_so(tmp_path):
    root = benchmark(tmp_path / "wds", shards=1)
    found = open_set(root)
    (root / "test" / "0.tar").write_bytes(b"")
    with pytest.raises(UnreadableData, match="became shorter"):
        found.image(2)


def test_fingerprint_sees_one_changed_byte(tmp_path):
    root = benchmark(tmp_path / "wds", shards=2)
    first = open_set(root).fingerprint
    with tarfile.open(root / "test" / "1.tar") as tar:
        last = tar.getmembers()[-1]
    data = bytearray((root / "test" / "1.tar").read_bytes())
    data[last.offset_data + last.size - 1] ^= 1
    (root / "test" / "1.tar").write_bytes(data)
    assert open_set(root, fresh=True).fingerprint != first


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_no_damage_to_a_tar_raises(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzzed.tar"
    whole = bytearray(write_tar(path, {"a.cls": "0", "a.png": encoded(), "folder/b.cls": "1"}).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, 2600))
        whole[at] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    shards = Shards([path])
    for sample in shards.samples:
        for part in sample.parts.values():
            assert len(shards.read(part)) == part.size


def retrieval(root, **files):
    write_tar(
        root / "test" / "0.tar",
        {
            "a.png": encoded((1, 0, 0)), "a.txt": "a dog runs\na brown dog\n",
            "b.png": encoded((2, 0, 0)), "b.txt": "two cats\n\n",
            "c.png": encoded((3, 0, 0)), "c.txt": " \n",
            "d.png": encoded((4, 0, 0)),
            "e.txt": "no picture",
        },
    )  # fmt: skip
    return write_tree(root, {"test/nshards.txt": "1"} | files)


@pytest.mark.parametrize("files", [{"dataset_type.txt": "retrieval\n"}, {}])
def test_reads_captions(tmp_path, files):
    root = retrieval(tmp_path / "coco", **files)
    found = open_set(root, captions=True)
    assert found.kind == "captions"
    assert found.captions == [(0, "a dog runs"), (0, "a brown dog"), (1, "two cats")]
    assert found.image_ids == ["0/a", "0/b"]
    assert found.labels.tolist() == [-1, -1]
    assert len(found.keys) == len(found.names) == 0
    assert found.image(1).getpixel((0, 0)) == (2, 0, 0)
    assert set(reasons(found)) == {"0/c", "0/d", "0/e"}


def test_captions_belong_to_the_fingerprint(tmp_path):
    first = open_set(retrieval(tmp_path / "one"), captions=True).fingerprint
    other = retrieval(tmp_path / "two")
    data = (other / "test" / "0.tar").read_bytes().replace(b"two cats", b"two cows")
    (other / "test" / "0.tar").write_bytes(data)
    assert open_set(other, captions=True).fingerprint != first


@pytest.mark.parametrize("size", [b"\xff" * 12, b"\xff" * 10 + b"\x00\x00", b"\x80" + b"\xff" * 11, b"7" * 11 + b"\0"])
def test_impossible_sizes_end_the_archive(tmp_path, size):
    path = write_tar(tmp_path / "test" / "0.tar", {"a.cls": "0", "a.png": encoded(), "b.cls": "0", "b.png": encoded()})
    data = bytearray(path.read_bytes())
    with tarfile.open(path) as tar:
        start = tar.getmembers()[2].offset
    data[start + 124 : start + 136] = size
    data[start + 148 : start + 156] = b" " * 8
    data[start + 148 : start + 156] = b"%06o\0 " % sum(data[start : start + 512])
    path.write_bytes(data)
    found = open_set(tmp_path)
    assert found.image_ids == ["0/a"]
    assert "broken" in reasons(found)["0.tar"]
