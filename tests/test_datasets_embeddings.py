from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.datasets import open_set
from core.datasets.formats import embeddings
from core.errors import UnreadableData
from tests.helpers.processes import ended, go_on, python, told
from tests.pictures import encoded, snapshot, write_tree

RNG = np.random.default_rng(0)


def unit(rows: int, dim: int = 16) -> np.ndarray:
    vectors = RNG.normal(size=(rows, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def write_embeddings(root, parts, metadata, *, text=()):
    for folder, arrays in (("img_emb", parts), ("text_emb", text)):
        for number, array in enumerate(arrays):
            (root / folder).mkdir(parents=True, exist_ok=True)
            np.save(root / folder / f"{folder}_{number}.npy", array)
    (root / "metadata").mkdir(parents=True, exist_ok=True)
    for number, columns in enumerate(metadata):
        pq.write_table(pa.table(columns), root / "metadata" / f"metadata_{number}.parquet")
    return root


def test_one_file_of_unit_vectors_is_copied_as_it_is(tmp_path, tmp_cache):
    vectors = unit(4).astype(np.float16)
    root = write_embeddings(
        tmp_path / "e",
        [vectors],
        [{"image_path": ["a/1.jpg", "a/2.jpg", "b/3.jpg", "b/4.jpg"], "caption": list("wxyz")}],
    )
    before = snapshot(root)
    found = open_set(root)
    assert found.kind == "embeddings"
    assert not found.has_images
    assert "not on this disk" in found.note
    assert found.keys == ["a", "b"]
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert isinstance(found.vectors, np.memmap)
    assert found.vectors.dtype == np.float16
    np.testing.assert_array_equal(found.vectors, vectors)
    assert found.dim == 16
    assert Path(found.vectors.filename).parent == tmp_cache / "joined"
    with pytest.raises(UnreadableData, match="no such file"):
        found.image(0)
    assert snapshot(root) == before


def test_many_files_are_joined_in_numeric_order_normalised_and_without_bad_rows(tmp_path, tmp_cache):
    parts = [unit(2) * scale for scale in range(1, 13)]
    parts[3][1] = 0
    parts[10][0, 5] = np.nan
    labels = [f"{number % 3}" for number in range(24)]
    metadata = [
        {"image_path": [f"{2 * n}.jpg", f"{2 * n + 1}.jpg"], "class": labels[2 * n : 2 * n + 2]} for n in range(12)
    ]
    root = write_embeddings(tmp_path / "e", parts, metadata)
    before = snapshot(root)
    found = open_set(root)
    kept = [row for row in range(24) if row not in (7, 20)]
    assert found.image_ids == [f"{row}.jpg" for row in kept]
    assert {item.item: item.reason for item in found.left_out} == dict.fromkeys(
        ["row 7", "row 20"], "its vector is zero or not finite"
    )
    whole = np.concatenate(parts)[kept]
    expected = whole / np.linalg.norm(whole, axis=1, keepdims=True)
    assert found.vectors.shape == (22, 16)
    assert isinstance(found.vectors, np.memmap)
    np.testing.assert_allclose(found.vectors, expected, atol=1e-6)
    np.testing.assert_array_equal(found.labels, [row % 3 for row in kept])
    assert [path.suffix for path in (tmp_cache / "joined").iterdir()] == [".npy"]
    np.testing.assert_array_equal(open_set(root, fresh=True).vectors, found.vectors)
    assert snapshot(root) == before


def test_pictures_are_shown_where_they_are(tmp_path):
    root = write_tree(tmp_path / "e", {"cat/1.png": encoded(), "dog/2.png": encoded((1, 2, 3))})
    paths = [str(root / "cat/1.png"), str(root / "dog/2.png")]
    write_embeddings(root, [unit(2)], [{"image_path": paths}], text=[unit(2)])
    found = open_set(root)
    assert found.has_images
    assert found.image(1).getpixel((0, 0)) == (1, 2, 3)
    assert found.keys == ["cat", "dog"]
    confined = open_set(root, roots=[root.resolve()])
    assert confined.has_images


def test_rows_without_class_are_left_out_of_the_vectors_too(tmp_path):
    vectors = unit(3)
    root = write_embeddings(tmp_path / "e", [vectors], [{"label": [1, None, 0], "url": list("abc")}])
    found = open_set(root)
    assert found.image_ids == ["row/0", "row/2"]
    assert found.labels.tolist() == [1, 0]
    np.testing.assert_allclose(found.vectors, vectors[[0, 2]], atol=1e-6)
    with pytest.raises(UnreadableData, match="no path of this picture"):
        found.image(0)


@pytest.mark.parametrize(
    ("parts", "metadata", "reason"),
    [
        ([unit(3)], [{"label": [1, 2]}], "3 vectors but 2 rows"),
        ([unit(3)], [], "3 vectors but 0 rows"),
        ([unit(2), unit(2, 8)], [{"label": [1, 2, 3, 4]}], "have 8 numbers"),
        ([np.arange(4)], [{"label": [1, 2, 3, 4]}], "int64 of shape"),
        ([unit(1)], [{"caption": ["x"]}], "No column says the class"),
        ([unit(0)], [{"label": pa.array([], pa.int64())}], "holds no vectors"),
    ],
)
def test_what_does_not_fit_together_is_one_sentence(tmp_path, parts, metadata, reason):
    root = write_embeddings(tmp_path / "e", parts, metadata)
    with pytest.raises(UnreadableData, match=reason):
        open_set(root)


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': F", "pickle"]
)
def test_hostile_arrays_are_refused(tmp_path, content):
    root = write_embeddings(tmp_path / "e", [], [{"label": [1]}])
    (root / "img_emb").mkdir()
    if content == "pickle":
        np.save(root / "img_emb" / "0.npy", np.array([{"a": 1}], object), allow_pickle=True)
    else:
        (root / "img_emb" / "0.npy").write_bytes(content)
    with pytest.raises(UnreadableData, match="holds no embeddings"):
        open_set(root)


def test_fingerprint_follows_the_vectors(tmp_path):
    vectors = unit(3)
    first = open_set(write_embeddings(tmp_path / "a", [vectors], [{"label": [0, 1, 2]}])).fingerprint
    assert open_set(write_embeddings(tmp_path / "b", [vectors], [{"label": [0, 1, 2]}])).fingerprint == first
    assert open_set(write_embeddings(tmp_path / "c", [vectors[::-1]], [{"label": [0, 1, 2]}])).fingerprint != first


def test_one_changed_number_in_the_middle_is_noticed(tmp_path, tmp_cache):
    vectors = unit(200)
    place = write_embeddings(tmp_path / "a", [vectors], [{"label": [0, 1] * 100}])
    first = open_set(place).fingerprint
    (file,) = (place / "img_emb").iterdir()
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        opened.write(np.float32(0.25).tobytes())
    assert open_set(place).fingerprint != first


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", "<f2"])
def test_blocks_are_rows_of_the_file_in_any_order_and_type(tmp_path, tmp_cache, monkeypatch, order, kind):
    monkeypatch.setattr(embeddings, "_BLOCK", 256)
    parts = [np.asarray(3 * unit(rows), kind, order=order) for rows in (9, 1, 5)]
    labels = [["x", "", "y"][row % 3] for row in range(15)]
    metadata = [{"label": labels[:9]}, {"label": labels[9:10]}, {"label": labels[10:]}]
    found = open_set(write_embeddings(tmp_path / "e", parts, metadata))
    expected = np.concatenate(parts).astype(np.float64)[[row for row in range(15) if labels[row]]]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found.vectors, expected, atol=1e-3 if kind == "<f2" else 1e-6)


