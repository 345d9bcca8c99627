"""Small files that ask for a great deal of memory, and what opening one takes, measured in a process of its own."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from core.paths import IMPORT_ROOT


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a piece of work came to: seconds, bytes by which the process grew at most, and how it ended."""

    seconds: float
    growth: int
    kind: str
    sentence: str


_CHILD = """
import gc, json, os, resource, sys, time, traceback
from pathlib import Path
from core.datasets import open_set
from core.datasets.formats.columns import read_columns
from core.errors import TailscopeError
import pyarrow.parquet, duckdb, pandas, PIL.Image
import core.models.checkpoints, core.published.importer, core.frequency.imported, core.deck.deck, core.counting.names

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))

def outcome(place, work, limit):
    Path("/proc/self/clear_refs").write_text("5")
    before, started, kind, sentence = memory("VmRSS"), time.perf_counter(), "fine", ""
    resource.setrlimit(resource.RLIMIT_AS, (memory("VmSize") + limit, resource.RLIM_INFINITY))
    try:
        exec(work, {**globals(), "place": Path(place)})
    except TailscopeError as error:
        kind, sentence = type(error).__name__, str(error)
    except BaseException as error:
        kind, sentence = "traceback", traceback.format_exc()[-1500:]
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return [time.perf_counter() - started, memory("VmHWM") - before, kind, sentence]

cases, limit = json.load(sys.stdin)
gc.freeze()
for name, (place, work) in cases.items():
    if not os.fork():
        print(json.dumps([name, outcome(place, work, limit)]), flush=True)
        os._exit(0)
    os.wait()
"""


def tried(
    cases: Mapping[str, tuple[Path, str]], *, budget: str = "", cache: Path | None = None, limit: int = 12 << 30
) -> dict[str, Outcome]:
    """Run Python statements over a path (``place``), each in a process of its own.

    Args:
        budget: ``TAILSCOPE_MEMORY`` of the processes; its default where empty.
        cache: ``TAILSCOPE_CACHE`` of the processes.
        limit: bytes of address space beyond what a process has when it begins.
    """
    set_to = {"TAILSCOPE_MEMORY": budget, "TAILSCOPE_CACHE": str(cache or "")}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _CHILD],
        input=json.dumps([{name: (str(place), work) for name, (place, work) in cases.items()}, limit]),
        capture_output=True, text=True, check=False, cwd=IMPORT_ROOT,
        env={**os.environ, **{name: value for name, value in set_to.items() if value}},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    return {name: Outcome(*values) for name, values in map(json.loads, ran.stdout.splitlines())}


OPEN = "found = open_set(place)"


def tar_with_a_large_header(folder: Path, size: int, *, kind: bytes = b"x") -> Path:
    """A tar whose first header (pax ``x`` or ``g``, GNU long name ``L``) says it is ``size`` bytes long; sparse."""
    folder.mkdir(parents=True)
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = kind, size
    with open(folder / "0.tar", "wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        if kind in b"xg":
            record = b"path=" + b"a" * 20 + b"\n"
            file.write(f"{len(record) + len(str(size)) + 1} ".encode() + record)
        file.truncate(512 + size + 1024)
    return folder


def large_png(side: int, *, mode: str = "RGBA") -> bytes:
    """A PNG of ``side`` x ``side`` pixels of one colour, made without holding them."""
    colour, bands = {"L": (0, 1), "RGB": (2, 3), "RGBA": (6, 4)}[mode]
    packer, parts = zlib.compressobj(9), []
    row = bytes(1 + bands * side)
    for _ in range(side):
        parts.append(packer.compress(row))
    parts.append(packer.flush())

    header = struct.pack(">IIBBBBB", side, side, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", b"".join(parts)) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_with(name: bytes, data: bytes) -> bytes:
    """A small PNG with a chunk more before its pixels."""
    png = large_png(9)
    return png[:33] + _chunk(name, data) + png[33:]


def directory(entries: int, size: int, *, tag: int = 1000, kind: int = 7) -> bytes:
    """A TIFF directory whose entries all name the same block; ``kind`` is 7 for bytes, 4 for whole numbers."""
    count = size // (4 if kind == 4 else 1)
    listed = b"".join(struct.pack("<HHII", tag + place, kind, count, 8) for place in range(entries))
    return b"II*\0" + struct.pack("<I", 8 + size) + bytes(size) + struct.pack("<H", entries) + listed + bytes(4)


def tiff_of_a_tile(side: int) -> bytes:
    """A TIFF of 64 x 64 pixels in one compressed tile of ``side`` x ``side``."""
    data = zlib.compress(bytes(1 << 20))
    plain = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 122, 325: len(data)}
    listed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in plain.items())
    return b"II*\0" + struct.pack("<IH", 8, len(plain)) + listed + bytes(4) + data


