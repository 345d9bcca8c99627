"""Supervised classifiers: their answers are a direct forward pass, their classes are mapped by what they mean."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.datasets import open_set
from core.datasets.names import imagenet_classes
from core.datasets.plain import Plain
from core.errors import BadInput, UnknownName, UnreadableData, WeightsMissing
from core.evaluation.evaluate import results
from core.icons.training import classifier
from core.icons.training.baselines import BASELINES, STAND_IN
from core.icons.training.classifier import ClassifierRun, LabelledData, build, fit, labelled, save
from core.supervised import answers
from core.supervised import names as supervised
from core.supervised.ask import answer_for
from core.supervised.classifiers import load
from core.supervised.model import project
from core.supervised.scorer import scorer_for
from core.types import Progress

REFERENCE = "supervised:icon-reference"
ARCH = "test_resnet"
TINY = ClassifierRun("icon-RN", "icons-10k", 10, batch=32, width=4, images=64)


class Part(Plain):
    """The first pictures of every so many of a set, with all of its classes."""

    kind, templates, left_out, has_images, note = "icons", (), (), True, ""

    def __init__(self, image_set, step: int) -> None:
        self.rows = range(0, len(image_set.labels), step)
        self.whole, self.id, self.keys, self.names = (
            image_set,
            f"{image_set.id}/{step}",
            image_set.keys,
            image_set.names,
        )
        self.labels = np.asarray(image_set.labels)[self.rows]
        self.image_ids = [image_set.image_ids[row] for row in self.rows]
        self.fingerprint = f"{image_set.fingerprint}/{step}"

    def image(self, index: int) -> Image.Image:
        return self.whole.image(self.rows[index])

    def prepare(self, report) -> None:
        pass


@pytest.fixture(scope="module")
def data() -> LabelledData:
    return labelled(TINY)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """A timm model with random weights, as safetensors."""
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(3)
    module = timm.create_model(ARCH)
    path = tmp_path_factory.mktemp("timm") / "weights.safetensors"
    save_file({key: value.contiguous() for key, value in module.state_dict().items()}, path)
    return path


def pictures(root: Path, keys: list[str]) -> Path:
    rng = np.random.default_rng(5)
    for key in keys:
        (root / key).mkdir(parents=True)
        for number in range(2):
            Image.fromarray(rng.integers(0, 255, (170, 190, 3), dtype=np.uint8)).save(root / key / f"{number}.png")
    return root


def test_an_answer_is_a_direct_forward_pass():
    from safetensors.torch import load_file

    icons = Part(open_set("icons"), 97)
    answer = answer_for(REFERENCE, icons)
    folder = supervised.folder_of(REFERENCE)
    card = json.loads((folder / "card.json").read_text())
    module = build("icon-RN", width=card["run"]["width"], classes=586).eval()
    module.load_state_dict({key: value.float() for key, value in load_file(folder / "model.safetensors").items()})
    stacked = np.stack([np.asarray(icons.image(index)) for index in range(len(icons.labels))])
    with torch.no_grad():
        logits = module(torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1)
    best = logits.topk(5)
    assert card["classes"] == list(icons.keys)
    np.testing.assert_array_equal(answer.top[:, 0], best.indices[:, 0])
    np.testing.assert_allclose(answer.scores, best.values, atol=1e-4)
    np.testing.assert_allclose(answer.probability, logits.softmax(1).amax(1), atol=1e-5)
    true = logits.gather(1, torch.from_numpy(icons.labels)[:, None])[:, 0]
    other = logits.scatter(1, torch.from_numpy(icons.labels)[:, None], -torch.inf).amax(1)
    np.testing.assert_allclose(answer.margin, true - other, atol=1e-4)
    assert answer.lens.prompts == "supervised"
    assert 0.2 < answer.acc1 < 0.6
    scores = scorer_for(REFERENCE, icons).logits(torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 255)
    np.testing.assert_allclose(scores, logits, atol=1e-4)


def test_an_answer_is_kept_by_weights_and_pictures(monkeypatch):
    part, other = Part(open_set("icons"), 1100), Part(open_set("icons-sketch"), 600)
    first = answer_for(REFERENCE, part)
    assert results().get_json(f"about:{answers.answer_key(REFERENCE, part)}")["fingerprint"]["model"]["weights"]
    assert answers.answer_key(REFERENCE, part) != answers.answer_key(REFERENCE, other)
    monkeypatch.setattr(answers, "_compute", None)  # read, not computed again
    again = answer_for(REFERENCE, part)
    np.testing.assert_array_equal(first.margin, again.margin)


def test_a_set_of_fewer_classes_is_answered_among_them_only():
    tail = Part(open_set("icons-tail"), 300)
    answer, whole = answer_for(REFERENCE, tail), load(REFERENCE)
    assert answer.top.max() < 117
    places = [whole.outputs.index(key) for key in tail.keys]
    logits = whole.encode_images([whole.preprocess(tail.image(row)) for row in range(len(tail.labels))])
    np.testing.assert_array_equal(answer.top[:, 0], logits[:, places].argmax(1))


def test_a_view_is_answered_from_the_logits_of_its_set():
    from core.datasets.subset import matched

    icons, tail = Part(open_set("icons"), 97), Part(open_set("icons-tail"), 300)
    view = matched(icons, tail)
    assert 0 < len(view.labels) < len(icons.labels)
    answer_for(REFERENCE, icons)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.supervised.model.SupervisedModel.encode_images", None)  # read, not computed again
        answer, loaded = answer_for(REFERENCE, view), load(REFERENCE)
    logits = loaded.encode_images([loaded.preprocess(view.image(row)) for row in range(len(view.labels))])
    places = [loaded.outputs.index(key) for key in view.keys]
    np.testing.assert_array_equal(answer.top[:, 0], logits[:, places].argmax(1))
    assert answer.labels.tolist() == view.labels.tolist()


def test_gradients_reach_the_pixels():
    icons = open_set("icons")
    scorer = scorer_for(REFERENCE, icons, "simple")
    pixels = scorer.batch([icons.image(0), icons.image(2000)]).requires_grad_()
    scorer.logits(pixels)[:, 3].sum().backward()
    assert pixels.grad.abs().amax((1, 2, 3)).min() > 0
    assert (scorer.prompts, scorer.keys, scorer.std) == ("supervised", tuple(icons.keys), (0.5, 0.5, 0.5))


def test_the_strongest_output_of_a_class_counts_and_an_unknown_class_is_never_said():
    logits = torch.tensor([[1.0, 5.0, 2.0], [-3.0, -4.0, -9.0]])
    scores = project(logits, torch.tensor([[0, 2], [1, 1], [3, 3]]))
    assert scores.tolist() == [[2.0, 5.0, 0.0], [-3.0, -4.0, -10.0]]


@pytest.mark.slow
@pytest.mark.parametrize("keys", [["n01440764", "n02123045", "n03063599"], "indices"])
def test_timm_classes_are_found_by_wordnet_id_and_by_index(keys, checkpoint, tmp_path):
    import timm
    from timm.data import create_transform, resolve_model_data_config

    wnids = [wnid for wnid, _ in imagenet_classes()]
    if keys == "indices":
        root = tmp_path / "v2"
        for index in range(1000):
            (root / str(index)).mkdir(parents=True)
        listed = [str(index) for index in (0, 281, 504)]
        for key, source in zip(listed, sorted(pictures(tmp_path / "some", listed).iterdir()), strict=True):
            for file in source.iterdir():
                file.rename(root / key / file.name)
        columns = list(range(1000))
    else:
        root = pictures(tmp_path / "wnids", keys)
        columns = [wnids.index(key) for key in sorted(keys)]
    found = open_set(root)
    model = f"timm:{ARCH},{checkpoint}"
    seen: list[Progress] = []
    answer = answer_for(model, found, report=seen.append)
    torch.manual_seed(3)
    module = timm.create_model(ARCH).eval()
    transform = create_transform(**resolve_model_data_config(module), is_training=False)
    with torch.no_grad():
        stacked = torch.stack([transform(found.image(row)) for row in range(len(found.labels))])
        logits = module(stacked)[:, columns]
    np.testing.assert_array_equal(answer.top[:, 0], logits.argmax(1))
    np.testing.assert_allclose(answer.scores[:, 0], logits.amax(1), atol=1e-5)
    assert len(answer.keys) == len(columns)
    assert seen
    assert supervised.canonical(f" timm:{ARCH},{checkpoint} ") == model
    assert supervised.path_of(model) == checkpoint


def test_timm_takes_weights_from_the_hubs_cache_only(checkpoint, monkeypatch, tmp_path):
    folder = tmp_path / "hub" / "models--timm--test_resnet.r160_in1k"
    snapshot = folder / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with pytest.raises(WeightsMissing, match=r"hf download timm/test_resnet.r160_in1k model.safetensors"):
        load(f"timm:{ARCH}.r160_in1k")
    (snapshot / "model.safetensors").write_bytes(checkpoint.read_bytes())
    model = load(f"timm:{ARCH}.r160_in1k", device="cpu")
    assert (model.dim, model.outputs[0], model.std) == (1000, "n01440764", (0.5, 0.5, 0.5))


@pytest.mark.slow
def test_what_does_not_fit_is_told_in_a_sentence(checkpoint, tmp_path):
    icons = open_set("icons")
    with pytest.raises(BadInput, match="ImageNet's classes, and icons/2000 has none"):
        answer_for(f"timm:{ARCH},{checkpoint}", Part(icons, 2000))
    folders = open_set(pictures(tmp_path / "set", ["n01440764", "n02123045"]))
    with pytest.raises(BadInput, match="concepts of the icons"):
        answer_for(REFERENCE, folders)
    with pytest.raises(UnknownName, match="did you mean supervised:icon-reference"):
        answer_for("supervised:icon-referense", folders)
    with pytest.raises(UnknownName, match="timm has no model 'resnet5'"):
        answer_for("timm:resnet5", folders)
    with pytest.raises(UnknownName, match=r"timm has no weights 'resnet50.nope'"):
        answer_for("timm:resnet50.nope", folders)
    with pytest.raises(UnreadableData, match="There is no file"):
        answer_for(f"timm:{ARCH},{tmp_path}/none.pt", folders)
    with pytest.raises(UnreadableData, match="is no supervised classifier"):
        answer_for(f"supervised:{tmp_path}/none", folders)
    with pytest.raises(UnknownName, match="write timm:NAME"):
        answer_for("timm:", folders)
    with pytest.raises(UnreadableData, match="could not be loaded"):
        answer_for(f"timm:test_vit,{checkpoint}", folders)


def test_a_checkpoint_that_holds_more_than_weights_is_not_opened(tmp_path):
    file = tmp_path / "model.pt"
    torch.save({"state_dict": {}, "extra": Path("x")}, file)
    folders = open_set(pictures(tmp_path / "set", ["n01440764", "n02123045"]))
    with pytest.raises(UnreadableData, match="holds more than weights"):
        answer_for(f"timm:{ARCH},{file}", folders)


def test_a_timm_model_whose_outputs_are_not_imagenets_is_refused(tmp_path):
    import timm

    file = tmp_path / "head.pt"
    torch.save(timm.create_model(ARCH).state_dict(), file)
    name = f"timm:{ARCH},{file}"
    wrong = load(name, device="cpu")
    assert wrong.dim == 1000
    from core.supervised import timm_models

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("timm.data.infer_imagenet_subset", lambda module: None)
        with pytest.raises(BadInput, match="not ImageNet's classes"):
            timm_models.load_timm(name, "cpu")


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().flatten().float() for value in module.state_dict().values()])


@pytest.mark.slow
def test_training_resumes_bit_equal(data, tmp_path, monkeypatch):
    brief = replace(TINY, epochs=5, batch=8)
    data = replace(data, pixels=data.pixels[:16], labels=data.labels[:16])
    whole, losses = fit(brief, data)
    monkeypatch.setattr("core.icons.training.fitting.CHECKPOINT_EVERY", 3)
    fit(brief, data, checkpoint=tmp_path / "run.pt", stop_after=7)
    resumed, again = fit(brief, data, checkpoint=tmp_path / "run.pt")
    assert len(losses) == 10
    assert losses == again
    assert torch.equal(weights(whole), weights(resumed))
    assert np.mean(losses[-4:]) < np.mean(losses[:4])


def test_a_trained_classifier_is_saved_and_asked_by_its_folder(data, tmp_path):
    module, losses = fit(TINY, data, stop_after=3)
    save(module, "tiny", TINY, losses, tmp_path / "tiny", seconds=1, command="none")
    model = supervised.canonical(f"supervised:{tmp_path / 'tiny'}")
    part = Part(open_set("icons"), 3000)
    answer = answer_for(model, part)
    module = module.half().float()  # as saved
    pixels = np.stack([np.asarray(part.image(index)) for index in range(len(part.labels))])
    with torch.no_grad():
        logits = module(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1)
    np.testing.assert_allclose(answer.scores[:, 0], logits.amax(1), atol=1e-4)
    (tmp_path / "tiny" / "card.json").write_text("{}")
    with pytest.raises(UnreadableData, match="not a classifier of the icon world"):
        load(model)


def test_labels_are_the_icons_drawn(data):
    from core.icons.concepts import concepts
    from core.icons.corpus import corpus

    drawn = [pair.drawing.key for pair in corpus("icons-10k")[:64]]
    assert [concepts()[label].key for label in data.labels] == drawn
    assert data.pixels.shape == (64, 64, 64, 3)


def test_the_shipped_classifier_has_the_visual_tower_of_its_zero_shot_model():
    from core.icons.training.train import build as contrastive

    for name, run in classifier.SHIPPED.items():
        tower = contrastive(run.arch).visual.state_dict()
        ours = build(run.arch, width=run.width, classes=586)[0].state_dict()
        assert {key: value.shape for key, value in tower.items()} == {key: value.shape for key, value in ours.items()}
        assert name == f"{run.arch},{run.corpus}"


def test_committed_classifiers_are_small_and_say_how_they_were_trained():
    names = supervised.shipped()
    assert REFERENCE in names
    for name in names:
        folder = supervised.folder_of(name)
        card = json.loads((folder / "card.json").read_text())
        limit = 2e6 if name == REFERENCE else 8e6
        assert (folder / "model.safetensors").stat().st_size <= limit
        assert name == f"supervised:{card['name']}"
        assert card["steps"] == card["run"]["epochs"] * (card["training_images"] // card["run"]["batch"])
    card = json.loads((supervised.folder_of(REFERENCE) / "card.json").read_text())
    assert card["baseline"] == STAND_IN
    assert ClassifierRun(**card["run"]) == BASELINES[STAND_IN]