READING = """
import sys
from core.datasets import open_set
from core.datasets.formats import embeddings
from core.datasets.formats import embeddings
from core.errors import UnreadableData

embeddings._BLOCK = 4096
found = open_set(sys.argv[1])
blocks = found.parts[0].blocks() if sys.argv[2] == "between two blocks" else None
if blocks:
    next(blocks)
if sys.argv[2] == "after the copy":
    found.vectors
print("ready", flush=True)
input()
try:
    total = sum(float(abs(block).sum()) for _, block in blocks) if blocks else float(abs(found.vectors).sum())
    print(f"read {total > 0}")
except UnreadableData as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("before the copy", "was changed while it was in use; open the image set again."),
        ("between two blocks", "was changed while it was in use; open the image set again."),
        ("after the copy", "read True"),
    ],
)
def test_vectors_that_their_owner_cuts_short_do_not_end_the_process(tmp_path, tmp_cache, when, expected):
    rows = 4096  # so that whole pages of the file are gone
    root = write_embeddings(tmp_path / "e", [unit(rows)], [{"label": [row % 2 for row in range(rows)]}])
    with python(READING, str(root), when) as process:
        told(process, "ready")
        os.truncate(root / "img_emb" / "img_emb_0.npy", 200)
        go_on(process)
        printed = ended(process)
    assert expected in printed
    assert printed.count("\n") == 1


def test_a_file_that_ends_before_its_rows_is_a_sentence(tmp_path, tmp_cache):
    root = write_embeddings(tmp_path / "e", [unit(40)], [{"label": [row % 2 for row in range(40)]}])
    os.truncate(root / "img_emb" / "img_emb_0.npy", 400)
    with pytest.raises(UnreadableData, match="holds no embeddings"):
        open_set(root)
