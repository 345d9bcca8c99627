"""Counts from files: every layout that is read, and one sentence for each that is not, with nothing kept of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button
from typer.testing import CliRunner

from cache import keys
from core import downloads
from core.cli.app import app
from core.datasets.names import imagenet_classes
from core.downloads import counts as packs
from core.errors import BadInput, DownloadFailed, Stopped, TailscopeError, UnknownName, UnreadableData
from core.frequency import choice, imported, sources
from core.frequency.table import join
from core.published import fetch as release
from core.published import reading
from core.published.manifest import Entry, blob_id
from core.runtime.jobs import Engine
from core.types import Progress
from pages.data import counts as counts_page
from tests.helpers.pages import opened, settled, words

WANTED = {"tench": 120, "black-footed albatross": 0, "vine snake": 1_500}
METRICS = {
    "0": {"name": "tench", "freq": 9, "alternates": {"tench": 119, "green tench": 1}, "actual_freq": 120},
    "1": {"name": "black-footed albatross", "freq": 0, "alternates": {}, "actual_freq": 0},
    "2": {"name": "vine snake", "freq": 7, "alternates": {"vine snake": 1500}, "actual_freq": 1500},
}
ROWS = list(WANTED.items())


def _parquet(path: Path) -> None:
    pd.DataFrame(ROWS, columns=["concept", "freq"]).to_parquet(path)


LAYOUTS: dict[str, tuple[str, str | Callable[[Path], None]]] = {
    "csv": ("c.csv", "concept,count\ntench,120\nblack-footed albatross,0\nvine snake,1500\n"),
    "other names, semicolons": ("c.csv", "Name;Frequency\ntench;120\nblack-footed albatross;0\nvine snake;1500\n"),
    "thousands and floats": ("c.csv", 'class,n\ntench,120.0\nblack-footed albatross,0\nvine snake,"1,500"\n'),
    "tabs": ("c.tsv", "wnid\tconcept\tcount\nn1\ttench\t120\nn2\tblack-footed albatross\t0\nn3\tvine snake\t1500\n"),
    "json lines": ("c.jsonl", "\n".join(json.dumps({"concept": c, "count": n}) for c, n in ROWS)),
    "parquet": ("c.parquet", _parquet),
    "concept to count": ("c.json", json.dumps(WANTED)),
    "records": ("c.json", json.dumps([{"concept": c, "count": n} for c, n in ROWS])),
    "records by concept": ("c.json", json.dumps({c: {"count": n, "share": 0.1} for c, n in ROWS})),
    "pairs": ("c.json", json.dumps(ROWS)),
    "JSON with a byte order mark": ("c.json", "\ufeff" + json.dumps(WANTED)),
    "records with another word": ("c.json", json.dumps([{"concept": c, "num_samples": n} for c, n in ROWS])),
    "NeglectedTails": ("metrics-LAION2B.json", json.dumps(METRICS)),
}


def written(folder: Path, name: str, content: str | Callable[[Path], None]) -> Path:
    path = folder / name
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        content(path)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_counts(layout: str, tmp_path: Path):
    found = imported.keep(written(tmp_path, *LAYOUTS[layout]), "mine", citation="A test")
    assert (found.source, found.concepts, found.unknown) == ("imported:mine", 3, 0)
    table = sources.load_source("imported:mine")
    assert (dict(table.counts), table.method, table.source) == (WANTED, "text", "A test")
    assert join(table, ["Black_Footed Albatross"]) == {"Black_Footed Albatross": 0}
    assert sources.records("imported:mine")["tench"] == {"text": 120, "image": None, "integrated": None}


def test_columns_can_be_named_and_empty_counts_are_unknown(tmp_path: Path):
    path = written(tmp_path, "c.csv", "a,b,count\ntench,5,1\neel,,2\n")
    found = imported.keep(path, "mine", concept_column="a", count_column="b", method="image")
    assert (found.concepts, found.unknown) == (1, 1)
    assert sources.records("imported:mine") == {
        "tench": {"text": None, "image": 5, "integrated": None},
        "eel": {"text": None, "image": None, "integrated": None},
    }
    other = imported.keep(written(tmp_path, "m.json", json.dumps(METRICS)), "freq", count_column="freq")
    assert other.count_column == "freq"
    assert sources.load_source("imported:freq").counts["tench"] == 9


def test_imagenet_classes_of_one_name_keep_their_own_counts(tmp_path: Path):
    listed = imagenet_classes()
    metrics = {str(i): {"name": name, "alternates": {name: i}, "actual_freq": i} for i, (_, name) in enumerate(listed)}
    imported.keep(written(tmp_path, "m.json", json.dumps(metrics)), "imagenet")
    table = sources.load_source("imported:imagenet")
    assert list(join(table, [w for w, _ in listed], [n for _, n in listed]).values()) == list(range(1000))


BAD: dict[str, tuple[str, str]] = {
    "is no count": ("c.csv", "concept,count\ntench,many\n"),
    "row 3: “-4” is no count": ("c.csv", "concept,count\ntench,1\neel,-4\n"),
    "“2.5” is no count": ("c.json", '{"tench": 2.5}'),
    "“True” is no count": ("c.json", '{"tench": true}'),
    "row 3: it has no concept": ("c.csv", "concept,count\ntench,1\n,3\n"),
    "“tench” occurs a second time with another count": ("c.csv", "concept,count\ntench,1\ntench,2\n"),
    "does not tell its column of counts": ("c.csv", "concept,flavour\ntench,sour\n"),
    "does not tell its column of concepts": ("c.csv", "flavour,count\nsour,2\n"),
    "holds no concept with a count": ("c.csv", "concept,count\ntench,\n"),
    "several columns called “count”": ("c.csv", "concept,count,count\ntench,1,2\n"),
    "“1_500” is no count": ("c.csv", "concept,count\ntench,1_500\n"),
    "“inf” is no count": ("c.json", '{"tench": 1e400}'),
    "2 cells instead of 3": ("c.csv", "concept,count,n2\ntench,1\n"),
    "not JSON": ("c.json", '{"tench": '),
    "occurs twice": ("c.json", '{"tench": 1, "tench": 2}'),
    "holds neither": ("c.json", '["tench", "eel"]'),
    "is no file of counts": ("c.xlsx", "what"),
    "is empty": ("c.csv", ""),
}


@pytest.mark.parametrize(("reason", "file"), BAD.items(), ids=list(BAD))
def test_a_bad_file_is_one_sentence_and_changes_nothing(reason: str, file: tuple[str, str], tmp_path: Path):
    imported.keep(written(tmp_path, "good.json", '{"tench": 7}'), "mine")
    with pytest.raises((BadInput, UnreadableData)) as caught:
        imported.keep(written(tmp_path, *file), "mine")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sources.load_source("imported:mine").counts == {"tench": 7}
    assert [path.name for path in (keys.root() / "imported").iterdir()] == ["mine.parquet"]


def test_names_and_columns_that_do_not_exist(tmp_path: Path):
    path = written(tmp_path, "c.csv", "concept,count\ntench,1\n")
    with pytest.raises(BadInput, match="cannot name counts"):
        imported.keep(path, "../x")
    with pytest.raises(BadInput, match="has no column 'nope'; it has concept, count"):
        imported.keep(path, "x", count_column="nope")
    with pytest.raises(UnreadableData, match="cannot be read"):
        imported.keep(tmp_path / "none.csv", "x")
    with pytest.raises(UnknownName, match="No imported counts"):
        imported.delete("imported:x")


def test_damaged_counts_are_told_and_not_listed(tmp_path: Path):
    imported.keep(written(tmp_path, "c.json", '{"tench": 7}'), "mine")
    (keys.root() / "imported" / "mine.parquet").write_bytes(b"PAR1 nothing")
    assert "imported:mine" not in [info.name for info in sources.list_sources()]
    with pytest.raises(TailscopeError):
        sources.load_source("imported:mine")


def test_what_was_brought_in_is_offered_first_but_never_taken_by_itself(tmp_path: Path):
    imported.keep(written(tmp_path, "c.json", json.dumps(WANTED)), "laion2b")
    found = choice.choose("ViT-B-32,laion2b_s34b_b79k", tuple(WANTED))
    assert (found.source, found.offers[0].source) == ("", "imported:laion2b")


def test_the_command_says_what_it_read(tmp_path: Path):
    path = written(tmp_path, "metrics-LAION2B.json", json.dumps(METRICS))
    told = CliRunner().invoke(app, ["frequency", "import", str(path), "--name", "nt"], catch_exceptions=False).stdout
    assert told == ("imported:nt: 3 concepts with a count (“name” and “actual_freq” of metrics-LAION2B.json).\n")
    shown = json.loads(CliRunner().invoke(app, ["frequency", "show", "imported:nt", "--json"]).stdout)
    assert shown["concepts"]["vine snake"]["text"] == 1_500
    assert CliRunner().invoke(app, ["frequency", "delete", "imported:nt"]).exit_code == 0
    assert "imported:nt" not in [info.name for info in sources.list_sources()]


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> packs.Pack:
    files = {"a.json": json.dumps(METRICS), "b.json": json.dumps({"0": {**METRICS["0"], "actual_freq": 1}})}
    entries = []
    for name, text in files.items():
        content = text.encode()
        (tmp_path / name).write_bytes(content)
        entries.append(Entry(name, len(content), blob_id(content)))
    made = packs.Pack("made", "a test", "Nobody, 2026", "MIT", tmp_path.as_uri(), tuple(entries))
    monkeypatch.setitem(packs.PACKS, "made", made)
    return made


def test_a_pack_states_size_licence_and_citation_first(pack: packs.Pack):
    result = CliRunner().invoke(app, ["fetch", "counts", "made", "--yes"], catch_exceptions=False)
    size = sum(file.size for file in pack.files)
    assert result.stdout.startswith(f"made: a test; {size} bytes in 2 files. Licence: MIT. Nobody, 2026.")
    assert dict(sources.load_source("imported:made").counts) == WANTED  # of a concept in both the first file's


def test_a_pack_can_take_another_count_of_its_files(pack: packs.Pack, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(packs.PACKS, "made", replace(pack, files=pack.files[:1], field="freq"))
    packs.fetch(packs.find("made"))
    assert dict(sources.load_source("imported:made").counts) == {
        "tench": 9, "black-footed albatross": 0, "vine snake": 7,
    }  # fmt: skip
    relevant = [one for one in packs.PACKS.values() if one.field == "relevant_total"]
    assert [one.name for one in relevant] == ["neglectedtails-laion2b-relevant", "neglectedtails-laion400m-relevant"]
    assert not any("eurosat" in file.path for one in relevant for file in one.files)  # which has no such count


def test_a_pack_is_stopped_in_the_middle_of_a_file(pack: packs.Pack, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(release, "PART", 16)
    arrived: list[int] = []

    def report(progress: Progress) -> None:
        arrived.append(progress.done)
        if progress.done > 40:
            raise Stopped("stopped by the test")

    with pytest.raises(Stopped):
        downloads.run(packs.plan_counts("made"), report=report)
    assert max(arrived) == 48
    assert "imported:made" not in [info.name for info in sources.list_sources()]


def test_a_pack_with_another_file_is_not_kept(pack: packs.Pack, tmp_path: Path):
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(DownloadFailed, match=r"b\.json came with 2 bytes"):
        packs.fetch(pack)
    assert "imported:made" not in [info.name for info in sources.list_sources()]
    with pytest.raises(UnknownName, match="no pack of counts called 'nope'; there are metaclip-400m"):
        packs.find("nope")


ENTRIES = {"!": 31_416, "Vine snake": 3, "vine snake": 20_000, "AC\u00a0Milan": 4, "o\u200dk": 0}


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A web server on loopback with MetaCLIP's data card, in small, under its real path."""
    path = tmp_path / packs.PACKS["metaclip-400m"].files[0].path
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(ENTRIES))
    blob = blob_id(path.read_bytes())
    pack = packs.PACKS["metaclip-400m"]
    monkeypatch.setitem(packs.PACKS, pack.name, replace(pack, files=(replace(pack.files[0], blob=blob),)))
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("TAILSCOPE_COUNTS_BASE", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield path
    server.shutdown()
    server.server_close()


def test_entry_counts_of_metaclip_come_with_the_size_that_the_server_announces(mirror: Path):
    asked = CliRunner().invoke(app, ["fetch", "counts", "metaclip-400m"], input="n\n")
    size = mirror.stat().st_size
    assert f"{size} bytes in one file. Licence: CC BY-NC 4.0, so no commercial use. Xu et al." in asked.stdout
    assert asked.exit_code == 1
    assert not sources_named("imported:metaclip-400m")
    CliRunner().invoke(app, ["fetch", "counts", "metaclip-400m", "--yes"], catch_exceptions=False)
    table = sources.load_source("imported:metaclip-400m")
    assert dict(table.counts) == ENTRIES
    assert join(table, ["vine_snake"]) == {"vine_snake": 20_000}  # spelled as it is, not “Vine snake”
    assert join(table, ["VINE SNAKE"]) == {}  # two spellings, two counts: none is taken


def test_a_pack_whose_file_is_gone_too_large_or_another_is_not_kept(mirror: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(imported, "MAX_BYTES", 5)
    with pytest.raises(DownloadFailed, match="no table of counts is that large"):
        packs.fetch(packs.find("metaclip-400m"))
    monkeypatch.undo()
    monkeypatch.setenv("TAILSCOPE_COUNTS_BASE", mirror.parents[2].as_uri())
    mirror.write_text(json.dumps({**ENTRIES, "!": 1}))
    with pytest.raises(DownloadFailed, match=r"datacard_400m\.json came with"):
        packs.fetch(packs.find("metaclip-400m"))
    mirror.unlink()
    with pytest.raises(DownloadFailed, match="could not be downloaded"):
        packs.fetch(packs.find("metaclip-400m"))
    assert not sources_named("imported:metaclip-400m")


def sources_named(name: str) -> list[str]:
    return [info.name for info in sources.list_sources() if info.name == name]


def test_a_name_that_turns_the_line_around_is_refused(tmp_path: Path):
    with pytest.raises(UnreadableData, match="is no name of a concept"):
        imported.keep(written(tmp_path, "c.json", json.dumps({"a\u202eb": 1})), "mine")


def test_a_key_that_occurs_twice_is_found_quickly_among_many():
    text = "{" + ",".join(f'"k{i}": 1' for i in range(200_000)) + ',"k199999": 2}'
    with pytest.raises(reading.Refused, match="“k199999” occurs twice"):
        reading.parse_json(text.encode())


def button(app: AppTest, label: str) -> Button:
    return next(one for one in app.button if one.label.startswith(label))


@pytest.mark.slow
def test_the_page_fetches_packs_and_imports_files(
    page_engine: Engine, pack: packs.Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path))
    app = opened("data", show="counts", pack="made")
    assert not app.exception
    assert {"MIT", "Nobody, 2026"} <= set(app.dataframe[1].value.loc[lambda row: row["Pack"] == "made"].iloc[0])
    settled(button(app, "State the size").click().run())
    assert "Licence: MIT. Nobody, 2026." in words(app)
    settled(button(app, "Fetch ").click().run())
    assert dict(sources.load_source("imported:made").counts) == WANTED
    app = opened("data", show="counts")
    for name, content, told in (
        ("good.csv", "concept,count\ntench,7\neel,\n", "imported:mine: 1 concept with a count, 1 listed without one"),
        ("bad.csv", "concept,count\ntench,-7\n", "bad.csv, row 2: “-7” is no count; nothing was imported."),
        ("away.csv", "", "away.csv cannot be read"),
    ):
        if content:
            (tmp_path / name).write_text(content)
        app.text_input(key="counts-path").input(str(tmp_path / name))
        app.text_input(key="import-name").input("mine").run()
        settled(button(app, "Import" if name == "good.csv" else "Replace").click().run())
        boxes = " ".join(str(box.value) for box in (*app.success, *app.error, *app.warning))
        assert told in boxes.replace("\\", "")
        assert dict(sources.load_source("imported:mine").counts) == {"tench": 7}
    app.button(key="delete-imported:made").click().run()
    assert not sources_named("imported:made")
    app.selectbox(key="pack").select("made").run()
    settled(button(app, "State the size").click().run())
    settled(button(app, "Fetch ").click().run())
    assert sources_named("imported:made")
    app.button(key="use-imported:mine").click().run()
    assert app.session_state["frequency"] == "imported:mine"
    app.button(key="delete-imported:mine").click().run()
    assert not sources_named("imported:mine")


def test_the_page_of_a_read_only_server_lists_packs_and_takes_nothing(
    page_engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pages.ui.jobs.is_local", lambda: False)
    app = opened("data", show="counts", pack="metaclip-400m")
    assert "CC BY-NC 4.0" in words(app)
    assert "Downloads are switched off" in words(app)
    assert "Importing is switched off" in words(app)
    assert not [one for one in app.button if one.label in ("Import", "Delete") or one.label.startswith("Ask")]


def test_an_upload_is_read_under_any_name():
    for name in ("c.csv", "../../c.csv", "\n\u202e<b>.csv", "a" * 400 + ".csv"):
        assert counts_page._read_upload("", b"concept,count\ntench,7\n", name, "mine").concepts == 1
    for name in ("..", "", ".csv"):
        with pytest.raises(UnreadableData, match="is no file of counts"):
            counts_page._read_upload("", b"concept,count\ntench,7\n", name, "mine")
