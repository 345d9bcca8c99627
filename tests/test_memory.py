"""What is small on the disk and large in memory is refused by one sentence, in seconds, before it is unpacked.

Measured in processes of their own with a budget of 48 MiB, so that the files can be small: every one of them asks for
several times as much.
"""

from __future__ import annotations

import io
import json
import struct
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import memory
from core.errors import BadInput, TooLarge, UnreadableData
from core.memory import Budget, allowed, json_cost, text_cost
from tests.helpers import bombs
from tests.helpers.bombs import OPEN

BUDGET = 48 << 20
READ = "read_columns(place)"
FIRST = "open_set(place).source(0)"
PICTURE = "from core.datasets.io.picture import safe_open; safe_open(place)"
RELEASE = "from core.published.sources import read_files; list(read_files(place))"
COUNTS = "from core.frequency import imported; imported.keep(place, 'x')"
NAMES = "from core.datasets.names import read_names; read_names(place)"
PROMPTS = "from core.prompts.files import read_lists; read_lists(place)"
DECK = "from core.deck.deck import from_json; from_json(place.read_bytes())"
CONFIG = "from core.models import model_config; model_config.read(place)"
CHECKPOINT = "from core.models.checkpoints import _refuse_bomb; _refuse_bomb(place)"
WEIGHTS = "from core.models.checkpoints import _open; _open(place)"
REPLIES = "from core.prompts.generate.run import _records; list(_records(place))"
CAPTIONS = """
from core.counting.places import find
from core.counting.rows import first_rows
first_rows(find(str(place))[0], "parquet")
"""
CONCEPTS = "from core.counting.names import concepts; concepts(str(place))"


def written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def pictures(folder: Path, labels: bytes) -> Path:
    (folder / "data").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(folder / "data" / "a.png")
    (folder / "labels.json").write_bytes(labels)
    return folder


