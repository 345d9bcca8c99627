from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.datasets import open_set
from core.datasets.cells import as_text
from core.datasets.formats.columns import read_columns
from core.errors import TailscopeError, UnreadableData
from tests.pictures import encoded, snapshot, write_tree


def reasons(image_set) -> dict[str, str]:
    return {item.item: item.reason for item in image_set.left_out}


def pictures(root, *names):
    return write_tree(root, {name: encoded((number, 0, 0)) for number, name in enumerate(names)})


def pairs(image_set) -> list[tuple[str, str]]:
    return [(id, image_set.keys[label]) for id, label in zip(image_set.image_ids, image_set.labels, strict=True)]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("set.csv", "filepath,class\nimg/a.png,red_fox\nimg/b.png,wolf\n"),
        ("set.csv", "\ufeffLabel;Path\r\nred_fox;img/a.png\r\nwolf;img/b.png\r\n"),
        ("set.tsv", "image\tcategory\tscore\nimg/a.png\tred_fox\t1\nimg/b.png\twolf\t2\n"),
        ("set.jsonl", '{"path": "img/a.png", "label": "red_fox"}\n{"path": "img/b.png", "label": "wolf", "x": [1]}\n'),
        ("set.csv", 'where,species\n"img/a.png","red_fox"\n"img/b.png","wolf"\n'),
    ],
)
def test_columns_are_found_and_told(tmp_path, file, content):
    root = pictures(tmp_path / "s", "img/a.png", "img/b.png")
    write_tree(root, {file: content})
    before = snapshot(root)
    found = open_set(root / file)
    assert found.kind == "table"
    assert pairs(found) == [("img/a.png", "red_fox"), ("img/b.png", "wolf")]
    assert found.names == ["red fox", "wolf"]
    assert found.image(1).getpixel((0, 0)) == (1, 0, 0)
    assert "path from column “" in found.note
    assert "class from column “" in found.note
    assert snapshot(root) == before


def test_whole_numbers_are_classes_in_numeric_order(tmp_path):
    root = pictures(tmp_path / "s", "a.png", "b.png", "c.png")
    pq.write_table(
        pa.table({"path": ["a.png", "b.png", "c.png"], "label": pa.array([10.0, 2.0, None])}), root / "t.parquet"
    )
    found = open_set(root / "t.parquet")
    assert found.keys == ["2", "10"]
    assert pairs(found) == [("a.png", "10"), ("b.png", "2")]
    assert reasons(found) == {"c.png": "no class"}


def test_class_labels_of_the_schema_name_the_classes(tmp_path):
    root = pictures(tmp_path / "s", "a.png", "b.png", "c.png")
    table = pa.table({"path": ["a.png", "b.png", "c.png"], "label": [1, 0, 7]})
    pq.write_table(table.replace_schema_metadata(class_label("label", ["cat", "dog", "eel"])), root / "t.parquet")
    found = open_set(root / "t.parquet")
    assert found.keys == ["cat", "dog", "eel"]
    assert pairs(found) == [("a.png", "dog"), ("b.png", "cat")]
    assert reasons(found)["c.png"] == "no class"
    assert "class eel" in reasons(found)


def test_a_table_without_classes_uses_folders(tmp_path):
    root = pictures(tmp_path / "s", "cat/a.png", "dog/b.png")
    write_tree(root, {"t.csv": "cat/a.png\ndog/b.png\n"})
    found = open_set(root / "t.csv")
    assert pairs(found) == [("cat/a.png", "cat"), ("dog/b.png", "dog")]
    assert "class from the folder" in found.note


def test_bad_rows_are_listed(tmp_path):
    root = pictures(tmp_path / "s", "a.png", "b.png")
    pictures(tmp_path, "outside.png")
    (root / "dir.png").mkdir()
    rows = ["a.png,cat", "gone.png,cat", "../outside.png,cat", "b.png,", ",cat", "a.png,dog", "dir.png,dog", "x,y,z"]
    rows += [f"{tmp_path}/outside.png,dog", "nul\0.png,dog"]
    write_tree(root, {"t.csv": "path,label\n" + "\n".join(rows)})
    found = open_set(root / "t.csv")
    assert pairs(found) == [("a.png", "cat"), (f"{tmp_path}/outside.png", "dog")]
    why = reasons(found)
    assert why["gone.png"] == "no such file or directory"
    assert "climbs out" in why["../outside.png"]
    assert why["b.png"] == "no class"
    assert why["row 5"] == "no path"
    assert "listed twice" in why["a.png"]
    assert why["dir.png"] == "not a regular file"
    assert why["t.csv, line 9"] == "3 cells instead of 2"
    assert any("nul" in item for item in why)


