"""Only regular files are opened: a pipe, device, socket or folder in the place of one is a sentence, never a wait."""

from __future__ import annotations

import os
import signal
import socket
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.datasets import open_set
from core.datasets.formats.columns import read_columns
from core.datasets.io.picture import safe_open
from core.datasets.names import read_names
from core.errors import TailscopeError, UnreadableData
from core.models import registry as models
from core.models import weights
from core.models.encoder import load_encoder
from core.opening import open_regular, parse_object, read_object, read_regular, regular
from core.prompts import prompt_set
from core.published.sources import read_files
from core.robustness.shifts.baselines import read_baselines
from core.supervised import answers
from core.supervised import names as supervised
from tests import tiny


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """A reader that waits for a pipe fails its test instead of holding up all of them."""

    def woken(*_: object) -> None:
        raise AssertionError("it waited for a writer")

    before = signal.signal(signal.SIGALRM, woken)
    signal.setitimer(signal.ITIMER_REAL, 120)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def put_pipe(path: Path) -> Path:
    """A pipe that nobody writes to, in the place of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


def pictures(folder: Path) -> Path:
    """Two classes with one picture each."""
    for value, key in enumerate(("ant", "bee")):
        (folder / key).mkdir(parents=True)
        Image.new("RGB", (32, 32), (100 * value, 9, 9)).save(folder / key / "0.png")
    return folder


IRREGULAR: dict[str, tuple[Callable[[Path], Any], str]] = {
    "pipe": (put_pipe, "it is a pipe, not a regular file"),
    "folder": (Path.mkdir, "it is a folder, not a regular file"),
    "link to a device": (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a regular file"),
    "missing": (lambda path: None, "no such file or directory"),
    "link to nothing": (lambda path: path.symlink_to(path.with_name("nowhere")), "no such file or directory"),
}


@pytest.mark.parametrize("kind", IRREGULAR)
@pytest.mark.parametrize("reader", [open_regular, regular, lambda path: read_regular(path, limit=9)])
def test_anything_but_a_regular_file_is_named(tmp_path: Path, kind: str, reader: Callable[[Path], Any]) -> None:
    make, problem = IRREGULAR[kind]
    make(tmp_path / "x")
    with pytest.raises(UnreadableData, match=problem):
        reader(tmp_path / "x")


def test_a_socket_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("x")
        with pytest.raises(UnreadableData, match="it is a socket, not a regular file"):
            open_regular("x")


def test_a_regular_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b'{"a": 1}')
    (tmp_path / "link").symlink_to(file)
    with open_regular(tmp_path / "link") as opened:
        assert opened.read() == b'{"a": 1}'
    assert regular(file) == file
    assert read_regular(file, limit=8) == b'{"a": 1}'
    assert read_object(file, limit=8) == {"a": 1}
    with pytest.raises(UnreadableData, match="larger than"):
        read_regular(file, limit=7)
    with pytest.raises(UnreadableData, match="The list cannot be read"):
        open_regular(tmp_path / "none", name="The list")
    with pytest.raises(UnreadableData, match="cannot be read: embedded null"):
        open_regular("a\0b")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("{", "it is not JSON"),
        ("[]", "holds no JSON object"),
        (b"\xff\xfe\x00", "it is not JSON"),
        ('{"a": ' + "9" * 5000 + "}", "it is not JSON"),
    ],
)
def test_json_that_is_no_object_is_one_sentence(content: str | bytes, problem: str) -> None:
    with pytest.raises(UnreadableData, match=f"it.json cannot be read: .*{problem}") as caught:
        parse_object(content, name="it.json")
    assert "\n" not in str(caught.value)


# What a person may name


def model_with(file: str) -> Callable[[Path], Any]:
    def load(root: Path) -> Any:
        folder = tiny.save(root / "model")
        put_pipe(folder / file)
        return load_encoder(f"local-dir:{folder}", device="cpu")

    return load


def tokenizer(root: Path) -> Any:
    config = {**tiny.CLIP, "text_cfg": {**tiny.CLIP["text_cfg"], "hf_tokenizer_name": "org/words"}}
    folder = tiny.save(root / "model", config)
    (folder / "vocab.txt").write_text("a\n", encoding="utf-8")
    put_pipe(folder / "tokenizer.json")
    return load_encoder(f"local-dir:{folder}", device="cpu")


def classifier(file: str) -> Callable[[Path], Any]:
    def load(root: Path) -> Any:
        for name in (supervised.CARD, supervised.WEIGHTS):
            (root / "model").mkdir(exist_ok=True)
            (root / "model" / name).write_text("{}", encoding="utf-8")
        put_pipe(root / "model" / file)
        return answers.answer_for(f"supervised:{root / 'model'}", open_set(str(pictures(root / "set"))))

    return load


def prompts(name: str) -> Callable[[Path], Any]:
    return lambda root: prompt_set(str(put_pipe(root / name)), open_set(str(pictures(root / "set"))))


def a_set(name: str) -> Callable[[Path], Any]:
    return lambda root: open_set(str(put_pipe(root / "set" / name)))


def link_to_pipe(root: Path) -> Any:
    put_pipe(root / "pipe")
    (root / "list.csv").symlink_to(root / "pipe")
    return open_set(str(root / "list.csv"))


NAMED: dict[str, Callable[[Path], Any]] = {
    "weights of a folder": model_with("open_clip_model.safetensors"),
    "configuration of a folder": model_with("open_clip_config.json"),
    "tokenizer of a folder": tokenizer,
    "a checkpoint": lambda root: models.canonical(f"ViT-B-32,{put_pipe(root / 'x.pt')}"),
    "the digest of weights": lambda root: weights.sha256(put_pipe(root / "x.pt")),
    "a checkpoint of timm": lambda root: supervised.canonical(f"timm:resnet18,{put_pipe(root / 'x.pth')}"),
    "weights of a classifier": classifier(supervised.WEIGHTS),
    "card of a classifier": classifier(supervised.CARD),
    "templates": prompts("x.txt"),
    "a prompt file": prompts("x.json"),
    "a table as image set": a_set("x.csv"),
    "a table of JSON lines": a_set("x.jsonl"),
    "a Parquet as image set": a_set("x.parquet"),
    "a tar as image set": a_set("x.tar"),
    "a link to a pipe": link_to_pipe,
    "a table": lambda root: read_columns(put_pipe(root / "x.csv")),
    "a Parquet table": lambda root: read_columns(put_pipe(root / "x.parquet")),
    "names of classes": lambda root: read_names(put_pipe(root / "x.txt")),
    "a picture": lambda root: safe_open(put_pipe(root / "x.png")),
    "an archive of the release": lambda root: list(read_files(put_pipe(root / "x.zip"))),
    "a table of baselines": lambda root: read_baselines(put_pipe(root / "x.csv")),
}


@pytest.mark.parametrize("what", NAMED)
def test_a_pipe_in_its_place_is_one_sentence(tmp_path: Path, what: str) -> None:
    with pytest.raises(TailscopeError, match="not a regular file") as caught:
        NAMED[what](tmp_path)
    assert "\n" not in str(caught.value)


def test_pipes_in_a_set_are_skipped_and_named(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set")
    put_pipe(folder / "ant" / "1.png")
    opened = open_set(str(folder))
    assert len(opened.labels) == 2
    assert [(item.item, item.reason) for item in opened.left_out] == [("ant/1.png", "not a regular file")]


def test_a_pipe_among_shards_is_skipped_and_named(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "0.png")
    (tmp_path / "0.cls").write_text("0", encoding="ascii")
    (tmp_path / "shards").mkdir()
    with tarfile.open(tmp_path / "shards" / "0.tar", "w") as tar:
        for name in ("0.png", "0.cls"):
            tar.add(tmp_path / name, name)
    put_pipe(tmp_path / "shards" / "1.tar")
    assert len(open_set(str(tmp_path / "shards")).labels) == 1


def test_a_set_whose_file_becomes_a_pipe_goes_on(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set")
    opened = open_set(str(folder))
    put_pipe(folder / "ant" / "0.png")
    with pytest.raises(UnreadableData, match="it is a pipe"):
        opened.image(0)
    assert np.asarray(opened.image(1)).shape == (32, 32, 3)
