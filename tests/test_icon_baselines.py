"""The committed table of the icon world's standard models, and what writes it."""

from __future__ import annotations

import csv
import json
from operator import attrgetter

import numpy as np
import pytest

from core.datasets import open_set
from core.datasets.formats.icon_recipes import SHIFTS
from core.errors import UnknownName
from core.icons.training.baselines import BASELINES, STAND_IN
from core.icons.training.classifier import SHIPPED, ClassifierRun
from core.robustness.records import read_records
from core.robustness.shifts.baseline_table import keep_reference, measured, write_table
from core.robustness.shifts.baselines import ICONS, columns_for, fit_set, icon_baselines, read_baselines
from core.supervised.names import folder_of
from core.types import Answer, Lens


def test_at_least_eight_baselines_span_thirty_points_and_every_shift():
    table = icon_baselines()
    accuracy = table.columns["icons"]
    assert len(table.models) >= 8
    assert max(accuracy) - min(accuracy) >= 0.30
    assert set(table.types) == {"standard"}
    for id in SHIFTS:
        for condition in (f"{id}_pm0", f"{id}_pm5") if id == "icons-frames" else (id,):
            x, y = columns_for(table, condition)
            assert y == condition
            assert x == (f"icons-on-{id}-classes" if id in ("icons-frames", "icons-adversarial") else "icons")
            assert not np.isnan(table.columns[y]).any()


def test_the_line_of_every_shift_goes_through_eight_models_and_reaches_past_those_under_test():
    table = icon_baselines()
    tested = [row for row in read_records(ICONS.with_name("shifts.json")) if "id_acc1" in row.more]
    assert {row.condition for row in tested} >= {"icons-adversarial", "icons-frames_pm5"}
    for row in tested:
        chosen = fit_set(table, *columns_for(table, row.condition))
        assert chosen.fit.n >= 8, row.condition
        assert row.more["id_acc1"] <= chosen.fit.high, (row.model, row.condition)


def test_the_rows_are_the_recipes_and_none_is_a_model_under_test():
    about = json.loads(ICONS.with_suffix(".json").read_text(encoding="utf-8"))
    assert set(icon_baselines().models) == set(BASELINES) == set(about["models"])
    decides = attrgetter("arch", "corpus", "epochs", "batch", "width")
    assert not set(map(decides, BASELINES.values())) & set(map(decides, SHIPPED.values()))
    for name, run in BASELINES.items():
        assert ClassifierRun(**about["models"][name]["run"]) == run
        assert name == f"rn{run.width}-{run.images // 1000}k-x{run.epochs}"
    assert about["reference"] == {"model": "supervised:icon-reference", "baseline": STAND_IN}
    for id, fingerprint in about["sets"].items():
        assert open_set(id).fingerprint == fingerprint, f"{id} changed: run python -m core icons baselines"


def test_the_reference_has_the_row_of_its_baseline():
    from core.supervised.scorer import scorer_for

    row = icon_baselines().models.index(STAND_IN)
    frames, columns = open_set("icons-frames"), icon_baselines().columns
    scorer = scorer_for("supervised:icon-reference", frames)
    anchors = range(frames.reach, len(frames.labels), 2 * frames.reach + 1)
    said = scorer.logits(scorer.batch([frames.image(anchor) for anchor in anchors])).argmax(1).numpy()
    right = int((said == frames.labels[list(anchors)]).sum())
    assert abs(right - columns["icons-frames_pm0"][row] * len(anchors)) < 1.01  # one for another machine's rounding
    assert columns["icons-adversarial"][row] <= 0.002


def test_a_table_is_written_as_the_boards_read_it(tmp_path):
    folder = folder_of("supervised:icon-reference")
    rows = {"b": {"icons": 40.0, "icons-v2": 31.25}, "a": {"icons": 12.5, "icons-v2": 8.0}}
    out = tmp_path / "new" / "table.csv"
    write_table(rows, {"a": folder, "b": folder}, out)
    with out.open(encoding="utf-8") as file:
        assert next(csv.reader(file)) == ["model", "type", "icons", "icons-v2"]
    table = read_baselines(out)
    assert table.models == ("a", "b")
    assert table.columns["icons-v2"] == (0.08, 0.3125)
    assert json.loads(out.with_suffix(".json").read_text())["models"]["a"]["steps"] > 0


def test_accuracies_are_percent_by_column(monkeypatch):
    seen = []

    def answer(model, image_set, *, prompts, report):
        seen.append(image_set.id)
        labels = np.asarray(image_set.labels)
        said = np.where(np.arange(len(labels)) % 4 == 0, labels, (labels + 1) % len(image_set.keys))[:, None]
        nothing = np.zeros(len(labels), np.float32)
        return Answer(
            Lens(model, image_set.id, "supervised"), tuple(image_set.keys), tuple(image_set.names),
            np.arange(len(labels)), labels, said.astype(np.int32), said.astype(np.float32), nothing, nothing, (), (),
            len(labels), {},
        )  # fmt: skip

    monkeypatch.setattr("core.robustness.shifts.measure.answer_for", answer)
    found = measured("supervised:none")
    assert found["icons"] == found["icons-v2"] == found["icons-sketch"] == 25.0
    assert set(found) == {
        "icons", *SHIFTS[:-1], "icons-frames_pm0", "icons-frames_pm5", "icons-on-icons-frames-classes",
        "icons-on-icons-adversarial-classes",
    }  # fmt: skip
    assert found["icons-frames_pm5"] == 0
    assert set(seen) >= set(SHIFTS)


def test_the_reference_is_a_copy_of_its_baseline_under_its_own_name(monkeypatch, tmp_path):
    monkeypatch.setattr("core.robustness.shifts.baseline_table.SHIPPED", tmp_path / "shipped")
    (tmp_path / "rn").mkdir()
    (tmp_path / "rn" / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "rn" / "card.json").write_text('{"name": "rn8-50k-x4", "steps": 3}')
    kept = keep_reference(tmp_path / "rn")
    assert (kept / "model.safetensors").read_bytes() == b"weights"
    card = json.loads((kept / "card.json").read_text())
    assert card == {"name": "icon-reference", "baseline": "rn8-50k-x4", "steps": 3}


def test_an_unknown_classifier_is_named_with_those_that_ship():
    from core.cli.icons import classifier

    with pytest.raises(UnknownName, match="there is icon-RN,icons-200k"):
        classifier("icon-RN,icons-20k")
