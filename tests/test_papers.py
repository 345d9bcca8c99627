"""The table of the papers (docs/PAPERS.md): the commands of every “yes” row run, on small real inputs.

The commands are taken from the table itself; words in capitals are replaced by the stand-ins of ``world``.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from core.cli.app import app
from core.downloads import counts as packs
from core.downloads import descriptions
from core.icons.concepts import concepts
from core.published.manifest import Entry, blob_id
from tests.helpers import llm
from tests.helpers.commands import MODEL
from tests.helpers.sets import vid_tree
from tests.pictures import write_tar, write_tree

TABLE = (Path(__file__).resolve().parents[1] / "docs" / "PAPERS.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TABLE.splitlines()
    if line.startswith("| ") and line.count("|") == 6
]
COMMANDS = [
    (name, command)
    for name, _, cell, status, _ in ROWS
    if status == "yes"
    for command in re.findall(r"`… ([^`]+)`", cell)
]
PLACEHOLDER = re.compile(r"^(?:[a-z-]+:)?([A-Z][A-Z0-9_]*)$")
OBJECTS, ATTRIBUTES = ("goldfish", "hammer", "banana"), ("red", "blue")


@pytest.fixture(scope="module")
def world(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Stand-ins for the words in capitals, and a cache and mirrors that all commands share."""
    root = tmp_path_factory.mktemp("papers")
    keys = sorted(path.name for path in folder.iterdir())
    names = {one.key: one.name for one in concepts()}
    pictures = {key: [path.read_bytes() for path in sorted((folder / key).iterdir())] for key in keys}
    captions = [f"a photo of a red {names[key]}" for key in keys]
    write_tree(root / "again", {f"{key}/{i}.png": data for key in keys for i, data in enumerate(pictures[key][1:])})
    anyone = cycle([data for key in keys for data in pictures[key]])
    write_tree(
        root / "composed", {f"{a} {o}/{i}.png": next(anyone) for a in ATTRIBUTES for o in OBJECTS for i in range(9)}
    )
    write_tree(root / "imagenet", {f"{one}/0.png": next(anyone) for one in ("airplane", "sea fish", "bear")})
    members = {}
    for key, caption in zip(keys, captions, strict=True):
        members |= {f"{key}.png": pictures[key][0], f"{key}.txt": caption}
    write_tar(root / "captioned" / "test" / "0.tar", members)
    rare = (Path(__file__).resolve().parents[1] / "assets" / "letitwag_classes.txt").read_text("utf-8").split()
    write_tree(root / "letitwag", {f"{one}/0.png": pictures[keys[at % len(keys)]][0] for at, one in enumerate(rare)})
    vid_tree(root / "videos")
    scored = {"id": [str(at) for at in range(len(keys))], "concept": [names[key] for key in keys]}
    pq.write_table(pa.table(scored | {"score": [0.9] * len(keys)}), root / "scores.parquet")
    write_tree(
        root,
        {
            "captioned/test/nshards.txt": "1",
            "captions.jsonl": "".join(json.dumps({"id": str(i), "caption": c}) + "\n" for i, c in enumerate(captions)),
            "names.txt": "\n".join(names[key] for key in keys),
            "attributes.txt": "red\nblue\n",
            "pairs.csv": "attribute,object,count\n"
            + "".join(f"{a},{o},{3 + at}\n" for at, a in enumerate(ATTRIBUTES) for o in OBJECTS),
            "baselines.csv": "model,icons,again\na,20,10\nb,40,30\nc,60,50\n",
            "written.json": json.dumps({key: [f"a drawing of {names[key]}.", "with a black outline."] for key in keys}),
            "replies.jsonl": "".join(
                json.dumps({"image": f"{key}/{i}.png", "answer": f"this is {names[key]}"}) + "\n"
                for key in keys
                for i in range(len(pictures[key]))
            ),
            "words.csv": "".join(
                f"{key}/{i}.png,{keys[at - 1]}\n" for at, key in enumerate(keys) for i in range(len(pictures[key]))
            ),
            "counts.csv": "concept,count\n" + "".join(f"{key},{at}\n" for at, key in enumerate(keys)),
        },
    )
    with pytest.MonkeyPatch.context() as patch, llm.serve() as endpoint:
        patch.setenv("TAILSCOPE_LLM_KEY", "")
        _mirrors(root / "mirror", patch)
        yield {
            "M": MODEL,
            "M2": "icon-RN,icons-50k",
            "M3": "icon-RN,icons-10k",
            "SUPERVISED": _timm(root / "timm.pt"),
            "S": str(folder),
            "S2": str(root / "again"),
            "COMPOSED": str(root / "composed"),
            "CAPTIONED": str(root / "captioned"),
            "LETITWAG": str(root / "letitwag"),
            "IMAGENET": str(root / "imagenet"),
            "VIDEOS": str(root / "videos"),
            "CAPTIONS": str(root / "captions.jsonl"),
            "NAMES": str(root / "names.txt"),
            "SCORES": str(root / "scores.parquet"),
            "ATTRIBUTES": str(root / "attributes.txt"),
            "PAIRS": str(root / "pairs.csv"),
            "BASELINES": str(root / "baselines.csv"),
            "WRITTEN": str(root / "written.json"),
            "REPLIES": str(root / "replies.jsonl"),
            "WORDS": str(root / "words.csv"),
            "CLASS": keys[0],
            "PICTURE": str(next(folder.glob("*/*.png"))),
            "COUNTS": str(root / "counts.csv"),
            "ENDPOINT": endpoint.url,
            "cache": str(root / "cache"),
        }


