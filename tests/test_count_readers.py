"""Captions from every format and place: all of them, each once, in bounded memory, whatever is wrong with a row."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.counting import guess, parts, rows, run, streams
from core.counting.parts import Part, plan
from core.counting.places import find
from core.counting.rows import read_rows
from core.counting.streams import line_blocks
from core.counting.workers import here
from core.errors import BadInput, ExtraMissing, UnreadableData

CAPTIONS = ["a red apple", "two dogs, running", 'he said "hi"', "", "naïve café ☕", "line one"]


def captions_of(where: str, **options: str) -> list[str | None]:
    found = plan(str(where), **options)
    return [text for part in found.parts for text in read_part(part, found.columns)]


def read_part(part: Part, columns: rows.Columns) -> list[str | None]:
    batches = read_rows(part.place, part.format, columns, start=part.start, end=part.end)
    return [text for batch in batches for text in batch.captions]


def as_csv(captions: list[str], *, delimiter: str = ",") -> str:
    import csv

    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([["url", "caption"], *([f"http://x/{n}.jpg", text] for n, text in enumerate(captions))])
    return text.getvalue()


def as_tar(samples: dict[str, dict[str, bytes]], *, mode: str = "w", format: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=format) as tar:
        for key, members in samples.items():
            for ending, data in members.items():
                info = tarfile.TarInfo(f"{key}.{ending}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def write(path: Path, kind: str) -> Path:
    """The captions in one format."""
    lines = "".join(json.dumps({"id": n, "text": text}) + "\n" for n, text in enumerate(CAPTIONS))
    shard = as_tar({f"{n:05}": {"jpg": b"\xff" * 700, "txt": text.encode()} for n, text in enumerate(CAPTIONS)})
    described = {f"{n:05}": {"jpg": b"x", "json": json.dumps({"caption": t}).encode()} for n, t in enumerate(CAPTIONS)}
    data = {
        "a.csv": as_csv(CAPTIONS).encode(),
        "a.tsv": "".join(f"{text}\thttp://x/{n}.jpg\n" for n, text in enumerate(CAPTIONS)).encode(),
        "a.jsonl": lines.encode(),
        "a.jsonl.gz": gzip.compress(lines[:40].encode()) + gzip.compress(lines[40:].encode()),
        "a.jsonl.zst": bytes(pa.Codec("zstd").compress(lines.encode(), asbytes=True)),
        "a.txt": "\r\n".join(CAPTIONS).encode(),
        "a.tar": shard,
        "b.tar": as_tar(described),
        "a.tar.gz": gzip.compress(shard, mtime=0),
        "a.tgz": gzip.compress(shard, mtime=0),
    }
    path = path / kind
    if kind == "a.parquet":
        pq.write_table(pa.table({"key": list(range(6)), "caption": CAPTIONS}), path, row_group_size=4)
    else:
        path.write_bytes(data[kind])
    return path


KINDS = ("a.csv", "a.tsv", "a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.txt", "a.tar", "b.tar", "a.tar.gz", "a.tgz")


@pytest.mark.parametrize("kind", [*KINDS, "a.parquet"])
def test_every_format_gives_its_captions(tmp_path, kind):
    assert captions_of(write(tmp_path, kind)) == CAPTIONS


@pytest.mark.parametrize("scheme", ["file", "memory"])
@pytest.mark.parametrize("kind", ["a.parquet", "a.jsonl.gz", "a.csv", "a.tar"])
def test_urls_of_arrow_and_of_fsspec(tmp_path, kind, scheme):
    path = write(tmp_path, kind)
    if scheme == "file":
        assert captions_of(path.as_uri()) == CAPTIONS
        return
    memory = fsspec.filesystem("memory")
    memory.pipe(f"/captions-test/{kind}", path.read_bytes())
    try:
        assert captions_of(f"memory://captions-test/{kind}") == CAPTIONS
        assert captions_of("memory://captions-test/*") == CAPTIONS
    finally:
        memory.rm("/captions-test", recursive=True)


def test_unknown_schemes_and_missing_drivers_say_so():
    with pytest.raises(BadInput, match="no file system"):
        find("nonsense://a/b.parquet")
    with pytest.raises(ExtraMissing, match=r"fsspec\[abfs\]"):
        find("abfs://a/b.parquet")


def test_globs_and_folders_take_files_in_order_and_leave_hidden_ones(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.txt", "a.txt", ".c.txt", "_SUCCESS", "deep/d.txt", "e[1].txt"):
        (tmp_path / name).write_text(name)
    assert captions_of(tmp_path) == ["a.txt", "b.txt", "deep/d.txt", "e[1].txt"]
    assert captions_of(tmp_path / "*.txt") == ["a.txt", "b.txt", "e[1].txt"]
    assert captions_of(tmp_path / "**" / "*.txt") == ["a.txt", "b.txt", "deep/d.txt", "e[1].txt"]
    assert captions_of(tmp_path / "[!a].txt") == ["b.txt"]
    assert captions_of(tmp_path / "e[1].txt") == ["e[1].txt"]
    with pytest.raises(BadInput, match="No file is at"):
        find(str(tmp_path / "*.csv"))


def test_an_img2dataset_folder_is_read_once_and_without_failed_downloads(tmp_path):
    shard = as_tar({f"00000{n:04}": {"jpg": b"x", "txt": f"caption {n}".encode()} for n in range(3)})
    (tmp_path / "00000.tar").write_bytes(shard)
    (tmp_path / "00000_stats.json").write_text("{}")
    (tmp_path / "00000").mkdir()
    for ending in ("txt", "json", "csv"):
        (tmp_path / "00000" / f"000000001.{ending}").write_text('{"caption": "caption 1"}')
    table = pa.table(
        {
            "url": ["u"] * 4,
            "caption": [f"caption {n}" for n in range(4)],
            "key": [f"00000{n:04}" for n in range(4)],
            "status": ["success", "success", "success", "failed_to_download"],
            "error_message": [None, None, None, "404"],
        }
    )
    pq.write_table(table, tmp_path / "00000.parquet")
    found = plan(str(tmp_path))
    assert [part.place.name for part in found.parts] == ["00000.parquet"]
    assert "4 files have the same captions as the table or shard" in found.note
    assert found.columns == rows.Columns("caption", "key", downloaded=True)
    assert captions_of(tmp_path) == captions_of(tmp_path / "00000.tar") == ["caption 0", "caption 1", "caption 2"]


def test_tar_ids_are_shard_and_key(tmp_path):
    found = plan(str(write(tmp_path, "a.tar")))
    batch = next(read_rows(found.parts[0].place, "tar", found.columns))
    assert batch.ids[:2] == ["a/00000", "a/00001"]


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_long_and_nasty_member_names_only_group_samples(tmp_path, format):
    deep = "/".join(["../../etc"] * 9 + ["x" * 60])
    (tmp_path / "a.tar").write_bytes(as_tar({deep: {"jpg": b"x", "txt": b"one"}, "k": {"txt": b"two"}}, format=format))
    assert captions_of(tmp_path / "a.tar") == ["one", "two"]
    assert list(tmp_path.parent.glob("etc")) == []


@pytest.mark.parametrize(
    ("columns", "caption", "id"),
    [
        ({"URL": ["http://a/b.jpg"], "TEXT": ["a cat"], "key": ["1"]}, "TEXT", "key"),
        ({"url": ["http://a.example/a-very-long-address.jpg"], "alt": ["a cat"]}, "alt", "url"),
        ({"a": ["short"], "b": ["a much longer text"], "c": ["https://x.example/far-longer-than-both"]}, "b", ""),
        ({"n": ["12345678901234567890"], "said": ["a cat"]}, "said", ""),
    ],
)
def test_columns_are_picked_by_name_then_by_what_they_hold(columns, caption, id):
    assert guess.caption_column(columns) == caption
    assert guess.id_column(columns, other_than=caption) == id


def test_a_column_can_be_named_and_a_wrong_one_is_told_with_those_there_are(tmp_path):
    path = write(tmp_path, "a.csv")
    assert captions_of(path, column="url")[0] == "http://x/0.jpg"
    with pytest.raises(BadInput, match=r"no column “capton”.*“url”, “caption”"):
        plan(str(path), column="capton")


def test_bad_rows_are_none_and_keep_their_place(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(
        b'{"text": "one"}\nnot json\n{"text": 5}\n{"text": "\\ud800"}\n\xff\xfe\n{"text": "two"}\n["x"]\n' + b"[" * 9999
    )
    assert captions_of(tmp_path / "a.jsonl") == ["one", None, None, None, None, "two", None, None]
    (tmp_path / "b.csv").write_bytes(b"caption,n\none,1\nshort\n\xff\xff,2\nfour,4,4\ntwo,5\n")
    assert captions_of(tmp_path / "b.csv") == ["one", None, None, None, "two"]
    (tmp_path / "c.txt").write_bytes(b"one\n\xff\ntwo")
    assert captions_of(tmp_path / "c.txt") == ["one", None, "two"]
    pq.write_table(pa.table({"caption": ["one", None, "two"]}), tmp_path / "d.parquet")
    assert captions_of(tmp_path / "d.parquet") == ["one", None, "two"]


def test_an_endless_line_or_cell_is_one_bad_row(tmp_path):
    long = b"x" * (streams.LONGEST * 3)
    (tmp_path / "a.txt").write_bytes(b"one\n" + long + b"\ntwo\n" + long)
    assert captions_of(tmp_path / "a.txt") == ["one", None, "two", None]
    (tmp_path / "a.csv").write_bytes(b'caption,n\none,1\n"' + b"y\n" * 200_000 + b'two,2\nthree,3\n"')
    found = captions_of(tmp_path / "a.csv")
    assert found[0] == "one"
    assert len(found) < 200_010
    (tmp_path / "a.tar").write_bytes(as_tar({"a": {"txt": long}, "b": {"txt": b"two"}}))
    assert captions_of(tmp_path / "a.tar") == [None, "two"]


def test_tsv_takes_quotes_as_they_are(tmp_path):
    (tmp_path / "a.tsv").write_text('"an unclosed quote\thttp://x/1.jpg\na 5" screen\thttp://x/2.jpg\n')
    assert captions_of(tmp_path / "a.tsv") == ['"an unclosed quote', 'a 5" screen']


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.parquet", b"PAR1 not really", "cannot be read"),
        ("a.tar", as_tar({"a": {"txt": b"x" * 2000}})[:1500], "cut off"),
        ("a.tar", b"\x01" * 2048, "not a tar"),
        ("a.txt.gz", gzip.compress(b"one\n" * 9999, mtime=0)[:-20], "cannot be read"),
        ("a.txt.zst", bytes(pa.Codec("zstd").compress(b"one\n" * 9999, asbytes=True))[:-9], "cannot be read"),
        ("a.txt.gz", b"no gzip", "cannot be read"),
        ("a.jsonl", b"1\n2\n", "no JSON objects"),
        ("a.txt", b"", "empty"),
    ],
)
def test_damaged_files_are_told(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UnreadableData, match=said):
        captions_of(tmp_path / name)


def test_one_bad_file_among_good_ones_is_left_out(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"junk")
    (tmp_path / "notes.docx").write_bytes(b"junk")
    pq.write_table(pa.table({"caption": CAPTIONS}), tmp_path / "b.parquet")
    found = plan(str(tmp_path))
    assert [item.item for item in found.left_out] == ["notes.docx", "a.parquet"]
    assert [part.place.name for part in found.parts] == ["b.parquet"]


@pytest.mark.slow
def test_a_bomb_is_stopped_by_what_it_unpacks_to(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "_FREE", 1 << 20)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"\n" * (64 << 20)))
    with pytest.raises(UnreadableData, match="unpacks to more than 200 times"):
        captions_of(tmp_path / "a.txt.gz")


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.sampled_from("ab\r é"), max_size=9), max_size=30), st.integers(1, 40), st.booleans())
def test_ranges_of_lines_meet_without_gap_or_overlap(lines, step, ends):
    data = "\n".join(lines).encode() + (b"\n" if ends and lines else b"")
    whole = [line.removesuffix(b"\r") for line in data.removesuffix(b"\n").split(b"\n")] if data else []
    found = []
    for start in range(0, len(data), step):
        stream = io.BytesIO(data)
        stream.seek(max(0, start - 1))
        blocks = line_blocks(stream, start=start, end=min(start + step, len(data)))
        found += [line for block in blocks for line in block]
    assert found == whole


def test_large_files_are_cut_and_read_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_PART", 1000)
    monkeypatch.setattr(parts, "_FOOTER", 1000)
    monkeypatch.setattr(parts, "_ROWS", 100)
    captions = [f"caption number {n}" for n in range(500)]
    (tmp_path / "a.csv").write_text("caption,n\n" + "".join(f"{text},{n}\n" for n, text in enumerate(captions)))
    (tmp_path / "quoted.csv").write_text('caption,n\n"a\nb",1\n' + "".join(f"{text},2\n" for text in captions))
    (tmp_path / "a.tsv").write_text("".join(f"{text}\thttp://a/{n}\n" for n, text in enumerate(captions)))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in captions))
    pq.write_table(pa.table({"caption": captions}), tmp_path / "a.parquet", row_group_size=30)
    for name in ("a.csv", "a.tsv", "a.jsonl", "a.parquet"):
        found = plan(str(tmp_path / name))
        assert len(found.parts) > 3, name
        assert sum(part.size for part in found.parts) == pytest.approx((tmp_path / name).stat().st_size, abs=20)
        assert captions_of(tmp_path / name) == captions, name
    assert len(plan(str(tmp_path / "quoted.csv")).parts) == 1
    assert captions_of(tmp_path / "quoted.csv") == ["a\nb", *captions]


ENCODED = ["a red dog", "café dogs’ bowl", "我的狗 dog", "", "four"]
FOREIGN = {
    "utf-16": "utf-16", "utf-16-le": "utf-16-le", "utf-16-be": "utf-16-be", "utf-32": "utf-32",
    "utf-32-le": "utf-32-le", "utf-32-be": "utf-32-be", "utf-16-be with its mark": "utf-16-be",
    "utf-8-sig": "utf-8-sig",
}  # fmt: skip


@pytest.mark.parametrize("ending", [".txt", ".csv", ".tsv", ".jsonl", ".txt.gz", ".csv.zst", ".tar"])
@pytest.mark.parametrize("encoding", FOREIGN)
def test_utf_16_and_utf_32_are_decoded_in_every_format(tmp_path, encoding, ending):
    kind = ending.split(".")[1]
    separator = {"csv": ",", "tsv": "\t"}.get(kind, "")
    texts = {
        "txt": "\r\n".join(ENCODED),
        "jsonl": "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in ENCODED),
    }.get(kind, f"caption{separator}n\n" + "".join(f"{text}{separator}1\n" for text in ENCODED))
    mark = "\ufeff" if "its mark" in encoding else ""
    data = (mark + texts).encode(FOREIGN[encoding])
    if kind == "tar":
        data = as_tar({f"{n}": {"txt": (mark + t).encode(FOREIGN[encoding])} for n, t in enumerate(ENCODED)})
    if ending.endswith(".gz"):
        data = gzip.compress(data, mtime=0)
    elif ending.endswith(".zst"):
        data = bytes(pa.Codec("zstd").compress(data, asbytes=True))
    (tmp_path / f"a{ending}").write_bytes(data)
    assert captions_of(tmp_path / f"a{ending}") == ENCODED


def test_a_large_utf_16_file_is_one_part(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_PART", 1000)
    captions = [f"caption number {n} of \u4e2d\u6587" for n in range(500)]
    for encoding in ("utf-16", "utf-16-le", "utf-8"):
        (tmp_path / "a.txt").write_bytes("\n".join(captions).encode(encoding))
        assert captions_of(tmp_path / "a.txt") == captions
        assert (len(plan(str(tmp_path / "a.txt")).parts) == 1) == encoding.startswith("utf-16")


def parquet_of(path: Path, captions: list[bytes], *, type: pa.DataType) -> None:
    """A Parquet file whose text column holds these bytes, as careless writers leave it."""
    array = pa.array(captions, pa.binary())
    column = pa.Array.from_buffers(type, len(array), array.buffers())
    pq.write_table(pa.table({"caption": column}), path)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "gbk", "shift_jis"])
@pytest.mark.parametrize("ending", [".txt", ".csv", ".tsv", ".jsonl", ".txt.gz", ".tar", ".parquet", ".bytes.parquet"])
def test_other_encodings_are_refused_and_never_counted_as_zero(tmp_path, encoding, ending):
    text = {"gbk": "一只狗在草地上", "shift_jis": "犬がいます"}.get(encoding, "un chien élégant et naïf")
    captions = [f"{text}{' ' * n}".encode(encoding) for n in range(6)] + [b"a dog"]
    kind = ending.rpartition(".")[2]
    path = tmp_path / f"a{ending}"
    if kind == "parquet":
        parquet_of(path, captions, type=pa.binary() if "bytes" in ending else pa.string())
    elif kind == "tar":
        path.write_bytes(as_tar({str(n): {"txt": data} for n, data in enumerate(captions)}))
    else:
        line = {"csv": b"%b,1", "tsv": b"%b\t1", "jsonl": b'{"text": "%b"}'}.get(kind, b"%b")
        head = {"csv": b"caption,n\n", "tsv": b"caption\tn\n"}.get(kind, b"")
        data = head + b"".join(line % data + b"\n" for data in captions)
        path.write_bytes(gzip.compress(data, mtime=0) if kind == "gz" else data)
    with pytest.raises(BadInput, match=r"is not UTF-8 text: 6 of 7 captions cannot be decoded"):
        run.count(run.Request(str(path), {"dog": "dog"}), tmp_path / "out", engine=here)


@pytest.mark.parametrize("ending", [".txt", ".csv", ".jsonl", ".tar", ".parquet"])
def test_a_few_captions_that_cannot_be_decoded_are_counted_and_told(tmp_path, ending):
    captions = [b"a dog"] * 5 + [b"un chien \xe9l\xe9gant"] * 2
    path = tmp_path / f"a{ending}"
    if ending == ".parquet":
        parquet_of(path, captions, type=pa.string())
    elif ending == ".tar":
        path.write_bytes(as_tar({str(n): {"txt": data} for n, data in enumerate(captions)}))
    else:
        line = {".csv": b"%b,1", ".jsonl": b'{"text": "%b"}'}.get(ending, b"%b")
        path.write_bytes((b"caption,n\n" if ending == ".csv" else b"") + b"".join(line % c + b"\n" for c in captions))
    result = run.count(run.Request(str(path), {"dog": "dog"}), tmp_path / "out", engine=here)
    facts = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert (result.counts()[0]["count"], facts["rows"], facts["bad_rows"], facts["undecoded_rows"]) == (5, 7, 2, 2)


@pytest.mark.parametrize("text", ["a red dog", "un chien élégant"])
@pytest.mark.parametrize("type", [pa.string(), pa.binary()])
def test_utf_16_in_a_column_is_decoded_or_refused(tmp_path, text, type):
    parquet_of(tmp_path / "a.parquet", [text.encode("utf-16-le")] * 3, type=type)
    if text.isascii() and type == pa.string():  # such bytes are UTF-8 with zeros between the letters
        with pytest.raises(BadInput, match="is not UTF-8 text: 3 of 3"):
            run.count(run.Request(str(tmp_path), {"dog": "dog"}), tmp_path / "out", engine=here)
    else:
        assert captions_of(tmp_path / "a.parquet") == [text] * 3


def test_spark_writes_captions_as_bytes(tmp_path):
    pq.write_table(pa.table({"url": [b"x"] * 2, "caption": [b"a dog", "café".encode()]}), tmp_path / "a.parquet")
    assert captions_of(tmp_path / "a.parquet") == ["a dog", "café"]


@pytest.mark.parametrize(
    ("name", "caption"),
    [
        ("狗", "我的狗"), ("แมว", "มีแมว"), ("강아지", "강아지는"), ("Queen Anne's lace", "queen+anne%27s+lace"),
        ("dog", "dog&rsquo;s"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", [".txt", ".parquet"])
def test_status_and_query_say_how_a_concept_was_found(tmp_path, name, caption, ending):
    path = tmp_path / f"a{ending}"
    if ending == ".txt":
        path.write_text(f"{caption}\nnothing\n", encoding="utf-8")
    else:
        pq.write_table(pa.table({"caption": [caption, "nothing"]}), path)
    row = run.count(run.Request(str(path), {name: name}), tmp_path / "out", engine=here).counts()[0]
    assert row["count"] == 1
    assert row["status"] == ("ok" if name.isascii() else "substring")
    assert row["query"].split(" | ")[0] == name.lower()
