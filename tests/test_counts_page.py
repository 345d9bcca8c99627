"""The page that counts captions: from a path to a frequency axis, through a stop and a resume."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.charts.counted import rank_figure
from core.counting import findings, run
from core.counting.workers import here
from core.frequency import counted, sources
from core.frequency.icons import table as icon_table
from core.runtime.jobs import Engine
from tests.helpers import pages

CAPTIONS = ["a red apple", "two dogs", "a night snake", "red dog, red apple", "nothing"] * 4
CONCEPTS = "apple\ndog\nsnake\nnight snake\nDog\nyeti\n?!"


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder that may be read, and parts counted in this process (processes have their own tests)."""
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path / "data"))
    monkeypatch.setenv("TAILSCOPE_ALLOW_JOBS", "1")

    def one_process(parts, query, store, report, *, workers):
        yield from here(parts, query, store, report)

    monkeypatch.setattr(run, "local", one_process)


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "captions.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps({"id": n, "alt": text}) + "\n" for n, text in enumerate(CAPTIONS)))
    return path


def opened(**query: str) -> AppTest:
    app = pages.opened("counts", **query)
    assert not app.exception, app.exception
    return app


def settled(app: AppTest) -> AppTest:
    pages.settled(app)
    assert not app.exception, app.exception
    return app


def words(app: AppTest) -> str:
    return html.unescape(" ".join(block.proto.body for block in app.get("html"))).replace("\u00a0", " ")


def fill(app: AppTest, captions: Path, *, name: str = "mine") -> AppTest:
    app.text_input(key="captions").set_value(str(captions))
    app.segmented_control(key="count-concepts").set_value("a list").run()
    app.text_area(key="typed-concepts").set_value(CONCEPTS)
    app.text_input(key="attributes").set_value("red, green")
    app.text_input(key="count-name").set_value(name)
    return settled(app.run())


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    return settled(app.run())


@pytest.mark.slow
def test_from_a_path_to_a_frequency_axis(captions):
    app = opened()
    assert "Nothing has been counted here yet" in words(app)
    fill(app, captions)
    assert app.selectbox(key="caption-column").value == "alt"
    assert "1 file, 0.0 MB, in 1 part." in words(app)
    press(app, "Count")
    said = words(app)
    assert "In 20 captions, the commonest fifth of 6 concepts takes 25 % of all counts; 1 is never named" in said
    assert "1 cannot be matched" in said
    assert "20 rows from column “alt” of 1 file" in said
    assert "Same spelling: dog, Dog" in said
    assert "Attributes" in said
    tables = [frame.value for frame in app.dataframe]
    counts = next(frame for frame in tables if "status" in frame).set_index("concept")
    assert counts.loc["apple", "count"] == 8
    assert counts.loc["?!", "status"] == "unmatchable"
    assert counted.unfinished() == []
    press(app, "Use as frequency axis")
    assert app.selectbox(key="frequency").value == "counted:mine"
    assert not any(box.key == "count" for box in app.selectbox)  # there is one way only
    app.selectbox(key="frequency").set_value("icons-10k").run()
    assert not app.exception
    assert "image" in app.selectbox(key="count").options
    press(app, "Delete")
    assert "counted:mine" not in {info.name for info in sources.list_sources()}


def test_the_example_finds_the_counts_that_are_known(captions):
    app = press(opened(), "Try it on the captions of icons-10k")
    assert "10,000 captions" in words(app)
    found = {row["concept"]: row["count"] for row in counted.rows("icons-10k")}
    assert found == dict(icon_table("icons-10k", "text").counts)


def test_a_stopped_count_is_resumed_without_counting_twice(page_engine, captions, monkeypatch):
    from core.counting import parts

    monkeypatch.setattr(parts, "_PART", 200)
    told = []

    def slow(todo, query, store, report, *, workers):
        told.append(len(todo))
        if len(told) == 1:
            yield from here(todo[:2], query, store, report)
            next(job for job in page_engine.jobs() if job.label.startswith("Counting")).stop()
        yield from here(todo, query, store, report)

    monkeypatch.setattr(run, "local", slow)
    app = fill(opened(), captions)
    press(app, "Count")
    assert any("was stopped" in item.value for item in app.info)
    assert counted.unfinished() == ["mine"]
    press(app, "Resume mine")
    assert "In 20 captions" in words(app)
    assert told[1] <= told[0] - 2
    assert counted.unfinished() == []


@pytest.mark.slow
def test_paths_outside_the_allowed_folders_are_refused(captions, tmp_path):
    (tmp_path / "secret.jsonl").write_text('{"alt": "secret"}\n')
    (captions.parent / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    for path in (tmp_path / "secret.jsonl", tmp_path / "*.jsonl", captions.parent / "link.jsonl", captions.parent):
        app = opened(captions=str(path))
        assert any("outside the folders" in item.value for item in app.warning), path
        assert "secret" not in str([frame.value for frame in app.dataframe])


def test_a_server_that_others_reach_opens_no_addresses(captions, monkeypatch):
    monkeypatch.setattr("pages.counts.form.is_local", lambda: False)
    app = opened(captions="s3://bucket/captions.parquet")
    assert any("opens no addresses" in item.value for item in app.warning)


def test_a_page_opens_buckets_only(captions, monkeypatch):
    monkeypatch.setattr("pages.counts.form.is_local", lambda: True)
    app = opened(captions=f"local://{captions}")
    assert any("without options only" in item.value for item in app.warning)


def test_a_read_only_server_counts_nothing(captions, monkeypatch):
    monkeypatch.setenv("TAILSCOPE_ALLOW_JOBS", "0")
    app = fill(opened(), captions)
    assert "Counting is switched off" in words(app)
    assert "Count" not in [button.label for button in app.button]


def test_integrated_counts_on_the_page(captions):
    scores = captions.parent / "scores.parquet"
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": [str(n) for n in range(20)], "apple": [0.9] * 10 + [0.1] * 10}), scores)
    app = opened(**{"counts-by": "integrated"})
    fill(app, captions)
    app.text_input(key="scores").set_value(str(scores))
    settled(app.run())
    press(app, "Count")
    assert counted.records("mine")["apple"] == {"text": 8, "image": 10, "integrated": 4}
    assert "joined by id" in words(app)
    assert "none of them in common" in words(app)


def test_zeros_stand_in_a_lane_and_unknown_counts_are_not_drawn():
    rows = [{"concept": f"c{n}", "count": count} for n, count in enumerate([100, 10, 1, 0, None])]
    figure = rank_figure(rows, method="count")
    drawn = {point[0]: y for trace in figure.data for point, y in zip(trace.customdata or (), trace.y, strict=True)}
    assert set(drawn) == {"c0", "c1", "c2", "c3"}
    assert 0 < drawn["c3"] < 1 == drawn["c2"]


def test_the_finding_of_counts_without_a_hit():
    facts = {"mode": "image", "rows": 7}
    assert findings.finding(facts, [{"count": 0}, {"count": 0}]) == "In 7 images, none of 2 concepts is shown."