def _timm(path: Path) -> str:
    """A classifier of ImageNet's classes with random weights."""
    import timm
    import torch

    torch.manual_seed(0)
    torch.save(timm.create_model("test_resnet").state_dict(), path)
    return f"timm:test_resnet,{path}"


def _mirrors(root: Path, patch: pytest.MonkeyPatch) -> None:
    """What the commands fetch, in small, with lists that know it."""
    written = json.dumps({"banded": {"banded": ["a photo of a banded.", "It has stripes."]}})
    metrics = json.dumps({"0": {"name": "tench", "actual_freq": 3, "alternates": {"tench": 3}}})
    write_tree(root, {"gpt_descriptions/dtd_descriptions.json": written, "m.json": metrics})
    listed = f"path,size,blob\ngpt_descriptions/dtd_descriptions.json,0,{blob_id(written.encode())}\n"
    write_tree(root, {"list.csv": listed})
    patch.setattr(descriptions, "LIST", root / "list.csv")
    descriptions.known.cache_clear()
    patch.setenv("TAILSCOPE_PUBLISHED_BASE", root.as_uri())
    patch.setenv("TAILSCOPE_COUNTS_BASE", root.as_uri())
    pack = packs.PACKS["neglectedtails-laion2b"]
    entry = Entry("m.json", len(metrics), blob_id(metrics.encode()))
    patch.setitem(packs.PACKS, pack.name, replace(pack, files=(entry,)))


def filled(line: str, world: dict[str, str], out: Path) -> list[str]:
    """The words of a command with stand-ins; what it writes goes to a folder of its own."""
    words = shlex.split(line)
    for at, word in enumerate(words):
        if found := PLACEHOLDER.match(word):
            name = found[1]
            new = str(out / name.lower()) if words[at - 1] == "--out" else world.get(name)
            assert new, f"{name} in “… {line}” has no stand-in"
            words[at] = word[: found.start(1)] + new
    return words


@pytest.mark.parametrize("row", [row for row in ROWS if row[3] == "yes"], ids=lambda row: row[0][:50])
def test_every_row_that_is_there_names_a_command(row: list[str]) -> None:
    assert re.search(r"`… [^`]+`", row[2]), "give a command that runs, or say “part” and why"


@pytest.mark.parametrize("row", [row for row in ROWS if row[3] != "yes"], ids=lambda row: row[0][:50])
def test_every_other_row_says_what_is_missing(row: list[str]) -> None:
    assert row[3] in ("part", "no", "status", "---")
    assert row[4]


@pytest.mark.slow
@pytest.mark.parametrize("line", dict.fromkeys(command for _, command in COMMANDS))
def test_its_command_runs(line: str, world: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILSCOPE_CACHE", world["cache"])
    words = filled(line, world, tmp_path)
    if words[0] == "fetch" or words[:2] in (["prompts", "generate"], ["answers", "ask"]):
        words.append("--yes")
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() or done.stderr.strip()
