"""The views around the curves: Let It Wag! facts, one's own run among the published ones, sources, the command line."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from cache import kept
from core.charts.published import honest_figure
from core.cli.app import app
from core.errors import BadInput, UnknownName, UnreadableData
from core.frequency import published as source
from core.published import corpora, letitwag, overlay, recipe_honest, runs, store
from core.published.anomalies import ratio_flags
from core.published.importer import import_release
from core.published.pool import Combination, Rows
from core.published.runs import Run
from core.published.view import View, draw
from core.text.spelling import alike
from tests import published_release


def counts(release: Path, dataset: str, method: str = "rampp0.7") -> dict[str, int]:
    return published_release.load(release / "search_counts" / f"{dataset}_cc3m_{method}_search_counts.json")


class TestLetItWag:
    def test_the_committed_facts(self):
        concepts, models = letitwag.concepts(), letitwag.models()
        assert (len(concepts), len(models)) == (290, 40)
        assert {c.family for c in concepts} > {"bird", "dog", "aircraft"}
        assert sum(c.counts["laion400m/image"] == 0 for c in concepts) == 75
        assert max(c.counts["laion400m/image"] for c in concepts) == 8_864
        assert {c.name: c.counts["laion400m/image"] for c in concepts}["Bank Swallow"] == 8_864
        assert [m.name for m in models if m.note] == ["ViT-B-32 · laion400m"]
        assert models[0].name == "ViT-H-14 · dfn"

    def test_the_two_segments_are_the_notebooks(self):
        fits = letitwag.fits()
        assert fits["below"].slope == pytest.approx(0.6030346846828196, rel=1e-12)
        assert fits["above"].slope == pytest.approx(1.5776268224701806, rel=1e-12)
        assert (fits["below"].n, fits["above"].n, fits["all"].n) == (9, 31, 40)

    def test_scale_compares_within_training_sets(self):
        models = letitwag.models()
        rng = np.random.default_rng(0)
        sizes = np.log10([model.parameters for model in models])
        quality = {name: rng.uniform(0, 60) for name in sorted({model.pretraining for model in models})}
        offset = np.array([quality[model.pretraining] for model in models])
        accuracy = np.tile((offset + 7 * sizes)[:, None], (1, 290))
        found = letitwag.scale(letitwag.Matrix(models, letitwag.concepts(), accuracy))
        np.testing.assert_allclose(found["gain"], 7)


class TestOverlay:
    def test_exact_names_and_exchanged_spaces_join_others_are_suggested(self, release: Path):
        mine = Run("mine", {"dtd 00": 50.0, "cub_03": 20.0, "DTD 1": 10.0, "nothing like it": 5.0}, "")
        found = overlay.lay_over(mine, pretraining="cc3m", method="rampp0.7")
        assert found.rows.concepts.tolist() == ["dtd 00", "cub 03"]
        assert found.rows.counts.tolist() == [counts(release, "dtd")["dtd 00"], counts(release, "cub")["cub 03"]]
        assert found.spelled == {"cub_03": "cub 03"}
        assert list(found.unmatched) == ["DTD 1", "nothing like it"]
        assert found.unmatched["DTD 1"][0].startswith("dtd")
        assert [item.item for item in found.rows.left_out] == ["DTD 1", "nothing like it"]
        with pytest.raises(BadInput, match="Only 2 of 4"):
            found.record()

    def test_a_mapping_is_kept_for_the_same_classes(self, release: Path):
        mine = Run("mine", {"DTD 1": 10.0, "x": 1.0}, "")
        assert overlay.kept_mapping(mine) == {}
        overlay.keep_mapping(mine, {"DTD 1": "dtd 01"})
        again = Run("other model", {"x": 2.0, "DTD 1": 3.0}, "")
        mapping = overlay.kept_mapping(again)
        found = overlay.lay_over(again, pretraining="cc3m", method="rampp0.7", dataset="dtd", mapping=mapping)
        assert (found.spelled, list(found.unmatched)) == ({"DTD 1": "dtd 01"}, ["x"])
        with pytest.raises(UnknownName, match="no counted name"):
            overlay.lay_over(mine, pretraining="cc3m", method="rampp0.7", mapping={"x": "invented"})

    def test_a_short_name_is_not_like_a_long_one_that_holds_its_letters(self):
        names = {text: text for text in ("t", "at", "a t shirt", "atoms", "blue macaw", "star", "starfish")}
        assert [key for key, _ in alike("atom", names, most=3, at_least=65)] == ["atoms", "at"]
        assert alike("t", {"t shirt": "t shirt", "t": "t"}, most=3, at_least=65) == (("t", 100.0),)
        assert alike("macaw", names, most=1, at_least=65) == (("blue macaw", 90.0),)

    def test_a_bulk_take_proposes_only_what_is_alike_and_can_be_undone(self, release: Path):
        mine = Run("mine", {"DTD 1": 10.0, "DTD 01": 3.0, "t": 1.0}, "")
        found = overlay.lay_over(mine, pretraining="cc3m", method="rampp0.7", dataset="dtd")
        assert [(one.name, one.counted) for one in overlay.proposals(found, 95)] == [("DTD 01", "dtd 01")]
        assert {one.name for one in overlay.proposals(found, 65)} == {"DTD 1", "DTD 01"}
        assert overlay.mapping_before(mine) is None
        overlay.keep_mapping(mine, {"DTD 1": "dtd 01"})
        overlay.keep_mapping(mine, {"DTD 1": "dtd 02"})
        overlay.undo_mapping(mine)
        assert (overlay.kept_mapping(mine), overlay.mapping_before(mine)) == ({"DTD 1": "dtd 01"}, None)
        overlay.undo_mapping(mine)
        assert overlay.kept_mapping(mine) == {"DTD 1": "dtd 01"}

    def test_a_mapping_that_an_older_version_kept_is_read(self):
        mine = Run("mine", {"a": 1.0}, "")
        kept.write(overlay._mapping_path(mine), {"a": "b"})
        assert (overlay.kept_mapping(mine), overlay.mapping_before(mine)) == ({"a": "b"}, None)

    def test_a_full_run_gives_both_records(self, release: Path):
        values = {name: float(index) for index, name in enumerate(counts(release, "imagenet"))}
        found = overlay.lay_over(Run("m", values, ""), pretraining="cc3m", method="rampp0.7", dataset="imagenet")
        honest, paper = found.record(), found.record("paper")
        assert honest["n_rows"] == paper["n_rows"] == published_release.CLASSES
        assert honest["datasets"] == ["imagenet"]

    def test_unknown_counts_are_told(self, release: Path):
        with pytest.raises(UnknownName, match=r"no rampp0\.5 counts of cc3m"):
            overlay.lay_over(Run("m", {"a": 1.0}, ""), pretraining="cc3m", method="rampp0.5")


class TestRuns:
    def test_the_releases_schema(self):
        (run,) = runs.read(b'{"backboneRN50": {"full": 1, "classwise": {"a": 25.5, "b": 0}}}', "mine.json")
        assert (run.name, dict(run.values)) == ("backboneRN50", {"a": 25.5, "b": 0.0})

    def test_clip_benchmarks_schema(self):
        entry = {
            "model": "RN50", "pretrained": "x", "task": "zeroshot_classification", "metrics": {"acc1": 0.5},
            "classwise": {
                "n01": {"name": "tench", "accuracy": 0.25, "n": 4},
                "n02": {"name": "eel", "accuracy": None, "n": 0},
            },
        }  # fmt: skip
        (run,) = runs.read(json.dumps(entry).encode(), "mine.json")
        assert (run.name, dict(run.values)) == ("RN50,x", {"tench": 25.0})

    @pytest.mark.parametrize(
        ("text", "values"),
        [
            ("label,said\na,a\na,b\nb,b\n", {"a": 50.0, "b": 100.0}),
            ("Class,Correct\na,1\na,0\na,false\na,TRUE\n", {"a": 50.0}),
        ],
    )
    def test_a_table_of_images(self, text: str, values: dict[str, float]):
        (run,) = runs.read(text.encode(), "mine.csv")
        assert dict(run.values) == values

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("a.json", b'{"m": {"full": 1, "classwise": {"a": 101}}}', "from 0 to 100"),
            ("a.json", b'{"task": "x", "metrics": {}}', "classwise"),
            ("a.json", b'{"a": 1, "a": 2}', "occurs twice"),
            ("a.json", b"[]", "holds no results"),
            ("a.json", b"3", "no object"),
            ("a.csv", b"label,other\na,b\n", "true class"),
            ("a.csv", b"label,correct\na,maybe\n", "row 2"),
            ("a.csv", b"label,said\n", "no rows"),
            ("a.csv", b"\xff\xfe", "not a CSV"),
        ],
    )
    def test_what_cannot_be_used_says_why(self, name: str, content: bytes, reason: str):
        with pytest.raises(UnreadableData, match=reason):
            runs.read(content, name)


class TestCorpora:
    def test_gini_is_the_mean_difference(self):
        values = np.random.default_rng(0).integers(1, 1_000, 80)
        mean_difference = np.abs(values[:, None] - values[None, :]).mean()
        assert corpora.gini(values) == pytest.approx(mean_difference / (2 * values.mean()))
        assert corpora.gini(np.full(10, 3)) == pytest.approx(0)

    def test_by_name_and_by_position_part_when_lists_do_not_line_up(self, release: Path):
        found = {(row["a"], row["b"]): row for row in corpora.correlations(store.open_store(), "lemmatized")}
        # LAION-400M also has ImageNet-Sketch, whose names ImageNet brought in before: the lists still line up.
        row = found["cc3m", "laion400m"]
        assert row["aligned"]
        assert row["by_name"] == row["by_position"]
        assert row["n"] == len(
            {name for name in _names(release, "cc3m")} & {name for name in _names(release, "laion400m")}
        )

    def test_a_long_tail_counts_its_zeros(self, release: Path):
        tail = corpora.long_tail(store.open_store(), "cc3m", "rampp0.7")
        pooled = [n for name in corpora.LONG_TAIL_SETS for n in counts(release, name).values()]
        assert (tail.rows, tail.zeros) == (len(pooled), pooled.count(0))
        assert tail.counts.tolist() == sorted((n for n in pooled if n), reverse=True)
        assert corpora.long_tail(store.open_store(), "cc3m", "rampp0.5") is None


def _names(release: Path, pretraining: str) -> list[str]:
    paths = sorted((release / "search_counts").glob(f"*_{pretraining}_lemmatized_search_counts.json"))
    return [name for path in paths for name in published_release.load(path)]


class TestSource:
    def test_the_release_that_ships_is_there_without_an_import(self):
        assert len(source.infos()) == 43

    def test_unknown_is_not_zero(self, release: Path):
        infos = {info.name: info for info in source.infos()}
        assert infos["published:cc3m/rampp0.7"].methods == ("image", "text", "integrated")
        records = source.records("published:cc3m/rampp0.7")
        assert records["dtd 00"] == {
            "text": counts(release, "dtd", "lemmatized")["dtd 00"],
            "image": counts(release, "dtd")["dtd 00"],
            "integrated": counts(release, "dtd", "integrated_tlemmatized_i0.7")["dtd 00"],
        }
        assert records["imagenet-r 00"]["text"] is None
        assert "" not in records
        table = source.table("published:cc3m/rampp0.7", "image")
        assert table.counts["dtd 00"] == counts(release, "dtd")["dtd 00"]
        assert source.families("published:cc3m/rampp0.7")["dtd 00"] == "texture"

    def test_ratio_flags_are_relative_to_the_set(self):
        image = np.array([1_000, 10_000, 5_000, 100_000, 9_000, -1, 10])
        text = image // 10
        text[3], text[4], text[6] = 30, 80_000, 0
        homonym, missed = ratio_flags(text, image)
        assert np.flatnonzero(homonym).tolist() == [4]
        assert np.flatnonzero(missed).tolist() == [3]


def test_many_threads_may_ask_at_once(release: Path):
    def ask(_: int) -> int:
        return store.open_store().rows("SELECT count(*) FROM scores")[0][0]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(64)))) == 1


class TestCommandLine:
    def run(self, *arguments: str) -> object:
        result = CliRunner().invoke(app, ["published", *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    def test_one_curve_as_strict_json(self, release: Path):
        arguments = ("--pretraining", "cc3m", "--model", "RN50", "--method", "rampp0.7", "--recipe", "paper", "--json")
        record = json.loads(self.run("curve", *arguments), parse_constant=pytest.fail)
        assert record["prompts"] == "class"
        assert record["r"] == pytest.approx(published_release.notebook(release, record)["r"])
        assert "r =" in self.run("curve", *arguments[:-1])
        pair = ("--datasets", "dtd, cub")
        assert json.loads(self.run("curve", *arguments, *pair))["datasets"] == ["cub", "dtd"]

    def test_an_undefined_r_is_null(self, imported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("TAILSCOPE_CACHE", str(tmp_path / "flat"))
        release = published_release.write(tmp_path / "release")
        path = release / "search_counts" / "dtd_cc3m_rampp0.7_search_counts.json"
        path.write_text(json.dumps(dict.fromkeys(published_release.load(path), 5)))
        import_release(release)
        arguments = ("--pretraining", "cc3m", "--model", "RN50", "--method", "rampp0.7", "--datasets", "dtd", "--json")
        record = json.loads(self.run("curve", *arguments, "--recipe", "paper"), parse_constant=pytest.fail)
        assert (record["r"], record["p"]) == (None, None)
        honest = json.loads(self.run("curve", *arguments), parse_constant=pytest.fail)
        assert honest["slope_per_decade"] == {"value": None, "low": None, "high": None}

    def test_all_curves_to_a_file(self, release: Path, tmp_path: Path):
        out = tmp_path / "curves.json"
        self.run("curves", "--recipe", "paper", "--json", "--out", str(out))
        records = json.loads(out.read_text(), parse_constant=pytest.fail)
        assert len(records) == 120
        some = json.loads(self.run("curves", "--family", "retrieval", "--metric", "t2i_k=10", "--json"))
        assert {record["metric"] for record in some} == {"t2i_k=10"}

    def test_list_and_decades(self, release: Path):
        listed = json.loads(self.run("list", "--json"))
        assert {"family", "pretraining", "method", "model", "status", "reason"} <= set(listed[0])
        decades = json.loads(self.run("decades", "--pretraining", "cc3m", "--model", "RN50", "--json"))
        assert [row["from"] for row in decades["decades"]] == [0, 1, 10, 100, 1000]
        assert "zero" in self.run("decades", "--pretraining", "cc3m", "--model", "RN50")

    def test_import_reports(self, release: Path):
        report = json.loads(self.run("import", str(release), "--json"))
        assert report["read"]["counts"] > 100
        assert "skipped" in self.run("import", str(release))


def test_spearman_helpers_agree_with_scipy():
    from core.published.recipe_honest import midranks, pearson

    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, 50), rng.integers(0, 9, 50)
    assert pearson(midranks(x), midranks(y)) == pytest.approx(stats.spearmanr(x, y)[0])


def test_a_bin_of_nothing_but_zeros_has_an_interval(release: Path):
    names = [f"concept {index}" for index in range(12)]
    counts_, values = np.array([1] * 6 + [1000] * 6), np.array([0.0] * 6 + [100.0] * 6)
    rows = Rows(np.arange(12), np.array(["made"] * 12), np.array(names, object), counts_, values, ())
    record = recipe_honest.curve(rows, Combination("zero-shot", "cc3m", "rampp0.7", "class", "RN50"), ("made",))
    low, high = record["bins"]
    wide = stats.binomtest(0, 6).proportion_ci(method="wilson").high
    assert (low["mean"], low["low"], low["high"]) == (0, 0, pytest.approx(100 * wide))
    assert (high["mean"], high["high"], high["low"]) == (100, 100, pytest.approx(100 - 100 * wide))


def test_a_published_line_ends_at_the_ends_of_the_scale(release: Path):
    opened = store.open_store()
    asked = View("zero-shot", "rampp0.7", "class", (("RN50", "cc3m"),))
    (shown,), _ = draw(opened, asked)
    steep = replace(shown, honest={**shown.honest, "slope_per_decade": {"value": 60.0, "low": 50.0, "high": 70.0}})
    line = next(trace for trace in honest_figure([steep]).data if str(trace.name).startswith("fit:"))
    assert min(line.y) >= -1e-9
    assert max(line.y) <= 100 + 1e-9
