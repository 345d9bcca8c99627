"""The committed results of shifts: about the sets as they are drawn today, whole, and what docs/SHIFTS.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.datasets import open_set
from core.models.registry import icon_models
from core.robustness.records import read_records
from core.robustness.shifts.measure import CLEAN, icon_shifts

ROOT = Path(__file__).resolve().parents[1]
RESULTS = read_records(ROOT / "assets" / "robustness" / "shifts.json")
CONDITIONS = [CLEAN, *(id for id in icon_shifts() if id != "icons-frames"), "icons-frames_pm0", "icons-frames_pm5"]
TABLE = re.compile(r"^\| `([^`]+)` \|(.+)\|$", re.MULTILINE)


def test_every_icon_model_and_the_supervised_one_are_there_under_every_shift() -> None:
    found = {(row.model, row.condition) for row in RESULTS}
    wanted = [*(info.id for info in icon_models()), "supervised:icon-RN,icons-200k"]
    assert {(model, condition) for model in wanted for condition in CONDITIONS} <= found
    assert all(row.low <= row.acc1 <= row.high for row in RESULTS)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_results_are_about_the_pictures_as_they_are_now(condition: str) -> None:
    images = open_set("icons" if condition == CLEAN else re.sub(r"_pm\d+$", "", condition))
    rows = [row for row in RESULTS if row.condition == condition]
    assert {row.more["images"] for row in rows} == {images.fingerprint}
    assert {row.n for row in rows} == {147 if "_pm" in condition else len(images.labels)}


def test_only_the_model_that_filtered_the_pictures_is_out_of_the_ranking() -> None:
    out = {(row.model, row.condition) for row in RESULTS if row.more.get("excluded_from_ranking")}
    assert out <= {("supervised:icon-reference", "icons-adversarial")}
    assert ("supervised:icon-reference", "icons-adversarial") in out or not any(
        row.model == "supervised:icon-reference" for row in RESULTS
    )


def test_the_table_in_the_docs_is_that_of_the_results() -> None:
    text = (ROOT / "docs" / "SHIFTS.md").read_text(encoding="utf-8")
    known = {row.model for row in RESULTS}
    listed = [(model, cells) for model, cells in TABLE.findall(text) if model in known]
    accuracies = {model: [float(n) for n in re.findall(r"[\d.]+", cells)] for model, cells in listed}
    assert set(accuracies) == known
    for model, shown in accuracies.items():
        rows = {row.condition: row for row in RESULTS if row.model == model}
        assert shown == [round(100 * rows[condition].acc1, 1) for condition in CONDITIONS], model