def dictionary_of_pictures(folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    value = pa.DictionaryArray.from_arrays(pa.array(np.zeros(3000, np.int32)), pa.array([b"a" * (1 << 18)]))
    table = pa.table({"image": value, "label": ["a", "b", "c"] * 1000})
    pq.write_table(table, folder / "test.parquet", compression="zstd", store_schema=False)
    return folder


def zip_of_many(path: Path, members: int) -> Path:
    """A zip whose list of members is long: the same entry over and over."""
    name = b"search_counts/a.json"
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", len(name)) + bytes(16) + name
    listed = entry * members
    end = b"PK\x05\x06" + bytes(4) + struct.pack("<HHII", members % 65536, members % 65536, len(listed), 0) + bytes(2)
    return written(path, listed + end)


def jpeg_of_many_scans(between: bytes = b"") -> bytes:
    """A progressive JPEG of 9,400 x 9,400 pixels whose first scan comes 20,000 times."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG", progressive=True)
    data = bytearray(buffer.getvalue())
    frame, scan = data.find(b"\xff\xc2"), data.find(b"\xff\xda")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 9400, 9400)
    header = bytes(data[scan : scan + 2 + int.from_bytes(data[scan + 2 : scan + 4])])
    return bytes(data[:scan]) + (header + bytes(8) + between) * 20_000 + b"\xff\xd9"


def sparse_tar(folder: Path) -> Path:
    """A tar whose one member is sparse, by a map that goes on to its end."""
    folder.mkdir(parents=True)
    facts = {"major": "1", "minor": "0", "name": "a.png", "realsize": str(1 << 40)}
    info = tarfile.TarInfo("a.png")
    info.pax_headers = {f"GNU.sparse.{name}": value for name, value in facts.items()}
    data = b"9999999\n" + b"0\n" * (4 << 20)
    info.size = len(data)
    with tarfile.open(folder / "0.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info, io.BytesIO(data))
    return folder


def parquet_of_long_captions(path: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": ["a" * (40 << 20)] * 4}), path, compression="zstd", use_dictionary=False)
    return path


def safetensors_of_many(path: Path) -> Path:
    entry = '"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = ("{" + ",".join(entry % number for number in range(400_000)) + "}").encode()
    return written(path, struct.pack("<Q", len(header)) + header)


def checkpoint_of_many(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"]" * (17 << 20) + b".")
    return path


def repeated(head: bytes, part: bytes, tail: bytes, *, mib: int = 6) -> bytes:
    return head + part * ((mib << 20) // len(part)) + tail


CASES: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "pax header": (lambda f: bombs.tar_with_a_large_header(f / "s", 1 << 30), OPEN, "extended header"),
    "global header": (lambda f: bombs.tar_with_a_large_header(f / "s", 1 << 30, kind=b"g"), OPEN, "extended header"),
    "long name": (lambda f: bombs.tar_with_a_large_header(f / "s", 1 << 30, kind=b"L"), OPEN, "extended header"),
    "release, pax header": (
        lambda f: bombs.tar_with_a_large_header(f / "s", 1 << 30) / "0.tar", RELEASE, "extended header"
    ),
    "release, many members": (lambda f: zip_of_many(f / "r.zip", 200_000), RELEASE, "its list takes"),
    "checkpoint, many members": (lambda f: zip_of_many(f / "r.pt", 200_000), CHECKPOINT, "its list takes"),
    "large PNG": (lambda f: written(f / "a.png", bombs.large_png(4000)), PICTURE, "decoding it takes"),
    "PNG with a large chunk": (
        lambda f: written(f / "a.png", bombs.png_with(b"tEXt", b"a\0" + bytes(33 << 20))), PICTURE, "beside its pixels"
    ),
    "EXIF of one MB in 4,000 entries": (
        lambda f: written(f / "a.jpg", bombs.jpeg_with_exif(bombs.directory(4000, 1 << 20))), PICTURE, "beside its"
    ),
    "JPEG of many scans": (lambda f: written(f / "a.jpg", jpeg_of_many_scans()), PICTURE, "more than 100 scans"),
    "JPEG of many scans, ends between": (
        lambda f: written(f / "a.jpg", jpeg_of_many_scans(b"\xff\xfe\0\4\xff\xd9")), PICTURE, "more than 100 scans"
    ),
    "JPEG of many segments": (
        lambda f: written(f / "a.jpg", b"\xff\xd8" + b"\xff\xfe\0\2" * 300_000), PICTURE, "more than 200,000 pieces"
    ),
    "JPEG of padding": (lambda f: written(f / "a.jpg", b"\xff\xd8" + b"\xff" * (16 << 20)), PICTURE, "belong to none"),
    "PNG of many chunks": (
        lambda f: written(f / "a.png", b"\x89PNG\r\n\x1a\n" + bytes(12) * 300_000), PICTURE, "more than 200,000 pieces"
    ),
    "GIF of many blocks": (
        lambda f: written(f / "a.gif", b"GIF89a" + bytes(7) + b"!\xf9\0" * 300_000), PICTURE, "more than 200,000 pieces"
    ),
    "sparse member": (lambda f: sparse_tar(f / "s"), OPEN, "a sparse member"),
    "long captions": (lambda f: parquet_of_long_captions(f / "t.parquet"), CAPTIONS, "unpacking its first rows takes"),
    "safetensors of many": (lambda f: safetensors_of_many(f / "a.safetensors"), WEIGHTS, "lists its tensors in"),
    "checkpoint of many": (lambda f: checkpoint_of_many(f / "a.pt"), WEIGHTS, "lists its tensors in"),
    "an endless reply": (lambda f: written(f / "r.jsonl", b'{"texts":["' + bytes(64 << 20)), REPLIES, "is no reply"),
    "objects of many fields": (
        lambda f: written(f / "t.jsonl", b"{" + b",".join(b'"%d":1' % n for n in range(30_000)) + b"}"), READ,
        "30,000 columns"
    ),
    "TIFF of the same": (lambda f: written(f / "a.tif", bombs.directory(4000, 1 << 20)), PICTURE, "beside its pixels"),
    "TIFF of many strips": (
        lambda f: written(f / "a.tif", bombs.directory(1, 1 << 20, tag=273, kind=4)), PICTURE, "strips or tiles"
    ),
    "TIFF of one large tile": (lambda f: written(f / "a.tif", bombs.tiff_of_a_tile(46_000)), PICTURE, "its tiles are"),
    "GIF with a long comment": (lambda f: written(f / "a.gif", bombs.gif_with_comment(4 << 20)), PICTURE, "comments"),
    "repeated texts": (
        lambda f: bombs.parquet_of_repeats(f / "t.parquet", rows=1000, width=1 << 17), READ, "column “label” takes"
    ),
    "compressed texts": (
        lambda f: bombs.parquet_of_repeats(f / "t.parquet", rows=500, width=1 << 17, dictionary=False), READ, "takes"
    ),
    "texts by what they share": (
        lambda f: bombs.parquet_of_prefixes(f / "t.parquet", rows=1000, width=1 << 17), READ, "takes"
    ),
    "a footer that says less": (
        lambda f: bombs.parquet_with_a_small_footer(f / "t.parquet", size=64 << 20), READ, "takes"
    ),
    "repeated pictures": (lambda f: dictionary_of_pictures(f / "s"), FIRST, "row group 0, unpacks"),
    "two columns": (lambda f: written(f / "t.csv", repeated(b"file_name,label\n", b"a,b\n", b"")), READ, "takes"),
    "many columns": (lambda f: written(f / "t.csv", repeated(b"", b"a,", b"b\na\n", mib=1)), READ, "524,289 columns"),
    "objects of one field": (lambda f: written(f / "t.jsonl", repeated(b"", b'{"a":1}\n', b"")), READ, "takes"),
    "records without common fields": (
        lambda f: written(f / "t.jsonl", b"\n".join(b'{"%d":1}' % row for row in range(3000))), READ, "every field"
    ),
    "lists": (lambda f: pictures(f / "s", repeated(b"[", b"[],", b"[]]")), OPEN, "takes"),
    "objects": (lambda f: pictures(f / "s", repeated(b"[", b"{},", b"{}]")), OPEN, "takes"),
    "counts": (lambda f: written(f / "c.json", repeated(b"[", b"[],", b"[]]")), COUNTS, "takes"),
    "names": (lambda f: written(f / "c.json", repeated(b"[", b'"",', b'""]')), NAMES, "takes"),
    "lines of names": (lambda f: written(f / "c.txt", repeated(b"", b"a\n", b"")), NAMES, "takes"),
    "prompts": (lambda f: written(f / "c.json", repeated(b'{"a":[', b'"",', b'""]}')), PROMPTS, "takes"),
    "project file": (lambda f: written(f / "c.json", repeated(b"[", b"[],", b"[]]")), DECK, "takes"),
    "model configuration": (lambda f: written(f / "c.json", repeated(b"[", b"[],", b"[]]", mib=3)), CONFIG, "takes"),
    "concepts": (lambda f: written(f / "c.csv", repeated(b"", b"a,b\n", b"")), CONCEPTS, "takes"),
}  # fmt: skip


@pytest.mark.slow
def test_each_is_refused_by_one_sentence_before_it_takes_the_memory(tmp_path: Path) -> None:
    made = {name: (make(tmp_path / name), work) for name, (make, work, _) in CASES.items()}
    outcomes = bombs.tried(made, budget=str(BUDGET), cache=tmp_path / "cache", limit=4 << 30)
    assert outcomes.keys() == CASES.keys()
    for name, (_, _, words) in CASES.items():
        found = outcomes[name]
        assert words in found.sentence, (name, found)
        assert found.kind in ("UnreadableData", "TooLarge"), (name, found)
        assert found.growth < 2 * BUDGET, (name, found)  # with what is imported on the way
        assert "\n" not in found.sentence, (name, found)


@pytest.mark.slow
def test_threads_that_decode_share_the_budget(tmp_path: Path) -> None:
    data = bombs.large_png(1500)
    for number in range(8):
        written(tmp_path / "s" / f"{number}.png", data)
    work = """
from concurrent.futures import ThreadPoolExecutor
from core.datasets.io.picture import safe_open
list(ThreadPoolExecutor(4).map(lambda path: safe_open(path).size, sorted(place.iterdir())))
"""
    found = bombs.tried({"": (tmp_path / "s", work)}, budget=str(BUDGET))[""]
    assert found.kind == "fine"
    assert found.growth < 1.5 * BUDGET  # eight of them at once take 288 MiB


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 2 << 30),
        ("512M", 512 << 20),
        ("3g", 3 << 30),
        ("4 GiB", 4 << 30),
        ("2097152", 2 << 20),
        ("2048KB", 2 << 20),
    ],
)
def test_the_budget_is_what_the_variable_says(monkeypatch: pytest.MonkeyPatch, text: str, size: int) -> None:
    monkeypatch.setenv(memory.VARIABLE, text)
    assert allowed() == size


@pytest.mark.parametrize("text", ["much", "-1G", "0", "1.5G", "10", "9" * 40])
def test_another_value_is_said(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(memory.VARIABLE, text)
    with pytest.raises(BadInput, match=r"TAILSCOPE_MEMORY is .*such as 512M"):
        Budget().require(1, "it", "split it")


@pytest.mark.parametrize(
    "value",
    [
        [[] for _ in range(20_000)],
        [{} for _ in range(20_000)],
        [{"a": {"b": number}} for number in range(10_000)],
        {f"key {number}": [f"text {number}", number / 7, None] for number in range(10_000)},
        ["ж" * 20] * 10_000,
        list(range(50_000)),
    ],
    ids=["lists", "objects", "nested", "mixed", "cyrillic", "numbers"],
)
def test_the_cost_of_json_is_an_upper_bound_and_not_absurd(value: object) -> None:
    """Compared with what CPython allocates for parsing it."""
    text = json.dumps(value, ensure_ascii=False)
    took = _allocated(lambda: json.loads(text))
    assert took < json_cost(text) < 12 * took + (1 << 16)
    assert json_cost(text) <= json_cost(text.encode()) * 2


@pytest.mark.parametrize("line", ["a,b\n", "photo-0123456789.jpg,golden retriever,7\n", "ж,ж\n", "a\n"])
def test_the_cost_of_rows_is_an_upper_bound_and_not_absurd(line: str) -> None:
    from core.text.lines import Rows

    text = line * 20_000
    took = _allocated(lambda: list(Rows(text, name="t.csv")))
    assert took < text_cost(text, ",") < 6 * took


def test_metadata_larger_than_any_list_of_classes_is_not_read() -> None:
    import pyarrow as pa

    from core.datasets.headings import class_labels

    with pytest.raises(UnreadableData, match="at most 16 MiB are"):
        class_labels(pa.schema([("a", pa.int8())], metadata={"huggingface": b" " * (17 << 20)}))


def test_readers_wait_for_each_other() -> None:
    budget = Budget(100)
    entered, ended = threading.Event(), []

    def read() -> None:
        with budget.reading(60, "b"):
            entered.set()
        ended.append(budget.used)

    with budget.reading(60, "a"):
        other = threading.Thread(target=read)
        other.start()
        assert not entered.wait(0.05)
        with budget.reading(90, "within"):  # what holds some of it never waits for itself
            assert budget.used == 150
    other.join(10)
    assert entered.is_set()
    assert budget.used == 0


def test_what_is_cached_makes_others_wait_but_never_for_ever() -> None:
    budget = Budget(100)
    budget.cache(80)
    with budget.reading(90, "a"):
        assert budget.used == 90
    budget.cache(-80)
    with pytest.raises(TooLarge, match=r"b cannot be read: reading it takes .*split it, or set TAILSCOPE_MEMORY"):
        budget.reading(101, "b").__enter__()


def test_a_tar_with_an_ordinary_extended_header_is_read(tmp_path: Path) -> None:
    """Long names and times in pax headers are what Python's tarfile and webdatasets write."""
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "PNG")
    for format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        folder = tmp_path / str(format)
        folder.mkdir()
        with tarfile.open(folder / "0.tar", "w", format=format) as tar:
            for key in ("ж" * 90 + "1", "b"):
                for suffix, data in (("png", buffer.getvalue()), ("cls", b"0")):
                    info = tarfile.TarInfo(f"{key}.{suffix}")
                    info.size, info.mtime = len(data), 0.5
                    tar.addfile(info, io.BytesIO(data))
        from core.datasets import open_set

        assert len(open_set(folder).labels) == 2


def _allocated(work: Callable[[], object]) -> int:
    import tracemalloc

    tracemalloc.start()
    try:
        kept = work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        del kept
        tracemalloc.stop()
