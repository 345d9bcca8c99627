"""The command line on real models and small real data: shapes of its JSON, and one sentence for every mistake."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from core.cli.app import app, main
from core.cli.output import echo_table
from core.icons.concepts import concepts
from core.icons.corpus import draw
from core.icons.render import render

MODEL = "icon-RN,icons-200k"
SHOWN = 12


def run(*arguments: str) -> Result:
    """One command in this process; errors come out as exceptions."""
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def output(*arguments: str) -> object:
    """The JSON that a command prints."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of freshly drawn icons: 12 of the commonest and rarest concepts, 4 pictures each, one broken."""
    root = tmp_path_factory.mktemp("photos")
    chosen = concepts()[:: len(concepts()) // SHOWN][:SHOWN]
    for place, concept in enumerate(chosen):
        (root / concept.key).mkdir()
        for index in range(4):
            seed = (9, place, index)
            picture = render(draw(concept, np.random.default_rng([2, *seed]), seed))
            picture.save(root / concept.key / f"{index}.png")
    (root / chosen[0].key / "broken.png").write_bytes(b"not a picture")
    (root / "names.json").write_text(json.dumps({concept.key: concept.name for concept in chosen}))
    return root


def test_evaluate_writes_clip_benchmark_json(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    result = run("evaluate", MODEL, str(folder), "--names-file", str(folder / "names.json"), "--out", str(out))
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    assert set(report) >= {"dataset", "model", "pretrained", "task", "metrics", "language", "classwise", "fingerprint"}
    assert set(report["metrics"]) == {"acc1", "acc5", "mean_per_class_recall"}
    assert (report["n_images"], report["n_used"]) in {(49, 48), (48, 48)}
    assert any("broken.png" in item["item"] for item in report["left_out"])
    assert len(report["classwise"]) == SHOWN
    right = sum(score["accuracy"] * score["n"] for score in report["classwise"].values())
    assert report["metrics"]["acc1"] == pytest.approx(right / 48)
    assert report["metrics"]["acc1"] > 0.5  # chance is 1 in 12


def test_curve_has_every_figure(folder: Path) -> None:
    found = output("curve", MODEL, str(folder), "--frequency", "icons-200k", "--json")
    assert found["n"] == SHOWN
    assert found["n_unknown"] == 0
    counts = output("frequency", "show", "icons-200k", "--json")["concepts"]
    assert all(counts[key]["image"] == count for key, count, _, _ in found["rows"])
    for figure in ("slope_per_decade", "pearson", "spearman"):
        assert found[figure]["low"] <= found[figure]["value"] <= found[figure]["high"]
    assert run("curve", MODEL, str(folder), "--frequency", "icons-200k").stdout.strip()


def test_a_second_evaluation_embeds_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = output("evaluate", MODEL, str(folder), "--prompts", "class")
    monkeypatch.setattr("core.evaluation.evaluate.encoders", lambda: pytest.fail("the model was asked again"))
    assert output("evaluate", MODEL, str(folder), "--prompts", "class") == first


def test_lists_have_the_agreed_keys() -> None:
    models = output("models", "--json")
    assert {"id", "kind", "available"} <= set(models[0])
    assert MODEL in [model["id"] for model in models if model["available"]]
    assert "ViT-B-32,laion2b_s34b_b79k" in [model["id"] for model in models]
    sets = {item["id"]: item for item in output("datasets", "--json")}
    assert (sets["icons"]["n_classes"], sets["icons"]["n_images"]) == (586, 586 * 20)
    assert sets["icons-tail"]["n_classes"] == 586 // 5
    assert sets["letitwag"]["available"] is False
    listed = output("frequency", "list", "--json")
    sources = {item["name"] for item in listed}
    assert {item["origin"] for item in listed if item["name"] in ("icons-10k", "letitwag:cc3m")} == {
        "shipped",
        "published",
    }
    published = output("frequency", "list", "--origin", "published", "--json")
    assert published == [item for item in listed if item["name"].startswith(("published:", "letitwag:"))]
    assert {model["pretraining"] for model in models if model["kind"] == "icon"} <= sources


def test_cache_info_verify_and_clear(folder: Path) -> None:
    run("embed", MODEL, str(folder))
    info = output("cache", "info", "--json")
    assert info["matrices"][0]["rows"] == 48
    assert run("cache", "verify").exit_code == 0
    assert "cleared" in run("cache", "clear", "--yes").stdout
    assert output("cache", "info", "--json")["matrices"] == []


@pytest.mark.slow
def test_a_corpus_can_be_counted_by_anyone(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    assert run("icons", "corpus", "icons-10k", "--out", str(tmp_path)).exit_code == 0
    table = pq.read_table(tmp_path / "icons-10k.parquet")
    assert table.num_rows == 10_000
    counts = output("frequency", "show", "icons-10k", "--json")["concepts"]
    drawn = table.column("concept").to_pylist()
    assert drawn.count("frog") == counts["frog"]["image"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("evaluate", "icon-RM,icons-200k", "icons"), "did you mean"),
        (("evaluate", MODEL, "no-such-set"), "no-such-set"),
        (("evaluate", MODEL, "icons", "--prompts", "esemble"), "did you mean"),
        (("evaluate", MODEL, "icons", "--prompts", "a photo without a slot"), "slot"),
        (("curve", MODEL, "icons", "--frequency", "icons-300k"), "did you mean"),
        (("evaluate", "ViT-B-32,laion2b_s34b_b79k", "icons"), "python -m core fetch model ViT-B-32,laion2b_s34b_b79k"),
        (("evaluate", MODEL, "letitwag"), "fetch set letitwag"),
        (("bench", "--only", "no_such_row"), "no_such_row"),
    ],
)
def test_every_mistake_is_one_sentence(
    arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tailscope", *arguments])
    assert main() != 0
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1
    assert "Traceback" not in message


def test_a_number_that_is_none_is_a_dash_in_tables(capsys: pytest.CaptureFixture[str]):
    echo_table(("count", "low"), [(5, f"{float('nan'):.3f}"), ("nanny", 0.5)])
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["count", "low"], ["5", "–"], ["nanny", "0.5"],
    ]  # fmt: skip