def test_absolute_paths_and_links_stay_in_the_served_folders(tmp_path):
    root = pictures(tmp_path / "served", "a.png")
    pictures(tmp_path, "secret.png")
    (root / "leak.png").symlink_to(tmp_path / "secret.png")
    (root / "door").symlink_to(tmp_path)
    write_tree(root, {"t.csv": f"path,label\na.png,x\nleak.png,x\ndoor/secret.png,x\n{tmp_path}/secret.png,x\n"})
    found = open_set(root / "t.csv", roots=[root.resolve()])
    assert found.image_ids == ["a.png"]
    assert len(found.left_out) == 3
    assert all("outside" in item.reason for item in found.left_out)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("t.csv", "", "is empty"),
        ("t.csv", "a,b\n1,2\n", "no column with paths of pictures"),
        ("t.csv", "path\nx.png\n", "No column says the class"),
        ("t.csv", b"path,label\ncaf\xe9.png,x\n", "not UTF-8"),
        ("t.jsonl", "[1]\n{\n", "no column with paths"),
        ("t.parquet", "PAR1 but not really", "not a Parquet table"),
        ("t.csv", "path,label\n" + "x" * 200_000 + ",y\n", "not a table: field larger"),
    ],
)
def test_what_is_no_table_is_one_sentence(tmp_path, file, content, reason):
    write_tree(tmp_path, {file: content})
    with pytest.raises(UnreadableData, match=reason):
        open_set(tmp_path / file)


def test_the_only_table_in_a_folder_is_used(tmp_path):
    root = pictures(tmp_path / "s", "a.png")
    write_tree(root, {"labels.csv": "path,label\na.png,cat\n"})
    assert open_set(root).kind == "table"
    write_tree(root, {"more.csv": "path,label\n"})
    assert pairs(open_set(root)) == [("a.png", "cat")]  # the other has no rows
    write_tree(root, {"more.csv": "path,label\na.png,dog\n"})
    with pytest.raises(UnreadableData, match=r"more\.csv could be meant as well"):
        open_set(root)


def test_cells_become_text():
    assert [as_text(value) for value in (None, float("nan"), 3.0, 3.5, 7, " a ")] == ["", "", "3", "3.5", "7", "a"]


@settings(deadline=None)
@given(st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]), st.binary(max_size=300))
def test_no_bytes_raise_anything_else(tmp_path_factory, suffix, content):
    path = tmp_path_factory.getbasetemp() / f"fuzzed{suffix}"
    path.write_bytes(content)
    try:
        columns = read_columns(path)
    except TailscopeError:
        return
    assert all(len(values) == columns.rows for values in columns.values.values())


@pytest.mark.parametrize("file", ["metadata.csv", "metadata.jsonl", "metadata.parquet"])
def test_reads_hugging_face_imagefolder(tmp_path, file):
    root = pictures(tmp_path / "s", "test/0001.png", "test/sub/0002.png", "train/0001.png")
    pictures(tmp_path / "s", "outside.png")
    names = ["0001.png", "sub/0002.png", "../outside.png", str(root / "outside.png")]
    table = {"file_name": names, "label": ["red_fox", "wolf", "wolf", "wolf"]}
    if file.endswith("parquet"):
        pq.write_table(pa.table(table), root / "test" / file)
    elif file.endswith("csv"):
        rows = zip(*table.values(), strict=True)
        write_tree(root, {f"test/{file}": "file_name,label\n" + "".join(f"{a},{b}\n" for a, b in rows)})
    else:
        rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
        write_tree(root, {f"test/{file}": "\n".join(map(json.dumps, rows))})
    found = open_set(root)
    assert found.kind == "imagefolder"
    assert pairs(found) == [("0001.png", "red_fox"), ("sub/0002.png", "wolf")]
    assert found.image(1).getpixel((0, 0)) == (1, 0, 0)
    assert "climbs out" in reasons(found)["../outside.png"]
    assert "absolute" in reasons(found)[str(root / "outside.png")]


def class_label(column: str, names: list[str]) -> dict[bytes, bytes]:
    features = {"image": {"_type": "Image"}, column: {"_type": "ClassLabel", "names": names}}
    return {b"huggingface": json.dumps({"info": {"features": features}}).encode()}


