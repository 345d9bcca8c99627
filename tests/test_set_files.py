"""Lines, cells, arrays and pictures in files that are odd, damaged or hostile."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.datasets import open_set
from core.datasets.cells import plain, same_spelling, single_labels
from core.datasets.io.picture import safe_open
from core.datasets.sniff import what_is
from core.errors import UnreadableData
from core.text.lines import lines_of
from tests.helpers.labelled_shards import said
from tests.pictures import encoded


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("a", ["a"]),
        ("a\r\nb\n", ["a", "b"]),
        ("a\u2028b\x0bc\n\nd", ["a\u2028b\x0bc", "", "d"]),
        ("\n", [""]),
    ],
)
def test_lines(text, lines):
    assert lines_of(text) == lines


def test_cells():
    assert plain([b"ant", [None, "bee"], {"x": 1}, Decimal("2.50"), float("nan")])[0] == ["ant", "bee", "", "2.50", ""]
    assert single_labels(["1.0", "1.5"])[1] == {0: "1.0 is a fraction, no class", 1: "1.5 is a fraction, no class"}
    assert same_spelling(["Ant", "ant", "Bee  hive", "bee hive", "ant"])[0] == [
        "ant",
        "ant",
        "bee hive",
        "bee hive",
        "ant",
    ]


# --- embeddings --------------------------------------------------------------------------------------------------


def embedded(root: Path, vectors: dict[str, int], metadata: dict[str, int]) -> Path:
    for folder in ("img_emb", "metadata"):
        (root / folder).mkdir(parents=True)
    for name, rows in vectors.items():
        np.save(root / "img_emb" / name, np.eye(8, dtype=np.float32)[:rows])
    for name, rows in metadata.items():
        pq.write_table(pa.table({"label": [name[-9] + "ab"[n % 2] for n in range(rows)]}), root / "metadata" / name)
    return root


@pytest.mark.parametrize(
    ("vectors", "metadata"),
    [
        ({"img_emb_0.npy": 2, "img_emb_1.npy": 3}, {"metadata_0.parquet": 3, "metadata_1.parquet": 2}),
        ({"img_emb_0.npy": 2, "img_emb_1.npy": 2}, {"metadata_1.parquet": 2, "metadata_2.parquet": 2}),
        ({"img_emb_0.npy": 4}, {"metadata_0.parquet": 2, "metadata_1.parquet": 2}),
        ({"img_emb_0.npy": 2}, {"metadata_7.parquet": 2}),
        ({"a_1.npy": 2, "b_1.npy": 2}, {"metadata_0.parquet": 2, "metadata_1.parquet": 2}),
    ],
)
def test_vectors_and_metadata_that_only_agree_in_their_sum_are_refused(tmp_path, vectors, metadata):
    with pytest.raises(UnreadableData, match=r"img_emb/\*\.npy needs the metadata"):
        open_set(embedded(tmp_path / "e", vectors, metadata))


def test_vectors_are_matched_with_metadata_by_number(tmp_path):
    names = {"img_emb_2.npy": 1, "img_emb_10.npy": 2}, {"metadata_10.parquet": 2, "metadata_2.parquet": 1}
    assert said(open_set(embedded(tmp_path / "e", *names))) == ["2a", "0a", "0b"]
    assert said(open_set(embedded(tmp_path / "f", {"vectors.npy": 2}, {"metadata_0.parquet": 2}))) == ["0a", "0b"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(3072), "not a .npy file.*np.memmap or tofile"),
        (b"\x1f\x8b" + bytes(100), "it is a gzip, not a .npy file"),
        (b"PK\x03\x04" + bytes(100), "it is a zip, not a .npy file"),
        (b"version https://git-lfs", "Git LFS pointer"),
        (b"", "not a .npy file"),
    ],
)
def test_what_is_no_array_is_named_and_nobody_is_told_to_unpickle(tmp_path, data, reason):
    root = embedded(tmp_path / "e", {}, {"metadata_0.parquet": 2})
    (root / "img_emb" / "img_emb_0.npy").write_bytes(data)
    with pytest.raises(UnreadableData, match=reason) as caught:
        open_set(root)
    assert "allow_pickle" not in str(caught.value)


def test_an_array_of_objects_is_refused_without_advice_to_unpickle(tmp_path):
    root = embedded(tmp_path / "e", {}, {"metadata_0.parquet": 2})
    np.save(root / "img_emb" / "img_emb_0.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(UnreadableData, match="it holds Python objects"):
        open_set(root)


# --- pictures ----------------------------------------------------------------------------------------------------


def tiff(bands: int) -> bytes:
    """A TIFF of one page with nothing but a directory that says how many bands it has."""
    entry = (277).to_bytes(2, "little") + (3).to_bytes(2, "little") + (1).to_bytes(4, "little")
    return (
        b"II*\0"
        + (8).to_bytes(4, "little")
        + (1).to_bytes(2, "little")
        + entry
        + bands.to_bytes(4, "little")
        + bytes(4)
    )


def bad_header() -> bytes:
    data = bytearray(encoded())
    data[30] ^= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (tiff(13), "a TIFF that is damaged.*it has 13 bands"),
        (bad_header(), "a PNG that is damaged.*the checksum of its header is wrong"),
        (b"\x00\x00\x00\x1cftypavif" + bytes(100), "it is a AVIF"),
        (b"%PDF-1.7" + bytes(100), "it is a PDF"),
        (b"version https://git-lfs.github.com/spec/v1\n", "the file itself was not fetched"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"\xff\xd8\xff\xe0nothing", "the file is cut short"),
    ],
)
def test_a_picture_that_cannot_be_opened_is_named_for_what_it_is(data, reason):
    with pytest.raises(UnreadableData, match=reason):
        safe_open(data, name="x")


def test_formats_are_known_by_their_first_bytes():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    assert what_is(buffer.getvalue()) == "NumPy array"
    assert [what_is(encoded(form=form)) for form in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")] == [
        "PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"
    ]  # fmt: skip
    assert what_is(b"plain text") == what_is(b"") == ""


@pytest.mark.parametrize(
    "text",
    ['[{"path": "a.png", "label": "x"}]', '[\n  {"path": "a.png"}\n]', "[]", '[ {"path": "a.png"},', '[{"a":\n1}]'],
)
def test_a_json_array_called_jsonl_is_named(tmp_path, text):
    (tmp_path / "t.jsonl").write_text(text)
    with pytest.raises(UnreadableData, match="one JSON array, but JSON lines have one object a line"):
        open_set(tmp_path / "t.jsonl")
