"""Published figures, and what makes a run differ from them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cache import keys
from core.analysis import references
from core.analysis.discrepancy import explain
from core.analysis.references import Reference
from core.icons.concepts import concepts
from core.models import registry as models
from core.published.openclip import set_name
from core.types import Answer, Lens
from tests.answers import make_answer


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch):
    """No need to look for files or to read open_clip's own list of models."""
    monkeypatch.setattr(models, "kind", lambda model: "icon" if model.startswith("icon-") else "open_clip")
    monkeypatch.setattr(
        models,
        "quickgelu_warning",
        lambda model: f"{model} runs the wrong activation" if model == "ViT-B-32,openai" else None,
    )


def run(
    model: str, image_set: str, *, right: int, n: int, classes: int = 10, prompts: str = "ensemble", **model_facts: Any
) -> Answer:
    labels = np.arange(n) % classes
    answer = make_answer(
        labels, np.where(np.arange(n) < right, labels, (labels + 1) % classes), keys=[str(i) for i in range(classes)]
    )
    facts = {"precision": "float32", "preprocessing": {"interpolation": "bicubic"}, "warnings": [], "versions": {}}
    return replace(
        answer, lens=Lens(model, image_set, prompts), fingerprint={"model": facts | model_facts, "prompts": {}}
    )


def test_every_figure_is_a_share_with_a_source():
    found = references.table()
    assert len(found) > 150
    for one in found:
        assert 0 < one.acc1 < 1
        assert one.images >= 711 or not one.images
        assert "http" in one.source
    assert len({(one.arch, one.pretrained, one.set, one.prompts, one.source) for one in found}) == len(found)
    by = {(one.arch, one.pretrained, one.set, one.prompts, one.source.partition(",")[0]): one.acc1 for one in found}
    # Against the project's notes on the same file, copied independently.
    assert by["ViT-B-32-quickgelu", "openai", "imagenet1k", "ensemble", "open_clip"] == 0.6332
    assert by["ViT-B-32-quickgelu", "openai", "imagenet_sketch", "ensemble", "open_clip"] == 0.4229
    assert by["ViT-H-14", "laion2b_s32b_b79k", "objectnet", "ensemble", "open_clip"] == 0.6941
    assert by["RN50x16", "openai", "imagenet-a", "ensemble", "open_clip"] == 0.5724
    assert by["ViT-L-14", "datacomp_xl_s13b_b90k", "imagenet-r", "ensemble", "open_clip"] == 0.9083
    assert by["ViT-B-16", "openai", "imagenet1k", "cupl-full", "ProText"] == 0.6962
    assert by["ViT-L-14", "openai", "imagenet1k", "waffle", "WaffleCLIP"] == 0.7530


def test_cupl_over_several_sets_has_the_averages_that_were_printed_with_it():
    """ProText prints CuPL's mean over eleven sets, and CLIP's over the ten beside ImageNet."""
    found = [one for one in references.prompt_figures("ViT-B-16,openai") if not one.set.startswith("imagenet-")]
    found = [one for one in found if one.set not in ("imagenetv2", "imagenet_sketch")]
    cupl = [one.acc1 for one in found if one.prompts == "cupl-full"]
    assert len(cupl) == 11
    assert np.mean(cupl) == pytest.approx(0.6931, abs=1e-4)
    assert np.mean([one.acc1 for one in found if one.prompts == "one-template"]) == pytest.approx(0.6515, abs=1e-4)
    assert "RN50-quickgelu,openai" in references.prompt_models()
    assert {one.set for one in references.on_sets(["/data/wds_imagenet1k", "my pets"])} == {"imagenet1k"}


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("wds_imagenet1k", "imagenet1k"),
        ("/data/wds_imagenet-a/", "imagenet-a"),
        ("/data/ImageNet", "imagenet1k"),
        ("wds_vtab-cifar100", "cifar100"),
        ("wds_imagenetv2", "imagenetv2"),
        ("imagenet_r", "imagenet-r"),
        ("my pets", "my pets"),
    ],
)
def test_sets_are_recognised(typed, name):
    assert set_name(typed) == name