def jpeg_with_exif(exif: bytes) -> bytes:
    """A small JPEG whose EXIF block is spread over as many segments as it takes."""
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "JPEG")
    parts = [exif[start : start + 60_000] for start in range(0, len(exif), 60_000)]
    blocks = b"".join(b"\xff\xe1" + struct.pack(">H", 8 + len(part)) + b"Exif\0\0" + part for part in parts)
    return buffer.getvalue()[:2] + blocks + buffer.getvalue()[2:]


def gif_with_comment(size: int) -> bytes:
    """A small GIF with a comment of ``size`` bytes before its picture."""
    comment = b"\x21\xfe" + (b"\xff" + b"a" * 255) * (size // 256) + b"\0"
    return b"GIF89a" + struct.pack("<HHBBB", 9, 9, 0x80, 0, 0) + bytes(6) + comment + b"\x2c" + bytes(8)


def parquet_of_repeats(path: Path, *, rows: int, width: int, column: str = "label", dictionary: bool = True) -> Path:
    """A Parquet table of a few KB in which one column unpacks to ``rows`` texts of ``width`` bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    kind = pa.dictionary(pa.int32(), pa.string()) if dictionary else pa.string()
    schema, step = pa.schema([("file_name", pa.string()), (column, kind)]), rows if dictionary else 500
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=dictionary, store_schema=False) as file:
        for first in range(0, rows, step):
            names = pa.array([f"{row}.png" for row in range(first, first + step)])
            place = pa.array(np.zeros(step, np.int32))
            value = pa.DictionaryArray.from_arrays(place, pa.array(["a" * width]))
            file.write_table(pa.table({"file_name": names, column: value if dictionary else value.dictionary_decode()}))
    return path


def parquet_of_prefixes(path: Path, *, rows: int, width: int) -> Path:
    """A Parquet table of a few KB whose texts share ``width`` bytes with the one before each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    names = [f"{row}.png" for row in range(rows)]
    table = pa.table({"file_name": names, "label": ["a" * width + name for name in names]})
    pq.write_table(table, path, compression="zstd", use_dictionary=False, column_encoding={"label": "DELTA_BYTE_ARRAY"})
    return path


def parquet_with_a_small_footer(path: Path, *, size: int) -> Path:
    """A Parquet table with a text of ``size`` bytes, of which the footer says that it takes 1,000."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"file_name": ["a.png"], "label": ["a" * size]})
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)
    data, group = path.read_bytes(), pq.ParquetFile(path).metadata.row_group(0)
    length = struct.unpack("<I", data[-8:-4])[0]
    footer = data[-8 - length : -8]
    for stated in (group.column(1).total_uncompressed_size, group.total_byte_size):
        own = _varint(2 * stated)
        footer = footer.replace(own, _varint(2 * 1000, width=len(own)))
    path.write_bytes(data[: -8 - length] + footer + data[-8:])
    assert pq.ParquetFile(path).metadata.row_group(0).total_byte_size == 1000
    return path


def _varint(value: int, *, width: int = 0) -> bytes:
    """A whole number in Thrift's compact protocol, padded to ``width`` bytes."""
    digits = [value >> place & 127 for place in range(0, max(value.bit_length(), 7 * width), 7)]
    return bytes([digit | 128 for digit in digits[:-1]] + digits[-1:])


def npy(path: Path, header: str, *, data: bytes = b"") -> Path:
    """A ``.npy`` file with just this header, whether it can be true or not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = header.encode() + b"\n"
    path.write_bytes(b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text + data)
    return path


def zip_bomb(path: Path, name: str, size: int) -> Path:
    """A zip with one member of ``size`` zeros."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w", force_zip64=True) as file:
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))
    return path


def gzip_bomb(path: Path, size: int, *, head: bytes = b"") -> Path:
    """A gzip file that unpacks to ``size`` bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write(head)
        for _ in range(size >> 20):
            file.write(b"a" * (1 << 20))
    return path
