"""Labels and class lists as other people's files hold them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.datasets import open_set
from core.datasets.matching import imagenet_groups
from core.errors import BadInput, UnreadableData
from core.types import ImageSet
from tests.helpers.labelled_shards import PNG, said
from tests.pictures import encoded, write_tar, write_tree


def reasons(image_set: ImageSet) -> dict[str, str]:
    return {item.item: item.reason for item in image_set.left_out}


def features(**columns: list[str]) -> dict[bytes, bytes]:
    listed = {name: {"_type": "ClassLabel", "names": names} for name, names in columns.items()}
    return {b"huggingface": json.dumps({"info": {"features": listed}}).encode()}


def shard(path: Path, labels: pa.Array | list, *, lists: dict[str, list[str]] | None = None, **more: list) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pa.array([{"bytes": encoded((n, 0, 0)), "path": None} for n in range(len(labels))])
    table = pa.table({"image": image, "label": labels, **more})
    pq.write_table(table.replace_schema_metadata(features(**lists)) if lists else table, path)
    return path


STRUCT = pa.struct({"id": pa.int64(), "name": pa.string()})


TYPES = [
    pa.array(["ant", "bee", "ant"], pa.large_string()),
    pa.array(["ant", "bee", "ant"], pa.string_view()),
    pa.array(["ant", "bee", "ant"]).dictionary_encode(),
    pa.array([b"ant", b"bee", b"ant"]),
    pa.array([b"ant", b"bee", b"ant"], pa.large_binary()),
    pa.array([["ant"], ["bee"], ["ant"]]),
    pa.array([["ant"], ["bee"], ["ant"]], pa.large_list(pa.string())),
    pa.array([["ant"], ["bee"], ["ant"]], pa.list_(pa.string(), 1)),
    pa.array([{"id": 0, "name": "ant"}, {"id": 1, "name": "bee"}, {"id": 0, "name": "ant"}], STRUCT),
]


@pytest.mark.parametrize("labels", TYPES, ids=lambda labels: str(labels.type))
def test_labels_of_every_type_are_read_in_shards_and_tables(tmp_path, labels):
    assert said(open_set(shard(tmp_path / "s" / "x.parquet", labels))) == ["ant", "bee", "ant"]
    root = write_tree(tmp_path / "t", {f"images/{n}.png": PNG for n in range(3)})
    pq.write_table(pa.table({"path": [f"images/{n}.png" for n in range(3)], "label": labels}), root / "t.parquet")
    assert said(open_set(root / "t.parquet")) == ["ant", "bee", "ant"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (pa.array([0.0, 1.0, 0.0]), ["0", "1", "0"]),
        (pa.array([Decimal("0"), Decimal("1"), Decimal("0")]), ["0", "1", "0"]),
        (pa.array([False, True, False]), ["False", "True", "False"]),
        (pa.array([[1, 0, 0], [0, 0, 1], [1, 0, 0]]), ["0", "2", "0"]),
        (pa.array([0, 1, 0], pa.uint8()), ["0", "1", "0"]),
        (pa.array(["0.0", "1.0", "0.0"]), ["0", "1", "0"]),
    ],
    ids=str,
)
def test_numbers_are_labels_without_a_point(tmp_path, labels, expected):
    assert said(open_set(shard(tmp_path / "x.parquet", labels))) == expected


@pytest.mark.parametrize(
    "labels",
    [
        pa.array([[0, 1], [1, 2], [0, 2]]),
        pa.array([[], [], []], pa.list_(pa.string())),
        pa.array([{"a": 1, "b": 2}] * 3),
        pa.array([b"\xff\xfe", b"\x00\x01", b"\xff"]),
        pa.array([1, 2, 3], pa.timestamp("s")),
    ],
    ids=lambda labels: str(labels.type),
)
def test_what_is_no_label_is_refused_with_the_column_and_its_type(tmp_path, labels):
    with pytest.raises(UnreadableData, match=r"column “label” \(.*holds no single class"):
        open_set(shard(tmp_path / "s" / "x.parquet", labels))
    root = write_tree(tmp_path / "t", {f"images/{n}.png": PNG for n in range(3)})
    pq.write_table(pa.table({"path": [f"images/{n}.png" for n in range(3)], "label": labels}), root / "t.parquet")
    with pytest.raises(UnreadableData, match="“label” holds no single class"):
        open_set(root / "t.parquet")


def test_rows_with_several_labels_or_none_are_listed(tmp_path):
    found = open_set(shard(tmp_path / "x.parquet", pa.array([["ant"], ["ant", "bee"], [], None, ["bee"]])))
    assert said(found) == ["ant", "bee"]
    assert reasons(found) == {"x/1": "several labels (ant, bee)", "x/2": "an empty list", "x/3": "no label"}


def test_lists_of_class_labels_are_named(tmp_path):
    path = shard(tmp_path / "x.parquet", pa.array([[1], [0], [2]]))
    table = pq.read_table(path)
    nested = {"label": {"_type": "List", "feature": {"_type": "ClassLabel", "names": ["ant", "bee", "cat"]}}}
    meta = {b"huggingface": json.dumps({"info": {"features": nested}}).encode()}
    pq.write_table(table.replace_schema_metadata(meta), path)
    assert said(open_set(path)) == ["bee", "ant", "cat"]


# --- lists of classes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (["ant", "bee", "cat"], ["cat", "bee", "ant"], ["ant", "bee", "cat", "cat", "bee", "ant"]),
        (["ant", "bee", "cat"], ["bee", "cat", "ant"], ["ant", "bee", "cat", "bee", "cat", "ant"]),
        (["ant", "bee", "cat"], ["dog", "ant", "bee"], ["ant", "bee", "cat", "dog", "ant", "bee"]),
        (["ant", "bee", "cat"], ["ant", "bee", "cat", "dog"], ["ant", "bee", "cat", "ant", "bee", "cat"]),
        (["crane", "bee", "crane"], ["crane", "bee", "crane"], ["crane#0", "bee", "crane#2"] * 2),
    ],
)
def test_every_shard_is_labelled_by_its_own_list(tmp_path, first, second, expected):
    for number, names in enumerate((first, second)):
        shard(tmp_path / f"test-{number}.parquet", [0, 1, 2], lists={"label": names})
    assert said(open_set(tmp_path)) == expected


@pytest.mark.parametrize("second", [["bee", "crane", "crane"], None])
def test_a_list_that_cannot_be_matched_refuses_its_shard(tmp_path, second):
    shard(tmp_path / "test-0.parquet", [0, 1, 2], lists={"label": ["crane", "bee", "crane"]})
    shard(tmp_path / "test-1.parquet", [0, 1, 2], lists={"label": second} if second else None)
    found = open_set(tmp_path)
    assert len(found.labels) == 3
    assert "list of class names" in reasons(found)["test-1.parquet"]


def test_repeated_names_are_not_numbered_in_prompts(tmp_path):
    found = open_set(shard(tmp_path / "x.parquet", [0, 1, 2], lists={"label": ["crane", "crane", "ant"]}))
    assert found.keys == ["crane#0", "crane#1", "ant"]
    assert found.names == ["crane", "crane", "ant"]
    root = write_tree(tmp_path / "t", {f"{n}.png": PNG for n in range(3)})
    table = pa.table({"path": [f"{n}.png" for n in range(3)], "label": [0, 1, 2]})
    pq.write_table(table.replace_schema_metadata(features(label=["crane", "crane", "ant"])), root / "t.parquet")
    found = open_set(root / "t.parquet")
    assert (found.names, found.labels.tolist()) == (["crane", "crane", "ant"], [0, 1, 2])


@pytest.mark.parametrize("unlabelled", [[-1, -1], [None, None]])
def test_an_unlabelled_split_is_passed_over(tmp_path, unlabelled):
    shard(tmp_path / "test-0.parquet", pa.array(unlabelled, pa.int64()), lists={"label": ["ant", "bee"]})
    shard(tmp_path / "validation-0.parquet", [0, 1], lists={"label": ["ant", "bee"]})
    found = open_set(tmp_path)
    assert found.image_ids == ["validation-0/0", "validation-0/1"]
    assert "split test has no labels and was passed over" in found.note
    with pytest.raises(UnreadableData, match="no usable picture"):
        open_set(f"{tmp_path}#split=test")


def test_of_several_label_columns_the_known_one_is_taken_and_the_others_are_named(tmp_path):
    lists = {"fine_label": ["ant", "bee"], "coarse_label": ["insect"]}
    path = shard(tmp_path / "x.parquet", [0, 1], lists=lists, fine_label=[1, 0], coarse_label=[0, 0])
    pq.write_table(pq.read_table(path).drop_columns(["label"]), path)
    found = open_set(path)
    assert said(found) == ["bee", "ant"]
    assert "--label-column coarse_label" in found.note
    assert open_set(f"{path}#label-column=coarse_label").keys == ["insect"]
    with pytest.raises(BadInput, match="no column “colour”; the columns are fine_label"):
        open_set(f"{path}#label-column=colour")


def test_of_several_unknown_class_columns_none_is_taken(tmp_path):
    path = shard(
        tmp_path / "x.parquet", [0, 1], lists={"alpha": ["a", "b"], "beta": ["c", "d"]}, alpha=[0, 1], beta=[1, 0]
    )
    pq.write_table(pq.read_table(path).drop_columns(["label"]), path)
    with pytest.raises(UnreadableData, match=r"several columns hold classes \(alpha, beta\)"):
        open_set(path)


# --- webdatasets -------------------------------------------------------------------------------------------------


def test_an_unlabelled_split_of_tars_is_passed_over(tmp_path):
    write_tar(tmp_path / "test" / "0.tar", {"a.png": PNG, "a.json": "{}"})
    write_tar(tmp_path / "train" / "0.tar", {"b.png": PNG, "b.cls": "0", "c.png": PNG, "c.cls": "1"})
    found = open_set(tmp_path)
    assert found.image_ids == ["0/b", "0/c"]
    assert "test/ has no labelled pictures" in found.note


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ant\u2028fire\nbee\n", ["ant\u2028fire", "bee"]),
        ("ant\x0cfire\r\nbee\r\n", ["ant\x0cfire", "bee"]),
        ("ant\x85\nbee", ["ant\x85", "bee"]),
        ("ant\x1cx\nbee\n\n\n", ["ant\x1cx", "bee"]),
        ("\ufeffant\nbee\n", ["ant", "bee"]),
    ],
)
def test_only_newlines_end_a_class_name(tmp_path, text, names):
    write_tar(tmp_path / "test" / "0.tar", {"a.png": PNG, "a.cls": "0", "b.png": PNG, "b.cls": "1"})
    write_tree(tmp_path, {"classnames.txt": text})
    assert open_set(tmp_path).keys == names


def test_an_empty_line_is_no_class(tmp_path):
    write_tar(tmp_path / "test" / "0.tar", {"a.png": PNG, "a.cls": "0", "b.png": PNG, "b.cls": "1"})
    write_tree(tmp_path, {"classnames.txt": "ant\n\nbee\n"})
    with pytest.raises(UnreadableData, match=r"classnames\.txt, line 2 is empty"):
        open_set(tmp_path)


def test_several_labels_in_a_sample_are_listed(tmp_path):
    write_tar(
        tmp_path / "0.tar",
        {"a.png": PNG, "a.cls": "ant|bee", "b.png": PNG, "b.cls": "Ant", "c.png": PNG, "c.cls": "ant"},
    )
    found = open_set(tmp_path)
    assert found.keys == ["ant"]
    assert "several labels (ant, bee)" in reasons(found)["0/a"]
    assert "Read as one class: “Ant” and “ant”" in found.note
    assert open_set(tmp_path, naming="released").keys == ["Ant", "ant"]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x1f\x8b\x08\0", "a gzip file"),
        (b"PK\x03\x04", "a zip file"),
        (b"\xfd7zXZ\0", "a xz file"),
        (b"\x28\xb5\x2f\xfd", "a zstandard file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    ],
)
def test_what_is_called_a_tar_and_is_none_is_named(tmp_path, data, kind):
    (tmp_path / "x.tar").write_bytes(data + bytes(2000))
    with pytest.raises(UnreadableData, match=f"it is no tar but {kind}"):
        open_set(tmp_path / "x.tar")


@pytest.mark.parametrize("name", ["img.v2.0.png", "a.b.jpg", "cat.1.webp", "2024.01.01.png", "x.y.z.jpeg"])
def test_keys_with_dots_are_explained(tmp_path, name):
    stem = name.rpartition(".")[0]
    write_tar(tmp_path / "x.tar", {name: PNG, f"{stem}.cls": "0"})
    with pytest.raises(UnreadableData, match=f"cuts the name {name} at its first dot"):
        open_set(tmp_path / "x.tar")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["n00007846", "n01440764", "n01443537"], [(), (0,), (1,)]),
        ([str(number) for number in range(1000) if number != 7], None),
        (["0", "1", "2"], []),
    ],
)
def test_a_stranger_does_not_cost_the_others_their_imagenet_class(tmp_path, keys, expected):
    found = imagenet_groups(open_set(write_tree(tmp_path / "s", {f"{key}/a.png": PNG for key in keys})))
    if expected is None:
        assert (found[6], found[7], len(found)) == ((6,), (8,), 999)
    else:
        assert list(found) == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["[0]", "[1]", "[0]"], ["0", "1", "0"]),
        (["['ant']", "['bee']", "['ant']"], ["ant", "bee", "ant"]),
        (["b'ant'", 'b"bee"', "b'ant'"], ["ant", "bee", "ant"]),
        (["{'name': 'ant'}", "{'name': 'bee'}", "{'name': 'ant'}"], ["ant", "bee", "ant"]),
        (["0.0", "1.0", "0.0"], ["0", "1", "0"]),
        (["-1", "1", "-1"], ["-1", "1", "-1"]),
        (["[unk]", "(b", "[unk]"], ["[unk]", "(b", "[unk]"]),
    ],
)
def test_labels_as_python_prints_them_are_what_is_in_them(tmp_path, cells, expected):
    root = write_tree(tmp_path / "t", {f"images/{n}.png": PNG for n in range(3)})
    rows = "".join(f'images/{n}.png,"{cell}"\n' for n, cell in enumerate(cells)).replace('b"bee"', 'b""bee""')
    write_tree(root, {"t.csv": f"path,label\n{rows}"})
    assert said(open_set(root / "t.csv")) == expected


@pytest.mark.parametrize("cells", [["-1"] * 3, ["0.5", "0.25", "1"], ["{'a': 1}"] * 3, ["['a', 'b']"] * 3, ["nan"] * 3])
def test_cells_that_say_no_class_are_refused(tmp_path, cells):
    root = write_tree(tmp_path / "t", {f"images/{n}.png": PNG for n in range(3)})
    write_tree(root, {"t.csv": "path,label\n" + "".join(f'images/{n}.png,"{cell}"\n' for n, cell in enumerate(cells))})
    with pytest.raises(UnreadableData, match=r"“label” holds (no single class|several labels)"):
        open_set(root / "t.csv")


def test_an_unlabelled_split_without_a_list_of_names_is_passed_over(tmp_path):
    shard(tmp_path / "test" / "0.parquet", [-1, -1])
    shard(tmp_path / "train" / "0.parquet", [0, 1])
    assert said(open_set(tmp_path)) == ["0", "1"]