def test_the_same_prompts_come_first_and_activations_are_one_model():
    answer = run("ViT-B-32,openai", "wds_imagenet1k", right=1, n=10, prompts="dclip:/file.json@max")
    found = references.references(answer)
    assert found[0].prompts == "dclip"
    assert {one.arch for one in found} == {"ViT-B-32-quickgelu"}
    assert len(found) == 5
    both = references.references(run("ViT-B-32,laion400m_e32", "wds_imagenet1k", right=1, n=10))
    assert [one.acc1 for one in both] == [0.6024]
    assert references.references(run("ViT-B-32,openai", "my pets", right=1, n=10)) == ()


def test_a_run_like_the_published_one_is_reproduced():
    answer = run("ViT-B-16,openai", "wds_cifar10", right=9077, n=10_000, prompts="dataset")
    (reference,) = references.references(answer)
    found = explain(answer, reference)
    assert found.difference == pytest.approx(0, abs=1e-9)
    assert found.noise
    assert not [cause for cause in found.causes if cause.seen]
    assert (
        found.sentence
        == "This run reproduces the published 90.8 %; the fingerprint shows no reason; chance explains the difference."
    )


def test_what_the_fingerprint_shows_is_told():
    answer = run(
        "ViT-B-32,openai", "wds_cifar10", right=700, n=1000, classes=20, prompts="simple",
        precision="bf16", preprocessing={"interpolation": "bilinear"}, warnings=["Default preprocessing."],
    )  # fmt: skip
    found = explain(answer, references.references(answer)[0])
    assert [cause.title for cause in found.causes if cause.seen] == [
        "prompts", "images", "classes", "activation", "precision", "interpolation", "loading",
    ]  # fmt: skip
    assert not found.noise
    assert "reaches 70.0 %, 19.8 points below the published 89.8 %" in found.sentence
    assert "1,000 of 10,000 images" in found.causes[1].detail
    assert not found.causes[-1].seen


def test_aggregation_and_imagenet_names(monkeypatch):
    answer = run("ViT-B-16,openai", "wds_imagenet1k", right=600, n=1000, classes=1000, prompts="cupl-full@max")
    answer.fingerprint["prompts"]["aggregation"] = "max"
    answer.fingerprint["names"] = keys.digest(["other"])
    monkeypatch.setattr("core.analysis.discrepancy._imagenet_names", lambda: keys.digest(["the names"]))
    titles = [cause.title for cause in explain(answer, references.references(answer)[0]).causes]
    assert {"aggregation", "class names", "images"} <= set(titles)
    answer.fingerprint["names"] = keys.digest(["the names"])
    assert "class names" not in [cause.title for cause in explain(answer, references.references(answer)[0]).causes]


def test_the_committed_run_of_an_icon_model_is_compared_entry_by_entry(tmp_path, monkeypatch):
    recorded = {
        "acc1": 0.5, "n": 586, "images": "i", "names": "n", "prompts": {"sentences": "s"},
        "model": {"weights": "w1", "precision": "float32", "device": "cpu", "versions": {"torch": "2.0"}},
    }  # fmt: skip
    (tmp_path / "icons_simple.json").write_text(json.dumps(recorded))
    monkeypatch.setattr(models, "icon_folder", lambda _: tmp_path)
    classes = len(concepts())
    answer = run("icon-RN,icons-50k", "icons", right=300, n=586, classes=classes, prompts="simple")
    answer = replace(answer, fingerprint=json.loads(json.dumps(recorded)))
    (reference,) = references.references(answer)
    assert isinstance(reference, Reference)
    assert explain(answer, reference).causes == ()
    answer.fingerprint["model"] |= {"weights": "w2", "device": "cuda", "versions": {"torch": "3.0"}}
    answer.fingerprint["images"] = "other"
    found = explain(answer, reference)
    assert [cause.title for cause in found.causes] == ["weights", "pictures", "environment"]
    assert "torch 3.0 / 2.0, device cuda / cpu" in found.causes[-1].detail
    assert references.references(run("icon-RN,icons-50k", "icons-tail", right=1, n=9)) == ()
