"""Answers of every origin: published scores against the released files, imports, and which counts belong to a model."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from typer.testing import CliRunner

from core.analysis.curve import as_json, curve
from core.cli.app import app
from core.errors import BadInput, NotHere, UnknownName, UnreadableData
from core.evaluation import imported as imported_answers
from core.evaluation import origins
from core.frequency import choice, sources
from core.frequency import published as source
from core.frequency.table import match
from core.published.answers import IMAGES, find_set, published_answer, published_sets
from core.published.models import find_model, published_models
from core.stats.intervals import wilson
from core.types import ClassAnswer
from tests.shipped_release import load

RN50 = "RN50-quickgelu,cc12m"


def released(image_set: str, prompts: str, model: str = "backboneRN50_pretrainedcc12m") -> dict[str, float]:
    return load(Path(f"zero_shot_evaluations/{image_set}_{prompts}_results.json"))[model]["classwise"]


def counted(image_set: str, pretraining: str, method: str) -> dict[str, int]:
    return load(Path(f"search_counts/{image_set}_{pretraining}_{method}_search_counts.json"))


def run(*arguments: str) -> dict:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


class TestPublishedAnswers:
    @pytest.mark.parametrize("prompts", ["class", "simple", "ensemble"])
    @pytest.mark.parametrize("image_set", ["imagenet", "cub", "eurosat", "imagenet-r"])
    def test_they_are_the_released_values(self, image_set: str, prompts: str):
        found = published_answer(RN50, image_set, prompts)
        expected = released(image_set, prompts)
        assert {score.key: score.accuracy for score in found.classes} == pytest.approx(
            {key: value / 100 for key, value in expected.items()}
        )
        assert (found.origin, found.lens.prompts) == ("published", prompts)
        assert "MIT licence" in found.provenance

    @pytest.mark.slow
    def test_images_are_told_where_every_score_fits_them(self):
        for image_set, n in IMAGES.items():
            family = "letitwag" if image_set == "letitwag" else "zero-shot"
            asked = [model.id for model in published_models() if family in model.families]
            answers = [published_answer(model, image_set, "ensemble") for model in asked]
            accuracy = np.array([[score.accuracy for score in answer.classes] for answer in answers])
            np.testing.assert_allclose(accuracy * n, np.round(accuracy * n), atol=1e-6)
        score = next(s for s in published_answer(RN50, "imagenet", "simple").classes if s.key == "tench")
        interval = wilson(round(score.accuracy * 50), 50)
        assert (score.n, score.low, score.high) == (50, interval.low, interval.high)
        unknown = published_answer(RN50, "cub")
        assert all(score.n is None and math.isnan(score.low) for score in unknown.classes)
        assert unknown.interval_over == ""

    def test_the_papers_sets_are_pooled_under_their_names(self):
        found = published_answer(RN50, "paper-17", "class")
        assert len(found.keys) == len(set(found.keys)) == 3469
        by_key = {score.key: score.accuracy for score in found.classes}
        assert by_key["food101/pizza"] == released("food101", "class")["pizza"] / 100
        assert by_key["cifar10/airplane"] == released("cifar10", "class")["plane"] / 100
        table = sources.load_source("published:cc12m/integrated_tlemmatized_i0.7")
        shown = curve(found, table)
        assert shown.n == 3469
        assert set(match(table, found.keys, found.names).steps.values()) == {"name"}
        counts = {row.key: row.count for row in shown.rows}
        assert counts["cifar10/airplane"] == counted("cifar10", "cc12m", "integrated_tlemmatized_i0.7")["airplane"]

    @pytest.mark.parametrize("name", [one.id for one in published_sets()])
    def test_every_set_has_an_answer_without_a_word_about_prompts(self, name: str):
        found = published_answer("ViT-B-16,laion400m", name)
        assert found.lens.prompts in next(one for one in published_sets() if one.id == name).strategies
        assert 0 < found.mean_per_class_recall < 1

    @pytest.mark.parametrize(
        ("typed", "id"),
        [
            ("RN50,cc12m", RN50), (RN50, RN50), ("RN50/cc12m", RN50), ("rn50,CC12M", RN50),
            ("ViT-B-16,laion400m", "ViT-B-16,laion400m_e32"),
            ("ViT-B-16-quickgelu,laion400m_e32", "ViT-B-16,laion400m_e32"),
            ("ViT-H-14,laion2b", "ViT-H-14,laion2b_s32b_b79k"), ("RN50,cc3m", "RN50,cc3m"),
            ("ViT-B-16,laion400m_e31", None), ("ViT-B-16", None), ("", None),
        ],
    )  # fmt: skip
    def test_models_by_open_clips_names_and_the_authors(self, typed: str, id: str | None):
        found = find_model(typed)
        assert (found.id if found else None) == id

    def test_every_model_is_found_by_either_name(self):
        for model in published_models():
            assert find_model(model.id) == find_model(f"{model.backbone},{model.pretraining}") == model

    @pytest.mark.parametrize(
        ("typed", "id"),
        [("wds_imagenet1k", "imagenet"), ("fgvc_aircraft", "fgvcaircraft"), ("vtab/pets", "oxfordpets"), ("t2i", None)],
    )
    def test_sets_by_the_names_of_benchmarks(self, typed: str, id: str | None):
        found = find_set(typed)
        assert (found.id if found else None) == id

    def test_what_the_release_lacks_is_said(self):
        with pytest.raises(BadInput, match="has Let It Wag! under ensemble, not under 'simple'"):
            published_answer(RN50, "letitwag", "simple")
        with pytest.raises(NotHere, match="no scores of RN50,laion5b"):
            published_answer("RN50,laion5b", "imagenet")
        with pytest.raises(NotHere, match=r"no scores on mnist\. It has paper-17, letitwag"):
            published_answer(RN50, "mnist")
        with pytest.raises(NotHere, match="no ensemble scores of ViT-H-14, dfn on imagenet"):
            published_answer("ViT-H-14-quickgelu,dfn5b", "imagenet", "ensemble")


class TestCommands:
    def test_let_it_wag_under_laion400m(self):
        found = run("curve", "ViT-B-16,laion400m", "letitwag", "--json")
        counts = {one.key: one.counts["laion400m/integrated"] for one in source_concepts()}
        scores = load(Path("evaluations/let_it_wag_ensemble_results.json"))
        scores = scores["backboneViT-B-16_pretrainedlaion400m"]["classwise"]
        assert found["origin"] == "published"
        assert found["frequency"]["name"] == "published:laion400m/integrated_tlemmatized_i0.7"
        assert (found["n"], found["n_classes"], found["n_zero"], found["n_unknown"]) == (290, 290, 225, 0)
        assert {key: count for key, count, _, _ in found["rows"]} == counts
        assert {key: value for key, _, value, _ in found["rows"]} == pytest.approx(
            {key: value / 100 for key, value in scores.items()}
        )
        assert {n for *_, n in found["rows"]} == {450}
        seen = [(math.log10(counts[key]), scores[key] / 100) for key in counts if counts[key]]
        line = scipy.stats.linregress(*zip(*seen, strict=True))
        assert found["slope_per_decade"]["value"] == pytest.approx(line.slope)
        assert found["pearson"]["value"] == pytest.approx(line.rvalue)
        assert found["groups"]["tail"] | {"accuracy": 0} == {"n": 225, "count_from": 0, "count_to": 0, "accuracy": 0}
        assert found["tail_is"] == "never counted"

    def test_a_kind_of_count_chooses_its_own_table(self):
        found = run("curve", "ViT-B-16,laion400m", "letitwag", "--method", "image", "--json")
        assert found["frequency"]["name"] == "published:laion400m/rampp0.7"
        assert found["n_zero"] == 75
        assert "by image (RAM++ 0.7)" in found["choice"]

    def test_imagenet_under_cc12m(self):
        found = run("curve", RN50, "imagenet", "--json")
        counts, scores = counted("imagenet", "cc12m", "integrated_tlemmatized_i0.7"), released("imagenet", "simple")
        assert {key: count for key, count, _, _ in found["rows"]} == counts
        assert found["prompts"] == "simple"
        rho = scipy.stats.spearmanr([counts[key] for key in counts], [scores[key] for key in counts])[0]
        assert found["spearman"]["value"] == pytest.approx(rho, abs=1e-6)
        ranked = sorted(counts.values())
        tail = [scores[key] for key in counts if counts[key] <= ranked[199]]
        assert found["groups"]["tail"]["n"] == len(tail)
        assert found["groups"]["tail"]["accuracy"]["value"] == pytest.approx(np.mean(tail) / 100)
        assert set(found["shape"]) >= {"kind", "test", "p", "break"}
        assert found["choice"].startswith("Counted in CC-12M by text and image")

    def test_prompts_are_compared_over_classes(self):
        found = run("compare", RN50, "imagenet", "--prompts", "class", "--prompts", "ensemble", "--json")
        before, after = released("imagenet", "class"), released("imagenet", "ensemble")
        change = np.array([after[key] - before[key] for key in before]) / 100
        (pair,) = found["pairs"]
        assert pair["delta"] == pytest.approx(change.mean())
        assert pair["low"] < pair["delta"] < pair["high"]
        normal = 1.96 * change.std(ddof=1) / math.sqrt(len(change))
        assert pair["high"] - pair["low"] == pytest.approx(2 * normal, rel=0.1)
        assert pair["classes"] | {"p": 0} == {
            "test": "random signs over classes", "p": 0,
            "gained": int((change > 0).sum()), "lost": int((change < 0).sum()),
        }  # fmt: skip
        assert pair["mcnemar"] == {"b01": None, "b10": None, "p": None}
        lenses = found["lenses"]
        assert lenses[f"{RN50}::imagenet::class"]["acc1"] == pytest.approx(np.mean(list(before.values())) / 100)
        assert lenses[f"{RN50}::imagenet::class"]["ece"] is None
        assert lenses[f"{RN50}::imagenet::class"]["n"] == 50_000

    def test_evaluate_gives_every_class(self):
        found = run("evaluate", RN50, "imagenet")
        assert found["metrics"]["acc1"] == pytest.approx(np.mean(list(released("imagenet", "simple").values())) / 100)
        assert found["classwise"]["tench"]["n"] == 50
        assert found["origin"] == "published"

    def test_retrieval_is_told_by_the_names_of_its_metrics(self):
        found = run("evaluate", "RN50,cc3m", "coco", "--prompts", "i2t_k=5")
        assert found["task"] == "zeroshot_retrieval"
        scores = load(Path("retrieval_evaluations/coco_i2t_k=5_results.json"))["backboneRN50_pretrainedcc3m"]
        values = {key: value for key, value in scores["conceptwise"].items() if key}
        assert {key: cell["accuracy"] for key, cell in found["classwise"].items()} == pytest.approx(values)
        assert set(found["metrics"]) == {"text_retrieval_recall@5", "mean_per_class_recall"}

    def test_what_is_published_is_listed(self):
        models, sets = run("published", "models", "--json"), run("published", "sets", "--json")
        assert (len(models), len(sets)) == (41, 23)
        assert next(one for one in models if one["id"] == RN50)["pretraining"] == "cc12m"

    def test_where_only_the_whole_was_published_that_is_given(self):
        found = run("evaluate", "ViT-L-14,openai", "imagenet")
        assert found["metrics"]["acc1"] == 0.7554
        assert found["classwise"] == {}
        assert "openclip_results.csv" in found["provenance"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("curve", "ViT-B-32,laion2b_s34b_b79k", "imagenet"), "no counts are taken for the model's own"),
            (("evaluate", RN50, "imagenet", "--prompts", "waffle"), "class, simple, ensemble, not under 'waffle'"),
            (("evaluate", RN50, "imagenet", "--origin", "live"), "python -m core fetch model"),
            (("evaluate", "icon-RN,icons-50k", "imagenet", "--origin", "live"), "give the path of a copy on this disk"),
            (("evaluate", RN50, "imagenet", "--origin", "imported"), "bring them in with: python -m core answers"),
            (("evaluate", "RN50,nosuch", "imagenet"), "No model is called"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_answered_is_one_sentence(self, arguments: tuple[str, ...], message: str):
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == 1
        assert message in str(result.exception)


def source_concepts():
    from core.published.letitwag import concepts

    return concepts()


class TestChoice:
    KEYS = ("tench", "goldfish", "vine snake")

    @pytest.mark.parametrize(
        ("model", "chosen"),
        [
            ("ViT-B-16,laion400m_e31", "laion400m"), ("ViT-B-32-quickgelu,laion400m_e32", "laion400m"),
            ("RN50,cc12m", "cc12m"), ("RN101,yfcc15m", "yfcc15m"), ("RN50,cc3m", "cc3m"),
            ("convnext_base,laion400m_s13b_b51k", "laion400m"), ("ViT-B-16,synthci30m", "synthci30m"),
        ],
    )  # fmt: skip
    def test_the_tag_names_the_pretraining_set(self, model: str, chosen: str):
        found = choice.choose(model, self.KEYS)
        assert found.source == f"published:{chosen}/integrated_tlemmatized_i0.7"
        assert (found.matched, found.total, found.offers) == (3, 3, ())
        assert sources.own(model, self.KEYS) == found.source

    @pytest.mark.parametrize(
        "model",
        ["ViT-L-14,openai", "ViT-B-32,laion2b_s34b_b79k", "ViT-B-16,datacomp_xl_s13b_b90k", "ViT-B-16-SigLIP,webli",
         "ViT-B-16,dfn2b", "ViT-B-32-quickgelu,metaclip_400m", "hf-hub:org/repo", "local-dir:/somewhere"],
    )  # fmt: skip
    def test_others_are_offered_the_nearest_and_given_none(self, model: str):
        found = choice.choose(model, self.KEYS)
        assert found.source == sources.own(model) == ""
        assert found.offers[0].source == "published:laion400m/integrated_tlemmatized_i0.7"
        assert "no counts are taken for the model's own" in found.sentence

    def test_the_method_that_joins_most_classes_is_taken(self, monkeypatch: pytest.MonkeyPatch):
        whole = source.table

        def patchy(name: str, method: str):
            table = whole(name, method)
            kept = {key: n for key, n in table.counts.items() if key != "tench" or method == "image"}
            return type(table)(table.name, table.source, table.method, kept)

        choice._choose.cache_clear()
        monkeypatch.setattr(source, "table", patchy)
        found = choice.choose("RN50,cc12m", self.KEYS)
        choice._choose.cache_clear()
        assert (found.source, found.matched) == ("published:cc12m/rampp0.7", 3)

    @pytest.mark.parametrize(
        ("model", "counts", "words"),
        [
            ("RN50,cc12m", "published:cc12m/rampp0.7", ""), ("icon-RN,icons-50k", "icons-50k", ""),
            ("ViT-B-16,laion400m_e32", "letitwag:laion400m", ""),
            ("ViT-B-32,laion2b_s34b_b79k", "published:laion400m/rampp0.7", "LAION-400M"),
            ("RN50,cc12m", "published:cc3m/lemmatized", "CC-3M"), ("RN50,cc12m", "imported:mine", "mine (imported)"),
        ],
    )  # fmt: skip
    def test_counts_of_another_set_are_called_by_its_name(self, model: str, counts: str, words: str):
        assert choice.elsewhere(model, counts) == words

    def test_sentences_speak_of_the_set_that_was_counted(self):
        arguments = ["curve", "ViT-B-32,laion2b_s34b_b79k", "imagenet", "--frequency", "published:laion400m/rampp0.7"]
        told = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
        assert "the count in LAION-400M" in told
        assert "pretraining frequency" not in told

    def test_icon_models_keep_their_corpus(self):
        assert sources.own("icon-RN,icons-50k") == "icons-50k"

    def test_truncated_tables_are_marked(self):
        truncated = {step.name for step in source.steps() if step.truncated}
        assert truncated == {
            "published:yfcc15m/lowercased",
            *(f"published:laion_aesthetics/{m}" for m in ("integrated_tlemmatized_i0.7", "lemmatized", "rampp0.7")),
        }
        step = next(step for step in source.steps() if step.name == "published:cc3m/rampp0.65")
        assert (step.pretraining_label, step.how, step.threshold) == ("CC-3M", "image", 0.65)


CSV = {
    "by class": ("class,accuracy,n\ntench,0.5,10\ngoldfish,0.25,8\n", {"tench": (0.5, 10), "goldfish": (0.25, 8)}),
    "in percent": ("name,acc\ntench,50\ngoldfish,25%\n", {"tench": (0.5, None), "goldfish": (0.25, None)}),
    "by image": (
        "image,true,predicted\na,tench,tench\nb,tench,goldfish\nc,goldfish,goldfish\n",
        {"tench": (0.5, 2), "goldfish": (1.0, 1)},
    ),
}
BAD = {
    "names “tench” a second time": "class,accuracy\ntench,0.5\ntench,0.6\n",
    "is no number from 0 to 1": "class,accuracy\ntench,good\n",
    "is no number of images": "class,accuracy,n\ntench,0.5,-3\n",
    "has no class": "class,accuracy\n,0.5\n",
    "has no rows": "class,accuracy\n",
    "needs one row an image": "a,b\n1,2\n",
}


class TestImportedAnswers:
    @pytest.mark.parametrize("kind", CSV)
    def test_tables_become_answers(self, kind: str, tmp_path: Path):
        text, expected = CSV[kind]
        (tmp_path / "mine.csv").write_text(text)
        imported_answers.keep(tmp_path / "mine.csv", name="mine", model="my,model", image_set="imagenet")
        found = origins.answer(origins.Question("my,model", "imagenet"), "auto", None)
        assert isinstance(found, ClassAnswer)
        assert {score.key: (score.accuracy, score.n) for score in found.classes} == expected
        assert found.origin == "imported"
        table = sources.load_source("published:laion400m/rampp0.7")
        assert as_json(curve(found, table), found, table)["n"] == 2

    def test_a_published_answer_comes_back_as_it_was(self, tmp_path: Path):
        out = tmp_path / "rn50.json"
        CliRunner().invoke(app, ["evaluate", RN50, "imagenet", "--out", str(out)], catch_exceptions=False)
        result = CliRunner().invoke(app, ["answers", "import", str(out)], catch_exceptions=False)
        assert "imported:rn50, from rn50.json: RN50-quickgelu,cc12m on imagenet, 1,000 classes." in result.stdout
        found, published = imported_answers.load("rn50"), published_answer(RN50, "imagenet", "simple")
        assert found.keys == published.keys
        assert [score.n for score in found.classes] == [50] * 1000
        np.testing.assert_allclose([s.accuracy for s in found.classes], [s.accuracy for s in published.classes])
        listed = json.loads(CliRunner().invoke(app, ["answers", "list", "--json"]).stdout)
        assert [row["name"] for row in listed] == ["rn50"]
        imported_answers.delete("rn50")
        assert imported_answers.names() == []
        with pytest.raises(UnknownName):
            imported_answers.load("rn50")

    @pytest.mark.parametrize(("reason", "text"), BAD.items(), ids=list(BAD))
    def test_a_bad_file_leaves_nothing(self, reason: str, text: str, tmp_path: Path):
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises(UnreadableData, match=reason):
            imported_answers.keep(tmp_path / "bad.csv", name="bad", model="my,model", image_set="imagenet")
        assert imported_answers.names() == []

    def test_what_it_is_of_must_be_told(self, tmp_path: Path):
        (tmp_path / "mine.csv").write_text(CSV["by class"][0])
        with pytest.raises(BadInput, match="does not say which model its results are of; give --model"):
            imported_answers.keep(tmp_path / "mine.csv", name="mine")
        with pytest.raises(BadInput, match="cannot name"):
            imported_answers.keep(tmp_path / "mine.csv", name="../mine", model="m,m", image_set="s")

    def test_damage_is_told(self, tmp_path: Path):
        (tmp_path / "mine.csv").write_text(CSV["by class"][0])
        imported_answers.keep(tmp_path / "mine.csv", name="mine", model="my,model", image_set="imagenet")
        for text in ("{", "[]", '{"schema": 1}', '{"schema": 1, "classes": [["a", "a", 7, 1]]}'):
            (imported_answers.folder() / "mine.json").write_text(text)
            with pytest.raises(UnreadableData, match="damaged"):
                imported_answers.load("mine")