def shard(path, numbers, labels, *, names=("cat", "dog", "eel"), form="struct", group=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = [None if number is None else encoded((number, 0, 0)) for number in numbers]
    if form == "struct":
        image = pa.array([{"bytes": item, "path": f"{number}.png"} for item, number in zip(data, numbers, strict=True)])
    else:
        image = pa.array(data, pa.binary())
    table = pa.table({"image": image, "label": labels})
    if names:
        table = table.replace_schema_metadata(class_label("label", list(names)))
    pq.write_table(table, path, row_group_size=group)


@pytest.mark.parametrize("form", ["struct", "binary"])
def test_reads_hugging_face_parquet_shards(tmp_path, form):
    root = tmp_path / "hf"
    shard(root / "data" / "train-00000-of-00001.parquet", [90], [0], form=form)
    shard(root / "data" / "test-00000-of-00002.parquet", [0, 1, 2, 3, 4], [0, 1, 1, None, 9], form=form)
    shard(root / "data" / "test-00001-of-00002.parquet", [5, 6], [1, 0], form=form)
    before = snapshot(root)
    found = open_set(root)
    assert found.kind == "parquet"
    assert found.keys == ["cat", "dog", "eel"]
    assert found.labels.tolist() == [0, 1, 1, 1, 0]
    for index, number in enumerate((0, 1, 2, 5, 6)):
        assert found.image(index).getpixel((0, 0)) == (number, 0, 0)
    assert found.image(0).getpixel((0, 0)) == (0, 0, 0)  # back to a row group that was dropped
    assert found.image_ids[3] == "test-00001-of-00002/0"
    assert reasons(found)["test-00000-of-00002/3"] == "no label"
    assert reasons(found)["test-00000-of-00002/4"] == "its label '9' is no class"
    assert "class eel" in reasons(found)
    assert "split test" in found.note
    assert snapshot(root) == before


def test_parquet_labels_may_be_names_and_pictures_paths(tmp_path):
    root = pictures(tmp_path / "hf", "0.png", "1.png")
    pictures(tmp_path, "secret.png")
    rows = [{"bytes": None, "path": path} for path in ("0.png", "../secret.png", None)]
    pq.write_table(
        pa.table({"img": pa.array(rows, pa.struct({"bytes": pa.binary(), "path": pa.string()})), "label": list("baa")}),
        root / "x.parquet",
    )
    found = open_set(root / "x.parquet")
    assert found.keys == ["a", "b"]
    assert found.labels.tolist() == [1, 0, 0]
    assert found.image(0).size == (8, 6)
    with pytest.raises(UnreadableData, match="climbs out"):
        found.image(1)
    with pytest.raises(UnreadableData, match="neither bytes nor the path"):
        found.image(2)


def test_a_bad_shard_is_listed_and_the_rest_goes_on(tmp_path):
    root = tmp_path / "hf"
    shard(root / "0.parquet", [0, 1], [0, 1])
    (root / "1.parquet").write_bytes(b"PAR1 nonsense PAR1")
    pq.write_table(pa.table({"text": ["no picture"]}), root / "2.parquet")
    shard(root / "3.parquet", [2], [1])
    found = open_set(root)
    assert found.labels.tolist() == [0, 1, 1]
    assert "not a shard of this set" in reasons(found)["1.parquet"]
    assert "no label column" in reasons(found)["2.parquet"] or "no image column" in reasons(found)["2.parquet"]


def test_parquet_fingerprint_follows_pictures_and_labels(tmp_path):
    def fingerprint(name, numbers, labels, names=("cat", "dog", "eel")):
        shard(tmp_path / name / "0.parquet", numbers, labels, names=names)
        return open_set(tmp_path / name).fingerprint

    first = fingerprint("a", [1, 2], [0, 1])
    assert fingerprint("b", [1, 2], [0, 1]) == first
    assert fingerprint("c", [1, 3], [0, 1]) != first
    assert fingerprint("d", [1, 2], [1, 1]) != first


def test_parquet_pictures_are_read_by_many_threads(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    shard(tmp_path / "0.parquet", list(range(60)), [0] * 60, group=7)
    found = open_set(tmp_path / "0.parquet")
    order = np.random.default_rng(0).permutation(60).tolist()
    with ThreadPoolExecutor(8) as pool:
        reds = list(pool.map(lambda index: found.image(index).getpixel((0, 0))[0], order))
    assert reds == order
